package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(new(probe))
	httpcaddyfile.RegisterHandlerDirective("probe", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()
		if !h.NextArg() {
			return nil, h.ArgErr()
		}
		return &probe{Name: h.Val()}, nil
	})
}

// A probe is a handler whose function a test gives.
type probe struct {
	Name string `json:"name"`
}

// A probeFunc is what a probe does.
type probeFunc func(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error

var probes sync.Map // probeFunc by name

// setProbe gives the named probe its function until the test ends.
func setProbe(t *testing.T, name string, f probeFunc) {
	t.Helper()
	probes.Store(name, f)
	t.Cleanup(func() { probes.Delete(name) })
}

// CaddyModule returns the Caddy module information.
func (*probe) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.probe", New: func() caddy.Module { return new(probe) }}
}

// Provision implements caddy.Provisioner.
func (p *probe) Provision(caddy.Context) error {
	if p.Name == "reject" {
		return errors.New("this configuration is rejected")
	}
	return nil
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (p *probe) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	f, ok := probes.Load(p.Name)
	if !ok {
		return errors.New("no such probe")
	}
	return f.(probeFunc)(w, r, next)
}

func init() { caddy.RegisterModule(new(catch)) }

// A catch is an event handler that keeps what it gets.
type catch struct{}

var caught struct {
	sync.Mutex
	events []caddy.Event
}

// CaddyModule returns the Caddy module information.
func (*catch) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.catch", New: func() caddy.Module { return new(catch) }}
}

// Handle implements caddyevents.Handler.
func (*catch) Handle(_ context.Context, e caddy.Event) error {
	caught.Lock()
	defer caught.Unlock()
	caught.events = append(caught.events, e)
	return nil
}

// UnmarshalCaddyfile implements caddyfile.Unmarshaler.
func (*catch) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return nil
}

func init() {
	caddy.RegisterModule(new(watch))
	httpcaddyfile.RegisterHandlerDirective("watch", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()
		return new(watch), nil
	})
	httpcaddyfile.RegisterDirectiveOrder("watch", httpcaddyfile.Before, "header")
}

// A watch is a handler that notes when its server has closed its listeners: a
// reload does not wait for that, and until then the old configuration answers.
type watch struct{}

// watched is closed when the server of the configuration that was loaded last
// stops listening.
var watched = make(chan struct{})

// CaddyModule returns the Caddy module information.
func (*watch) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.watch", New: func() caddy.Module { return new(watch) }}
}

// Provision implements caddy.Provisioner.
func (*watch) Provision(ctx caddy.Context) error {
	closed := make(chan struct{})
	watched = closed
	ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server).RegisterOnShutdown(func() { close(closed) })
	return nil
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (*watch) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return next.ServeHTTP(w, r)
}
