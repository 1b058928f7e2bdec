package core

import (
	"context"
	"errors"
	"slices"
)

// Heard is what became of a Voice.
type Heard struct {
	// Leased, Released: names acted on. Ignored: names without a slot or a
	// holder, and a cost that no limit of the request settles. Invalid: values
	// that could not be read, and Wrong the first header that had one.
	Leased, Released, Ignored, Invalid int
	Wrong                              string
	// Duplicate: the cost was settled before.
	Duplicate bool
	// Err: the store failed; the engine tries again in the background.
	Err error
}

// Hear acts on what the origin said in response to d's request. Doors call it
// before the response's headers go out, and again for trailers.
func (e *Engine) Hear(ctx context.Context, now Instant, d *Decision, v *Voice) Heard {
	return e.hear(ctx, now, d, v, nil)
}

// hear is Hear, after those before have heard the same response.
func (e *Engine) hear(ctx context.Context, now Instant, d *Decision, v *Voice, before []*Decision) Heard {
	heard := Heard{Invalid: v.Invalid, Wrong: v.Wrong}
	op := d.settlement(now)
	op.Release = v.Release
	if d.Outcome == Admitted {
		op.HasCost, op.Cost, op.Lease, op.Set = v.HasCost, v.Cost, v.Lease, v.Set
		op.Unleased = d.store == nil
	} else { // who was not admitted has nothing to settle
		heard.Ignored = len(v.Lease) + len(v.Set)
	}
	if d.Policy.subject == nil && len(op.Set) > 0 {
		heard.Ignored, op.Set = len(op.Set), nil
	}
	op.Set, heard.Invalid = d.Policy.settable(op.Set, heard.Invalid)
	if heard.Invalid > 0 && heard.Wrong == "" {
		heard.Wrong = HeaderSet
	}
	if op.HasCost && !op.settles() {
		heard.Ignored, op.HasCost = heard.Ignored+1, false
	}
	op.leave(before)
	if !op.HasCost && len(op.Lease)+len(op.Release)+len(op.Set) == 0 {
		return heard
	}
	heard.Err = e.settle(ctx, d.store, op)
	if d.store != nil && d.store == e.local {
		heard.Err = errors.Join(heard.Err, e.settleLasting(ctx, op))
	} else {
		heard.Err = errors.Join(heard.Err, e.settleLocal(ctx, op))
	}
	heard.Leased, heard.Released, heard.Duplicate = op.Leased, op.Released, op.Duplicate
	heard.Ignored += op.Ignored
	d.keepSlots(op)
	return heard
}

// HearOf acts on what the origin said in response to r, of which no Decision is
// left: another process took it, or it was given up. It is like Hear, by what r
// tells of itself: slots are gone, so leases count above any maximum, and a cost
// replaces what was reserved under id. Of the zero id nobody knows whether r was
// admitted: only releases act. d, empty, is filled in; its Err is the
// directory's.
func (e *Engine) HearOf(ctx context.Context, now Instant, p *Policy, r *Request, id ID, d *Decision, v *Voice) Heard {
	if e.prepare(ctx, now, p, r, d) && id != (ID{}) && !d.usage {
		d.Outcome = Admitted
		d.forget()
	}
	d.ID = id
	return e.Hear(ctx, now, d, v)
}

// settleLasting tells the engine's own store what outlasts a failure of it,
// during which a request was decided locally: releases, and attributes set.
func (e *Engine) settleLasting(ctx context.Context, op *Settle) error {
	if len(op.Release)+len(op.Set) == 0 {
		return nil
	}
	lasting := Settle{Now: op.Now, ID: op.ID, Policy: op.Policy, Owner: op.Owner, Release: op.Release, Set: op.Set}
	return e.settle(ctx, e.store, &lasting)
}

// settleLocal tells the local store the releases and renewals of op, which the
// engine's own was asked for: the local one has the jobs that were leased while that
// failed. It adds to what op tells the names that were found there alone.
func (e *Engine) settleLocal(ctx context.Context, op *Settle) error {
	if e.local == nil || len(op.Release)+len(op.Renew) == 0 {
		return nil
	}
	local := Settle{Now: op.Now, Policy: op.Policy, Owner: op.Owner, Release: op.Release, Renew: op.Renew}
	if err := e.local.Settle(ctx, &local); err != nil {
		return err
	}
	released := min(local.Released, len(op.Release)-op.Released)
	renewed := min(local.Renewed, len(op.Renew)-op.Renewed)
	op.Released, op.Renewed = op.Released+released, op.Renewed+renewed
	op.Ignored = max(0, op.Ignored-released-renewed) // nothing is, where the other failed
	return nil
}

// settable returns what of set makes sense in the policy, and invalid increased
// by the rest: texts for attributes that cap, and plans that do not exist.
func (p *Policy) settable(set Attributes, invalid int) (Attributes, int) {
	kept := slices.DeleteFunc(slices.Clone(set), func(a Attribute) bool { return !p.Sensible(a) })
	return kept, invalid + len(set) - len(kept)
}

// Sensible reports whether an attribute can be set on the policy's subjects: a
// plan must exist, and what caps must be a number or unlimited.
func (p *Policy) Sensible(a Attribute) bool {
	if a.Value.IsZero() {
		return true
	}
	if a.Name == "plan" && p.Plans != nil {
		_, ok := p.Plans.rows[a.Value.String()]
		return ok
	}
	return !a.Value.IsText() || !p.caps(a.Name)
}

// caps reports whether a maximum or a rate depends on the attribute.
func (p *Policy) caps(attribute string) bool {
	for _, l := range p.Limits {
		if l.Max.Attribute == attribute || l.Rate.Attribute == attribute {
			return true
		}
	}
	return false
}

// Finish ends the slots of d's request that the origin did not lease. It may be
// called more than once. An error is the store's; the engine tries again in the
// background.
func (e *Engine) Finish(now Instant, d *Decision) error {
	if d.finished {
		return nil
	}
	d.finished = true
	if d.Outcome != Admitted || d.store == nil || !d.lasting() {
		return nil
	}
	op := d.settlement(now)
	op.End = true
	return e.settle(context.Background(), d.store, op)
}

// Holding reports whether ending d's request frees something.
func (d *Decision) Holding() bool {
	return !d.finished && d.Outcome == Admitted && d.store != nil && d.lasting()
}

// lasting reports whether something of d outlasts its decision: slots, or a
// reservation.
func (d *Decision) lasting() bool {
	for i := range d.Charges {
		c := &d.Charges[i]
		if c.Taken && (c.Limit.Kind == Hold || c.Limit.Settled && c.Cost > 0) {
			return true
		}
	}
	return false
}

// settlement returns d's Settle, empty but for the charges that can be
// settled: settled costs and slots that were taken, or would have been but for
// the store's failure.
func (d *Decision) settlement(now Instant) *Settle {
	op := &d.settle
	*op = Settle{Now: now, ID: d.ID, Policy: d.Policy.Name, Owner: d.Owner, Subject: d.known(), Plans: d.Plans}
	if d.room != nil {
		op.Charges = d.room.settling[:0]
	}
	for i := range d.Charges {
		c := &d.Charges[i]
		if c.CheckOnly || !c.Taken && d.store != nil || !c.Limit.Settled && c.Limit.Kind != Hold {
			continue
		}
		op.Charges = append(op.Charges, *c)
		last := &op.Charges[len(op.Charges)-1]
		last.Peek = false
		if c.Limit.Kind == Calendar {
			last.Window = c.Limit.Schedule.At(now.Wall)
		}
	}
	if d.room != nil {
		d.settled = max(d.settled, min(len(op.Charges), maxCharges))
	}
	return op
}

// known returns d's subject, nil for one that has nothing but an id: that one is
// gone when d serves another request.
func (d *Decision) known() *Subject {
	if d.Subject == &d.anonymous {
		return nil
	}
	return d.Subject
}

// settles reports whether a cost has a limit to go to.
func (op *Settle) settles() bool {
	for i := range op.Charges {
		if op.Charges[i].Limit.Settled {
			return true
		}
	}
	return false
}

// keepSlots notes in d's charges what settling did to their entries.
func (d *Decision) keepSlots(op *Settle) {
	for i := range op.Charges {
		if c := d.Charge(op.Charges[i].Limit.Name); c != nil {
			c.Entry = op.Charges[i].Entry
		}
	}
}

// settle asks the store, and leaves what fails to be tried again.
func (e *Engine) settle(ctx context.Context, s Store, op *Settle) error {
	if s == nil {
		s = e.store
	}
	return e.retries.settle(ctx, s, op)
}
