package memory

import (
	"math"

	"github.com/weirhq/weir/core"
)

// unset is an offset that nobody has determined yet.
const unset = math.MinInt64

// clock returns the store's time at the door's time now. Steady time continues
// from no earlier than the newest time in the snapshot, so that what was
// charged before a restart is never in the future.
func (s *Store) clock(now core.Instant) core.Instant {
	offset := s.offset.Load()
	if offset == unset {
		s.offset.CompareAndSwap(unset, max(0, s.saved.last.Steady-now.Steady))
		offset = s.offset.Load()
	}
	now.Steady += offset
	return now
}

// see notes in the shards that are held that it has been now. It requires
// that held is held.
func (s *Store) see(held locks, now core.Instant) {
	for rest := held.shards; rest != 0; rest &= rest - 1 {
		s.shards[trailing(rest)].seen.see(now)
	}
	if held.ledger {
		s.ledger.see(now)
	}
}

// A seen is what a part of the store knows of the clocks.
type seen struct {
	// last is the reading of the greatest steady time: the present.
	last core.Instant
	// wall is the furthest that the wall clock was: last.Wall, or at most
	// maxStepBack later if it was set back. If it was further ahead than that
	// it was wrong, and is forgotten.
	wall int64
}

// see notes that it has been now.
func (s *seen) see(now core.Instant) { s.join(seen{now, now.Wall}) }

// join notes what another part has seen.
func (s *seen) join(o seen) {
	if o.last.Steady >= s.last.Steady {
		s.last = o.last
	}
	s.wall = max(s.wall, o.wall)
	if s.wall-s.last.Wall > maxStepBack {
		s.wall = s.last.Wall
	}
}
