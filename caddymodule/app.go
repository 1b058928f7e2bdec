package caddymodule

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirhq/weir/core"
)

func init() {
	caddy.RegisterModule(new(App))
}

// App enforces the limits that an API's page publishes: it holds the policies,
// the store that counts, and the directory that knows who is who. Handlers
// (`http.handlers.weir`) apply its policies to requests.
//
// Without any configuration it counts in memory, durably, below Caddy's data
// directory, and takes every credential for its own subject.
type App struct {
	core.Config

	// StoreRaw is where counters live: a module of `weir.stores`. By default
	// `memory`, with its files in `weir` below Caddy's data directory.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=weir.stores inline_key=store"`

	// DirectoryRaw resolves credentials to subjects: a module of
	// `weir.directories`. Without one every credential is its own subject.
	DirectoryRaw json.RawMessage `json:"directory,omitempty" caddy:"namespace=weir.directories inline_key=directory"`

	// Secret is what hides keys and subjects in the store: their hash depends
	// on it. By default it is made once, and kept in the store's directory. A
	// new secret starts all counters anew.
	Secret string `json:"secret,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "weir", New: func() caddy.Module { return new(App) }}
}

// Start implements caddy.App.
func (a *App) Start() error { return nil }

// Stop implements caddy.App.
func (a *App) Stop() error { return nil }

// Interface guards
var (
	_ caddy.Module = (*App)(nil)
	_ caddy.App    = (*App)(nil)
)
