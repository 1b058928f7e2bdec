package core

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"sync/atomic"
)

// An Engine decides requests by one configuration's policies. It is immutable
// but for its counter of requests; what changes lives in its store, which
// outlives it. Its methods may be called concurrently.
type Engine struct {
	policies     map[string]*Policy
	directory    Directory
	store, local Store
	onStoreError string
	hasher       Hasher

	nonce   uint64
	counter atomic.Uint64
	retries *Retries
	own     bool // nobody else uses retries
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
	// Retries has the settlements that wait for the stores, and may be shared by
	// engines on them; nil: the engine has its own.
	Retries *Retries
	// OnStoreError as in Config.
	OnStoreError string
	// Hasher hides keys.
	Hasher Hasher
}

// NewEngine returns an Engine. Close stops what it started, and closes neither
// stores nor directory.
func NewEngine(o Options) *Engine {
	var nonce [8]byte
	_, _ = rand.Read(nonce[:]) // never fails
	retries, own := o.Retries, o.Retries == nil
	if own {
		retries = NewRetries()
	}
	return &Engine{
		policies: o.Policies, directory: o.Directory,
		store: o.Store, local: o.Local, onStoreError: o.OnStoreError,
		hasher: o.Hasher, nonce: binary.LittleEndian.Uint64(nonce[:]),
		retries: retries, own: own,
	}
}

// Policy returns the named policy, or nil.
func (e *Engine) Policy(name string) *Policy { return e.policies[name] }

// Close stops the engine's background work: settlements that wait for a failed
// store are tried once more, then given up. Retries that may be shared it leaves
// alone.
func (e *Engine) Close() error {
	if e.own {
		e.retries.Close()
	}
	return nil
}

// Decide decides r by p at now and fills in d. Its outcome says what the door
// must answer; no request is left undecided, so there is no error. r must live
// as long as d is used.
func (e *Engine) Decide(ctx context.Context, now Instant, p *Policy, r *Request, d *Decision) {
	if e.prepare(ctx, now, p, r, d) {
		e.take(ctx, d)
	}
	d.overlook()
}

// overlook lets pass what a policy in shadow would not.
func (d *Decision) overlook() {
	switch {
	case !d.Policy.Config.Shadow:
	case d.Outcome == Admitted || d.Outcome == Usage || d.Outcome == Passed:
	default:
		d.Shadowed, d.Outcome = d.Outcome, Passed
		d.forget()
	}
}

// prepare fills in what d asks of the store. It returns false where the outcome
// is clear without.
func (e *Engine) prepare(ctx context.Context, now Instant, p *Policy, r *Request, d *Decision) bool {
	d.Policy, d.request = p, r
	d.Now, d.Plans, d.Take.Policy = now, p.Plans, p.Name
	m := p.match(r)
	usage := p.usageIndex(r, &m)
	if m.preflight && m.charged|m.refusable == 0 && usage < 0 {
		d.Outcome = Passed
		return false
	}
	if !e.identify(ctx, d) {
		return false
	}
	d.ID = ID{e.nonce, e.counter.Add(1)}
	d.Charges = d.empty()
	if d.usage = usage >= 0; d.usage {
		d.UsageIndex = usage
		e.chargeUsage(d, &m)
	} else if err := e.charge(d, &m); err != nil {
		d.Outcome = bodyOutcome(err)
		d.forget()
		return false
	}
	return true
}

// usageIndex returns which usage answer r asks for, −1 for none.
func (p *Policy) usageIndex(r *Request, m *matches) int {
	for i := range p.usage {
		if p.usage[i].matches(r, m.preflight, m.charged) {
			return i
		}
	}
	return -1
}

// charge makes the charges of a request that meets m.
func (e *Engine) charge(d *Decision, m *matches) error {
	for i, l := range d.Policy.Limits {
		charged, refusable := m.charged>>i&1 != 0, m.refusable>>i&1 != 0
		if !charged && !refusable {
			continue
		}
		c := e.newCharge(d, l)
		c.Refusable, c.CheckOnly = refusable, !charged || d.request.Endless && l.Kind == Hold
		switch {
		case l.Settled:
			c.Cost = d.request.times(l.Reserve)
		case charged:
			cost, err := l.costOf(d.request, m).of(d)
			if err != nil && (l.Shadow || l.Count) { // they deny nobody
				d.Charges = d.Charges[:len(d.Charges)-1]
				continue
			}
			if err != nil {
				return err
			}
			c.Cost = d.request.times(cost)
		}
		if c.CheckOnly {
			c.Cost = 0
		}
		if d.request.GiveBack {
			c.giveBack()
		}
	}
	return nil
}

// giveBack makes c give back what it was to take.
func (c *Charge) giveBack() {
	if c.CheckOnly || c.Limit.Settled || c.Limit.Kind == Hold {
		c.Peek = true
		return
	}
	c.Cost = -c.Cost
}

// chargeUsage charges the counts that a usage request meets, and asks for the
// state of everything else.
func (e *Engine) chargeUsage(d *Decision, m *matches) {
	for i, l := range d.Policy.Limits {
		c := e.newCharge(d, l)
		c.Peek = !l.Count || m.charged>>i&1 == 0
		if !c.Peek {
			c.Cost, _ = l.costOf(d.request, m).of(d)
		}
	}
}

// newCharge appends a charge of l to d's.
func (e *Engine) newCharge(d *Decision, l *Limit) *Charge {
	d.Charges = append(d.Charges, Charge{Limit: l})
	c := &d.Charges[len(d.Charges)-1]
	c.Scope = l.scope.scope(e.hasher, d.request, d)
	c.bind(&d.Take)
	if own := &d.request.Cap; own.meets(l) {
		c.Capped, c.Max = true, own.amount(l)
		c.Rate = max(1, c.Max)
	}
	if l.Kind == Calendar {
		c.Window = l.Schedule.At(d.Now.Wall)
	}
	return c
}

// take asks the store, and what the policy says if that fails.
func (e *Engine) take(ctx context.Context, d *Decision) {
	d.store, d.Admitted = e.store, true
	if len(d.Charges) > 0 {
		d.store, d.Err = e.ask(ctx, &d.Take)
	}
	e.conclude(d)
}

// ask has op decided, where the store fails by the local one if there is one.
// It returns the store that decided, nil for none, and the failure.
func (e *Engine) ask(ctx context.Context, op *Take) (Store, error) {
	err := e.store.Take(ctx, op)
	switch {
	case err == nil:
		return e.store, nil
	case e.onStoreError != "local":
		return nil, err
	}
	if local := e.local.Take(ctx, op); local != nil {
		return nil, errors.Join(err, local)
	}
	return e.local, err
}

// Take has op decided for a door that makes its own charges: where the store
// fails by the local one if there is one. decided is false where nobody could;
// err is the store's failure in either case.
func (e *Engine) Take(ctx context.Context, op *Take) (decided bool, err error) {
	store, err := e.ask(ctx, op)
	return store != nil, err
}

// conclude sets the outcome of d, of which the store was asked.
func (e *Engine) conclude(d *Decision) {
	switch {
	case d.store == nil && (e.onStoreError != "allow" || d.usage):
		d.Outcome = StoreFailed
		d.forget()
	case d.store == nil:
		d.Outcome = Admitted
		d.forget()
	case !d.Admitted && d.Refuser() == nil:
		d.Outcome = Withheld
	case !d.Admitted:
		d.Outcome = Denied
		d.postpone()
	case d.usage:
		d.Outcome = Usage
	default:
		d.Outcome = Admitted
	}
}

// forget marks charges whose state nobody knows: nothing is told of them.
func (d *Decision) forget() {
	for i := range d.Charges {
		d.Charges[i].State = State{}
		d.Charges[i].Peek = true
	}
}

// Complete reads the state of those limits of d's policy that did not match
// the request, for templates that name them: d.Charge answers for all then.
func (e *Engine) Complete(ctx context.Context, now Instant, d *Decision) error {
	if d.store == nil || d.Subject == nil {
		return nil
	}
	known := len(d.Charges)
	for _, l := range d.Policy.Limits {
		if d.Charge(l.Name) == nil {
			c := e.newCharge(d, l)
			c.Peek = true
		}
	}
	if len(d.Charges) == known {
		return nil
	}
	read := d.Take
	read.Now, read.Charges = now, d.Charges[known:]
	if err := d.store.Read(ctx, &read); err != nil {
		d.Charges = d.Charges[:known]
		return err
	}
	return nil
}
