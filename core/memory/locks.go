package memory

import (
	"math/bits"

	"github.com/weirhq/weir/core"
)

// locks are what an operation needs to be alone with.
type locks struct {
	shards           uint64 // a set of shard numbers
	ledger, receipts bool
}

func trailing(set uint64) int { return bits.TrailingZeros64(set) }

// shardOf returns the number of the shard that has scope's cells.
func (s *Store) shardOf(scope core.Scope) int { return shardOf(scope, len(s.shards)) }

// shardOf is the shard of scope where there are so many, a power of two.
func shardOf(scope core.Scope, shards int) int {
	h := (scope.Hi ^ bits.RotateLeft64(scope.Lo, 32)) * 0x9E3779B97F4A7C15
	return int(h >> 32 & uint64(shards-1))
}

func (s *Store) bit(scope core.Scope) uint64 { return 1 << s.shardOf(scope) }

// acquire locks shards in ascending order, then the ledger, then the receipts.
func (s *Store) acquire(l locks) {
	for rest := l.shards; rest != 0; rest &= rest - 1 {
		s.shards[trailing(rest)].mu.Lock()
	}
	if l.ledger {
		s.ledger.mu.Lock()
	}
	if l.receipts {
		s.receipts.mu.Lock()
	}
}

// release unlocks what acquire has locked.
func (s *Store) release(l locks) {
	if l.receipts {
		s.receipts.mu.Unlock()
	}
	if l.ledger {
		s.ledger.mu.Unlock()
	}
	for rest := l.shards; rest != 0; rest &= rest - 1 {
		s.shards[trailing(rest)].mu.Unlock()
	}
}

// acquireTake locks what op names. Whether the owner has overrides is looked
// up only while any owner has, and cells that subjects share only for subjects
// without one of their own, while there are any or may be: both are read again
// under the locks, for it may have been the operation before this one that set or
// made the first.
func (s *Store) acquireTake(op *core.Take) (locks, error) {
	var l locks
	var owners uint64
	for t := op; t != nil; t = t.Next {
		for i := range t.Charges {
			l.add(s, &t.Charges[i])
		}
		owners |= s.bit(t.Owner)
	}
	l.shards |= s.overridden(owners)
	s.acquire(l)
	for {
		missing := (s.overridden(owners) | s.crowd(op)) &^ l.shards
		if missing == 0 {
			return l, s.alive(l)
		}
		s.release(l)
		l.shards |= missing
		s.acquire(l)
	}
}

// overridden returns those shards of owners that may have overrides.
func (s *Store) overridden(owners uint64) uint64 {
	if s.overrides.Load() > 0 {
		return owners
	}
	return 0
}

// acquireSettle locks what op names, what its request reserved, which is known
// only under the receipts' lock, and what is set on the owner whose cells may
// change.
func (s *Store) acquireSettle(op *core.Settle) (locks, error) {
	var l locks
	for i := range op.Charges {
		c := &op.Charges[i]
		l.add(s, c)
		l.receipts = l.receipts || op.End && reserved(c)
	}
	if op.HasCost {
		l.receipts = true
	}
	if len(op.Set) > 0 {
		l.shards |= s.bit(op.Owner)
	}
	if len(op.Lease)+len(op.Release)+len(op.Renew) > 0 || op.End && len(op.Charges) == 0 {
		l.ledger = true
	}
	s.acquire(l)
	for l.receipts {
		missing := s.overridden(s.bit(op.Owner))
		if op.HasCost {
			missing |= s.reservedShards(op.ID) | s.commonShard()
		}
		if missing &^= l.shards; missing == 0 {
			break
		}
		s.release(l)
		l.shards |= missing
		s.acquire(l)
	}
	return l, s.alive(l)
}

// add adds the lock of c's cell.
func (l *locks) add(s *Store, c *core.Charge) {
	if c.Limit.Leasable() {
		l.ledger = true
	} else {
		l.shards |= s.bit(c.Scope)
	}
}

// alive answers ErrClosed, and lets go of l, if the store was closed meanwhile.
func (s *Store) alive(l locks) error {
	if s.phase.Load() == closed {
		s.release(l)
		return core.ErrClosed
	}
	return nil
}
