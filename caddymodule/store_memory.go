package caddymodule

import "github.com/caddyserver/caddy/v2"

func init() {
	caddy.RegisterModule(new(MemoryStore))
}

// MemoryStore counts in this process's memory, and keeps a journal of it on
// local disk.
type MemoryStore struct {
	// Dir is where the journal is.
	Dir string `json:"dir,omitempty"`

	// Volatile keeps nothing: a restart forgets all counters.
	Volatile bool `json:"volatile,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*MemoryStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "weir.stores.memory", New: func() caddy.Module { return new(MemoryStore) }}
}
