package core

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A retryQueue tries settlements again that a failed store did not take. It is
// bounded: of more than maxRetries the oldest is given up. Its goroutine runs
// only while there is something to try.
type retryQueue struct {
	mu      sync.Mutex
	waiting []retry
	dropped int
	running bool
	closed  bool
	stop    chan struct{}
	done    sync.WaitGroup
}

type retry struct {
	store Store
	op    Settle
}

const (
	maxRetries    = 4096
	retryInterval = time.Second
)

func newRetryQueue() *retryQueue {
	return &retryQueue{stop: make(chan struct{})}
}

// add queues a copy of op.
func (q *retryQueue) add(s Store, op *Settle) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		q.dropped++
		return
	}
	if len(q.waiting) == maxRetries {
		q.waiting = slices.Delete(q.waiting, 0, 1)
		q.dropped++
	}
	saved := *op
	saved.Charges = slices.Clone(op.Charges)
	q.waiting = append(q.waiting, retry{s, saved})
	if !q.running {
		q.running = true
		q.done.Go(q.run)
	}
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
		q.try()
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.running = false
			q.mu.Unlock()
			return
		}
		q.mu.Unlock()
	}
}

// try asks the stores once more for everything that waits, oldest first, until
// one fails again.
func (q *retryQueue) try() {
	q.mu.Lock()
	waiting := q.waiting
	q.waiting = nil
	q.mu.Unlock()
	for i := range waiting {
		r := &waiting[i]
		if err := r.store.Settle(context.Background(), &r.op); err != nil {
			q.mu.Lock()
			q.waiting = append(waiting[i:], q.waiting...)
			q.mu.Unlock()
			return
		}
	}
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
