package memory

import (
	"slices"

	"github.com/weirhq/weir/core"
)

// Stats are what a store has.
type Stats struct {
	// Cells, those of leasable slots included.
	Cells int
	// Slots in flight that a lease may follow, and Leases.
	Slots, Leases int
	// Tombstones are releases that wait for a lease they have overtaken.
	Tombstones int
	// Settled and Reserved are the requests remembered for their costs' sake.
	Settled, Reserved int
	// Owners that attributes were set on.
	Owners int
	// Refused operations, which found no room, and charges taken in cells that
	// subjects Share for want of room; since the store was made.
	Refused, Shared int64
	// Journal is zero where there is none.
	Journal JournalStats
}

// JournalStats are what a journal has done.
type JournalStats struct {
	// Bytes of the segments that a restart would read.
	Bytes int64
	// Records that were appended, ever; Syncs are how often they were put on
	// disk, and Snapshots how often they were replaced by one.
	Records, Syncs, Snapshots int64
	// Errors of the state directory. Failing: operations are answered with
	// errors until it has been written to again.
	Errors  int64
	Failing bool
}

// Stats counts. It locks one part of the store after another.
func (s *Store) Stats() Stats {
	st := Stats{Owners: int(s.overrides.Load()), Cells: int(s.cells.Load() + s.commons.Load()), Refused: s.turnedAway.Load(), Shared: s.shared.Load()}
	if s.phase.Load() == opened {
		st.Journal = s.journalStats()
	}
	s.ledger.mu.Lock()
	st.Cells += len(s.ledger.used)
	st.Leases = len(s.ledger.expiring)
	for i := range s.ledger.slots {
		st.Slots += int(s.ledger.slots[i].count)
	}
	for _, b := range s.ledger.books {
		st.Tombstones += len(b.tombs.queue)
	}
	s.ledger.mu.Unlock()
	s.receipts.mu.Lock()
	defer s.receipts.mu.Unlock()
	st.Settled, st.Reserved = s.receipts.settled.count(), s.receipts.reserved.count()
	return st
}

func (s *Store) journalStats() JournalStats {
	j := s.journal
	if j == nil {
		return JournalStats{}
	}
	return JournalStats{
		Bytes: j.size.Load(), Records: int64(j.newest()), Syncs: j.syncs.Load(),
		Snapshots: s.snapshots.Load(), Errors: j.errors.Load(), Failing: j.err() != nil,
	}
}

// A Lease is one live lease.
type Lease struct {
	// Name that the origin gave, and the Limit that it was leased in.
	Name, Limit string
	// Scope of the cell that counts it.
	Scope core.Scope
	// Expires in µs of the door's wall clock, as far as can be foreseen; TTL in
	// µs.
	Expires, TTL int64
}

// Leases returns owner's live leases in a policy, oldest first, as of now, the
// door's clock.
func (s *Store) Leases(now core.Instant, policy string, owner core.Scope) ([]Lease, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	now = s.clock(now)
	g := &s.ledger
	g.mu.Lock()
	defer g.mu.Unlock()
	var found []*lease
	for _, l := range g.expiring {
		if l.owner == owner && l.book.policy == policy && l.expiry > now.Steady {
			found = append(found, l)
		}
	}
	slices.SortFunc(found, byOrder)
	list := make([]Lease, len(found))
	for i, l := range found {
		limit, _, _ := s.limits.get(l.key.limit)
		list[i] = Lease{l.name, limit.Name, l.key.scope, now.Wall + l.expiry - now.Steady, l.ttl}
	}
	return list, nil
}
