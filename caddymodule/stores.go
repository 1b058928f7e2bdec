package caddymodule

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/memory"
)

func init() {
	caddy.RegisterModule(new(MemoryStore))
}

// A Store is a module of `weir.stores`. It is provisioned with every
// configuration, also with those that are only validated or then rejected: all
// that touches the world waits for Open.
type Store interface {
	// Identity returns the name of the counters, which is the same in all
	// configurations that mean the same ones, and the options that they are
	// kept with: two configurations with one name must have the same.
	Identity() (name, options string)
	// Open opens the store, or returns an error that rejects the configuration.
	Open() (core.Store, error)
	// Secret returns the secret that is kept beside the counters, and makes it
	// if there is none. It is called after Open, for configurations that have
	// no secret of their own.
	Secret() ([16]byte, error)
}

// MemoryStore counts in Caddy's own process. What it counted outlives the
// process in a directory on local disk.
type MemoryStore struct {
	// Dir is the directory of the state, which no other process may use at the
	// same time.
	Dir string `json:"dir,omitempty"`

	// Volatile keeps nothing on disk: a restart begins with empty counters.
	Volatile bool `json:"volatile,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*MemoryStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "weir.stores.memory", New: func() caddy.Module { return new(MemoryStore) }}
}

// Provision implements caddy.Provisioner.
func (m *MemoryStore) Provision(caddy.Context) error {
	switch {
	case m.Dir == "" && !m.Volatile:
		return errors.New("a directory is missing; without one counters would not outlive a restart (if that is meant: volatile)")
	case m.Volatile && m.Dir != "":
		return fmt.Errorf("volatile counters use no directory, but %q is given", m.Dir)
	case m.Volatile:
		return nil
	}
	dir, err := caddy.NewReplacer().ReplaceOrErr(m.Dir, true, true)
	if err != nil {
		return fmt.Errorf("dir: %w", err)
	}
	if m.Dir, err = filepath.Abs(dir); err != nil {
		return fmt.Errorf("dir: %w", err)
	}
	return nil
}

// Identity implements Store.
func (m *MemoryStore) Identity() (name, options string) {
	if m.Volatile {
		return "memory", ""
	}
	return "memory:" + m.Dir, ""
}

// Open implements Store.
func (m *MemoryStore) Open() (core.Store, error) {
	s := memory.New(memory.Options{Dir: m.Dir})
	if err := s.Open(); err != nil {
		return nil, err
	}
	return s, nil
}

// Secret implements Store.
func (m *MemoryStore) Secret() (secret [16]byte, err error) {
	if m.Volatile {
		_, err = rand.Read(secret[:])
		return secret, err
	}
	path := filepath.Join(m.Dir, "secret")
	snapshot := filepath.Join(m.Dir, memory.SnapshotName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(snapshot); err == nil {
			return secret, fmt.Errorf("%s is missing, without which the counters in %s belong to nobody: restore it, or remove the directory to begin with empty ones", path, snapshot)
		}
	}
	return secretFile(path)
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
var (
	_ caddy.Module          = (*MemoryStore)(nil)
	_ caddy.Provisioner     = (*MemoryStore)(nil)
	_ caddyfile.Unmarshaler = (*MemoryStore)(nil)
	_ Store                 = (*MemoryStore)(nil)
)
