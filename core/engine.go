package core

import (
	"context"
)

// An Engine decides requests by one configuration's policies. It is immutable;
// what changes lives in its store, which outlives it.
type Engine struct {
	policies map[string]*Policy
}

// Options are what an Engine stands on.
type Options struct {
	// Policies by name, of Compile.
	Policies map[string]*Policy
	// Directory resolves credentials; nil: a credential is its own subject.
	Directory Directory
	// Store keeps the cells.
	Store Store
	// Local decides while Store fails, for OnStoreError "local"; else nil.
	Local Store
	// OnStoreError as in Config.
	OnStoreError string
	// Hasher hides keys.
	Hasher Hasher
}

// NewEngine returns an Engine. Close stops what it started, and closes neither
// stores nor directory.
func NewEngine(o Options) *Engine { return &Engine{policies: o.Policies} }

// Policy returns the named policy, or nil.
func (e *Engine) Policy(name string) *Policy { return e.policies[name] }

// Close stops the engine's background work.
func (e *Engine) Close() error { return nil }

// Decide decides r by p at now and fills in d. Its outcome says what the door
// must answer; no request is left undecided, so there is no error.
func (e *Engine) Decide(ctx context.Context, now Instant, p *Policy, r *Request, d *Decision) {}

// Complete reads the state of those limits of d's policy that did not match
// the request, for templates that name them: d.Charge answers for all then.
func (e *Engine) Complete(ctx context.Context, now Instant, d *Decision) error { return nil }

// Hear acts on what the origin said in response to d's request. Doors call it
// before the response's headers go out, and again for trailers.
func (e *Engine) Hear(ctx context.Context, now Instant, d *Decision, v *Voice) Heard {
	return Heard{}
}

// Finish ends the slots of d's request that the origin did not lease. It may be
// called more than once.
func (e *Engine) Finish(now Instant, d *Decision) {}

// Heard is what became of a Voice.
type Heard struct {
	// Leased, Released: names acted on. Ignored: names without a slot or a
	// holder. Invalid: values that could not be read.
	Leased, Released, Ignored, Invalid int
	// Duplicate: the cost was settled before.
	Duplicate bool
	// Err: the store failed; the engine tries again in the background.
	Err error
}
