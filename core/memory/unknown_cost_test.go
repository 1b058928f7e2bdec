package memory

import (
	"context"
	"testing"

	"github.com/weirhq/weir/core"
)

// TestSpentWhileACostIsNotKnown: what a subject has spent stays spent while the cost of
// one more of its requests is not known, through a sweep, a stop, and a kill after a new
// snapshot, however many charges its cell has.
func TestSpentWhileACostIsNotKnown(t *testing.T) {
	outlives := map[string]func(t *testing.T, s *Store, now int64) *Store{
		"sweep": func(_ *testing.T, s *Store, now int64) *Store {
			s.sweep(at(now), nil)
			return s
		},
		"stop": func(t *testing.T, s *Store, _ int64) *Store {
			must(t, s.Close())
			return reopened(t, s)
		},
		"kill": func(t *testing.T, s *Store, _ int64) *Store {
			must(t, s.compact())
			kill(s)
			return reopened(t, s)
		},
	}
	for name, outlive := range outlives {
		for _, spent := range []int64{1023, 1024, 1025, 2048} {
			s := New(Options{Dir: t.TempDir()})
			must(t, s.Open())
			budget := limitOf(1, core.Rolling, "budget")
			budget.Settled, budget.Length = true, 60*minute
			now := int64(0)
			for n := range spent + 1 {
				now += 2000
				op := &core.Take{Now: at(now), ID: core.ID{Lo: uint64(n + 1)}, Policy: "p", Owner: alice, Charges: charges(alice, 0, budget)}
				op.Charges[0].Max = spent + 1
				must(t, s.Take(context.Background(), op))
				if n < spent {
					settle(t, s, now, core.Settle{ID: op.ID, Owner: alice, Charges: op.Charges, Cost: 1, HasCost: true, End: true})
				}
			}
			s = outlive(t, s, now)
			op := &core.Take{Now: at(now), Policy: "p", Owner: alice, Charges: charges(alice, 0, budget)}
			must(t, s.Read(context.Background(), op))
			if used := op.Charges[0].Used; used != spent {
				t.Errorf("%s: %d used, want %d", name, used, spent)
			}
			kill(s)
		}
	}
}

// reopened returns a store of the same directory.
func reopened(t *testing.T, s *Store) *Store {
	t.Helper()
	s = New(Options{Dir: s.options.Dir})
	must(t, s.Open())
	return s
}

// TestBucketChargeOfNothing: a charge whose cost is not known yet changes nothing that a
// kill would forget, nor at which rate the debt drains.
func TestBucketChargeOfNothing(t *testing.T) {
	for cost, want := range []int64{0, 91} { // 100 at 10 a second are gone; one more is at 1 a second, and 99 with it
		s := New(Options{Dir: t.TempDir()})
		must(t, s.Open())
		l := limitOf(1, core.Bucket, "b")
		l.Length = second
		of := func(cost, rate int64) []core.Charge {
			all := charges(alice, cost, l)
			all[0].Rate = rate
			return all
		}
		takeAt(t, s, 0, 0, of(100, 10))
		takeAt(t, s, second, second, of(int64(cost), 1)) // of a lesser plan
		for range 2 {
			op := &core.Take{Now: at(10 * second), Policy: "p", Owner: alice, Charges: of(0, 1)}
			must(t, s.Read(context.Background(), op))
			if op.Charges[0].Used != want {
				t.Errorf("charge of %d: %d used, want %d", cost, op.Charges[0].Used, want)
			}
			kill(s)
			s = reopened(t, s)
		}
		kill(s)
	}
}
