package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/memory"
)

func init() { caddy.RegisterModule(new(fragileStore)) }

// fragile says whether fragile stores fail, and how often one was opened.
var fragile struct {
	broken, shut atomic.Bool
	opened       atomic.Int32
}

var errBroken = errors.New("the store is broken")

// A fragileStore is a memory store that fails when it is told to.
type fragileStore struct{ core.Store }

// CaddyModule returns the Caddy module information.
func (*fragileStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "weir.stores.fragile", New: func() caddy.Module { return new(fragileStore) }}
}

// UnmarshalCaddyfile implements caddyfile.Unmarshaler.
func (*fragileStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return nil
}

// Identity implements Store.
func (*fragileStore) Identity() (name, options string) { return "fragile", "" }

// Open implements Store.
func (*fragileStore) Open(*[16]byte) (s core.Store, secret [16]byte, err error) {
	if fragile.shut.Load() {
		return nil, secret, errBroken
	}
	fragile.opened.Add(1)
	return &fragileStore{memory.New(memory.Options{})}, secret, nil
}

// Take implements core.Store.
func (f *fragileStore) Take(ctx context.Context, op *core.Take) error {
	if fragile.broken.Load() {
		return errBroken
	}
	return f.Store.Take(ctx, op)
}

// Settle implements core.Store.
func (f *fragileStore) Settle(ctx context.Context, op *core.Settle) error {
	if fragile.broken.Load() {
		return errBroken
	}
	return f.Store.Settle(ctx, op)
}

func TestFailureIsASetting(t *testing.T) {
	up := origin(t, func(http.ResponseWriter, *http.Request) {})
	tests := map[string][]int{"deny": {503, 503, 503}, "allow": {200, 200, 200}, "local": {200, 200, 429}}
	for setting, want := range tests {
		t.Run(setting, func(t *testing.T) {
			fragile.broken.Store(false)
			g := start(t, strings.Replace(minute, "memory volatile", "fragile\non_store_error "+setting, 1), "weir api\nreverse_proxy "+up)
			g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), 200)
			fragile.broken.Store(true)
			for _, status := range want {
				g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), status)
			}
			fragile.broken.Store(false)
			e := g.do("GET", "/", "X-API-Key: alice")
			g.wantStatus(e, 200)
			if got := e.header.Get("X-RateLimit-Remaining"); got != "0" {
				t.Errorf("remaining %s when the store is back, want 0", got)
			}
			metrics := g.call("GET", "/metrics", "").body
			if !strings.Contains(metrics, `weir_store_errors_total{policy="api"} 3`) {
				t.Error("the metrics do not tell of three errors")
			}
		})
	}
}

func TestStoreThatCannotBeOpenedRejectsTheConfiguration(t *testing.T) {
	broken := strings.Replace(minute, "memory volatile", "fragile", 1)
	g := start(t, minute, "weir api\nrespond ok")
	fragile.shut.Store(true)
	defer fragile.shut.Store(false)
	if err := g.tryLoad(broken, "weir api\nrespond ok"); !errors.Is(err, errBroken) && (err == nil || !strings.Contains(err.Error(), errBroken.Error())) {
		t.Errorf("error %v", err)
	}
	eventually(t, "only the first store is there", func() bool { return storeName(t) == "memory" })
	g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), 200)
}

func TestStoreIsOpenedOnce(t *testing.T) {
	fragile.opened.Store(0)
	options := strings.Replace(minute, "memory volatile", "fragile", 1)
	g := start(t, options, "weir api\nrespond ok")
	for range 3 {
		g.load(options, "weir api\nrespond again")
	}
	if n := fragile.opened.Load(); n != 1 {
		t.Errorf("opened %d times", n)
	}
}

// TestSettlementsOutlastAReload has an origin tell what a request cost while the
// store fails, and a reload before it works again.
func TestSettlementsOutlastAReload(t *testing.T) {
	fragile.broken.Store(false)
	up := origin(t, func(w http.ResponseWriter, _ *http.Request) {
		fragile.broken.Store(true)
		w.Header().Set("Weir-Cost", "1")
	})
	defer fragile.broken.Store(false)
	options, site := strings.Replace(jobs, "memory volatile", "fragile", 1), "weir api\nreverse_proxy "+up
	g := start(t, options, site)
	g.wantStatus(g.do("POST", "/", "X-API-Key: alice"), 200)
	waiting := func(n string) bool {
		return strings.Contains(g.call("GET", "/metrics", "").body, "\nweir_settlements_waiting "+n+"\n")
	}
	g.load(options, site+"\nheader X-New 1")
	if !waiting("1") {
		t.Error("the metrics do not tell of what waits")
	}
	fragile.broken.Store(false)
	eventually(t, "what it cost is known", func() bool { return waiting("0") })
	g.wantStatus(g.do("POST", "/", "X-API-Key: alice"), 429)
}

// TestExitClosesAllStores has Caddy exit while a request of a configuration before
// the last is on its way, in a store that keeps things only when it is closed.
func TestExitClosesAllStores(t *testing.T) {
	up, arrived, release := slowOrigin(t)
	dir := t.TempDir()
	old := strings.Replace(minute, "memory volatile", "memory \""+dir+"\" {\ndurability none\n}", 1)
	g := start(t, old, "weir api\nreverse_proxy "+up)
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.do("GET", "/slow", "X-API-Key: alice")
	}()
	<-arrived
	g.load(minute, "weir api\nreverse_proxy "+up)
	if name := "memory:" + dir; !slices.Contains(stateNames(), name) {
		t.Fatal("the store is not open")
	}
	closeStates() // as Caddy does then
	if _, err := os.Stat(filepath.Join(dir, memory.SnapshotName)); err != nil {
		t.Error(err)
	}
	s := memory.New(memory.Options{Dir: dir})
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	if n := s.Stats().Cells; n != 1 {
		t.Errorf("%d counters are kept, want 1", n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	release()
	<-done
}

// stateNames returns the names of the open stores.
func stateNames() (names []string) {
	states.Range(func(key, _ any) bool {
		names = append(names, key.(string))
		return true
	})
	return names
}
