package caddymodule

import (
	"context"

	"go.uber.org/zap"

	"github.com/weirhq/weir/core"
)

// Counting is what a door needs that makes its own charges, by rules that are no
// policies: the app's store, clock, secret and metrics.
type Counting struct {
	app    *App
	engine *core.Engine
}

// Counting returns the means to count. The app must be open until the last use.
func (a *App) Counting() (*Counting, error) {
	engine, err := a.open()
	if err != nil {
		return nil, err
	}
	return &Counting{a, engine}, nil
}

// Now reads the clock.
func (c *Counting) Now() core.Instant { return c.app.state.clock.Now() }

// Hasher hides what clients send.
func (c *Counting) Hasher() core.Hasher { return c.app.state.hasher }

// HasPolicy reports whether there is a policy of that name.
func (c *Counting) HasPolicy(name string) bool { return c.app.pages[name] != nil }

// AllowOnError reports whether requests pass that nobody can decide.
func (c *Counting) AllowOnError() bool { return c.app.OnStoreError == "allow" }

// Take has op decided, by the store or by whatever stands in for it. An error
// says that nobody could.
func (c *Counting) Take(ctx context.Context, op *core.Take) error {
	c.app.enter()
	defer c.app.leave()
	decided, err := c.engine.Take(ctx, op)
	if err != nil {
		c.app.state.metrics.storeErrors.WithLabelValues(op.Policy).Inc()
		c.app.frequent.Error("the store failed", zap.String("policy", op.Policy), zap.Error(err))
	}
	if decided {
		return nil
	}
	return err
}

// Decided counts a decision in weir_decisions_total: which rule refuses, or "".
func (c *Counting) Decided(policy, rule string, admitted bool) {
	outcome := core.Denied
	if admitted {
		outcome = core.Admitted
	}
	c.app.state.metrics.decisions.WithLabelValues(policy, rule, outcome.String()).Inc()
}
