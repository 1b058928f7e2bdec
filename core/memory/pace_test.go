package memory

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirhq/weir/core"
)

// With an interval never more is not on disk yet than was acknowledged within it,
// however long the disk takes until operations wait for it.
func TestIntervalOnASlowDisk(t *testing.T) {
	for _, takes := range []time.Duration{0, 200 * time.Millisecond, 490 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			s := New(Options{Dir: t.TempDir(), Durability: Interval, Interval: time.Second})
			s.fsync = func(f *os.File) error {
				time.Sleep(takes)
				return f.Sync()
			}
			must(t, s.Open())
			var acknowledged []time.Time // by record
			longest := time.Duration(0)
			for n := range uint64(4000) {
				take(t, s, 0, n+1, alice, charges(alice, 1, snapshotLimits()[4]))
				for uint64(len(acknowledged)) < s.journal.newest() {
					acknowledged = append(acknowledged, time.Now())
				}
				if synced := s.journal.synced.Load(); synced < uint64(len(acknowledged)) {
					longest = max(longest, time.Since(acknowledged[synced]))
				}
				time.Sleep(time.Millisecond)
			}
			if longest > time.Second || longest < 400*time.Millisecond {
				t.Errorf("a disk that takes %v: what was acknowledged within %v is not on disk", takes, longest)
			}
			kill(s)
		})
	}
}

// A snapshot that fails is tried again, more and more seldom, and when it succeeds
// takes the place of all segments.
func TestSnapshotIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		var reports atomic.Int64
		s := New(Options{Dir: dir, Report: func(err error, failing bool) {
			if reports.Add(1); err == nil || failing {
				t.Errorf("reported %v, failing: %v", err, failing)
			}
		}})
		must(t, s.Open())
		obstacle := filepath.Join(dir, SnapshotName+".new")
		must(t, os.MkdirAll(filepath.Join(obstacle, "in the way"), 0o700))
		s.journal.threshold.Store(1)
		take(t, s, 0, 1, alice, charges(alice, 1, snapshotLimits()[4]))
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := reports.Load(); n < 8 || n > 13 || n != s.Stats().Journal.Errors {
			t.Errorf("%d snapshots were tried in an hour", n)
		}
		must(t, os.RemoveAll(obstacle))
		time.Sleep(compactSeldom + time.Second)
		synctest.Wait()
		if files, err := segments(dir); err != nil || len(files) != 1 || s.Stats().Journal.Snapshots == 0 {
			t.Errorf("segments %v, %v", files, err)
		}
		kill(s)
	})
}

// Whichever fsync of a journal that is replaced fails, once or until the process is
// killed, what was acknowledged is there, and the journal works again.
func TestFsyncThatFails(t *testing.T) {
	l := snapshotLimits()[4]
	for first := range 6 {
		for _, times := range []int{1, 2, 1000} {
			synctest.Test(t, func(t *testing.T) {
				dir, calls, acknowledged, failed := t.TempDir(), 0, int64(0), int64(0)
				var failing atomic.Bool
				s := New(Options{Dir: dir})
				s.fsync = func(f *os.File) error {
					if calls++; failing.Load() && calls > first && calls <= first+times {
						return errors.New("a bad sector")
					}
					return f.Sync()
				}
				one := func() {
					op := &core.Take{Now: at(0), Charges: charges(alice, 1, l)}
					if err := s.Take(context.Background(), op); err != nil {
						failed++
					} else {
						acknowledged++
					}
				}
				check := func() {
					t.Helper()
					kill(s)
					s = New(Options{Dir: dir})
					if n := usedOf(t, s, l); n < acknowledged || n > acknowledged+failed {
						t.Errorf("fsync %d fails, %d times: %d used, acknowledged %d, failed %d", first, times, n, acknowledged, failed)
					}
				}
				one()
				calls = 0
				failing.Store(true)
				for range 3 {
					_ = s.compact()
					one()
				}
				if times < 1000 {
					time.Sleep(5 * time.Second)
					synctest.Wait()
					if s.Stats().Journal.Failing {
						t.Errorf("fsync %d fails, %d times: the journal does not work again", first, times)
					}
					one()
				}
				check()
				one()
				check()
				kill(s)
			})
		}
	}
}

// Whoever finds that an fsync has failed is not overruled by who finds at the same
// time that the disk is full.
func TestFailuresAtTheSameTime(t *testing.T) {
	for range 2000 {
		j := &journal{wake: make(chan struct{}, 1)}
		var group sync.WaitGroup
		for _, lost := range []bool{true, false} {
			group.Go(func() {
				_ = j.fail(syscall.ENOSPC, lost)
				if f := j.failure.Load(); f != nil && !f.lost {
					j.mend(f)
				}
			})
		}
		group.Wait()
		if !j.lost() {
			t.Fatal("the segment is trusted")
		}
	}
}

// What cannot be read is not always damaged.
func TestDistrust(t *testing.T) {
	for err, says := range map[error]string{
		&fs.PathError{Op: "open", Path: "weir.snapshot", Err: syscall.EACCES}: "must own",
		errNewer:             "start that version",
		errors.New("damage"): "from a backup",
	} {
		got := distrust("/state", err)
		if !errors.Is(got, err) || !strings.Contains(got.Error(), says) || !strings.Contains(got.Error(), "/state") {
			t.Errorf("%v", got)
		}
	}
}
