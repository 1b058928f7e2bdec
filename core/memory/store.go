package memory

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirhq/weir/core"
)

// Options say where a store keeps what must outlive the process.
type Options struct {
	// Dir is the state directory, which no other process may use at the same
	// time. It is made if it does not exist. "" keeps nothing.
	Dir string
	// Shards is the number of locks, rounded up to a power of two, from 1 to
	// 64; 0 means 64.
	Shards int
	// Mark returns a mark of the secret that scopes are hashed with; 0 is none. It
	// is called when the store opens: once Dir, if any, is locked, before the
	// counters there are read. Those with another mark are nobody's, and then the
	// store does not open. nil is no mark.
	Mark func() (uint64, error)
	// Durability says what of Dir outlives which end of the process.
	Durability Durability
	// Interval is what may be lost where Durability is Interval; 0 means a
	// second.
	Interval time.Duration
	// Report is told when the directory begins to fail, so that operations are
	// answered with errors, and by nil when that has ended. It is also told if a
	// snapshot fails while the journal works; then failing is false. It is called
	// in the middle of operations, and must neither wait nor use the store.
	Report func(err error, failing bool)
	// MaxCells bounds the cells, and likewise the slots and leases, and the
	// owners that attributes are set on; 0 means DefaultMaxCells. Of one charge a
	// cell takes at most 170 bytes, and 550 of 300 in a rolling minute.
	MaxCells int64
	// Overflow says what becomes of charges that need more cells, until others
	// have become idle.
	Overflow Overflow
}

// DefaultMaxCells is Options.MaxCells where that is 0.
const DefaultMaxCells = 1 << 24

// The phases of a store's life.
const (
	fresh uint32 = iota
	opened
	failed
	closed
)

// A Store keeps cells in this process. It implements core.Store.
type Store struct {
	options   Options
	dir       string
	shards    []shard
	ledger    ledger
	receipts  receipts
	overrides atomic.Int64 // how many owners have any
	cells     atomic.Int64 // how many subjects have in the shards
	commons   atomic.Int64 // how many they share there
	maxCells  int64
	overflow  Overflow
	pressure  chan struct{} // tells the sweeper that room is wanted
	// How many operations found no room, and how many charges were taken in a
	// cell that subjects share.
	turnedAway, shared atomic.Int64
	epoch              atomic.Uint64 // counts resets
	limits             limitTable

	phase  atomic.Uint32
	first  atomic.Pointer[core.Instant] // the first reading that the store was given
	offset atomic.Int64                 // added to the steady clock; unset until it is known

	mu      sync.Mutex // guards opening and closing, and what follows
	err     error      // why opening failed
	saved   seen
	mark    uint64   // of the counters that are kept; 0 is none
	at      position // of the journal, where it was read to
	lock    *dirLock
	sweeper *sweeper
	keeper  *keeper  // nil without a journal
	journal *journal // nil if nothing but the snapshot is kept; fixed while open

	snapshots atomic.Int64 // that were written

	fsync func(*os.File) error // puts a file on disk
}

// New returns a store. It touches no disk before Open, or the first operation.
func New(o Options) *Store {
	n := o.Shards
	if n <= 0 || n > 64 {
		n = 64
	}
	n = 1 << bits.Len(uint(n-1))
	s := &Store{
		options: o, dir: o.Dir, shards: make([]shard, n),
		maxCells: o.MaxCells, overflow: o.Overflow, pressure: make(chan struct{}, 1),
		fsync: (*os.File).Sync,
	}
	if s.maxCells <= 0 {
		s.maxCells = DefaultMaxCells
	}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.total, sh.commons, sh.first = &s.cells, &s.commons, &s.first
	}
	s.offset.Store(unset)
	s.ledger.init(&s.limits)
	s.ledger.most = s.maxCells
	return s
}

// Open locks the state directory, reads its snapshot and starts sweeping. The
// first operation does the same. After a failure operations answer its error
// until Open is called again and succeeds.
func (s *Store) Open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.phase.Load() {
	case opened:
		return nil
	case closed:
		return core.ErrClosed
	}
	if s.err = s.load(); s.err != nil {
		s.phase.Store(failed)
		return s.err
	}
	s.sweeper = startSweeper(s)
	if s.journal != nil {
		s.keeper = startKeeper(s)
	}
	s.phase.Store(opened)
	return nil
}

// ready opens the store for the first operation.
func (s *Store) ready() error {
	switch s.phase.Load() {
	case opened:
		return nil
	case closed:
		return core.ErrClosed
	case failed:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.err
	}
	return s.Open()
}

// Close stops sweeping, writes the snapshot and unlocks the directory. A store
// that was never opened writes nothing. If it fails, the snapshot and the
// journal that were there before are left as they were.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.phase.Swap(closed)
	if before == closed {
		return core.ErrClosed
	}
	if before != opened {
		return nil
	}
	s.sweeper.close()
	all := locks{shards: ^uint64(0) >> (64 - len(s.shards)), ledger: true, receipts: true}
	s.acquire(all) // who comes later finds the store closed
	s.release(all)
	if s.dir == "" {
		return nil
	}
	err := s.finish()
	s.lock.unlock()
	return err
}

// finish ends the journal, and writes a snapshot that needs none. It requires
// that nobody changes the store any more. Segment 1 goes on from nothing at all:
// with a snapshot before it, that would not be missed.
func (s *Store) finish() error {
	segment := max(s.at.newest+1, 2)
	var journaled error
	if s.journal != nil {
		s.keeper.close()
		journaled = s.journal.sync() // whoever waits for it is answered
		segment = s.journal.number + 1
	}
	err := s.relock()
	if err == nil {
		err = s.save(origin{segment: segment, complete: true}, nil)
	}
	if s.journal != nil {
		s.journal.close()
	}
	if err != nil {
		return errors.Join(journaled, err)
	}
	return s.removeBefore(segment)
}

// Take decides a request; see core.Store.
func (s *Store) Take(_ context.Context, op *core.Take) error {
	held, err := s.enter(op)
	if err != nil {
		return err
	}
	n, err := s.takeAndRecord(held, op)
	if err == nil {
		if err = s.commit(n); err != nil {
			s.withdraw(op)
		}
	}
	return err
}

// takeAndRecord decides op and returns the number of its record. It releases
// held.
func (s *Store) takeAndRecord(held locks, op *core.Take) (uint64, error) {
	defer s.release(held)
	if err := s.take(held, op); err != nil {
		return 0, err
	}
	return s.record(held, op.Now), nil
}

// Read tells how cells stand; see core.Store.
func (s *Store) Read(_ context.Context, op *core.Take) error {
	held, err := s.enter(op)
	if err != nil {
		return err
	}
	defer s.release(held)
	s.override(held, op)
	var inline [inlineCells]found
	s.check(held, op, inline[:0], false)
	return nil
}

// enter locks what op names, and tells it the store's time. The caller releases
// what it returns.
func (s *Store) enter(op *core.Take) (locks, error) {
	if err := s.ready(); err != nil {
		return locks{}, err
	}
	held, err := s.acquireTake(op)
	if err != nil {
		return locks{}, err
	}
	op.Now = s.clock(op.Now)
	s.see(held, op.Now)
	return held, nil
}

// Settle applies what became known; see core.Store.
func (s *Store) Settle(_ context.Context, op *core.Settle) error {
	if err := s.ready(); err != nil {
		return err
	}
	n, err := s.settleAndRecord(op)
	if err != nil {
		return err
	}
	if err := s.commit(n); err != nil {
		return fmt.Errorf("%w: %w", core.ErrUnsaved, err)
	}
	return nil
}

// settleAndRecord applies op and returns the number of its record or, if it
// only tells what another operation did, of a record that is no older.
func (s *Store) settleAndRecord(op *core.Settle) (uint64, error) {
	held, err := s.acquireSettle(op)
	if err != nil {
		return 0, err
	}
	defer s.release(held)
	lasts := s.journal != nil && lasting(op)
	if lasts {
		if err := s.failing(); err != nil {
			return 0, err
		}
	}
	now := s.clock(op.Now)
	s.see(held, now)
	s.settle(held, now, op)
	n := s.record(held, now)
	if n == 0 && lasts {
		n = s.journal.newest()
	}
	return n, nil
}
