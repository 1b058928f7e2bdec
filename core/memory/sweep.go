package memory

import (
	"sync"
	"time"

	"github.com/weirhq/weir/core"
)

const (
	// sweepInterval is how often everything is swept.
	sweepInterval = 10 * time.Second
	// sweepBatch is how many cells or leases are looked at while their lock is
	// held.
	sweepBatch = 256
	// minShrink is the least number of cells that a map must have had to be
	// made anew when few are left: maps keep their memory.
	minShrink = 1024
)

// A sweeper drops what counts for nothing any more, in the background. Its time
// is the last that any operation brought: while there are none, there is
// nothing new to drop either.
type sweeper struct {
	stop chan struct{}
	done sync.WaitGroup
}

func startSweeper(s *Store) *sweeper {
	w := &sweeper{stop: make(chan struct{})}
	w.done.Go(func() {
		ticker := time.NewTicker(sweepInterval)
		defer ticker.Stop()
		var last core.Instant
		for {
			select {
			case <-w.stop:
				return
			case <-ticker.C:
			}
			if now := s.present(); now != last {
				s.sweep(now, w.stop)
				last = now
			}
		}
	})
	return w
}

// close stops the sweeper and waits for it.
func (w *sweeper) close() {
	close(w.stop)
	w.done.Wait()
}

// present returns the last time that the store has seen. Where the wall clock
// was set back that is not the latest, at which live windows would be over.
func (s *Store) present() core.Instant {
	var now seen
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		now.join(sh.seen)
		sh.mu.Unlock()
	}
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	now.join(s.ledger.seen)
	return now.last
}

// sweep drops everything that is over at now, until stop is closed.
func (s *Store) sweep(now core.Instant, stop <-chan struct{}) {
	for i := range s.shards {
		select {
		case <-stop:
			return
		default:
			s.shards[i].sweep(now)
		}
	}
	s.ledger.sweep(now)
	s.receipts.mu.Lock()
	defer s.receipts.mu.Unlock()
	s.receipts.turn(now.Steady)
}

// sweep drops the cells that are idle at now, as far as its wall clock is
// believed, which the shard has seen then: a request whose clock was read before
// does not count anew in a window that is over. It lets others in after every
// batch.
func (sh *shard) sweep(now core.Instant) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.see(now)
	past := sh.past(now)
	seen := 0
	for key, cell := range sh.cells {
		if cell.Idle(past) {
			sh.remove(key)
		}
		if seen++; seen%sweepBatch == 0 {
			sh.mu.Unlock()
			sh.mu.Lock()
		}
	}
	sh.shrink()
}

// shrink gives back the memory of cells that are gone. It requires that mu is
// held.
func (sh *shard) shrink() {
	if sh.peak < minShrink || len(sh.cells) > sh.peak/8 {
		return
	}
	cells := make(map[cellKey]core.Cell, len(sh.cells))
	for key, cell := range sh.cells {
		cells[key] = cell
	}
	sh.cells, sh.peak = cells, len(cells)
}

// sweep ends the leases whose time has come. It lets others in after every
// batch.
func (g *ledger) sweep(now core.Instant) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen.see(now)
	g.given.turn(now.Steady, maxGiven)
	for g.expire(sweepBatch) == sweepBatch {
		g.mu.Unlock()
		g.mu.Lock()
	}
}
