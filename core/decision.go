package core

import (
	"errors"
	"slices"
	"strings"
)

// An Outcome is what became of a request.
type Outcome uint8

// The outcomes of a decision.
const (
	// Passed: nothing of the policy applies (a CORS preflight).
	Passed Outcome = iota
	// Admitted: the request goes on, and its charges are taken.
	Admitted
	// Denied: a limit refused it.
	Denied
	// MissingCredential and UnknownCredential: the policy denies those.
	MissingCredential
	UnknownCredential
	// UnknownPlan: the subject's plan has no row, and there is no default one.
	UnknownPlan
	// BodyTooLarge: a cost is read from the body, and the body is too large.
	BodyTooLarge
	// BodyEncoding: … and the body is encoded in a way that cannot be read.
	BodyEncoding
	// BodyBroken: … and the body ends early.
	BodyBroken
	// StoreFailed: the store failed and the policy denies then.
	StoreFailed
	// DirectoryFailed: the credential could not be looked up.
	DirectoryFailed
	// Usage: the request is answered with what its subject used.
	Usage
	// Withheld: the request would have been admitted, but for another one that
	// was decided with it.
	Withheld
)

var outcomeNames = [...]string{
	"passed", "admitted", "denied", "missing_credential", "unknown_credential",
	"unknown_plan", "body_too_large", "body_encoding", "body_broken", "store_failed", "directory_failed", "usage",
	"withheld",
}

// String returns the outcome as metrics and logs name it.
func (o Outcome) String() string { return outcomeNames[o] }

// bodyOutcome returns the outcome for a body of which Source.Body says err.
func bodyOutcome(err error) Outcome {
	switch {
	case errors.Is(err, ErrBodyTooLarge):
		return BodyTooLarge
	case errors.Is(err, ErrBodyEncoding):
		return BodyEncoding
	}
	return BodyBroken
}

// bodyless reports whether a cost could not be read from a body.
func (o Outcome) bodyless() bool {
	return o == BodyTooLarge || o == BodyEncoding || o == BodyBroken
}

// A Decision is the outcome for one request and the state of every charge. The
// caller owns it, hands it to Engine.Decide, and keeps it until Engine.Finish;
// it must not be copied in between. It may be used again after Reset.
type Decision struct {
	Take // what the store was asked and answered

	Policy  *Policy
	Outcome Outcome
	// Shadowed is what a policy in shadow would have made of a request that it
	// let pass, other than Denied; Passed if nothing.
	Shadowed Outcome
	// Err is the store's or directory's failure, whatever the Outcome.
	Err error
	// Delay in µs, less than a millisecond, is how long the door must wait
	// before it tells of a refusal: Now lies so far ahead. A rolling charge is
	// stamped at the next whole millisecond; a request that it refuses within
	// that millisecond is refused as of its end, so that nobody is told to wait
	// for longer than the window, and whoever waits so long is admitted.
	Delay int64
	// UsageIndex is the entry of PolicyConfig.Usage that the request is, if
	// Outcome is Usage.
	UsageIndex int

	// Key is who a limit per key counts: the credential, or the Owner where
	// there is none.
	Key Scope

	request   *Request
	store     Store // that decided: the engine's, or its local one
	anonymous Subject
	room      *room // nil in one that was kept
	settle    Settle
	settled   int // how many of room.settling were used
	usage     bool
	finished  bool
}

// A room is where a decision has its charges, without allocating where it is
// used again.
type room struct {
	charges, settling [maxCharges]Charge
}

// maxCharges is how many charges there is room for.
const maxCharges = 16

// empty returns room for d's charges.
func (d *Decision) empty() []Charge {
	if d.room == nil {
		d.room = new(room)
	}
	return d.room.charges[:0]
}

// Keep returns what Hear and Finish need of d, in a Decision of its own that is
// as small as may be, for a request that is still under way when d has to serve
// another one. Nobody may hear of d any more, or finish it.
func (d *Decision) Keep() *Decision {
	kept := &Decision{
		Take: d.Take, Policy: d.Policy, Outcome: d.Outcome, Key: d.Key,
		store: d.store, anonymous: d.anonymous, finished: d.finished,
	}
	kept.Charges, kept.Next = slices.Clone(d.Charges), nil
	if d.Subject == &d.anonymous {
		kept.Subject = &kept.anonymous
	}
	kept.anonymous.ID = strings.Clone(d.anonymous.ID) // it may be part of the whole request's text
	d.finished = true
	return kept
}

// Reset makes the decision ready for another request.
func (d *Decision) Reset() {
	if d.room != nil {
		clear(d.room.charges[:min(len(d.Charges), maxCharges)])
		clear(d.room.settling[:d.settled])
	}
	d.Take, d.settle, d.anonymous = Take{}, Settle{}, Subject{}
	d.Policy, d.Outcome, d.Shadowed, d.Err, d.Delay, d.UsageIndex = nil, Passed, Passed, nil, 0, 0
	d.Key, d.request, d.store, d.settled, d.usage, d.finished = Scope{}, nil, nil, 0, false, false
}

// Refuser returns the charge whose limit refuses the request: of several the
// one with the longest wait, unknowable waits last, ties in policy order. It is
// nil if none refuses.
func (d *Decision) Refuser() *Charge {
	var r *Charge
	for i := range d.Charges {
		if c := &d.Charges[i]; c.Denies() && (r == nil || c.Wait > r.Wait) {
			r = c // Unknown, −1, is less than every wait
		}
	}
	return r
}

// postpone moves a refusal to the moment at which the charges that refuse it
// are stamped.
func (d *Decision) postpone() {
	for i := range d.Charges {
		if c := &d.Charges[i]; c.Denies() && c.Limit.Kind == Rolling {
			d.Delay = max(d.Delay, c.Wait-c.Limit.Length)
		}
	}
	if d.Delay == 0 {
		return
	}
	d.Now = d.Now.Add(d.Delay)
	for i := range d.Charges {
		c := &d.Charges[i]
		if c.Wait > 0 {
			c.Wait = max(0, c.Wait-d.Delay)
		}
		if c.Grow > 0 {
			c.Grow = max(0, c.Grow-d.Delay)
		}
	}
}

// Charge returns the charge of the named limit, or nil if the request has none.
func (d *Decision) Charge(limit string) *Charge {
	i := slices.IndexFunc(d.Charges, func(c Charge) bool { return c.Limit.Name == limit })
	if i < 0 {
		return nil
	}
	return &d.Charges[i]
}
