package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

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

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	memory <directory>
//	memory volatile
func (m *MemoryStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	p := newParser()
	dir := p.moduleDirective(d)
	if len(dir.args) == 0 {
		p.errorf(dir.name, `"store memory" needs a directory, for counters outlive the process there; "store memory volatile" does without`)
		return p.err()
	}
	if !p.counts(&dir, "store memory DIRECTORY|volatile", 1, 1, false) {
		return p.err()
	}
	if t := dir.args[0]; t.Text == "volatile" && !t.Quoted() {
		m.Volatile = true
	} else {
		m.Dir = p.filled(t, "directory")
	}
	return p.err()
}

// Interface guards
var _ caddyfile.Unmarshaler = (*MemoryStore)(nil)
