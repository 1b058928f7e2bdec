package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/contract"
)

// A Door is a module of `weir.doors`: a front end beside Caddy's HTTP server
// that turns what it is asked into requests, and decisions into answers.
type Door interface {
	// Open begins to answer by a's policies, or returns an error that rejects
	// the configuration. The door of the configuration before may still be open.
	Open(a *App) error
	// Close stops answering; calls that are on their way are answered first.
	Close() error
}

// ErrNoPolicy is what App.Decide answers for the name of no policy.
var ErrNoPolicy = errors.New("there is no such policy")

// loadDoors loads the doors' modules.
func (a *App) loadDoors(ctx caddy.Context) error {
	if a.DoorsRaw == nil {
		return nil
	}
	modules, err := ctx.LoadModule(a, "DoorsRaw")
	if err != nil {
		return fmt.Errorf("doors: %w", err)
	}
	for _, module := range modules.([]any) {
		door, ok := module.(Door)
		if !ok {
			return fmt.Errorf("doors: %T is no door", module)
		}
		a.doors = append(a.doors, door)
	}
	return nil
}

// openDoors opens all doors, or none.
func (a *App) openDoors() error {
	for i, door := range a.doors {
		if err := door.Open(a); err != nil {
			return errors.Join(err, closeDoors(a.doors[:i]))
		}
	}
	return nil
}

// closeDoors closes the doors at the same time.
func closeDoors(doors []Door) error {
	errs := make([]error, len(doors))
	var group sync.WaitGroup
	for i, door := range doors {
		group.Go(func() { errs[i] = door.Close() })
	}
	group.Wait()
	return errors.Join(errs...)
}

// Decide has the named policy decide requests: requests[i] in decisions[i], in
// one step, as core.Engine.DecideAll. It tells logs, metrics and events of them,
// and returns when the caller may answer, with the contract that says how. Where
// admitted requests are not Endless it returns their Stay too, which the caller
// must end. The error is ErrNoPolicy, or why the store cannot be opened.
func (a *App) Decide(ctx context.Context, policy string, requests []*core.Request, decisions []*core.Decision) (*contract.Contract, *Stay, error) {
	a.enter()
	defer a.leave()
	engine, pg, err := a.policy(policy)
	if err != nil {
		return nil, nil, err
	}
	if slices.ContainsFunc(requests, func(r *core.Request) bool { return r.Endless }) {
		pg.endless.Do(func() { a.warnOfHolds(pg.policy) })
	}
	a.decide(ctx, engine, pg, requests, decisions)
	delay := int64(0)
	for _, d := range decisions {
		a.tell(a.ctx, pg, d)
		if d.Overlooked() {
			a.overlooked(pg)
		}
		a.complete(ctx, engine, pg, d)
		delay = max(delay, d.Delay)
	}
	stay := a.stay(engine, pg, requests, decisions)
	for _, d := range decisions {
		a.finish(engine, pg, d)
	}
	time.Sleep(time.Duration(delay) * time.Microsecond)
	return pg.contract, stay, nil
}

// policy returns the engine and the named policy, ErrNoPolicy if there is none.
// It requires that the caller has entered the app.
func (a *App) policy(name string) (*core.Engine, *page, error) {
	engine, err := a.open()
	if err != nil {
		return nil, nil, err
	}
	pg := a.pages[name] // which no longer change
	if pg == nil {
		a.state.metrics.unknownPolicies.Inc()
		a.frequent.Warn("asked for a policy that there is none of; nothing limits such requests", zap.String("policy", name))
		return nil, nil, ErrNoPolicy
	}
	return engine, pg, nil
}

// decide has the requests decided.
func (a *App) decide(ctx context.Context, engine *core.Engine, pg *page, requests []*core.Request, decisions []*core.Decision) {
	now := a.state.clock.Now()
	if m := a.state.metrics; m.sampled() {
		defer m.observe(time.Now())
	}
	engine.DecideAll(ctx, now, pg.policy, requests, decisions)
}

// tell tells of a decision whoever wants to know, but for the client.
func (a *App) tell(ctx caddy.Context, pg *page, d *core.Decision) {
	pg.tally.count(d)
	if d.Outcome == core.Denied {
		a.logDenial(d)
		a.emitDenial(ctx, d)
	}
	if d.Err != nil {
		a.logFailure(d)
	}
}

// complete reads the limits that the answer to d names and its request was not
// charged to.
func (a *App) complete(ctx context.Context, engine *core.Engine, pg *page, d *core.Decision) {
	if !pg.contract.Incomplete(d) {
		return
	}
	if err := engine.Complete(ctx, a.state.clock.Now(), d); err != nil {
		pg.tally.storeErrors.Inc()
		a.frequent.Error("reading limits for an answer", zap.String("policy", d.Policy.Name), zap.Error(err))
	}
}

// overlooked tells that a request's own maximum met no limit.
func (a *App) overlooked(pg *page) {
	pg.tally.overrides.Inc()
	a.frequent.Warn("a request brought a maximum for a window that no limit of it has; it is ignored",
		zap.String("policy", pg.policy.Name))
}

// warnOfHolds tells, once, what of a policy a door cannot do that is not told
// when responses end.
func (a *App) warnOfHolds(p *core.Policy) {
	for _, l := range p.Limits {
		if l.Kind == core.Hold {
			a.logger.Warn("requests through this door take no slots of a hold, for it is not told when their responses end",
				zap.String("policy", p.Name), zap.String("limit", l.Name))
		}
	}
}
