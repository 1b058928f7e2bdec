package memory

import "github.com/weirhq/weir/core"

// inlineCells is how many charges of a request need no allocation.
const inlineCells = 16

// take decides op at op.Now. It requires that op's locks are held.
func (s *Store) take(op *core.Take) {
	s.override(op)
	var inline [inlineCells]core.Cell
	cells := s.check(op, inline[:0])
	op.Admitted = true
	for i := range op.Charges {
		op.Admitted = op.Admitted && !op.Charges[i].Denies()
	}
	for i := range op.Charges {
		if c := &op.Charges[i]; takes(op.Admitted, c) {
			s.charge(op, c, cells[i])
		}
	}
}

// takes reports whether c is charged by a request that was admitted or not.
func takes(admitted bool, c *core.Charge) bool {
	switch {
	case c.Peek || c.CheckOnly:
		return false
	case admitted:
		return !c.Refused
	}
	return c.Limit.Count && c.Limit.CountRefused
}

// override applies what was set on op's owner.
func (s *Store) override(op *core.Take) {
	op.Overrides = nil
	if s.overrides.Load() == 0 {
		return
	}
	if o := s.shards[s.shardOf(op.Owner)].overrides[op.Owner]; len(o) > 0 {
		op.Override(o)
	}
}

// check fills in the State of op's charges and appends their cells to cells;
// those that do not exist yet are not made part of the store.
func (s *Store) check(op *core.Take, cells []core.Cell) []core.Cell {
	for i := range op.Charges {
		c := &op.Charges[i]
		c.State = core.State{}
		if leasable(c.Limit) {
			cells = append(cells, nil)
			s.ledger.check(op.Now, c)
		} else {
			cell := s.shards[s.shardOf(c.Scope)].cells[keyOf(c)]
			if cell == nil {
				cell = core.NewCell(c.Limit)
			}
			cells = append(cells, cell)
			cell.Check(op.Now, c)
		}
	}
	return cells
}

// charge takes c in cell, which becomes part of the store.
func (s *Store) charge(op *core.Take, c *core.Charge, cell core.Cell) {
	if cell == nil {
		s.ledger.take(op, c)
		return
	}
	cell.Take(op.Now, c)
	sh := &s.shards[s.shardOf(c.Scope)]
	if _, ok := sh.cells[keyOf(c)]; !ok {
		s.limits.note(c.Limit)
		sh.put(keyOf(c), cell)
	}
}
