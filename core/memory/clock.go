package memory

import (
	"math"

	"github.com/weirhq/weir/core"
)

// unset is an offset that nobody has determined yet.
const unset = math.MinInt64

// clock returns the store's time at the door's time now. Steady time goes on
// from the newest in the snapshot, after what has passed since by the wall
// clock: what was charged before a restart is never in the future, and is no
// older because the wall clock was set right while the process ran.
func (s *Store) clock(now core.Instant) core.Instant {
	offset := s.offset.Load()
	if offset == unset {
		s.offset.CompareAndSwap(unset, s.saved.resume(now)-now.Steady)
		offset = s.offset.Load()
	}
	now.Steady += offset
	if s.first.Load() == nil {
		first := now
		s.first.CompareAndSwap(nil, &first)
	}
	return now
}

// see notes in the shards that are held that it has been now. It requires
// that held is held.
func (s *Store) see(held locks, now core.Instant) {
	for rest := held.shards; rest != 0; rest &= rest - 1 {
		s.shards[trailing(rest)].see(now)
	}
	if held.ledger {
		s.ledger.see(now)
	}
}

// A seen is what a part of the store knows of the clocks.
type seen struct {
	// last is the reading of the greatest steady time, and of several the
	// furthest: the present.
	last core.Instant
	// wall is up to when windows may have been dropped because they were over:
	// new cells get no earlier one.
	wall int64
	// ahead is the most that the wall clock was ahead of the steady one, which began
	// with it: from 0. Less may be a clock that is set back, and will be set right:
	// that is no time passing.
	ahead int64
}

// sighting is what a part knows that has seen nothing but now.
func sighting(now core.Instant, wall int64) seen {
	return seen{last: now, wall: wall, ahead: max(0, now.Wall-now.Steady)}
}

// resume returns the steady time at the first reading after a restart. Its
// steady part is what the wall clock showed when the process began, and what has
// passed since.
func (s *seen) resume(now core.Instant) int64 {
	if *s == (seen{}) {
		return now.Steady
	}
	return max(s.last.Steady, now.Steady-s.ahead)
}

// kept returns what to keep of last, so that ahead is kept by it.
func (s *seen) kept() core.Instant {
	return core.Instant{Wall: s.last.Steady + s.ahead, Steady: s.last.Steady}
}

// see notes that it has been now. It drops nothing on account of that.
func (s *seen) see(now core.Instant) { s.join(sighting(now, s.wall)) }

// join notes what another part has seen.
func (s *seen) join(o seen) {
	s.ahead = max(s.ahead, o.ahead)
	if d := o.last.Steady - s.last.Steady; d > 0 || d == 0 && o.last.Wall > s.last.Wall {
		s.last = o.last
	}
	s.wall = max(s.wall, o.wall)
}

const (
	// maxStepBack in µs is how far before its first reading the wall clock may
	// be set back until that is taken for a mistake, which the windows of new
	// cells had better not follow.
	maxStepBack = 60 * 60 * 1_000_000
	// believed in µs of steady clock is how long the wall clock must have been
	// ahead before windows are dropped on its account.
	believed = 60 * 60 * 1_000_000
)

// A belief is how far the wall clock can be trusted: it may be set ahead by
// mistake, and back again. It goes at the pace of the steady clock, follows the
// wall clock back at once, and ahead only when that has been there for a while.
type belief struct {
	begun  bool
	first  int64 // the reading of the wall clock that it began with
	offset int64 // of the believed wall clock from the door's steady one
	// While the wall clock is ahead: the least offset since then.
	ahead bool
	least int64
	since int64 // steady clock
}

// begin begins the belief with a reading.
func (b *belief) begin(now core.Instant) {
	*b = belief{begun: true, first: now.Wall, offset: now.Wall - now.Steady}
}

// mistaken reports whether now shows that what the belief began with was a
// mistake.
func (b *belief) mistaken(now core.Instant) bool {
	return b.begun && now.Wall < b.first-maxStepBack
}

// see takes a reading, and returns what to believe of the wall clock.
func (b *belief) see(now core.Instant) int64 {
	switch offset := now.Wall - now.Steady; {
	case offset <= b.offset:
		b.offset, b.ahead = offset, false
	case !b.ahead:
		b.ahead, b.least, b.since = true, offset, now.Steady
	default:
		b.least = min(b.least, offset)
		if now.Steady-b.since >= believed {
			b.offset, b.ahead = b.least, false
		}
	}
	return b.offset + now.Steady
}
