package memory

import (
	"errors"
	"os"
	"sync"
	"time"
)

const (
	// retryEvery is how often a journal that fails is tried again.
	retryEvery = 100 * time.Millisecond
	// compactAgain is how long after a snapshot that failed another is tried; after
	// each that fails too twice as long, up to compactSeldom. For one that fills
	// the disk keeps the journal from it.
	compactAgain  = 10 * time.Second
	compactSeldom = 10 * time.Minute
	// renewEvery is how long after a new beginning that failed another is tried.
	renewEvery = time.Second
)

// A keeper looks after a journal in the background: it puts records on disk,
// writes again what failed, and replaces the journal by a snapshot when it has
// grown.
type keeper struct {
	store *Store
	stop  chan struct{}
	done  sync.WaitGroup
}

func startKeeper(s *Store) *keeper {
	k := &keeper{store: s, stop: make(chan struct{})}
	k.done.Go(k.flush)
	k.done.Go(k.compact)
	return k
}

// close stops the keeper and waits for it.
func (k *keeper) close() {
	close(k.stop)
	k.done.Wait()
}

// flush puts records on disk in time, and tries again what failed.
func (k *keeper) flush() {
	j := k.store.journal
	timer := time.NewTimer(j.every)
	defer timer.Stop()
	for {
		began := time.Now()
		select {
		case <-k.stop:
			return
		case <-j.wake:
		case began = <-timer.C:
			k.turn()
		}
		if j.err() != nil {
			timer.Reset(retryEvery)
		} else {
			timer.Reset(max(0, j.every-time.Since(began)))
		}
	}
}

// turn does what is due. While the disk takes longer than one turn operations
// wait for it where only so much may be lost.
func (k *keeper) turn() {
	j := k.store.journal
	switch {
	case j.lost():
	case j.err() != nil:
		j.retry()
	default:
		k.store.noteClock()
		slow := time.AfterFunc(j.every, func() { j.late.Store(true) })
		_ = j.sync() // a failure is noted
		j.look()
		slow.Stop()
		j.late.Store(false)
	}
}

// compact writes snapshots when they are due.
func (k *keeper) compact() {
	j := k.store.journal
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	var next time.Time
	pause := compactAgain
	for {
		select {
		case <-k.stop:
			return
		case <-j.due:
		case <-tick.C:
		}
		due := j.size.Load() >= j.threshold.Load()
		if !j.lost() && (!due || j.err() != nil || time.Now().Before(next)) {
			continue
		}
		err := k.store.compact()
		if err == nil {
			next, pause = time.Time{}, compactAgain
			continue
		}
		j.errors.Add(1)
		if j.err() == nil {
			j.tell(err, false)
		}
		next = time.Now().Add(pause)
		pause = min(2*pause, compactSeldom)
	}
}

// compact replaces the journal by a snapshot. Operations go on meanwhile, in
// the next segment. A journal that is lost begins anew.
func (s *Store) compact() error {
	j := s.journal
	j.look()
	lost, size := j.lost(), j.size.Load()
	if err := s.relock(); err != nil {
		return err
	}
	file, err := j.create()
	if err != nil {
		return err
	}
	ready := j.sync
	if lost {
		j.detach(file)
		ready = j.flushDetached
	} else if err := j.rotate(file); err != nil {
		return err
	}
	j.writing.Lock()
	number := j.number
	j.writing.Unlock()
	if err := s.save(origin{segment: number}, ready); err != nil {
		return err
	}
	if lost {
		j.attach()
	}
	j.size.Add(-size)
	s.snapshots.Add(1)
	return s.removeBefore(number)
}

// removeBefore removes the segments before number, which the snapshot does not
// need.
func (s *Store) removeBefore(number uint64) error {
	all, err := segments(s.dir)
	for _, n := range all {
		if n < number {
			err = errors.Join(err, os.Remove(segmentPath(s.dir, n)))
		}
	}
	return err
}
