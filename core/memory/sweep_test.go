package memory

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirhq/weir/core"
)

func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		l, jobs := limitOf(1, core.Rolling, "rolling"), limitOf(2, core.Hold, "jobs")
		jobs.Released = true
		const keys = 5000
		for key := range uint64(keys) {
			scope := core.Scope{Hi: key, Lo: 1}
			op := take(t, s, int64(key), key+1, scope, charges(scope, 1, l, jobs))
			settle(t, s, int64(key), core.Settle{ID: op.ID, Owner: scope, Charges: op.Charges[1:], Lease: []string{"x"}, End: true})
		}
		want := func(cells, leases int) {
			t.Helper()
			time.Sleep(sweepInterval)
			synctest.Wait()
			if st := s.Stats(); st.Cells != cells || st.Leases != leases {
				t.Errorf("%d cells and %d leases, want %d and %d", st.Cells, st.Leases, cells, leases)
			}
		}
		want(2*keys, keys) // nothing is over as far as any operation has told
		take(t, s, 2*minute, keys+1, alice, charges(alice, 1, l))
		want(1, 0)
		must(t, s.Close())
	})
}

// The sweeper stops with the store, in the middle of its work too.
func TestCloseStopsSweeping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		must(t, s.Open())
		time.Sleep(10 * sweepInterval)
		must(t, s.Close())
		// synctest.Test fails if a goroutine is left.
	})
}

// A shard gives back the memory of cells that are gone, and keeps the rest.
func TestSweepShrinks(t *testing.T) {
	s := newStore(t, Options{Shards: 1})
	l := limitOf(1, core.Rolling, "rolling")
	for key := range uint64(20 * minShrink) {
		take(t, s, int64(key), key+1, alice, charges(core.Scope{Lo: key}, 1, l))
	}
	take(t, s, 2*minute, 1, alice, charges(alice, 3, l))
	s.sweep(s.present(), nil)
	sh := &s.shards[0]
	if places, _, _ := sh.pool.Count(); places > 64 || len(sh.cells) != 1 || sh.peak != 1 {
		t.Errorf("room for %d cells, a peak of %d; there are %d", places, sh.peak, len(sh.cells))
	}
	if op := take(t, s, 2*minute, 2, alice, charges(alice, 1, l)); op.Charges[0].Used != 4 {
		t.Errorf("%d used, want 4", op.Charges[0].Used)
	}
}

// The memory of one kind does not wait for cells of another that stay.
func TestSweepShrinksByKind(t *testing.T) {
	s := newStore(t, Options{Shards: 1})
	rolling, fixed := limitOf(1, core.Rolling, "rolling"), limitOf(2, core.Fixed, "fixed")
	fixed.Length = 60 * minute
	const kept = 4 * minShrink
	for key := range uint64(2 * kept) {
		take(t, s, int64(key), key+1, alice, charges(core.Scope{Lo: key}, 1, rolling))
		if key%2 == 0 {
			take(t, s, int64(key), key+1, alice, charges(core.Scope{Lo: key}, 1, fixed))
		}
	}
	take(t, s, 2*minute, 1, alice, charges(core.Scope{Lo: 2}, 3, rolling))
	s.sweep(s.present(), nil)
	if places, cells, _ := s.shards[0].pool.Count(); places > kept+100 || cells != kept+1 {
		t.Errorf("room for %d cells; there are %d, want %d", places, cells, kept+1)
	}
	for _, l := range []*core.Limit{rolling, fixed} {
		if op := take(t, s, 2*minute, 2, alice, charges(core.Scope{Lo: 2}, 1, l)); op.Charges[0].Used != map[*core.Limit]int64{rolling: 4, fixed: 2}[l] {
			t.Errorf("%s: %d used", l.Name, op.Charges[0].Used)
		}
	}
}

// A cell that was dropped is not counted anew in an earlier window when the
// wall clock is set back.
func TestClockSetBackAfterSweep(t *testing.T) {
	s := newStore(t, Options{Shards: 1})
	l := limitOf(1, core.Fixed, "fixed")
	take(t, s, 0, 1, alice, charges(alice, 1000, l))
	take(t, s, minute, 2, bob, charges(bob, 1, l))
	s.sweep(s.present(), nil)
	back := &core.Take{Now: core.Instant{Wall: start + 30*second, Steady: start + minute}, Charges: charges(alice, 1, l)}
	must(t, s.Take(context.Background(), back))
	if c := back.Charges[0]; c.Grow != 90*second {
		t.Errorf("the window ends in %d µs, want that of the later one, 90 s", c.Grow)
	}
}

// takeAt is take at any reading of the clocks.
func takeAt(t testing.TB, s *Store, wall, steady int64, list []core.Charge) *core.Take {
	t.Helper()
	op := &core.Take{Now: core.Instant{Wall: start + wall, Steady: start + steady}, Policy: "p", Charges: list}
	must(t, s.Take(context.Background(), op))
	return op
}

// While a wall clock is wrong by so much, windows of the right time are over.
var clocksAhead = map[string]int64{"half an hour ahead": 30 * minute, "three hours ahead": 180 * minute}

// A wall clock that was ahead for a moment ends no window that is live.
func TestSweepAfterClockAhead(t *testing.T) {
	for name, ahead := range clocksAhead {
		t.Run(name, func(t *testing.T) {
			s := newStore(t, Options{})
			l := limitOf(1, core.Fixed, "fixed")
			takeAt(t, s, -1, 0, charges(alice, 0, l)) // alice's cell is older than the mistake
			takeAt(t, s, ahead, 0, charges(bob, 1, l))
			if !takeAt(t, s, 0, 1, charges(alice, 1000, l)).Admitted {
				t.Fatal("refused in an empty window")
			}
			s.sweep(s.present(), nil)
			if takeAt(t, s, 1, 2, charges(alice, 1, l)).Admitted {
				t.Error("admitted above the maximum of one window after a sweep")
			}
		})
	}
}

// A request that was late, for its clock was read before its window was over
// and swept, does not count in that window anew.
func TestSweepBeforeLateRequest(t *testing.T) {
	s := newStore(t, Options{})
	l := limitOf(1, core.Fixed, "fixed")
	take(t, s, 0, 1, alice, charges(alice, 1000, l))
	take(t, s, minute, 2, bob, charges(bob, 1, l)) // in another shard
	s.sweep(s.present(), nil)
	late := take(t, s, minute-1, 3, alice, charges(alice, 1, l))
	if c := late.Charges[0]; c.Grow != minute+1 {
		t.Errorf("the window ends in %d µs, want that of the later one", c.Grow)
	}
}

func TestRefusalsMakeNoCells(t *testing.T) {
	s := newStore(t, Options{})
	full, l := limitOf(1, core.Fixed, "full"), limitOf(2, core.Rolling, "rolling")
	take(t, s, 0, 1, alice, charges(alice, 1000, full))
	before := s.Stats()
	for key := range uint64(100) {
		list := append(charges(core.Scope{Lo: key}, 1, l), charges(alice, 1, full)...)
		if op := take(t, s, 0, key+2, alice, list); op.Admitted {
			t.Fatal("admitted")
		}
		list = charges(core.Scope{Lo: key}, 1, l, snapshotLimits()[5])
		list[0].Peek, list[1].Peek = true, true
		take(t, s, 0, key+2, alice, list)
		must(t, s.Read(context.Background(), &core.Take{Now: at(0), Charges: list}))
	}
	if after := s.Stats(); after != before {
		t.Errorf("%+v, before the refusals %+v", after, before)
	}
}

func TestMaxCells(t *testing.T) {
	s := newStore(t, Options{MaxCells: 3})
	l, m := limitOf(1, core.Rolling, "l"), limitOf(2, core.Fixed, "m")
	take(t, s, 0, 1, alice, charges(alice, 1, l, m))
	full := &core.Take{Now: at(0), Charges: charges(bob, 1, l, m)}
	if err := s.Take(context.Background(), full); !errors.Is(err, ErrFull) {
		t.Errorf("got %v", err)
	}
	if n := s.Stats().Cells; n != 2 {
		t.Errorf("%d cells", n)
	}
	take(t, s, 0, 3, alice, charges(alice, 1, l, m))
	take(t, s, 0, 4, bob, charges(bob, 1, l))
	s.sweep(at(2*minute), nil)
	take(t, s, 2*minute, 5, bob, charges(bob, 1, l, m))
}

// A request that is refused needs no cells: a count that finds no room for its
// own is left out.
func TestFullStoreRefuses(t *testing.T) {
	s := newStore(t, Options{MaxCells: 2})
	full, counted, refused := limitOf(1, core.Fixed, "full"), limitOf(2, core.Ever, "counted"), limitOf(3, core.Ever, "refused")
	counted.Count, counted.CountRefused = true, true
	refused.Count, refused.CountRefused = true, true
	take(t, s, 0, 1, alice, charges(alice, 1000, full, counted))
	op := take(t, s, 0, 2, alice, charges(alice, 1, refused, full, counted))
	if op.Admitted || !op.Charges[1].Refused {
		t.Error("admitted")
	}
	if op.Charges[0].Taken || !op.Charges[2].Taken || s.Stats().Cells != 2 {
		t.Errorf("%+v", op.Charges)
	}
}

// What is remembered is forgotten when nobody can ask for it any more.
func TestNothingIsLeftBehind(t *testing.T) {
	s := newStore(t, Options{})
	jobs, budget := snapshotLimits()[5], snapshotLimits()[6]
	settle(t, s, 0, core.Settle{Owner: alice, Release: []string{"nobody"}})
	first := take(t, s, 0, 1, alice, charges(alice, 1, jobs, budget))
	settle(t, s, 0, core.Settle{Owner: alice, Release: []string{"a", "b", "a"}})
	second := take(t, s, 0, 2, alice, charges(alice, 1, jobs))
	settle(t, s, 0, core.Settle{Owner: alice, Release: []string{"a", "c"}})
	if n := s.Stats().Tombstones; n != 3 {
		t.Errorf("%d tombstones, want 3", n)
	}
	settle(t, s, 0, core.Settle{ID: first.ID, Owner: alice, Charges: first.Charges, HasCost: true, Cost: 3, End: true})
	if n := s.Stats().Tombstones; n != 2 {
		t.Errorf("%d tombstones, want 2", n)
	}
	settle(t, s, 0, core.Settle{ID: second.ID, Owner: alice, Charges: second.Charges, End: true})
	later := take(t, s, 0, 4, alice, charges(alice, 5, budget))
	settle(t, s, 0, core.Settle{ID: later.ID, Owner: alice, Charges: later.Charges, End: true})
	if n := s.Stats().Reserved; n != 1 {
		t.Errorf("%d reservations, want 1", n)
	}
	settle(t, s, 0, core.Settle{ID: later.ID, Owner: alice, HasCost: true, Cost: 5, Charges: charges(alice, 0, budget)})
	if st := s.Stats(); st != (Stats{Cells: 1, Settled: 2}) {
		t.Errorf("left: %+v", st)
	}
	settle(t, s, 0, core.Settle{ID: core.ID{Lo: 5}, Owner: alice, Lease: []string{"x"}, Unleased: true, Charges: charges(alice, 1, jobs)})
	if n := s.ledger.given.count(); n != 1 {
		t.Errorf("%d requests were given leases above the maximum, want 1", n)
	}
	take(t, s, 4*remember, 3, bob, charges(bob, 1, limitOf(9, core.Fixed, "fixed")))
	s.sweep(s.present(), nil)
	if st := s.Stats(); st != (Stats{Cells: 1}) || s.ledger.given.count() != 0 {
		t.Errorf("left after four days: %+v", st)
	}
}

func TestTombstonesAreBounded(t *testing.T) {
	var tombs tombstones
	for i := range maxTombstones + 10 {
		tombs.add(time.Duration(i).String(), uint64(i+1))
	}
	if len(tombs.queue) != maxTombstones || len(tombs.last) != maxTombstones {
		t.Errorf("%d and %d", len(tombs.queue), len(tombs.last))
	}
	if tombs.concerns(time.Duration(9).String(), 1) || !tombs.concerns(time.Duration(10).String(), 1) {
		t.Error("the oldest were not the ones that were dropped")
	}
}

// A name that was released again concerns the later requests too.
func TestTombstoneRenewed(t *testing.T) {
	var tombs tombstones
	tombs.add("x", 1)
	tombs.add("x", 5)
	tombs.forget(2)
	if !tombs.concerns("x", 5) || len(tombs.queue) != 1 {
		t.Errorf("forgotten too early: %+v", tombs)
	}
	tombs.forget(6)
	if tombs.concerns("x", 1) || len(tombs.last) != 0 {
		t.Errorf("left: %+v", tombs)
	}
}

func TestGenerations(t *testing.T) {
	var g generations[bool]
	put := func(now int64, id uint64) {
		g.turn(now, 3)
		g.put(now, core.ID{Lo: id}, true)
	}
	has := func(id uint64) bool { _, ok := g.get(core.ID{Lo: id}); return ok }
	put(0, 1)
	put(remember-1, 2)
	put(remember, 3)
	if !has(1) || !has(2) {
		t.Error("forgotten within a day")
	}
	put(2*remember-1, 4)
	if !has(2) {
		t.Error("forgotten within a day")
	}
	put(2*remember, 5)
	if has(1) || has(2) || !has(3) || !has(4) {
		t.Error("generations are mixed up")
	}
	put(2*remember, 6)
	put(2*remember, 7)
	put(2*remember, 8)
	if has(3) || !has(5) || g.count() != 4 {
		t.Errorf("%d remembered of at most 2 × 3", g.count())
	}
	g.turn(9*remember, 3)
	if g.count() != 0 {
		t.Errorf("%d are remembered after days", g.count())
	}
}
