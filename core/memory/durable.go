package memory

import (
	"fmt"
	"time"

	"github.com/weirhq/weir/core"
)

// Durability says what outlives which end of the process. An orderly Close
// keeps everything in any case.
type Durability uint8

const (
	// Process says that what was acknowledged outlives the process, however it ends.
	// When the machine ends, what was acknowledged in the last second (until
	// the last fsync that was done) may be lost.
	Process Durability = iota
	// Interval says that at most what was acknowledged within Options.Interval
	// is lost, whatever ends.
	Interval
	// None says that only Close keeps anything.
	None
)

// String returns the mode's name in configurations.
func (d Durability) String() string {
	switch d {
	case Process:
		return "process"
	case Interval:
		return "interval"
	case None:
		return "none"
	}
	return fmt.Sprintf("durability %d", uint8(d))
}

// every returns how often the journal is put on disk. What is acknowledged
// just after one turn is on disk after the next: hence half of the interval.
func (o *Options) every() time.Duration {
	switch {
	case o.Durability == Process:
		return time.Second
	case o.Interval <= 0:
		return time.Second / 2
	}
	return max(o.Interval/2, time.Millisecond)
}

// failing returns why nothing can be kept at the moment; nil if it can.
func (s *Store) failing() error {
	if s.journal == nil {
		return nil
	}
	return s.journal.err()
}

// changed notes what became of c's cell, by delta. It requires that the cell's
// shard is held.
func (s *Store) changed(now core.Instant, c *core.Charge, cell core.PoolCell, fresh bool, delta int64) {
	n := &s.shards[s.shardOf(c.Scope)].notes
	if !fresh && (!n.on || delta == 0) {
		return
	}
	limit := s.limits.note(c.Limit)
	if !n.on || c.Limit.Kind == core.Hold {
		return
	}
	kind := noteChange
	if fresh {
		kind = noteNew
	}
	n.limit(kind, limit, c.Scope)
	n.b = append(n.b, 0)
	start := len(n.b)
	n.b = cell.AppendChange(n.b, now, c, delta)
	n.b[start-1] = byte(len(n.b) - start) // far below 128
}

// record appends a record of what was noted in the parts that are held, and
// returns its number, 0 for none. It requires that held is held.
func (s *Store) record(held locks, now core.Instant) uint64 {
	if s.journal == nil || !s.noted(held) {
		return 0
	}
	j := s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	start := j.begin(now)
	j.offset = now.Wall - now.Steady
	for rest := held.shards; rest != 0; rest &= rest - 1 {
		j.take(&s.shards[trailing(rest)].notes)
	}
	if held.ledger {
		j.take(&s.ledger.notes)
	}
	if held.receipts {
		j.take(&s.receipts.notes)
	}
	return j.end(start)
}

// clockStep in µs is by how much the wall clock must be set to be noted.
const clockStep = 1000

// noteClock notes that the wall clock was set, though nothing was counted since:
// how much time has passed at the next start is told by it.
func (s *Store) noteClock() {
	now, j := s.present(), s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	offset := now.Wall - now.Steady
	if step := offset - j.offset; -clockStep < step && step < clockStep {
		return
	}
	j.offset = offset
	j.end(j.begin(now))
}

// noted reports whether anything was noted in the parts that are held.
func (s *Store) noted(held locks) bool {
	n := 0
	for rest := held.shards; rest != 0; rest &= rest - 1 {
		n += len(s.shards[trailing(rest)].notes.b)
	}
	if held.ledger {
		n += len(s.ledger.notes.b)
	}
	if held.receipts {
		n += len(s.receipts.notes.b)
	}
	return n > 0
}

// take moves notes into the record that was begun. It requires that mu is held.
func (j *journal) take(n *notes) {
	j.buf = append(j.buf, n.b...)
	n.clear()
}

// commit waits until the record n is kept as promised; 0 is none. It requires
// that no lock is held.
func (s *Store) commit(n uint64) error {
	if n == 0 {
		return nil
	}
	return s.journal.commit(n)
}

// withdraw makes op, which was decided but is not known to be kept, one that
// failed. Nobody will end its slots, so they end now. What it counted stays
// counted: it may turn out to be kept.
func (s *Store) withdraw(op *core.Take) {
	for ; op != nil; op = op.Next {
		end := core.Settle{Now: op.Now, ID: op.ID, Policy: op.Policy, Owner: op.Owner, End: true}
		for i := range op.Charges {
			if c := &op.Charges[i]; c.Taken && c.Limit.Kind == core.Hold {
				end.Charges = append(end.Charges, *c)
			}
			op.Charges[i].State = core.State{}
		}
		op.Admitted = false
		if len(end.Charges) == 0 {
			continue
		}
		if held, err := s.acquireSettle(&end); err == nil {
			s.settle(held, op.Now, &end)
			s.release(held)
		}
	}
}

// lasting reports whether op changes what outlives the process, or tells that
// somebody has changed it.
func lasting(op *core.Settle) bool {
	if op.HasCost || op.Reset || len(op.Set)+len(op.Lease)+len(op.Release)+len(op.Renew) > 0 {
		return true
	}
	for i := range op.Charges {
		if op.End && reserved(&op.Charges[i]) {
			return true
		}
	}
	return false
}
