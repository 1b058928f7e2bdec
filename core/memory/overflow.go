package memory

import (
	"errors"
	"math/bits"

	"github.com/weirhq/weir/core"
)

// Overflow says what becomes of charges for whose cells there is no room.
type Overflow uint8

const (
	// Deny has Take answer ErrFull.
	Deny Overflow = iota
	// Share has subjects without a cell of their own share one for each limit, with
	// one subject's maximum for all of them (of a Bucket: one for each rate).
	//
	// While such a cell counts anything it is the cell of everybody in that
	// limit who has none of their own, also when there is room again. So nobody
	// is charged in both at a time, and nobody is admitted above their maximum.
	Share
)

// ErrFull is what Take answers if a request that is admitted would need more
// cells than the store may have. Subjects that have cells are not affected.
var ErrFull = errors.New("the store has as many cells as it may")

// commons is the scope of cells that subjects share: nobody's, for those of
// subjects are keyed hashes.
var commons = core.Scope{Hi: 0x776569722e636f6d, Lo: 0x6d6f6e732e63656c}

// commonScope returns the scope of the cell that c is charged in if its subject
// has none. That of a bucket depends on its rate, for debt drains at the rate of
// the last charge; whatever the rate, the shard is the same.
func commonScope(c *core.Charge) core.Scope {
	if c.Limit.Kind != core.Bucket {
		return commons
	}
	return twin(uint64(c.Rate))
}

// twin returns another scope of the shard of commons.
func twin(n uint64) core.Scope {
	return core.Scope{Hi: commons.Hi ^ bits.RotateLeft64(n, 32), Lo: commons.Lo ^ n}
}

// sharedRate returns the rate at which the debt drains in the bucket of a
// commonScope.
func sharedRate(scope core.Scope) int64 { return int64(scope.Lo ^ commons.Lo) }

// common reports whether subjects share the cell.
func (k cellKey) common() bool { return k.scope == twin(k.scope.Lo^commons.Lo) }

// nearlyFull is how many cells may be missing until operations lock the cells
// that subjects share, which they may come to need: more than operations make at
// a time.
const nearlyFull = 1024

// crowded reports whether operations may need the cells that subjects share.
func (s *Store) crowded() bool {
	return s.commons.Load() > 0 || s.overflow == Share && s.cells.Load() >= s.maxCells-nearlyFull
}

// commonShard returns the shard of the cells that subjects share, if operations
// may need them.
func (s *Store) commonShard() uint64 {
	if !s.crowded() {
		return 0
	}
	return s.bit(commons)
}

// crowd is commonShard, but for a request: subjects who have cells of their own
// need no others, and do not wait for those who have none. It requires that the
// shards of op's charges are held.
func (s *Store) crowd(op *core.Take) uint64 {
	shard := s.commonShard()
	for t := op; shard != 0 && t != nil; t = t.Next {
		for i := range t.Charges {
			if c := &t.Charges[i]; c.Limit.Kind != core.Hold {
				if _, ref := s.own(c); ref == 0 {
					return shard
				}
			}
		}
	}
	return 0
}

// common makes f the cell that c's subject, who has none, shares with others, and
// reports whether it is to: it may have one of its own. A count, which refuses
// nobody, is left out rather than shared. It requires that held is held.
func (s *Store) common(held locks, now core.Instant, c *core.Charge, full bool, f *found) bool {
	full = full && s.overflow == Share
	if held.shards&s.bit(commons) == 0 || c.Limit.Kind == core.Hold || c.Limit.Count && !full {
		return false
	}
	sh := &s.shards[s.shardOf(commons)]
	if c.Limit.Count {
		*f = found{home: sh, omitted: true}
		return true
	}
	ref := sh.cells[cellKey{c.Limit.ID, commonScope(c)}]
	if !full && (ref == 0 || sh.pool.Cell(ref).Idle(now)) {
		return false
	}
	*f = found{home: sh, ref: ref, fresh: ref == 0, common: true}
	return true
}

// share makes c a charge in the cell that subjects share. One of its subject's
// own was dropped, if there was one, as whoever plays the journal must be told: for
// nobody else needs to know what was dropped.
func (s *Store) share(c *core.Charge) {
	if n := &s.shards[s.shardOf(c.Scope)].notes; n.on {
		n.limit(noteGone, s.limits.note(c.Limit), c.Scope)
	}
	c.Scope = commonScope(c)
}

// full reports whether no more cells may be made.
func (s *Store) full() bool { return s.cells.Load() >= s.maxCells }

// room reports whether the cells that op needs, which is admitted, may be made.
func (s *Store) room(op *core.Take, cells []found) bool {
	free := s.maxCells - s.cells.Load()
	if free >= int64(len(op.Charges)) {
		return true
	}
	needed := int64(0)
	for i := range op.Charges {
		if c := &op.Charges[i]; cells[i].needsRoom(c) && takes(true, c) {
			needed++
		}
	}
	return needed == 0 || needed <= free
}

// omits reports whether nothing is taken for c: nobody gives back what others
// took.
func (f *found) omits(c *core.Charge) bool { return f.omitted || f.common && c.Cost < 0 }

// needsRoom reports whether c makes it another cell of one subject. Slots need no
// room: there are no more than requests in flight, which take more memory
// themselves, and who has counters is not to be refused for want of a slot's.
func (f *found) needsRoom(c *core.Charge) bool {
	return f.fresh && !f.common && !f.omitted && c.Limit.Kind != core.Hold
}

// vacate drops the cell of c, a hold, once it has no slots, where it may have taken
// room that there is not. It requires that the cell's shard is held.
func (s *Store) vacate(now core.Instant, c *core.Charge, cell core.PoolCell) {
	if s.cells.Load() > s.maxCells-nearlyFull && cell.Idle(now) {
		s.shards[s.shardOf(c.Scope)].remove(keyOf(c))
	}
}

// makeRoom checks op anew where there is no room for the cells that it needs:
// with idle ones dropped, and else in shared ones.
func (s *Store) makeRoom(held locks, op *core.Take, cells []found) ([]found, error) {
	s.press(held, op.Now)
	cells = s.check(held, op, cells[:0], false)
	if op.Denied() || s.room(op, cells) {
		return cells, nil
	}
	if s.overflow == Deny {
		s.turnedAway.Add(1)
		return nil, ErrFull
	}
	return s.check(held, op, cells[:0], true), nil
}

// pressed is how many cells of a shard are looked at for want of room.
const pressed = 8

// press drops some cells that are idle, and has all of them dropped soon. It
// requires that held is held.
func (s *Store) press(held locks, now core.Instant) {
	for rest := held.shards; rest != 0; rest &= rest - 1 {
		s.shards[trailing(rest)].drop(now, pressed)
	}
	select {
	case s.pressure <- struct{}{}:
	default:
	}
}

// drop drops those of n random cells that are idle.
func (sh *shard) drop(now core.Instant, n int) {
	past := sh.past(now)
	for key, ref := range sh.cells {
		if !key.common() && sh.pool.Cell(ref).Idle(past) {
			sh.remove(key)
		}
		if n--; n == 0 {
			return
		}
	}
}
