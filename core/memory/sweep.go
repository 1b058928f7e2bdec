package memory

import (
	"maps"
	"math"
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
	// sweepPause is how long after a sweep another one may follow that room is
	// wanted from, and at least ten times as long as a sweep takes.
	sweepPause = time.Second
	// minShrink is the least number of cells that a map must have had, or a pool
	// must have room for, to be made anew when few are left: they keep their memory.
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
		var next time.Time
		for {
			select {
			case <-w.stop:
				return
			case <-ticker.C:
			case <-s.pressure:
				if time.Now().Before(next) {
					continue // who presses on tells again
				}
			}
			if now := s.present(); now != last {
				began := time.Now()
				s.sweep(now, w.stop)
				last, next = now, time.Now().Add(max(sweepPause, 10*time.Since(began)))
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
	if !s.sweepCells(now, stop) {
		return
	}
	s.receipts.mu.Lock()
	defer s.receipts.mu.Unlock()
	if s.failing() == nil {
		s.receipts.turn(now.Steady)
		s.record(locks{receipts: true}, now)
	}
}

// sweepCells drops the cells and leases that are over at now. The cells that
// subjects share come last, when no shard lets anybody count anew in windows that
// are over: whoever is charged in one has no cell anywhere else that knows. It
// returns false if stop was closed.
func (s *Store) sweepCells(now core.Instant, stop <-chan struct{}) bool {
	first, least := s.shardOf(commons)+1, int64(math.MaxInt64)
	for i := range s.shards {
		select {
		case <-stop:
			return false
		default:
			sh := &s.shards[(first+i)&(len(s.shards)-1)]
			least = sh.sweep(now, least)
		}
	}
	s.ledger.sweep(now)
	return true
}

// sweep drops the cells that are idle at now, as far as its wall clock is
// believed, which the shard has seen then: a request whose clock was read before
// does not count anew in a window that is over. It lets others in after every
// batch. Cells that subjects share are dropped as far as the wall clock least is
// believed, too; of that and the shard's it returns the lesser.
func (sh *shard) sweep(now core.Instant, least int64) int64 {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.see(now)
	past := sh.past(now)
	least = min(least, past.Wall)
	seen := 0
	for key, ref := range sh.cells {
		at := past
		if key.common() {
			at.Wall = least
		}
		if sh.pool.Cell(ref).Idle(at) {
			sh.remove(key)
		}
		if seen++; seen%sweepBatch == 0 {
			sh.mu.Unlock()
			sh.mu.Lock()
		}
	}
	sh.shrink()
	return least
}

// shrink gives back the memory of cells that are gone. It requires that mu is
// held.
func (sh *shard) shrink() {
	core.Shrink(&sh.pool, sh.cells, minShrink)
	if sh.peak < minShrink || len(sh.cells) > sh.peak/8 {
		return
	}
	cells := make(map[cellKey]core.CellRef, len(sh.cells))
	maps.Copy(cells, sh.cells)
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
