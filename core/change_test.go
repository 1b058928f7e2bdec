package core

import (
	"errors"
	"math/rand/v2"
	"testing"
)

// changeTrace charges and settles a cell at random, and hands each change to
// apply, with the charge and its delta.
func changeTrace(t testing.TB, rng *rand.Rand, l *Limit, steps int, apply func(now Instant, cell Cell, c *Charge, delta int64)) (Cell, Instant) {
	cell, now := newCell(l), steadyStart
	var taken []Charge
	for range steps {
		now = now.Add(rng.Int64N(l.Length / 8))
		late := now.Add(-rng.Int64N(2) * rng.Int64N(3000)) // an operation whose clock was read before
		c := Charge{Limit: l, Cost: rng.Int64N(6) - 2, Max: 50, Rate: 7}
		if rng.IntN(8) == 0 {
			c.Max = Unlimited
		}
		if l.Schedule != nil {
			c.Window = l.Schedule.At(late.Wall)
		}
		if rng.IntN(3) == 0 && len(taken) > 0 {
			c.State, c.Cost = taken[rng.IntN(len(taken))].State, 1
			delta := rng.Int64N(7) - 3
			cell.Settle(late, &c, delta)
			apply(late, cell, &c, delta)
			continue
		}
		if rng.IntN(4) == 0 {
			look := c
			cell.Check(now, &look) // changes nothing that can be told
		}
		cell.Take(late, &c)
		taken = append(taken, c)
		apply(late, cell, &c, c.Cost)
	}
	return cell, now
}

// A cell that was told all changes stands as the one that made them.
func TestChangesMakeTheSameCell(t *testing.T) {
	for _, kind := range snapshotKinds {
		t.Run(kind.String(), func(t *testing.T) {
			for seed := range uint64(200) {
				l := &Limit{Kind: kind, Length: 60 * second}
				if kind == Calendar {
					l.Length, l.Schedule = 40*60*60*second, mustSchedule(t, "day", "Europe/Berlin", "")
				}
				var copied CellRef
				pool := new(Pool)
				cell, now := changeTrace(t, rand.New(rand.NewPCG(seed, 1)), l, 100, func(now Instant, cell Cell, c *Charge, delta int64) {
					b := append(cell.(PoolCell).AppendChange(nil, now, c, delta), "rest"...)
					var rest []byte
					var err error
					if copied, rest, err = pool.ApplyChange(kind, l.Length, copied, now, b); err != nil || string(rest) != "rest" {
						t.Fatalf("%q is left: %v", rest, err)
					}
				})
				for range 20 {
					want := Charge{Limit: l, Cost: 1, Max: 50, Rate: 7, Refusable: true}
					if l.Schedule != nil {
						want.Window = l.Schedule.At(now.Wall)
					}
					got := want
					cell.Check(now, &want)
					pool.Cell(copied).Check(now, &got)
					if got.State != want.State {
						t.Fatalf("seed %d: %+v, want %+v", seed, got.State, want.State)
					}
					now = now.Add(l.Length / 20)
				}
			}
		})
	}
}

// A change is much smaller than a rolling cell that is full.
func TestChangeOfARollingCellIsSmall(t *testing.T) {
	l := &Limit{Kind: Rolling, Length: 60 * second}
	cell := newCell(l)
	for i := range int64(300) {
		now := steadyStart.Add(i * second / 5)
		c := Charge{Limit: l, Cost: 1, Max: 300}
		cell.Take(now, &c)
		if n := len(cell.(PoolCell).AppendChange(nil, now, &c, 1)); n > 3 {
			t.Fatalf("charge %d is %d bytes", i, n)
		}
	}
}

// A change that nobody wrote leaves no new cell.
func TestBadChange(t *testing.T) {
	pool := new(Pool)
	for _, kind := range append([]Kind{0, Hold}, snapshotKinds...) {
		if _, _, err := pool.ApplyChange(kind, second, 0, steadyStart, nil); !errors.Is(err, errCell) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	checkUsed(t, pool, 0)
}

// FuzzApplyChange makes of any bytes an error, or a cell that works.
func FuzzApplyChange(f *testing.F) {
	for _, kind := range snapshotKinds {
		l := &Limit{Kind: kind, Length: 60 * second}
		if kind == Calendar {
			l.Schedule = mustSchedule(f, "day", "Europe/Berlin", "")
		}
		var all []byte
		changeTrace(f, rand.New(rand.NewPCG(1, 1)), l, 5, func(now Instant, cell Cell, c *Charge, delta int64) {
			all = cell.(PoolCell).AppendChange(all, now, c, delta)
		})
		f.Add(uint8(kind), all)
	}
	day := mustSchedule(f, "day", "Europe/Berlin", "")
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		l := &Limit{Kind: Kind(kind), Length: 60 * second, Schedule: day}
		var ref CellRef
		var err error
		pool := new(Pool)
		for len(b) > 0 {
			before := len(b)
			if ref, b, err = pool.ApplyChange(l.Kind, l.Length, ref, steadyStart, b); err != nil {
				return
			}
			if len(b) == before {
				return
			}
			c := Charge{Limit: l, Cost: 1, Max: 50, Rate: 7, Refusable: true, Window: l.Schedule.At(steadyStart.Wall)}
			cell := pool.Cell(ref)
			cell.Check(steadyStart, &c)
			if cell.Idle(steadyStart); len(appendCell(nil, cell)) == 0 {
				t.Fatal("a cell that is not kept")
			}
		}
	})
}
