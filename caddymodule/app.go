package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"

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

	// DoorsRaw are front ends beside Caddy's HTTP server: modules of
	// `weir.doors`.
	DoorsRaw []json.RawMessage `json:"doors,omitempty" caddy:"namespace=weir.doors inline_key=door"`

	// Secret is what hides keys and subjects in the store: their hash depends
	// on it. By default it is made once, and kept in the store's directory.
	// Counters that were made with another one are nobody's: Weir does not start
	// with them.
	Secret string `json:"secret,omitempty"`

	store     Store
	directory core.Directory
	doors     []Door
	ctx       caddy.Context
	state     *state
	events    *caddyevents.App
	logger    *zap.Logger
	frequent  *zap.Logger // samples what traffic can repeat

	engine atomic.Pointer[core.Engine] // nil until the app is open
	users  atomic.Int64                // requests under way, and the configuration
	closed sync.Once

	mu    sync.Mutex // guards opening, and what follows
	pages map[string]*page
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "weir", New: func() caddy.Module { return new(App) }}
}

// UnmarshalJSON implements json.Unmarshaler: of mistakes it tells where they are.
func (a *App) UnmarshalJSON(data []byte) error {
	type plain App
	return core.DecodeConfig(data, (*plain)(a))
}

// Provision implements caddy.Provisioner. It touches no store: this
// configuration may only be validated, or rejected, while another one runs.
func (a *App) Provision(ctx caddy.Context) (err error) {
	a.users.Store(1)
	a.ctx, a.logger = ctx, ctx.Logger()
	a.frequent = Sampled(a.logger)
	if a.pages, err = pages(&a.Config); err != nil {
		return err
	}
	if err := a.loadStore(ctx); err != nil {
		return err
	}
	if err := a.loadDirectory(ctx); err != nil {
		return err
	}
	if err := a.loadDoors(ctx); err != nil {
		return err
	}
	events, err := ctx.App("events")
	if err != nil {
		return err
	}
	a.events = events.(*caddyevents.App)
	if a.state, err = acquire(a.store, a.Secret); err != nil {
		return err
	}
	return a.state.metrics.register(ctx.GetMetricsRegistry())
}

// loadStore loads the store's module.
func (a *App) loadStore(ctx caddy.Context) error {
	if a.StoreRaw == nil {
		a.store = &MemoryStore{Dir: filepath.Join(caddy.AppDataDir(), "weir")}
		return nil
	}
	module, err := ctx.LoadModule(a, "StoreRaw")
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	store, ok := module.(Store)
	if !ok {
		return fmt.Errorf("store: %T is no store", module)
	}
	a.store = store
	return nil
}

// loadDirectory loads the directory's module.
func (a *App) loadDirectory(ctx caddy.Context) error {
	if a.DirectoryRaw == nil {
		return nil
	}
	module, err := ctx.LoadModule(a, "DirectoryRaw")
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	directory, ok := module.(core.Directory)
	if !ok {
		return fmt.Errorf("directory: %T is no directory", module)
	}
	a.directory = directory
	return nil
}

// Start implements caddy.App.
func (a *App) Start() error {
	if _, err := a.open(); err != nil {
		return err
	}
	return a.openDoors()
}

// Stop implements caddy.App. Apps stop in any order, and requests may still be
// on their way, but not those of the doors.
func (a *App) Stop() error { return closeDoors(a.doors) }

// Cleanup implements caddy.CleanerUpper. At a reload Caddy does not wait for
// the requests that the old configuration still serves: the last of them closes
// the app. When Caddy exits it has waited as long as it is told to.
func (a *App) Cleanup() error {
	if caddy.Exiting() {
		a.close()
		return nil
	}
	a.leave()
	return nil
}

// enter keeps the app open until leave.
func (a *App) enter() { a.users.Add(1) }

// leave closes the app if nobody else uses it.
func (a *App) leave() {
	if a.users.Add(-1) == 0 {
		a.close()
	}
}

// close releases what the configuration acquired. Of a configuration that
// failed to load that is not everything.
func (a *App) close() {
	a.closed.Do(func() {
		var errs []error
		if engine := a.engine.Load(); engine != nil {
			errs = append(errs, engine.Close())
		}
		if d, ok := a.directory.(io.Closer); ok {
			errs = append(errs, d.Close())
		}
		if a.state != nil {
			errs = append(errs, a.state.release())
		}
		if err := errors.Join(errs...); err != nil {
			a.logger.Error("closing", zap.Error(err))
		}
	})
}

// page returns the page of a policy of the app's own configuration.
func (a *App) page(name string) (*page, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if pg := a.pages[name]; pg != nil && !pg.inline {
		return pg, nil
	}
	own := maps.Clone(a.pages)
	maps.DeleteFunc(own, func(_ string, pg *page) bool { return pg.inline })
	if len(own) == 0 {
		return nil, fmt.Errorf("there is no policy %q: the app weir defines none", name)
	}
	return nil, fmt.Errorf("there is no policy %q%s", name, core.DidYouMean(name, sortedNames(own)))
}

// define returns the page of a policy that a handler defines. Several handlers
// may define a policy alike: they share its cells.
func (a *App) define(name string, c *core.PolicyConfig) (*page, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if pg := a.pages[name]; pg != nil {
		if !pg.inline {
			return nil, fmt.Errorf("the app weir defines the policy %q already; use it without a definition", name)
		}
		if !pg.same(c) {
			return nil, fmt.Errorf("another handler defines the policy %q differently; give this one a name of its own", name)
		}
		return pg, nil
	}
	policy, err := core.CompilePolicy("define", name, c)
	if err != nil {
		return nil, err
	}
	pg, err := newPage(policy)
	if err != nil {
		return nil, err
	}
	pg.inline = true
	a.pages[name] = pg
	return pg, nil
}

// open returns the engine. The first call opens the store: that of Start, or of
// a request where the HTTP app starts first.
func (a *App) open() (*core.Engine, error) {
	if engine := a.engine.Load(); engine != nil {
		return engine, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if engine := a.engine.Load(); engine != nil {
		return engine, nil
	}
	if err := a.state.open(a.store); err != nil {
		return nil, err
	}
	o := core.Options{
		Policies: make(map[string]*core.Policy, len(a.pages)), Directory: a.directory,
		Store: a.state.store, Retries: a.state.retries, OnStoreError: a.OnStoreError, Hasher: a.state.hasher,
	}
	if a.OnStoreError == "local" {
		o.Local = a.state.openLocal(a.store)
	}
	for name, pg := range a.pages {
		o.Policies[name] = pg.policy
		pg.tally = a.state.metrics.tally(pg.policy)
	}
	engine := core.NewEngine(o)
	a.engine.Store(engine)
	return engine, nil
}

// sortedNames returns the names in a map, sorted.
func sortedNames[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
