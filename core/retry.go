package core

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Retries are the settlements that a failed store did not take. They are tried
// again in their order. They are bounded: of more than maxRetries the oldest is
// given up. Their goroutine runs only while there is something to try. Engines on
// the same stores share them, so that what an origin said first is not heard last.
type Retries struct {
	busy atomic.Bool // something waits; a look at it needs no lock

	trying sync.Mutex // held while something is tried, or overtakes; taken before mu

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

// NewRetries returns Retries of which none waits.
func NewRetries() *Retries {
	return &Retries{ids: make(map[ID]int), stop: make(chan struct{})}
}

// errQueued says that a settlement waits behind an earlier one of its request, or
// behind the lease that it releases.
var errQueued = errors.New("what was told before waits for the store")

// failed reports whether what a store answered with err has had no effect.
func failed(err error) bool { return err != nil && !errors.Is(err, ErrUnsaved) }

// settle has s settle op, and keeps what fails. What follows something of the same
// request that waits queues behind it, so that a request's end does not overtake
// its leases; so does a release of what waits to be leased.
func (q *Retries) settle(ctx context.Context, s Store, op *Settle) error {
	if q.follow(s, op) {
		return errQueued
	}
	err := q.overtake(ctx, s, op)
	if failed(err) {
		q.mu.Lock()
		gone := q.append(s, op)
		q.mu.Unlock()
		gone.free()
	}
	return err
}

// overtake has s settle op before what waits, which does not undo it then.
func (q *Retries) overtake(ctx context.Context, s Store, op *Settle) error {
	if len(op.Set)+len(op.Lease) == 0 || !q.busy.Load() {
		return s.Settle(ctx, op)
	}
	q.trying.Lock()
	defer q.trying.Unlock()
	err := s.Settle(ctx, op)
	if !failed(err) {
		q.supersede(s, op)
	}
	return err
}

// amend has s settle op at once, but after the leases that wait of what it releases
// or renews. It fails where they do.
func (q *Retries) amend(ctx context.Context, s Store, op *Settle) error {
	if err := q.catchUp(s, op); err != nil {
		return err
	}
	return q.overtake(ctx, s, op)
}

// catchUp tries what waits, oldest first, up to the last lease of what op releases or
// renews.
func (q *Retries) catchUp(s Store, op *Settle) error {
	if !q.busy.Load() {
		return nil
	}
	q.mu.Lock()
	last := q.awaited(s, op)
	q.mu.Unlock()
	for more := last > 0; more; {
		var err error
		if more, err = q.tryFirst(last); err != nil {
			return err
		}
	}
	return nil
}

// awaited returns the newest lease that waits for s of a name that op releases or
// renews; 0 is none. It requires that mu is held.
func (q *Retries) awaited(s Store, op *Settle) (serial uint64) {
	if len(op.Release)+len(op.Renew) == 0 || q.closed {
		return 0
	}
	named := func(name string) bool { return slices.Contains(op.Release, name) || slices.Contains(op.Renew, name) }
	for i := range q.waiting {
		w := &q.waiting[i]
		if w.store == s && w.op.Policy == op.Policy && slices.ContainsFunc(w.op.Lease, named) {
			serial = w.serial
		}
	}
	return serial
}

// supersede takes out of what waits for s of op's owner the attributes that op has
// set since, and the releases of names that it has leased since: a name that it was
// refused may mean somebody else's lease. It requires that trying is held.
func (q *Retries) supersede(s Store, op *Settle) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.waiting {
		w := &q.waiting[i].op
		if q.waiting[i].store != s || w.Owner != op.Owner {
			continue
		}
		w.Set = slices.DeleteFunc(slices.Clone(w.Set), func(old Attribute) bool {
			return slices.ContainsFunc(op.Set, func(a Attribute) bool { return a.Name == old.Name })
		})
		if w.Policy == op.Policy && op.Leased > 0 {
			w.Release = slices.DeleteFunc(slices.Clone(w.Release), func(name string) bool {
				return slices.Contains(op.Lease, name)
			})
		}
	}
}

// follow queues a copy of op if something of the same request waits, or the lease of
// a name that op releases.
func (q *Retries) follow(s Store, op *Settle) bool {
	if !q.busy.Load() {
		return false
	}
	q.mu.Lock()
	if q.ids[op.ID] == 0 && q.awaited(s, op) == 0 {
		q.mu.Unlock()
		return false
	}
	gone := q.append(s, op)
	q.mu.Unlock()
	gone.free()
	return true
}

// append queues a copy of op, and returns the ends of requests that need not
// wait, or that are given up. It requires that mu is held.
func (q *Retries) append(s Store, op *Settle) (gone ends) {
	q.serial++
	one := retry{q.serial, s, *op}
	one.op.Charges = slices.Clone(op.Charges)
	if q.closed || !q.leasing(op.ID) {
		gone = append(gone, one)
	}
	if q.closed {
		q.dropped++
		return gone
	}
	if len(q.waiting) == maxRetries {
		gone = append(gone, q.waiting[0])
		q.forget(q.waiting[0].op.ID)
		q.waiting = slices.Delete(q.waiting, 0, 1)
		q.dropped++
	}
	q.waiting = append(q.waiting, one)
	q.ids[op.ID]++
	q.busy.Store(true)
	if !q.running {
		q.running = true
		q.done.Go(q.run)
	}
	return gone
}

// leasing reports whether leases of the request id wait, which need its slots. It
// requires that mu is held.
func (q *Retries) leasing(id ID) bool {
	return q.ids[id] > 0 && slices.ContainsFunc(q.waiting, func(w retry) bool {
		return w.op.ID == id && len(w.op.Lease) > 0
	})
}

// ends are settlements of which those that end a request free its slots at once:
// a store that can keep nothing can do that, and of what is given up nobody else
// would.
type ends []retry

func (e ends) free() {
	for i := range e {
		op := &e[i].op
		if !op.End || len(op.Lease) > 0 {
			continue
		}
		end := Settle{Now: op.Now, ID: op.ID, Policy: op.Policy, Owner: op.Owner, End: true}
		end.Charges = slices.DeleteFunc(slices.Clone(op.Charges), func(c Charge) bool { return c.Limit.Kind != Hold })
		if len(end.Charges) > 0 {
			_ = e[i].store.Settle(context.Background(), &end)
		}
	}
}

// forget notes that one settlement less of a request waits. It requires that mu
// is held.
func (q *Retries) forget(id ID) {
	if q.ids[id]--; q.ids[id] <= 0 {
		delete(q.ids, id)
	}
	q.busy.Store(len(q.ids) > 0)
}

// run tries until the queue is empty or closed.
func (q *Retries) run() {
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
func (q *Retries) try() (empty bool) {
	for more := true; more; {
		var err error
		if more, err = q.tryFirst(math.MaxUint64); err != nil {
			return false
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running = len(q.waiting) > 0
	return !q.running
}

// tryFirst tries what has waited for longest, if it is no newer than last, and
// reports whether there was anything.
func (q *Retries) tryFirst(last uint64) (any bool, err error) {
	q.trying.Lock()
	defer q.trying.Unlock()
	first, ok := q.first(last)
	if !ok {
		return false, nil
	}
	if err := first.store.Settle(context.Background(), &first.op); failed(err) {
		return true, err
	}
	q.settled(&first)
	return true, nil
}

// first returns what has waited for longest, if it is no newer than last.
func (q *Retries) first(last uint64) (r retry, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 || q.waiting[0].serial > last {
		return retry{}, false
	}
	return q.waiting[0], true
}

// settled removes r, unless it was given up meanwhile.
func (q *Retries) settled(r *retry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.IndexFunc(q.waiting, func(w retry) bool { return w.serial == r.serial })
	if i < 0 {
		return
	}
	q.forget(r.op.ID)
	q.waiting = slices.Delete(q.waiting, i, i+1)
}

// Close tries once more, and gives up what fails then, and later.
func (q *Retries) Close() {
	q.mu.Lock()
	closed := q.closed
	q.closed = true
	q.mu.Unlock()
	if closed {
		return
	}
	close(q.stop)
	q.done.Wait()
	ends(q.waiting).free()
}

// Pending returns how many settlements wait for a failed store, and how many were
// given up.
func (q *Retries) Pending() (waiting, dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting), q.dropped
}

// Retries returns how many settlements wait for a failed store, and how many
// were given up.
func (e *Engine) Retries() (waiting, dropped int) { return e.retries.Pending() }
