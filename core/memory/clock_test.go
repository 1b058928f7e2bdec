package memory

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirhq/weir/core"
)

// A life is several processes, one after the other, on one state directory and
// one machine, whose wall clock is set.
type life struct {
	*rapid.T
	dir    string
	store  *Store
	true   int64 // µs of true time
	wall   int64 // what the machine's clock shows
	most   int64 // the latest that the store has seen
	err    int64 // by how much it was ahead when the store saw it last
	begun  int64 // true time at which the process began
	shown  int64 // what its clock showed then
	limits []*core.Limit

	admitted map[*core.Limit][]int64
	windows  map[*core.Limit]map[int64]int64
}

// now is what the process's core.Clock reads: the steady clock goes on from what
// the wall clock showed when the process began.
func (l *life) now() core.Instant {
	return core.Instant{Wall: l.wall, Steady: l.shown + l.true - l.begun}
}

func (l *life) start() {
	l.store = New(Options{Dir: l.dir})
	if err := l.store.Open(); err != nil {
		l.Fatal(err)
	}
	l.begun, l.shown = l.true, l.wall
}

// restart stops the process, or kills it, and starts another, after the wall clock
// was set back by less than an hour or not at all.
func (l *life) restart() {
	if rapid.Bool().Draw(l.T, "killed") {
		(&keeper{store: l.store}).turn()
		kill(l.store)
	} else if err := l.store.Close(); err != nil {
		l.Fatal(err)
	}
	l.pass(rapid.SampledFrom([]int64{0, second, minute}).Draw(l.T, "down"))
	l.set(min(l.wall, l.true+l.err) - rapid.Int64Range(0, 59*minute).Draw(l.T, "back"))
	l.start()
}

func (l *life) pass(d int64) { l.true += d; l.set(l.wall + d) }

func (l *life) set(wall int64) { l.wall = max(wall, l.most-59*minute) }

func (l *life) take() {
	limit := rapid.SampledFrom(l.limits).Draw(l.T, "limit")
	who := rapid.SampledFrom([]core.Scope{alice, alice, bob}).Draw(l.T, "who")
	l.most, l.err = max(l.most, l.wall), l.wall-l.true
	op := &core.Take{Now: l.now(), Policy: "p", Charges: charges(who, 1, limit)}
	op.Charges[0].Max, op.Charges[0].Rate = 3, 3
	if err := l.store.Take(context.Background(), op); err != nil {
		l.Fatal(err)
	}
	l.Logf("true %d, %+v: %s of %v: %+v", l.true-start, l.now(), limit.Name, who.Hi, op.Charges[0].State)
	if who == alice && op.Admitted {
		l.count(limit, op.Charges[0].Grow)
	}
}

func (l *life) count(limit *core.Limit, grow int64) {
	if limit.Kind == core.Fixed {
		if l.windows[limit] == nil {
			l.windows[limit] = make(map[int64]int64)
		}
		end := l.wall + grow
		if l.windows[limit][end]++; l.windows[limit][end] > 3 {
			l.Fatalf("%d admitted in the window up to %d", l.windows[limit][end], end-start)
		}
		return
	}
	l.admitted[limit] = append(l.admitted[limit], l.true)
	all := l.admitted[limit]
	for i := range all {
		d, allowed := l.true-all[i], int64(3)
		if limit.Kind == core.Bucket {
			allowed += 3 * d / limit.Length
		} else if d >= limit.Length {
			continue
		}
		if n := int64(len(all) - i); n > allowed {
			l.Fatalf("%s: %d admitted in %d µs", limit.Name, n, d)
		}
	}
}

// Processes that end, in order or not, and start when the clock was set back, admit
// together no more than one would.
func TestClockAcrossRestarts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := &life{
			T: rt, dir: t.TempDir(), true: start, wall: start, most: start,
			limits: []*core.Limit{
				limitOf(1, core.Rolling, "rolling"), limitOf(2, core.Fixed, "fixed"), limitOf(3, core.Bucket, "bucket"),
			},
			admitted: make(map[*core.Limit][]int64), windows: make(map[*core.Limit]map[int64]int64),
		}
		l.start()
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0, 1:
				l.pass(rapid.SampledFrom([]int64{1, second, 20 * second, minute, 20 * minute}).Draw(rt, "passes"))
			case 2:
				l.set(l.wall + rapid.SampledFrom([]int64{-30 * minute, -minute, minute, 20 * minute, 50 * minute}).Draw(rt, "set"))
			case 3:
				l.restart()
			case 4:
				l.store.sweep(l.store.present(), nil)
			default:
				l.take()
			}
		}
		if err := l.store.Close(); err != nil {
			rt.Fatal(err)
		}
	})
}

// A clock that was set while nobody was admitted says nothing about how long the
// process is gone that is killed then.
func TestClockSetBeforeAKill(t *testing.T) {
	dir := t.TempDir()
	l := limitOf(1, core.Rolling, "rolling")
	s := New(Options{Dir: dir})
	ask := func(wall, steady int64) bool {
		op := &core.Take{Now: core.Instant{Wall: start + wall, Steady: start + steady}, Charges: charges(alice, 1000, l)}
		must(t, s.Take(context.Background(), op))
		return op.Admitted
	}
	if !ask(0, 0) || ask(60*minute, second) {
		t.Fatal("a full window admits, or an empty one does not")
	}
	(&keeper{store: s}).turn()
	kill(s)
	s = newStore(t, Options{Dir: dir})
	for _, d := range []int64{0, 50 * second, 59 * second} {
		if now := 60*minute + second + d; ask(now, now) != (d > 55*second) {
			t.Errorf("admitted, or not, %d s after the restart", d/second)
		}
	}
}

// A clock that is set back for one life, and right again for the next, shows no time
// that has passed, whether the lives end in order or not.
func TestClockSetBackForALife(t *testing.T) {
	for name, end := range map[string]func(*Store){"killed": kill, "stopped": func(s *Store) { must(t, s.Close()) }} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := limitOf(1, core.Rolling, "rolling")
			l.Length = 60 * minute
			ask := func(who core.Scope, clock, passed int64) bool {
				s := New(Options{Dir: dir})
				op := &core.Take{Now: at(clock), Charges: charges(who, 1000, l)}
				op.Now.Wall += passed
				op.Now.Steady += passed
				must(t, s.Take(context.Background(), op))
				end(s)
				return op.Admitted
			}
			if !ask(alice, 0, 0) || ask(alice, -120*minute, second) || !ask(bob, -120*minute, 30*second) {
				t.Error("a full window admits, or an empty one does not")
			}
			if ask(alice, 0, 2*minute) {
				t.Error("admitted after two minutes of an hour")
			}
			if ask(alice, 0, 59*minute) || !ask(alice, 0, 61*minute) {
				t.Error("what has passed is not counted again once the clock is right")
			}
		})
	}
}

// A start that writes the first snapshot, of what a journal has, keeps its time.
func TestFirstSnapshotKeepsTheTime(t *testing.T) {
	dir := t.TempDir()
	l := limitOf(1, core.Rolling, "rolling")
	s := New(Options{Dir: dir})
	take(t, s, 10*minute, 1, alice, charges(alice, 1000, l))
	kill(s)
	must(t, os.Remove(filepath.Join(dir, SnapshotName)))
	for range 2 {
		s = New(Options{Dir: dir})
		must(t, s.Open())
		kill(s)
	}
	s = newStore(t, Options{Dir: dir})
	if op := take(t, s, 0, 2, alice, charges(alice, 1, l)); op.Admitted || op.Now.Steady != at(10*minute).Steady {
		t.Errorf("at %+v: %+v", op.Now, op.Charges[0].State)
	}
}

// A wall clock that stays ahead is believed in time, so that what is over by it
// needs no memory for ever.
func TestClockBelievedInTime(t *testing.T) {
	s := newStore(t, Options{Shards: 1})
	l := limitOf(1, core.Fixed, "fixed")
	l.Length = 240 * minute
	takeAt(t, s, 0, 0, charges(alice, 1, l))
	const ahead = 300 * minute
	for m := range int64(120) {
		takeAt(t, s, ahead+m*minute, m*minute, charges(bob, 1, l))
		s.sweep(s.present(), nil)
		if cells, early := s.Stats().Cells, m < 60; early != (cells > 1) {
			t.Fatalf("%d cells after %d minutes", cells, m)
		}
	}
}
