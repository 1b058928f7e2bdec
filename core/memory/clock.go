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
		s.offset.CompareAndSwap(unset, max(0, s.saved.Steady-now.Steady))
		offset = s.offset.Load()
	}
	now.Steady += offset
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

// latest returns the later of each clock's readings.
func latest(a, b core.Instant) core.Instant {
	return core.Instant{Wall: max(a.Wall, b.Wall), Steady: max(a.Steady, b.Steady)}
}
