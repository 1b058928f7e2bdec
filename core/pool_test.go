package core

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"
)

// newCell returns an empty cell of l's kind and window.
func newCell(l *Limit) Cell {
	p := new(Pool)
	return p.Cell(p.New(l))
}

func decodeCell(kind Kind, b []byte) (Cell, []byte, error) {
	p := new(Pool)
	ref, rest, err := p.Decode(kind, b)
	if err != nil {
		return nil, rest, err
	}
	return p.Cell(ref), rest, nil
}

func appendCell(b []byte, c Cell) []byte { return c.(PoolCell).Append(b) }

func rollingOf(c Cell) rolling { return c.(PoolCell).rolling() }

// pointers reports whether values of t have any.
func pointers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return pointers(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if pointers(t.Field(i).Type) {
				return true
			}
		}
		return false
	}
	return t.Kind() > reflect.Complex128
}

// TestCellsHaveNoPointers: those of a flood would be a gigabyte for the garbage
// collector to go through, again and again.
func TestCellsHaveNoPointers(t *testing.T) {
	for _, one := range []any{rollingCell{}, fixedCell{}, calendarCell{}, bucketCell{}, everCell{}, CellRef(0)} {
		if pointers(reflect.TypeOf(one)) {
			t.Errorf("%T has pointers", one)
		}
	}
	if !pointers(reflect.TypeFor[hold]()) {
		t.Error("a hold, which has pointers, is not found to have any")
	}
}

// twins are a cell in a Pool with others, and one that has its own.
type twins struct {
	ref   CellRef
	alone Cell
	limit *Limit
}

// shrinkTwins shrinks the pool of all, and returns how many moved.
func shrinkTwins(pool *Pool, all []*twins) (moved int) {
	cells := map[*twins]CellRef{}
	for _, one := range all {
		cells[one] = one.ref
	}
	Shrink(pool, cells, 0)
	for one, ref := range cells {
		if one.ref != ref {
			moved++
		}
		one.ref = ref
	}
	return moved
}

// TestPool makes, charges, drops and moves cells of all kinds at random, and
// compares each with one that is alone.
func TestPool(t *testing.T) {
	limits := []*Limit{{Kind: Hold, Length: 60 * second}}
	for _, kind := range snapshotKinds {
		limits = append(limits, &Limit{Kind: kind, Length: 60 * second, Schedule: mustSchedule(t, "day", "Europe/Berlin", "")})
	}
	moved, seeds := 0, 20
	if testing.Short() {
		seeds = 5
	}
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 4))
		pool, now, all := new(Pool), steadyStart, []*twins(nil)
		for range 5000 {
			now = now.Add(rng.Int64N(2 * second))
			switch n := rng.IntN(40); {
			case n == 0 && rng.IntN(20) == 0:
				for _, one := range all[len(all)/10:] {
					pool.Drop(one.ref)
				}
				all = all[:len(all)/10]
				moved += shrinkTwins(pool, all)
			case n <= 1 && len(all) > 0:
				i := rng.IntN(len(all))
				pool.Drop(all[i].ref)
				all = append(all[:i], all[i+1:]...)
			case n <= 4 || len(all) == 0:
				l := limits[rng.IntN(len(limits))]
				all = append(all, &twins{ref: pool.New(l), alone: newCell(l), limit: l})
			default:
				all[rng.IntN(len(all))].charge(t, rng, pool, now)
			}
		}
		for _, one := range all {
			if a, b := pool.Cell(one.ref).Append(nil), appendCell(nil, one.alone); !bytes.Equal(a, b) {
				t.Fatalf("%s: %x, want %x", one.limit.Kind, a, b)
			}
		}
		checkUsed(t, pool, len(all))
		for _, one := range all {
			pool.Drop(one.ref)
		}
		checkUsed(t, pool, 0)
	}
	if moved < seeds {
		t.Errorf("only %d cells were moved", moved)
	}
}

// TestShrinkMovesParts: rolling cells have these where they have many charges.
func TestShrinkMovesParts(t *testing.T) {
	l := &Limit{Kind: Rolling, Length: 60 * second}
	pool, now := new(Pool), steadyStart
	cells := map[string]CellRef{"long": pool.New(l), "short": pool.New(l)}
	for range 3 * maxGaps {
		now = now.Add(milli)
		pool.Cell(cells["long"]).Take(now, &Charge{Limit: l, Cost: 1, Max: 5})
	}
	before, want := cells["long"], pool.Cell(cells["long"]).Append(nil)
	checkUsed(t, pool, 2)
	if Shrink(pool, cells, 0); !bytes.Equal(pool.Cell(cells["long"]).Append(nil), want) || pool.parts.used() != 1 {
		t.Errorf("moved from %x to %x it has other charges", before, cells["long"])
	}
	checkUsed(t, pool, 2)
	pool.Drop(cells["long"])
	checkUsed(t, pool, 1)
}

// checkUsed requires that p has so many cells and no others, and buffers of those.
func checkUsed(t *testing.T, p *Pool, want int) {
	t.Helper()
	many, long := 0, 0
	for n, chunk := range p.rolling.chunks {
		for i := range chunk {
			cell := p.Cell(refTo(Rolling, uint32(n+1)<<placeBits|uint32(i)))
			for _, part := range cell.rolling().queues() {
				if part.codes > fewCodes {
					many++
				}
			}
			if chunk[i].charges.parts != 0 {
				long++
			}
		}
	}
	if _, cells, buffers := p.Count(); cells != want || buffers != many || p.parts.used() != long {
		t.Errorf("%d cells, %d buffers and parts of %d cells are in use, want %d, %d and %d", cells, buffers, p.parts.used(), want, many, long)
	}
}

// charge does the same to both.
func (w *twins) charge(t *testing.T, rng *rand.Rand, pool *Pool, now Instant) {
	t.Helper()
	c := Charge{Limit: w.limit, Cost: rng.Int64N(4), Max: 50, Rate: 7, Refusable: true}
	if w.limit.Schedule != nil {
		c.Window = w.limit.Schedule.At(now.Wall)
	}
	cell := pool.Cell(w.ref)
	both := func(do func(cell Cell, c *Charge)) (got Charge) {
		t.Helper()
		got, want := c, c
		do(cell, &got)
		do(w.alone, &want)
		got.Entry, want.Entry = entryOf(w.limit, &got), entryOf(w.limit, &want)
		if got.State != want.State {
			t.Fatalf("%s: %+v, want %+v", w.limit.Kind, got.State, want.State)
		}
		return got
	}
	if w.limit.Kind == Rolling && rng.IntN(200) == 0 { // some have parts
		for range maxGaps * (1 + rng.IntN(3)) {
			both(func(cell Cell, c *Charge) { cell.Take(now, c) })
			now = now.Add(2 * milli)
		}
	}
	for range 1 + rng.IntN(20) { // some cells have many codes
		if got := both(func(cell Cell, c *Charge) { cell.Check(now, c) }); !got.Refused {
			both(func(cell Cell, c *Charge) { cell.Take(now, c) })
		}
	}
	if cell.Idle(now) != w.alone.Idle(now) {
		t.Fatalf("%s: one is idle", w.limit.Kind)
	}
}

// entryOf returns c's entry but for what a hold chooses at random.
func entryOf(l *Limit, c *Charge) Entry {
	if l.Kind == Hold {
		return Entry{}
	}
	return c.Entry
}

// TestReadingCellsAllocatesNothing: recovery decodes and changes millions.
func TestReadingCellsAllocatesNothing(t *testing.T) {
	for _, kind := range snapshotKinds {
		l := &Limit{Kind: kind, Length: 60 * second, Schedule: mustSchedule(t, "day", "Europe/Berlin", "")}
		pool, c := new(Pool), Charge{Limit: l, Cost: 1, Max: 50, Rate: 7, Window: Window{Start: 1, End: 2, Next: 3}}
		ref := pool.New(l)
		pool.Cell(ref).Take(steadyStart, &c)
		whole, change := pool.Cell(ref).Append(nil), pool.Cell(ref).AppendChange(nil, steadyStart, &c, 1)
		read := func() {
			one, _, err := pool.Decode(kind, whole)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err = pool.ApplyChange(kind, l.Length, one, steadyStart, change); err != nil {
				t.Fatal(err)
			}
			pool.Drop(one)
		}
		if n := testing.AllocsPerRun(100, read); n != 0 {
			t.Errorf("%s: %v allocations", kind, n)
		}
	}
}
