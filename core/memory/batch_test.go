package memory

import (
	"context"
	"fmt"
	"testing"

	"github.com/weirhq/weir/core"
)

// bucketBatch charges owner's bucket cost at each of rates in one step.
func bucketBatch(t *testing.T, s *Store, now int64, owner core.Scope, l *core.Limit, cost int64, rates ...int64) (ops []*core.Take) {
	t.Helper()
	for i, rate := range rates {
		list := charges(owner, cost, l)
		list[0].Rate = rate
		op := &core.Take{Now: at(now), ID: core.ID{Hi: 1, Lo: uint64(i)}, Policy: "p", Owner: owner, Charges: list}
		if ops = append(ops, op); i > 0 {
			ops[i-1].Next = op
		}
	}
	must(t, s.Take(context.Background(), ops[0]))
	return ops
}

// debtOf returns a stranger's charge of nothing at a rate, which tells of the
// bucket that those of that rate share.
func debtOf(t *testing.T, s *Store, now int64, l *core.Limit, rate int64) *core.Charge {
	t.Helper()
	list := charges(stranger(77), 0, l)
	list[0].Rate, list[0].Peek = rate, true
	return &take(t, s, now, 77, stranger(77), list).Charges[0]
}

// crowdedBucket returns a full store, and a bucket that subjects share there: at
// each of rates one has charged it 5.
func crowdedBucket(t *testing.T, o Options, rates ...int64) (*Store, *core.Limit) {
	t.Helper()
	o.MaxCells, o.Overflow = 1, Share
	s, l := New(o), limitOf(2, core.Bucket, "bucket")
	take(t, s, 0, 1, bob, charges(bob, 1, limitOf(1, core.Ever, "filler")))
	for _, rate := range rates {
		bucketBatch(t, s, 0, bob, l, 5, rate)
	}
	return s, l
}

// A batch that charges one bucket at several rates while subjects share cells:
// all of it is counted, told and kept in one, that of the slowest rate.
func TestBatchOfSeveralRatesInASharedBucket(t *testing.T) {
	for _, live := range [][]int64{nil, {1}, {2}, {1, 2}} {
		for _, rates := range [][]int64{{1, 2}, {2, 1}, {2, 1, 2}} {
			t.Run(fmt.Sprint(live, rates), func(t *testing.T) {
				o := Options{Dir: t.TempDir()}
				s, l := crowdedBucket(t, o, live...)
				slow, fast := debtOf(t, s, 0, l, 1).Used, debtOf(t, s, 0, l, 2).Used
				ops := bucketBatch(t, s, 0, alice, l, 3, rates...)
				told := debtOf(t, s, 0, l, 1)
				if want := slow + 3*int64(len(rates)); told.Used != want {
					t.Errorf("%d used at the slow rate, want %d", told.Used, want)
				}
				if n := debtOf(t, s, 0, l, 2).Used; n != fast {
					t.Errorf("%d used at the fast rate, want %d as before", n, fast)
				}
				for i, op := range ops {
					if c := &op.Charges[0]; !c.Taken || c.Scope != twin(1) || c.Used != told.Used || c.Grow != told.Grow {
						t.Errorf("request %d: %+v, want %d used and %d to grow", i, c, told.Used, told.Grow)
					}
				}
				for range 2 {
					kill(s)
					s = New(Options{Dir: o.Dir, MaxCells: 1, Overflow: Share})
					if c := debtOf(t, s, 0, l, 1); c.State != told.State {
						t.Errorf("after a crash %+v at the slow rate, want %+v", c.State, told.State)
					}
					if n := debtOf(t, s, 0, l, 2).Used; n != fast {
						t.Errorf("after a crash %d used at the fast rate, want %d", n, fast)
					}
				}
				must(t, s.Close())
			})
		}
	}
}

// The charges of such a batch fit together, or none does; and nobody's debt in the
// shared bucket drains at another's rate.
func TestBatchOfSeveralRatesAdmitsNobodyAbove(t *testing.T) {
	for _, rates := range [][]int64{{1, 1_000_000}, {1_000_000, 1}} {
		s, l := crowdedBucket(t, Options{}, 1)
		if op := bucketBatch(t, s, 0, alice, l, 600, rates...)[0]; op.Admitted {
			t.Errorf("%v: admitted above the maximum", rates)
		}
		bucketBatch(t, s, second, alice, l, 495, rates...)
		if n := debtOf(t, s, 2*second, l, 1).Used; n != 995 {
			t.Errorf("%v: %d used, want 995", rates, n)
		}
		if op := bucketBatch(t, s, 2*second, bob, l, 6, 1)[0]; op.Admitted {
			t.Errorf("%v: somebody else is admitted above the maximum", rates)
		}
		must(t, s.Close())
	}
}
