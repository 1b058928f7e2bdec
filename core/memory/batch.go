package memory

import "github.com/weirhq/weir/core"

// A claim is a cell that a batch charges, and what of it is claimed so far.
type claim struct {
	found
	ahead int64
	taken bool
}

// takeBatch is take for several requests. Their charges of one cell share a
// claim to it. It requires that held, their locks, are held.
func (s *Store) takeBatch(held locks, op *core.Take) error {
	claims := make(map[cellKey]*claim)
	for t := op; t != nil; t = t.Next {
		t.Now = op.Now
		s.override(held, t)
		for i := range t.Charges {
			s.claim(claims, t, &t.Charges[i])
		}
	}
	admitted := !op.Denied()
	if admitted && !s.roomForAll(claims, op) {
		return ErrFull
	}
	for t := op; t != nil; t = t.Next {
		t.Admitted = admitted
		for i := range t.Charges {
			c := &t.Charges[i]
			f := claims[keyOf(c)]
			if !takes(admitted, c) || !admitted && f.fresh && s.full() {
				continue // as in take
			}
			s.charge(t, c, f.found)
			f.fresh, f.taken = false, true
		}
	}
	s.restate(claims, op)
	return nil
}

// claim checks c as if the charges before it that fit were taken.
func (s *Store) claim(claims map[cellKey]*claim, op *core.Take, c *core.Charge) {
	f := claims[keyOf(c)]
	if f == nil {
		f = new(claim)
		if !leasable(c.Limit) {
			f.found = s.find(op.Now, c)
		}
		claims[keyOf(c)] = f
	}
	c.State, c.Ahead = core.State{}, f.ahead
	s.look(op.Now, c, f.found)
	if takes(true, c) {
		f.ahead = max(core.SaturatingAdd(f.ahead, c.Cost), -c.Used)
	}
}

// roomForAll reports whether the cells that the batch needs, which is admitted,
// may be made.
func (s *Store) roomForAll(claims map[cellKey]*claim, op *core.Take) bool {
	free := s.maxCells - s.cells.Load()
	if free >= int64(len(claims)) {
		return true
	}
	for t := op; t != nil; t = t.Next {
		for i := range t.Charges {
			c := &t.Charges[i]
			if f := claims[keyOf(c)]; f.fresh && !f.taken && takes(true, c) {
				f.taken = true
				free--
			}
		}
	}
	return free >= 0
}

// restate renews what charges tell of cells that others charged after them.
func (s *Store) restate(claims map[cellKey]*claim, op *core.Take) {
	for t := op; t != nil; t = t.Next {
		for i := range t.Charges {
			c := &t.Charges[i]
			f := claims[keyOf(c)]
			if !f.taken {
				continue
			}
			now := *c
			now.Peek = true
			s.look(t.Now, &now, f.found)
			c.Used, c.Grow = now.Used, now.Grow
		}
	}
}
