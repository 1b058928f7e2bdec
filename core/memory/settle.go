package memory

import (
	"slices"

	"github.com/weirhq/weir/core"
)

// settle applies op at now. It requires that op's locks are held.
func (s *Store) settle(held locks, now core.Instant, op *core.Settle) {
	op.Leased, op.Released, op.Renewed, op.Ignored, op.Duplicate = 0, 0, 0, 0, false
	if op.HasCost {
		s.settleCost(held, now, op)
	}
	if len(op.Set) > 0 {
		s.set(op)
	}
	s.ledger.lease(now, op)
	s.ledger.release(op)
	s.ledger.renew(now, op)
	if op.Reset {
		s.reset(op)
	}
	if op.End {
		s.end(held, now, op)
	}
}

// maxAttributes is how many attributes may be set on one owner.
const maxAttributes = 256

// set sets attributes of op's owner, who may be a new one if there is room for
// one.
func (s *Store) set(op *core.Settle) {
	sh := &s.shards[s.shardOf(op.Owner)]
	old, known := sh.overrides[op.Owner]
	if !known && s.overrides.Load() >= s.maxCells {
		op.Ignored += len(op.Set)
		return
	}
	change := op.Set
	if len(old)+len(change) > maxAttributes {
		change = fitting(old, change)
		op.Ignored += len(op.Set) - len(change)
	}
	if len(change) == 0 {
		return
	}
	s.overrides.Add(sh.set(op.Owner, change))
	if sh.notes.on {
		sh.notes.b = append(sh.notes.b, noteSet)
		sh.notes.set(op.Owner, change)
	}
}

// fitting returns what of change leaves an owner of the attributes old with no more
// than there may be; what is there can always be changed.
func fitting(old, change core.Attributes) (kept core.Attributes) {
	added := map[string]bool{}
	for _, a := range change {
		here := added[a.Name] || slices.ContainsFunc(old, func(b core.Attribute) bool { return a.Name == b.Name })
		if !here && !a.Value.IsZero() {
			if here = len(old)+len(added) < maxAttributes; here {
				added[a.Name] = true
			}
		}
		if here {
			kept = append(kept, a)
		}
	}
	return kept
}

// settleCost corrects what op's settled charges reserved, once per ID.
func (s *Store) settleCost(held locks, now core.Instant, op *core.Settle) {
	if op.Duplicate = !s.receipts.settle(now.Steady, op); op.Duplicate {
		return
	}
	op.Override(s.overridesOf(held, op.Owner))
	settled, before := 0, 0
	for i := range op.Charges {
		c := op.Charges[i]
		if !c.Limit.Settled || c.Peek || c.CheckOnly || c.Refused && !c.Taken {
			continue
		}
		if !c.Taken {
			c.Cost = 0
			s.receipts.recall(op.ID, &c)
		}
		if !s.receipts.settlePart(now.Steady, op, &c) {
			before++
			continue
		}
		settled++
		s.correct(held, now, &c, op.Cost-c.Cost)
	}
	op.Duplicate = before > 0 && settled == 0
	if !op.Part {
		s.receipts.forget(op.ID)
	}
}

// correct adds delta to c's cell, or takes it from c's entry. What is added has
// room: it was admitted.
func (s *Store) correct(held locks, now core.Instant, c *core.Charge, delta int64) {
	var f found
	if keyOf(c).common() && c.Limit.Kind == core.Bucket {
		c.Rate = sharedRate(c.Scope)
	}
	f.home, f.ref = s.own(c)
	switch {
	case delta == 0:
		return
	case delta < 0 && (f.ref == 0 || c.Entry.Slot < f.home.resets[keyOf(c)]):
		return
	case f.ref == 0:
		s.find(held, now, c, s.full(), &f)
		if f.omitted {
			return
		}
		if f.common {
			s.share(c)
		}
	}
	fresh := f.fresh
	if fresh {
		f.make(now, c)
	}
	f.cell().Settle(now, c, delta)
	s.changed(now, c, f.cell(), fresh, delta)
}

// reset empties the cells of op's charges.
func (s *Store) reset(op *core.Settle) {
	for i := range op.Charges {
		c := &op.Charges[i]
		if c.Limit.Leasable() {
			s.ledger.reset(keyOf(c))
		} else {
			sh, epoch := &s.shards[s.shardOf(c.Scope)], s.epoch.Add(1)
			sh.reset(keyOf(c), epoch)
			if limit := s.limits.note(c.Limit); sh.notes.on {
				sh.notes.limit(noteReset, limit, c.Scope)
				sh.notes.uint(epoch)
			}
		}
	}
}

// end frees the slots of op's request, and remembers its reservations unless it
// was settled; one that was settled by its ID alone gives them back.
func (s *Store) end(held locks, now core.Instant, op *core.Settle) {
	leased, early := len(op.Charges) == 0, false
	for i := range op.Charges {
		c := &op.Charges[i]
		switch {
		case c.Limit.Leasable():
			leased = true
		case c.Limit.Kind == core.Hold && c.Taken:
			if sh, ref := s.own(c); ref != 0 {
				sh.pool.Cell(ref).Settle(now, c, -c.Cost)
				s.vacate(now, c, sh.pool.Cell(ref))
			}
		case reserved(c) && s.receipts.partSettled(op.ID, c):
			if part := partOf(op.ID, c); s.receipts.early(part) {
				s.giveBack(held, now, op, c)
				s.receipts.deal(part)
			}
		case reserved(c) && s.receipts.early(op.ID):
			s.giveBack(held, now, op, c)
			early = true
		case reserved(c):
			s.receipts.reserve(now.Steady, op.ID, c, s.limits.note(c.Limit))
		}
	}
	if early {
		s.receipts.deal(op.ID)
	}
	if leased {
		s.ledger.end(op.ID)
	}
}

// giveBack gives back what c, one of op's charges, reserved.
func (s *Store) giveBack(held locks, now core.Instant, op *core.Settle, c *core.Charge) {
	op.Override(s.overridesOf(held, op.Owner))
	s.correct(held, now, c, -c.Cost)
}

// reserved reports whether c took a reservation that a cost will replace.
func reserved(c *core.Charge) bool { return c.Limit.Settled && c.Taken && c.Cost > 0 }
