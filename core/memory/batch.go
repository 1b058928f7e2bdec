package memory

import "github.com/weirhq/weir/core"

// A claim is a cell that a batch charges, and what of it is claimed so far.
type claim struct {
	found
	rate  int64 // at which it drains, of a bucket that subjects share; else 0
	ahead int64
	taken bool
}

// takeBatch is take for several requests. Their charges of one cell share a
// claim to it. It requires that held, their locks, are held.
func (s *Store) takeBatch(held locks, op *core.Take) error {
	for t := op; t != nil; t = t.Next {
		t.Now = op.Now
		s.override(held, t)
	}
	claims := s.claims(held, op, false)
	if !op.Denied() && !s.roomForAll(claims, op) {
		var err error
		if claims, err = s.makeRoomForAll(held, op); err != nil {
			return err
		}
	}
	admitted := !op.Denied()
	if admitted && held.ledger && !s.ledger.room(op) {
		s.turnedAway.Add(1)
		return ErrFull
	}
	failing := s.failing()
	for t := op; failing != nil && admitted && t != nil; t = t.Next {
		if lasts(t) {
			return failing
		}
	}
	for t := op; t != nil; t = t.Next {
		t.Admitted = admitted
		for i := range t.Charges {
			c := &t.Charges[i]
			f := claims[keyOf(c)]
			if !takes(admitted, c) || f.omits(c) || !admitted && s.skips(c, &f.found, failing) {
				continue // as in take
			}
			s.charge(t, c, &f.found)
			f.taken = true
		}
	}
	s.restate(claims, op)
	return nil
}

// claims checks all charges of a batch and returns what they claim. full says
// that there is no room for any cell.
func (s *Store) claims(held locks, op *core.Take, full bool) map[cellKey]*claim {
	claims := make(map[cellKey]*claim)
	for t := op; t != nil; t = t.Next {
		for i := range t.Charges {
			c := &t.Charges[i]
			f := claims[keyOf(c)]
			if f == nil {
				f = s.newClaim(held, claims, t, c, full)
				claims[keyOf(c)] = f
			}
			s.claim(f, t, c)
		}
	}
	return claims
}

// newClaim returns the claim to c's cell, which other subjects may share. That of a
// bucket is then the one of the slowest rate at which the batch charges c's own: all
// of it is counted there, as it would be in a cell of its own, and at that rate, for
// at a higher one the debts of others would drain too fast.
func (s *Store) newClaim(held locks, claims map[cellKey]*claim, op *core.Take, c *core.Charge, full bool) *claim {
	f := new(claim)
	if c.Limit.Leasable() {
		return f
	}
	slow := *c
	if c.Limit.Kind == core.Bucket && held.shards&s.bit(commons) != 0 {
		slow.Rate = slowest(op, c)
	}
	s.find(held, op.Now, &slow, full, &f.found)
	if !f.common {
		return f
	}
	key := cellKey{c.Limit.ID, commonScope(&slow)}
	if first := claims[key]; first != nil {
		return first
	}
	claims[key] = f
	if c.Limit.Kind == core.Bucket {
		f.rate = slow.Rate
	}
	return f
}

// slowest returns the least rate of the charges of c's cell, the first of which is
// op's.
func slowest(op *core.Take, c *core.Charge) int64 {
	rate := c.Rate
	for t := op.Next; t != nil; t = t.Next {
		for i := range t.Charges {
			if other := &t.Charges[i]; keyOf(other) == keyOf(c) {
				rate = min(rate, other.Rate)
			}
		}
	}
	return rate
}

// claim checks c as if the charges before it that fit were taken.
func (s *Store) claim(f *claim, op *core.Take, c *core.Charge) {
	if f.rate > 0 {
		c.Rate = f.rate
	}
	c.State, c.Ahead = core.State{}, f.ahead
	s.look(op.Now, c, &f.found)
	if takes(true, c) && !f.omits(c) {
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
	needed := int64(0)
	for t := op; t != nil; t = t.Next {
		for i := range t.Charges {
			c := &t.Charges[i]
			if f := claims[keyOf(c)]; f.needsRoom(c) && !f.taken && takes(true, c) {
				f.taken = true
				needed++
			}
		}
	}
	return needed == 0 || needed <= free
}

// makeRoomForAll is makeRoom for several requests.
func (s *Store) makeRoomForAll(held locks, op *core.Take) (map[cellKey]*claim, error) {
	s.press(held, op.Now)
	claims := s.claims(held, op, false)
	if op.Denied() || s.roomForAll(claims, op) {
		return claims, nil
	}
	if s.overflow == Deny {
		s.turnedAway.Add(1)
		return nil, ErrFull
	}
	return s.claims(held, op, true), nil
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
			s.look(t.Now, &now, &f.found)
			c.Used, c.Grow = now.Used, now.Grow
		}
	}
}
