package core

import (
	"context"
	"slices"
)

// DecideAll decides several requests in one step, requests[i] in decisions[i]:
// all of them are admitted, or none is charged. Where one is refused the others
// are Withheld, but for those to which nothing of p applies. Otherwise it is
// Decide.
func (e *Engine) DecideAll(ctx context.Context, now Instant, p *Policy, requests []*Request, decisions []*Decision) {
	var first, last *Take
	refused := false
	for i, d := range decisions {
		if !e.prepare(ctx, now, p, requests[i], d) {
			d.overlook()
			refused = refused || d.Outcome != Passed
			continue
		}
		if last != nil {
			last.Next = &d.Take
		} else {
			first = &d.Take
		}
		last = &d.Take
	}
	if first == nil {
		return
	}
	var store Store
	var err error
	if !refused {
		store, err = e.ask(ctx, first)
	}
	for _, d := range decisions {
		switch {
		case d.Charges == nil || d.Outcome.bodyless() || d.Shadowed != Passed: // not prepared
		case refused:
			d.Outcome = Withheld
			d.forget()
		default:
			d.store, d.Err = store, err
			e.conclude(d)
			d.overlook()
		}
	}
}

// HearAll acts on what the origin said in the one response to the requests of
// decisions, as Hear does for each, but does nothing twice: a cell that several of
// them have is charged the cost once, whatever they reserved there, an id is leased
// one slot of a cell, and an owner's releases and attributes are heard once. told is
// called with what became of it in each.
func (e *Engine) HearAll(ctx context.Context, now Instant, decisions []*Decision, v *Voice, told func(*Decision, Heard)) {
	for i, d := range decisions {
		told(d, e.hear(ctx, now, d, v, decisions[:i]))
	}
}

// leave takes out of op what decisions before have seen to, whose requests had the
// same response. What op's charges reserved in their cells is given back.
func (op *Settle) leave(before []*Decision) {
	if len(before) == 0 {
		return
	}
	charged := func(c *Charge) bool {
		return c.Limit.Settled && slices.ContainsFunc(before, func(d *Decision) bool { return d.sharing(c) != nil })
	}
	if slices.ContainsFunc(before, func(d *Decision) bool { return d.Owner == op.Owner }) {
		op.Release, op.Set = nil, nil
	}
	op.Lease = op.Lease[op.leased(before):]
	op.Charges = slices.DeleteFunc(op.Charges, func(c Charge) bool { return !c.Taken && charged(&c) })
	for i := range op.Charges {
		if c := &op.Charges[i]; charged(c) {
			c.Cost += op.Cost // nothing of which is left to be charged
		}
	}
}

// leased returns how many of op's ids the owner's requests of decisions before had
// slots for, in each cell where op's request has one, or is to have one for want of
// a store that could take it.
func (op *Settle) leased(before []*Decision) int64 {
	most, leasable := int64(len(op.Lease)), false
	for i := range op.Charges {
		c := &op.Charges[i]
		if !c.Limit.Leasable() || !c.Taken && !op.Unleased {
			continue
		}
		leasable = true
		slots := int64(0)
		for _, d := range before {
			if own := d.sharing(c); own != nil && d.Owner == op.Owner {
				slots += own.Cost
			}
		}
		most = min(most, slots)
	}
	if !leasable {
		return 0
	}
	return most
}

// sharing returns the charge to c's cell of d's request, nil if there is none.
func (d *Decision) sharing(c *Charge) *Charge {
	if d.Outcome != Admitted {
		return nil
	}
	for i := range d.Charges {
		own := &d.Charges[i]
		if own.Limit == c.Limit && own.Scope == c.Scope && !own.CheckOnly && (own.Taken || d.store == nil) {
			return own
		}
	}
	return nil
}
