package caddymodule

import (
	"context"
	"sync"

	"go.uber.org/zap"

	"github.com/weirhq/weir/core"
)

// A Stay is what a door keeps of admitted requests that are under way, until it
// is told that they have ended. The app stays open as long.
type Stay struct {
	app    *App
	engine *core.Engine
	page   *page

	mu        sync.Mutex
	decisions []*core.Decision // nil once ended
}

// stay returns the Stay of those decisions whose requests last, nil if none
// does. It requires that the caller has entered the app.
func (a *App) stay(engine *core.Engine, pg *page, requests []*core.Request, decisions []*core.Decision) *Stay {
	var kept []*core.Decision
	for i, d := range decisions {
		if d.Outcome == core.Admitted && !requests[i].Endless {
			kept = append(kept, d.Keep())
		}
	}
	if kept == nil {
		return nil
	}
	a.enter()
	a.state.metrics.streams.Inc()
	return &Stay{app: a, engine: engine, page: pg, decisions: kept}
}

// ID names the stay: it is that of its first decision.
func (s *Stay) ID() core.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.decisions == nil {
		return core.ID{}
	}
	return s.decisions[0].ID
}

// End acts on what the origin said, if v is not nil, and frees what the requests
// hold. Ending again does nothing.
func (s *Stay) End(v *core.Voice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.decisions == nil {
		return
	}
	now := s.app.state.clock.Now()
	if v != nil {
		s.engine.HearAll(context.Background(), now, s.decisions, v, func(d *core.Decision, h core.Heard) { s.app.heard(s.page, d, h) })
	}
	for _, d := range s.decisions {
		s.app.finish(s.engine, s.page, d)
	}
	s.decisions = nil
	s.app.state.metrics.streams.Dec()
	s.app.leave()
}

// Expire ends a stay whose end nobody has told in time.
func (s *Stay) Expire() {
	if s.ID() == (core.ID{}) {
		return
	}
	s.app.state.metrics.lostStreams.Inc()
	s.app.frequent.Warn("nobody has told in time that a request has ended; what it held is free",
		zap.String("policy", s.page.policy.Name))
	s.End(nil)
}

// HearOf acts on what the origin said in response to r, of which a door has no
// Stay: another process decided it, or it has ended. id is that of its decision,
// zero where none is known. The error is ErrNoPolicy, or why the store cannot be
// opened.
func (a *App) HearOf(ctx context.Context, policy string, r *core.Request, id core.ID, v *core.Voice) error {
	a.enter()
	defer a.leave()
	engine, pg, err := a.policy(policy)
	if err != nil {
		return err
	}
	d := new(core.Decision)
	heard := engine.HearOf(ctx, a.state.clock.Now(), pg.policy, r, id, d, v)
	a.heard(pg, d, heard)
	if d.Err != nil {
		pg.tally.lookupErrors.Inc()
		a.logFailure(d)
	}
	return nil
}

// heard tells metrics and log what became of what the origin said.
func (a *App) heard(pg *page, d *core.Decision, h core.Heard) {
	pg.tally.heard(&h)
	a.logHeard(d, &h)
}

// finish ends d.
func (a *App) finish(engine *core.Engine, pg *page, d *core.Decision) {
	if err := engine.Finish(a.state.clock.Now(), d); err != nil {
		pg.tally.storeErrors.Inc()
		a.logUnsettled(d, err)
	}
}
