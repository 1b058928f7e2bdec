package core

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A retryQueue tries settlements again that a failed store did not take. It is
// bounded: of more than maxRetries the oldest is given up. Its goroutine runs
// only while there is something to try.
type retryQueue struct {
	busy atomic.Bool // something waits; a look at it needs no lock

	mu      sync.Mutex
	waiting []retry
	ids     map[ID]int // how many of each request's wait
	serial  uint64     // of the newest
	dropped int
	running bool
	closed  bool
	stop    chan struct{}
	done    sync.WaitGroup
}

type retry struct {
	serial uint64
	store  Store
	op     Settle
}

const (
	maxRetries    = 4096
	retryInterval = time.Second
)

func newRetryQueue() *retryQueue {
	return &retryQueue{ids: make(map[ID]int), stop: make(chan struct{})}
}

// add queues a copy of op.
func (q *retryQueue) add(s Store, op *Settle) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.append(s, op)
}

// follow queues a copy of op if something of the same request waits.
func (q *retryQueue) follow(s Store, op *Settle) bool {
	if !q.busy.Load() {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ids[op.ID] == 0 {
		return false
	}
	q.append(s, op)
	return true
}

// append requires that mu is held.
func (q *retryQueue) append(s Store, op *Settle) {
	if q.closed {
		q.dropped++
		return
	}
	if len(q.waiting) == maxRetries {
		q.forget(q.waiting[0].op.ID)
		q.waiting = slices.Delete(q.waiting, 0, 1)
		q.dropped++
	}
	saved := *op
	saved.Charges = slices.Clone(op.Charges)
	q.serial++
	q.waiting = append(q.waiting, retry{q.serial, s, saved})
	q.ids[op.ID]++
	q.busy.Store(true)
	if !q.running {
		q.running = true
		q.done.Go(q.run)
	}
}

// forget notes that one settlement less of a request waits. It requires that mu
// is held.
func (q *retryQueue) forget(id ID) {
	if q.ids[id]--; q.ids[id] <= 0 {
		delete(q.ids, id)
	}
	q.busy.Store(len(q.ids) > 0)
}

// run tries until the queue is empty or closed.
func (q *retryQueue) run() {
	ticker := time.NewTicker(retryInterval)
	defer ticker.Stop()
	for {
		select {
		case <-q.stop:
			q.try()
			return
		case <-ticker.C:
		}
		if q.try() {
			return
		}
	}
}

// try asks the stores once more for everything that waits, oldest first, until
// one fails again. It reports whether nothing waits any more; then the goroutine
// has to end.
func (q *retryQueue) try() (empty bool) {
	for {
		first, ok := q.first()
		if !ok {
			return true
		}
		if err := first.store.Settle(context.Background(), &first.op); err != nil && !errors.Is(err, ErrUnsaved) {
			return false
		}
		q.settled(&first)
	}
}

// first returns what has waited for longest.
func (q *retryQueue) first() (r retry, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.running = false
		return retry{}, false
	}
	return q.waiting[0], true
}

// settled removes r, unless it was given up meanwhile.
func (q *retryQueue) settled(r *retry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.IndexFunc(q.waiting, func(w retry) bool { return w.serial == r.serial })
	if i < 0 {
		return
	}
	q.forget(r.op.ID)
	q.waiting = slices.Delete(q.waiting, i, i+1)
}

// close tries once more, and gives up what fails then.
func (q *retryQueue) close() {
	q.mu.Lock()
	closed := q.closed
	q.closed = true
	q.mu.Unlock()
	if !closed {
		close(q.stop)
		q.done.Wait()
	}
}

// pending returns how many settlements wait, and how many were given up.
func (q *retryQueue) pending() (waiting, dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting), q.dropped
}

// Retries returns how many settlements wait for a failed store, and how many
// were given up for want of room.
func (e *Engine) Retries() (waiting, dropped int) { return e.retries.pending() }
