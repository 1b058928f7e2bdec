package memory

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/weirhq/weir/core"
)

// takeOne takes one of l for a caller of its own.
func takeOne(s *Store, l *core.Limit, caller int) error {
	owner := killedOwner(caller)
	op := &core.Take{Now: at(0), ID: core.ID{Hi: l.ID, Lo: uint64(caller)}, Policy: "p", Owner: owner, Charges: charges(owner, 1, l)}
	return s.Take(context.Background(), op)
}

// untilAdded waits until somebody gives a limit a number. It requires that the
// journal's mu is held, so that this ends only later.
func untilAdded(s *Store) {
	for s.limits.mu.TryLock() {
		s.limits.mu.Unlock()
		runtime.Gosched()
	}
	for range 10 {
		runtime.Gosched()
	}
}

// Nobody learns of a limit's number before the record that says what it stands for
// has its place: a request that uses it could be recorded before.
func TestNumberIsKnownOnceRecorded(t *testing.T) {
	dir := t.TempDir()
	s := New(Options{Dir: dir})
	must(t, s.Open())
	l := limitOf(1, core.Ever, "ever")
	first := make(chan error)
	s.journal.mu.Lock()
	go func() { first <- takeOne(s, l, 1) }()
	untilAdded(s)
	for range 1000 {
		if _, _, known := s.limits.get(l.ID); known {
			t.Error("the number is known before it is recorded")
			break
		}
		runtime.Gosched()
	}
	s.journal.mu.Unlock()
	must(t, errors.Join(takeOne(s, l, 2), <-first))
	kill(s)
	s = New(Options{Dir: dir})
	must(t, s.Open())
	kill(s)
}

// Requests that are the first of their limit, many at once and while segments
// begin, leave a directory that opens, with all that was acknowledged.
func TestFirstUseAtOnce(t *testing.T) {
	const callers = 8
	lives := 5
	if testing.Short() || raceEnabled {
		lives = 2
	}
	limits := make([]*core.Limit, 60)
	for i := range limits {
		limits[i] = limitOf(uint64(i+1), core.Ever, "ever")
	}
	for life := range lives {
		dir := t.TempDir()
		s := New(Options{Dir: dir})
		must(t, s.Open())
		for i, l := range limits {
			firstUse(t, s, l, callers, i%10 == 9)
		}
		kill(s)
		s = New(Options{Dir: dir})
		if err := s.Open(); err != nil {
			t.Fatalf("life %d: %v", life, err)
		}
		for caller := range callers {
			op := &core.Take{Now: at(0), Policy: "p", Charges: charges(killedOwner(caller), 1, limits...)}
			must(t, s.Read(context.Background(), op))
			for i := range op.Charges {
				if used := op.Charges[i].Used; used != 1 {
					t.Errorf("life %d, caller %d, limit %d: %d used, want 1", life, caller, limits[i].ID, used)
				}
			}
		}
		kill(s)
	}
}

// firstUse has callers take one of l at once, while a segment begins or not.
func firstUse(t *testing.T, s *Store, l *core.Limit, callers int, rotates bool) {
	t.Helper()
	begin := make(chan struct{})
	var all sync.WaitGroup
	do := func(f func() error) {
		all.Go(func() {
			<-begin
			if err := f(); err != nil {
				t.Error(err)
			}
		})
	}
	for caller := range callers - 1 {
		do(func() error { return takeOne(s, l, caller) })
	}
	if rotates {
		do(func() error {
			file, err := s.journal.create()
			if err == nil {
				err = s.journal.rotate(file)
			}
			return err
		})
	}
	s.journal.mu.Lock() // as others have it all the time
	close(begin)
	untilAdded(s)
	s.journal.mu.Unlock()
	must(t, takeOne(s, l, callers-1))
	all.Wait()
}
