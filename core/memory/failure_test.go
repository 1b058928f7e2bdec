package memory

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirhq/weir/core"
)

// swap makes s write its journal to file, and returns what it wrote to before.
func swap(s *Store, file *os.File) *os.File {
	j := s.journal
	j.writing.Lock()
	defer j.writing.Unlock()
	j.syncing.Lock()
	defer j.syncing.Unlock()
	before := j.file
	j.file = file
	return before
}

// await waits until ok, which some goroutine brings about.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 3000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("in vain: " + what)
}

// breakdown makes s fail, by what file answers, and returns how to end that.
func breakdown(t testing.TB, s *Store, file *os.File, err error) (mend func()) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	before := swap(s, file)
	return func() {
		if f := swap(s, before); f != file { // it went on in a file of its own
			swap(s, f)
			_ = before.Close()
		}
		_ = file.Close()
	}
}

// While the directory fails nothing is decided that would have to be kept. What
// was under way is answered with an error, stays counted, and holds no slot.
// Refusals, what only holds slots, their ends, and reading go on. When there is
// room again so does everything, and nothing that was acknowledged is lost.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	var failures, recoveries atomic.Int64
	s := New(Options{Dir: dir, Report: func(err error, failing bool) {
		switch {
		case err == nil && !failing:
			recoveries.Add(1)
		case errors.Is(err, syscall.ENOSPC) && failing:
			failures.Add(1)
		default:
			t.Errorf("reported %v", err)
		}
	}})
	limits := snapshotLimits()
	rolling, released, budget, response := limits[0], limits[5], limits[6], limits[7]
	take(t, s, 0, 1, alice, charges(alice, 1, rolling))
	held := take(t, s, 0, 2, bob, charges(bob, 1, released, response))
	reserved := take(t, s, 0, 3, bob, charges(bob, 5, budget))
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	mend := breakdown(t, s, full, err)

	ctx := context.Background()
	for i, first := range []bool{true, false} {
		op := &core.Take{Now: at(0), ID: core.ID{Lo: uint64(4 + i)}, Policy: "p", Owner: alice, Charges: charges(alice, 1, rolling, released, response)}
		if err := s.Take(ctx, op); !errors.Is(err, syscall.ENOSPC) || op.Admitted || op.Charges[0].Taken {
			t.Errorf("a Take that cannot be kept (the first: %v): %v, %+v", first, err, op.Charges[0].State)
		}
	}
	for l, want := range map[*core.Limit]int64{rolling: 2, released: 0, response: 0} {
		if n := usedOf(t, s, l); n != want {
			t.Errorf("limit %s: %d used, want %d", l.Name, n, want)
		}
	}
	if op := take(t, s, 0, 6, alice, charges(alice, 1000, rolling)); op.Admitted {
		t.Error("admitted above the maximum")
	}
	if op := take(t, s, 0, 7, alice, charges(alice, 1, released, response)); !op.Admitted {
		t.Error("slots are refused")
	} else {
		settle(t, s, 0, core.Settle{ID: op.ID, Owner: alice, Charges: op.Charges, End: true})
	}
	settle(t, s, 0, core.Settle{ID: held.ID, Owner: bob, Charges: held.Charges, End: true})
	for _, op := range []core.Settle{
		{ID: core.ID{Lo: 9}, HasCost: true, Cost: 1, Charges: charges(alice, 0, budget)},
		{ID: reserved.ID, Owner: bob, Charges: reserved.Charges, End: true},
		{Owner: alice, Set: core.Attributes{{Name: "a", Value: core.Number(1)}}},
		{Owner: alice, Reset: true, Charges: charges(alice, 0, rolling)},
		{Owner: alice, Release: []string{"x"}},
	} {
		op.Now, op.Policy = at(0), "p"
		if err := s.Settle(ctx, &op); !errors.Is(err, syscall.ENOSPC) || errors.Is(err, core.ErrUnsaved) {
			t.Errorf("a Settle that cannot be kept: %v", err)
		}
	}
	if st := s.Stats(); !st.Journal.Failing || st.Journal.Errors == 0 || st.Settled+st.Reserved+st.Owners != 0 || st.Slots != 0 {
		t.Errorf("%+v", st)
	}

	mend()
	await(t, "the journal works again", func() bool { return !s.Stats().Journal.Failing })
	take(t, s, 0, 10, alice, charges(alice, 1, rolling))
	if failures.Load() != 1 || recoveries.Load() != 1 {
		t.Errorf("%d failures and %d recoveries reported", failures.Load(), recoveries.Load())
	}
	kill(s)
	s = newStore(t, Options{Dir: dir})
	if n := usedOf(t, s, rolling); n != 3 {
		t.Errorf("%d used after a restart, want 3", n)
	}
}

// A Settle that was under way when the disk became full has taken effect, once:
// it says so, and is kept when there is room.
func TestSettleOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	s := New(Options{Dir: dir})
	jobs, budget := snapshotLimits()[5], snapshotLimits()[6]
	op := take(t, s, 0, 1, alice, charges(alice, 3, jobs))
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	mend := breakdown(t, s, full, err)
	one := core.Settle{
		Now: at(0), ID: op.ID, Policy: "p", Owner: alice, Lease: []string{"job"}, HasCost: true, Cost: 4,
		Charges: append(bytesOf(op.Charges), charges(alice, 0, budget)...),
	}
	if err := s.Settle(context.Background(), &one); !errors.Is(err, core.ErrUnsaved) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	mend()
	await(t, "the journal works again", func() bool { return !s.Stats().Journal.Failing })
	kill(s)
	s = newStore(t, Options{Dir: dir})
	if jobs, budget := usedOf(t, s, jobs), usedOf(t, s, budget); jobs != 1 || budget != 4 {
		t.Errorf("%d jobs and a cost of %d, want 1 and 4", jobs, budget)
	}
}

// A journal of which nobody knows what is on disk begins anew, with a snapshot
// of all that is counted.
func TestJournalBeginsAnew(t *testing.T) {
	dir := t.TempDir()
	s := New(Options{Dir: dir})
	l := limitOf(1, core.Ever, "ever")
	take(t, s, 0, 1, alice, charges(alice, 1, l))
	reading, err := os.Open(filepath.Join(dir, LockName))
	mend := breakdown(t, s, reading, err)
	op := &core.Take{Now: at(0), Charges: charges(alice, 1, l)}
	if err := s.Take(context.Background(), op); err == nil {
		t.Error("what cannot be written was acknowledged")
	}
	if !s.journal.lost() {
		t.Error("the segment is trusted")
	}
	await(t, "the journal works again", func() bool { return !s.Stats().Journal.Failing })
	mend()
	take(t, s, 0, 2, alice, charges(alice, 1, l))
	kill(s)
	for range 2 {
		s = New(Options{Dir: dir})
		if n := usedOf(t, s, l); n != 3 { // one of them was not acknowledged
			t.Errorf("%d used, want 3", n)
		}
		kill(s)
	}
}

// A store that is closed while its directory fails is saved if there is room for
// that.
func TestCloseWhileFailing(t *testing.T) {
	dir := t.TempDir()
	s := New(Options{Dir: dir})
	l := limitOf(1, core.Ever, "ever")
	take(t, s, 0, 1, alice, charges(alice, 1, l))
	reading, err := os.Open(filepath.Join(dir, LockName))
	breakdown(t, s, reading, err)
	_ = s.Take(context.Background(), &core.Take{Now: at(0), Charges: charges(alice, 1, l)})
	must(t, s.Close())
	s = newStore(t, Options{Dir: dir})
	if n := usedOf(t, s, l); n != 2 {
		t.Errorf("%d used, want 2", n)
	}
}

// A directory in which nothing can be made says who has to be able to.
func TestUnwritableDirectory(t *testing.T) {
	for _, err := range []error{syscall.EACCES, syscall.EROFS, syscall.ENOSPC} {
		wrapped := &os.PathError{Op: "open", Path: "/state/weir.lock", Err: err}
		if got := explain(wrapped); !errors.Is(got, err) || len(got.Error()) <= len(wrapped.Error())+10 {
			t.Errorf("%v says not what to do", got)
		}
	}
	if os.Getuid() == 0 {
		return // who may write everywhere
	}
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o500))
	if err := New(Options{Dir: dir}).Open(); !errors.Is(err, os.ErrPermission) {
		t.Errorf("got %v", err)
	}
}

// What is lost of an interval is what was acknowledged within it.
func TestInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		l := limitOf(1, core.Ever, "ever")
		want := int64(0)
		for life := range 4 {
			s := New(Options{Dir: dir, Durability: Interval, Interval: time.Second})
			if n := usedOf(t, s, l); n != want {
				t.Fatalf("life %d: %d used, want %d", life, n, want)
			}
			take(t, s, 0, 1, alice, charges(alice, 1, l))
			want++
			if life == 3 { // a disk that is slow
				s.journal.late.Store(true)
				take(t, s, 0, 2, alice, charges(alice, 1, l))
				want++
			} else {
				time.Sleep(time.Second)
				synctest.Wait()
				take(t, s, 0, 2, alice, charges(alice, 1, l))
			}
			if n := s.journal.synced.Load(); n != s.journal.newest()-uint64(1-life/3) {
				t.Errorf("life %d: %d of %d records are on disk", life, n, s.journal.newest())
			}
			kill(s)
		}
		s := newStore(t, Options{Dir: dir, Durability: None})
		if n := usedOf(t, s, l); n != want {
			t.Errorf("%d used, want %d", n, want)
		}
		must(t, s.Close())
	})
}

// Where operations wait for the system alone, the disk has everything a second
// later.
func TestProcessIsOnDiskInASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Dir: t.TempDir()})
		for range 3 {
			take(t, s, 0, 1, alice, charges(alice, 1, limitOf(1, core.Ever, "ever")))
			if n := s.journal.newest(); s.journal.written.Load() != n || s.journal.synced.Load() == n {
				t.Errorf("%d of %d records are written, %d are on disk", s.journal.written.Load(), n, s.journal.synced.Load())
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if n := s.journal.newest(); s.journal.synced.Load() != n {
				t.Errorf("%d of %d records are on disk after a second", s.journal.synced.Load(), n)
			}
		}
		syncs := s.Stats().Journal.Syncs
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := s.Stats().Journal.Syncs; n != syncs {
			t.Errorf("synced %d times though nothing happened", n-syncs)
		}
		must(t, s.Close())
	})
}

// Without a journal only an orderly end keeps anything; a journal that is there
// is read, and counts until that end.
func TestNoDurability(t *testing.T) {
	dir := t.TempDir()
	l := limitOf(1, core.Ever, "ever")
	one := func(d Durability, want int64, end func(*Store)) {
		t.Helper()
		s := New(Options{Dir: dir, Durability: d})
		if n := usedOf(t, s, l); n != want {
			t.Errorf("%d used, want %d", n, want)
		}
		take(t, s, 0, 1, alice, charges(alice, 1, l))
		end(s)
	}
	orderly := func(s *Store) { must(t, s.Close()) }
	one(None, 0, kill)
	one(None, 0, orderly)
	one(Process, 1, kill)
	one(None, 2, kill)
	one(None, 2, orderly)
	one(None, 3, kill)
	one(Process, 3, orderly)
	one(Process, 4, kill)
	one(Process, 5, orderly)
	if files := read(t, dir); len(files) != 2 {
		t.Errorf("an orderly end leaves %d files", len(files))
	}
}
