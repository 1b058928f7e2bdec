package memory

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/weirhq/weir/core"
)

// checkPools requires that what is in use in the pools of a store that nobody uses
// any more is its cells, and that their number is told. newStore has it checked at
// the end of every test.
func checkPools(t testing.TB, s *Store) {
	t.Helper()
	var own, shared int64
	for i := range s.shards {
		sh := &s.shards[i]
		var moved core.Pool
		for key, ref := range sh.cells {
			moved.Move(sh.pool.Cell(ref))
			if key.common() {
				shared++
			} else {
				own++
			}
		}
		_, cells, buffers := sh.pool.Count()
		if _, _, want := moved.Count(); cells != len(sh.cells) || buffers != want {
			t.Errorf("shard %d uses %d cells and %d buffers, want %d and %d", i, cells, buffers, len(sh.cells), want)
		}
	}
	if s.cells.Load() != own || s.commons.Load() != shared {
		t.Errorf("%d cells and %d shared ones are told, want %d and %d", s.cells.Load(), s.commons.Load(), own, shared)
	}
}

// TestPools has strangers charge, settle, end and reset at random where there is
// little room, sweeps, kills and opens again, with checkPools after each life.
func TestPools(t *testing.T) {
	full, buffers := 0, 0
	for seed := range uint64(10) {
		c := &crowdedTrace{T: t, Rand: rand.New(rand.NewPCG(seed, 2)), limits: snapshotLimits()}
		settled := limitOf(9, core.Rolling, "settled")
		settled.Settled = true
		c.limits = append(c.limits, settled)
		o := Options{Dir: t.TempDir(), Overflow: Overflow(seed % 2), Shards: 1 << c.IntN(3)}
		for range 4 {
			o.MaxCells = int64(3 + c.IntN(120))
			s := newStore(t, o)
			var open []*core.Take
			for range 800 {
				c.now += c.Int64N(second / 10)
				op := c.request(1 + c.IntN(3)/2)
				for i := range op.Charges {
					op.Charges[i].Max += c.Int64N(100)
				}
				switch err := s.Take(context.Background(), op); {
				case errors.Is(err, ErrFull):
					full++
				case err != nil:
					t.Fatal(err)
				}
				if open = append(open, op); c.IntN(2) == 0 {
					op = open[c.IntN(len(open))]
					end := c.IntN(8) > 0
					settle(t, s, c.now, core.Settle{ID: op.ID, Owner: op.Owner, Charges: op.Charges, HasCost: end, Cost: 2, End: end, Reset: !end})
				}
				if c.IntN(100) == 0 {
					c.now += c.Int64N(2 * minute)
					s.sweep(s.present(), nil)
				}
			}
			for i := range s.shards {
				_, _, n := s.shards[i].pool.Count()
				buffers += n
			}
			kill(s)
			checkPools(t, s)
		}
	}
	if full < 100 || buffers < 20 {
		t.Errorf("only %d times no room, and %d buffers", full, buffers)
	}
}
