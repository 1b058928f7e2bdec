package memory

import "github.com/weirhq/weir/core"

// A found is the cell of a charge; the zero found where the ledger counts it. A
// fresh one is not made yet. A common one is of all who have none of their own; in
// an omitted one, which is never made, nothing is taken.
type found struct {
	home            *shard
	ref             core.CellRef
	fresh           bool
	common, omitted bool
}

// cell returns the cell, which is made.
func (f *found) cell() core.PoolCell { return f.home.pool.Cell(f.ref) }

// inlineCells is how many charges of a request need no allocation.
const inlineCells = 16

// take decides op at op.Now. It requires that held, op's locks, are held.
func (s *Store) take(held locks, op *core.Take) error {
	s.override(held, op)
	if op.Next != nil {
		return s.takeBatch(held, op)
	}
	var inline [inlineCells]found
	cells := s.check(held, op, inline[:0], false)
	if !op.Denied() && !s.room(op, cells) {
		var err error
		if cells, err = s.makeRoom(held, op, cells); err != nil {
			return err
		}
	}
	op.Admitted = !op.Denied()
	if op.Admitted && held.ledger && !s.ledger.room(op) {
		s.turnedAway.Add(1)
		return ErrFull
	}
	failing := s.failing()
	if failing != nil && op.Admitted && lasts(op) {
		op.Admitted = false
		return failing
	}
	for i := range op.Charges {
		c, f := &op.Charges[i], &cells[i]
		if !takes(op.Admitted, c) || f.omits(c) || !op.Admitted && s.skips(c, f, failing) {
			continue
		}
		s.charge(op, c, f)
	}
	return nil
}

// skips reports whether c is not taken though its request is refused and c
// counts that: a refusal stands also where its counts find no room, or where
// they could not be kept.
func (s *Store) skips(c *core.Charge, f *found, failing error) bool {
	return f.fresh && s.full() || failing != nil && c.Limit.Kind != core.Hold
}

// lasts reports whether something that op takes outlives the process.
func lasts(op *core.Take) bool {
	for i := range op.Charges {
		if c := &op.Charges[i]; takes(true, c) && c.Limit.Kind != core.Hold {
			return true
		}
	}
	return false
}

// own returns c's shard, and there its cell; the zero CellRef if there is none.
func (s *Store) own(c *core.Charge) (*shard, core.CellRef) {
	sh := &s.shards[s.shardOf(c.Scope)]
	return sh, sh.cells[keyOf(c)]
}

// takes reports whether c is charged by a request that was admitted or not.
func takes(admitted bool, c *core.Charge) bool {
	switch {
	case c.Peek || c.CheckOnly:
		return false
	case c.Always:
		return true
	case admitted:
		return !c.Refused
	}
	return c.Limit.Count && c.Limit.CountRefused
}

// override applies what was set on op's owner. If the owner's shard is not held
// nobody had overrides when the locks were taken; that is the time that counts.
func (s *Store) override(held locks, op *core.Take) {
	op.Overrides = nil
	if o := s.overridesOf(held, op.Owner); len(o) > 0 {
		op.Override(o)
	}
}

// overridesOf returns what was set on owner, as override has it.
func (s *Store) overridesOf(held locks, owner core.Scope) core.Attributes {
	n := s.shardOf(owner)
	if held.shards>>n&1 == 0 {
		return nil
	}
	return s.shards[n].overrides[owner]
}

// check fills in the State of op's charges and puts their cells into cells, which
// is empty; those that do not exist yet are not made part of the store. full says
// that there is no room for any.
func (s *Store) check(held locks, op *core.Take, cells []found, full bool) []found {
	for i := range op.Charges {
		c := &op.Charges[i]
		c.State = core.State{}
		cells = append(cells, found{})
		f := &cells[i]
		if !c.Limit.Leasable() {
			s.find(held, op.Now, c, full, f)
		}
		s.look(op.Now, c, f)
	}
	return cells
}

// find makes f, a zero one, c's cell, which the ledger does not count. full says
// that there is no room for another one.
func (s *Store) find(held locks, now core.Instant, c *core.Charge, full bool, f *found) {
	if f.home, f.ref = s.own(c); f.ref == 0 && !s.common(held, now, c, full, f) {
		f.fresh = true
	}
}

// look fills in c's State from its cell, or from the ledger.
func (s *Store) look(now core.Instant, c *core.Charge, f *found) {
	switch {
	case f.home == nil:
		core.CheckHold(s.ledger.used[keyOf(c)], c)
	case f.fresh || f.omitted:
		f.home.try(now, c, core.PoolCell.Check)
	default:
		f.cell().Check(now, c)
	}
}

// charge takes c in its cell, which becomes part of the store. One that does
// not fit is told how the cell stands afterwards.
func (s *Store) charge(op *core.Take, c *core.Charge, f *found) {
	refused := c.Refused
	s.enlist(op, c, f)
	if refused {
		entry := c.Entry
		c.Ahead = 0 // what was ahead is taken
		s.look(op.Now, c, f)
		c.Taken, c.Entry = true, entry
	}
}

// enlist takes c in its cell; in one that subjects share, c is that cell's from
// now on. The Slot of a settled charge's entry is the epoch, so that a reset can
// be told to have come since.
func (s *Store) enlist(op *core.Take, c *core.Charge, f *found) {
	if f.home == nil {
		s.ledger.take(op, c)
		return
	}
	if f.common && c.Cost > 0 {
		s.share(c)
		s.shared.Add(1)
	}
	if f.fresh && f.common && c.Cost == 0 {
		f.home.try(op.Now, c, core.PoolCell.Take)
	} else {
		fresh := f.fresh
		if fresh {
			f.make(op.Now, c)
		}
		f.cell().Take(op.Now, c)
		s.changed(op.Now, c, f.cell(), fresh, c.Cost)
	}
	if c.Limit.Settled {
		c.Entry.Slot = s.epoch.Load()
	}
}

// make makes a fresh cell, for c.
func (f *found) make(now core.Instant, c *core.Charge) {
	f.ref, f.fresh = f.home.fresh(now, c), false
	f.home.put(keyOf(c), f.ref)
}
