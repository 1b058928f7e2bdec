package caddymodule

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

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
	// Open opens the store, or returns an error that rejects the configuration. It
	// returns the secret, too: the configured one, or if that is nil the one that is
	// kept beside the counters, which it makes if there is none. It fails if the
	// counters that it finds were made with another secret.
	Open(configured *[16]byte) (s core.Store, secret [16]byte, err error)
}

// MemoryStore counts in Caddy's own process. What it counted outlives the
// process in a directory on local disk.
type MemoryStore struct {
	// Dir is the directory of the state, which no other process may use at the
	// same time.
	Dir string `json:"dir,omitempty"`

	// Volatile keeps nothing on disk: a restart begins with empty counters.
	Volatile bool `json:"volatile,omitempty"`

	// MaxCells is how many counters there may be, one for each limit and whom
	// it counts; 16777216 by default.
	MaxCells int64 `json:"max_cells,omitempty"`

	// Overflow says what becomes of requests for whose counters there is no
	// room: "deny" (the default) fails them, as on_store_error says; with "share"
	// they share one counter for each limit.
	Overflow string `json:"overflow,omitempty"`

	// Durability says what outlives a crash: with `process`, the default,
	// whatever was acknowledged outlives the process; with `interval` at most
	// Interval of it is lost, also when the machine ends; with `none` only an
	// orderly stop keeps anything.
	Durability string `json:"durability,omitempty"`

	// Interval is what may be lost with the durability `interval`, from 2ms to
	// 1h.
	Interval core.Duration `json:"interval,omitempty"`
}

// overflows are the values of MemoryStore.Overflow.
var overflows = []string{"deny", "share"}

// CaddyModule returns the Caddy module information.
func (*MemoryStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "weir.stores.memory", New: func() caddy.Module { return new(MemoryStore) }}
}

// UnmarshalJSON implements json.Unmarshaler: of mistakes it tells where they are.
func (m *MemoryStore) UnmarshalJSON(data []byte) error {
	type plain MemoryStore
	return core.DecodeConfig(data, (*plain)(m))
}

// Provision implements caddy.Provisioner.
func (m *MemoryStore) Provision(caddy.Context) error {
	if err := m.checkRoom(); err != nil {
		return err
	}
	switch {
	case m.Dir == "" && !m.Volatile:
		return errors.New("a directory is missing; without one counters would not outlive a restart (if that is meant: volatile)")
	case m.Volatile && m.Dir != "":
		return fmt.Errorf("volatile counters use no directory, but %q is given", m.Dir)
	}
	if err := m.checkDurability(); err != nil || m.Volatile {
		return err
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

// checkRoom checks what bounds the store.
func (m *MemoryStore) checkRoom() error {
	switch {
	case m.MaxCells < 0:
		return fmt.Errorf("max_cells: %d is not a number of counters from 1", m.MaxCells)
	case m.Overflow != "" && !slices.Contains(overflows, m.Overflow):
		return fmt.Errorf("overflow: %q is neither deny nor share%s", clip(m.Overflow), core.DidYouMean(m.Overflow, overflows))
	}
	return nil
}

// Identity implements Store.
func (m *MemoryStore) Identity() (name, options string) {
	o := m.options("")
	options = fmt.Sprintf("max_cells %d, overflow %s", o.MaxCells, overflows[o.Overflow])
	if m.Volatile {
		return "memory", options
	}
	options += ", durability " + m.durability().String()
	if m.Interval != 0 {
		options += " " + m.Interval.String()
	}
	return "memory:" + m.Dir, options
}

// options returns the store's options, for what is kept in dir.
func (m *MemoryStore) options(dir string) memory.Options {
	o := memory.Options{Dir: dir, MaxCells: cmp.Or(m.MaxCells, memory.DefaultMaxCells)}
	if m.Overflow == "share" {
		o.Overflow = memory.Share
	}
	return o
}

// Local returns a store for the time in which this one fails, with as many
// cells at most.
func (m *MemoryStore) Local() core.Store { return memory.New(m.options("")) }

// Open implements Store.
func (m *MemoryStore) Open(configured *[16]byte) (store core.Store, secret [16]byte, err error) {
	o := m.options(m.Dir)
	o.Durability, o.Interval, o.Report = m.durability(), time.Duration(m.Interval), m.report
	o.Mark = func() (uint64, error) {
		var err error
		secret, err = m.secret(configured)
		return mark(secret), err
	}
	emptied := m.emptied()
	s := memory.New(o)
	if err := s.Open(); err != nil {
		return nil, secret, err
	}
	if emptied {
		m.logger().Warn("the state directory was used before, and has no counters any more: all begin at 0")
	}
	return s, secret, nil
}

// emptied reports whether a store was open in the directory, and nothing there has
// counters any more: from the first start on something has, unless somebody took it
// away or nothing is journaled.
func (m *MemoryStore) emptied() bool {
	if m.Volatile {
		return false
	}
	used := slices.ContainsFunc([]string{secretName, memory.LockName}, func(name string) bool {
		_, err := os.Stat(filepath.Join(m.Dir, name))
		return err == nil
	})
	kept, err := memory.Kept(m.Dir)
	return used && kept == "" && err == nil
}

// secret returns the secret that was configured, else the directory's own, which no
// other process must use. Without a directory it is another one each time.
func (m *MemoryStore) secret(configured *[16]byte) (secret [16]byte, err error) {
	if configured != nil {
		return *configured, nil
	}
	if m.Volatile {
		_, err = rand.Read(secret[:])
		return secret, err
	}
	path := filepath.Join(m.Dir, secretName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		kept, err := memory.Kept(m.Dir)
		if err != nil {
			return secret, err
		}
		if kept != "" {
			return secret, fmt.Errorf("%s is missing, without which the counters in %s belong to nobody: restore it, or remove the directory to begin with empty ones", path, kept)
		}
	}
	return secretFile(path)
}

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	memory <directory>|volatile {
//		durability process|none|interval <duration>
//		max_cells  <n>
//		overflow   deny|share
//	}
func (m *MemoryStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	p := newParser()
	dir := p.moduleDirective(d)
	if len(dir.args) == 0 {
		p.errorf(dir.name, `"store memory" needs a directory, for counters outlive the process there; "store memory volatile" does without`)
		return p.err()
	}
	if !p.counts(&dir, "store memory DIRECTORY|volatile", 1, 1, true) {
		return p.err()
	}
	if t := dir.args[0]; t.Text == "volatile" && !t.Quoted() {
		m.Volatile = true
	} else {
		m.Dir = p.filled(t, "directory")
	}
	parseBlock(p, memoryGrammar, "a memory store", dir.block, m, "")
	return p.err()
}

var memoryGrammar = grammar[MemoryStore]{
	{"durability", "process|none|interval DURATION", 1, 2, false, "durability", (*parser).durability},
	{"max_cells", "N", 1, 1, false, "max_cells", (*parser).maxCells},
	{"overflow", "deny|share", 1, 1, false, "overflow", (*parser).overflow},
}

func (p *parser) maxCells(m *MemoryStore, _ string, d *directive) {
	n, err := strconv.ParseInt(d.args[0].Text, 10, 64)
	if err != nil || n < 1 {
		p.errorf(d.args[0], "%q is not a number of counters from 1", clip(d.args[0].Text))
	}
	m.MaxCells = n
}

func (p *parser) overflow(m *MemoryStore, _ string, d *directive) {
	word := d.args[0].Text
	if !slices.Contains(overflows, word) {
		p.errorf(d.args[0], "expected \"overflow deny|share\", got %q%s", clip(word), core.DidYouMean(word, overflows))
	}
	m.Overflow = word
}

// Interface guards
var (
	_ caddy.Module          = (*MemoryStore)(nil)
	_ caddy.Provisioner     = (*MemoryStore)(nil)
	_ caddyfile.Unmarshaler = (*MemoryStore)(nil)
	_ Store                 = (*MemoryStore)(nil)
)
