package core

import (
	"math/rand/v2"
	"testing"
)

// traceSteps is how many operations of each kind are compared with its model.
func traceSteps() int {
	if testing.Short() {
		return 100_000
	}
	return 1_000_000
}

// A trace does the same random operations to a cell and to its model, and
// compares what they tell, field by field.
type trace struct {
	t           *testing.T
	rng         *rand.Rand
	cell, model Cell
	limits      []*Limit // of one kind and length; plain, settled, counts
	now         Instant
	maxima      []int64
	costs       []int64
	rates       []int64
	schedule    *Schedule
	kept        [16]Charge // taken charges, to settle
	moments     [16]int64  // at which something ends, as of Steady
	admitted    int
	refused     int
}

// variants returns limits that count in the same cells.
func variants(l Limit, others ...func(*Limit)) []*Limit {
	all := []*Limit{&l}
	for _, change := range others {
		other := l
		change(&other)
		all = append(all, &other)
	}
	return all
}

func settledVariant(l *Limit)            { l.Settled = true }
func countVariant(l *Limit)              { l.Count = true }
func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

// pass moves the clocks: by nothing, within a millisecond, to one, to where
// something ends or just before it, far ahead, and now and then back.
func (tr *trace) pass() {
	r, length := tr.rng, max(tr.limits[0].Length, 2000)
	switch n := r.IntN(64); {
	case n < 12:
	case n < 24:
		tr.now = tr.now.Add(r.Int64N(4))
	case n < 36:
		tr.now = tr.now.Add(r.Int64N(2000))
	case n < 42:
		tr.now = tr.now.Add((999_999_999 - tr.now.Steady%1000) % 1000)
	case n < 54:
		if d := pick(r, tr.moments[:]) - tr.now.Steady + r.Int64N(3) - 1; d > 0 && d < 4*length {
			tr.now = tr.now.Add(d)
		}
	case n < 60:
		tr.now = tr.now.Add(r.Int64N(length / 2))
	case n < 61:
		tr.now = tr.now.Add(r.Int64N(3 * length))
	case n < 62:
		tr.now.Steady -= r.Int64N(length)
	default:
		tr.now.Wall += r.Int64N(length) - length/2
	}
}

// charge makes up a charge.
func (tr *trace) charge() Charge {
	r := tr.rng
	c := Charge{
		Limit: pick(r, tr.limits), Cost: pick(r, tr.costs), Max: pick(r, tr.maxima), Rate: pick(r, tr.rates),
		Refusable: r.IntN(8) > 0, Peek: r.IntN(8) == 0, CheckOnly: r.IntN(16) == 0,
	}
	if !c.Limit.Settled && r.IntN(16) == 0 {
		c.Cost = -c.Cost
	}
	if tr.schedule != nil {
		c.Window = tr.schedule.At(tr.now.Wall - max(0, r.Int64N(16)-13)*r.Int64N(tr.limits[0].Length))
	}
	return c
}

// step does one operation.
func (tr *trace) step() {
	tr.pass()
	if tr.rng.IntN(8) == 0 {
		tr.settle()
		return
	}
	c := tr.charge()
	m := c
	if idle := tr.cell.Idle(tr.now); idle != tr.model.Idle(tr.now) {
		tr.t.Fatalf("at %+v: idle %t", tr.now, idle)
	}
	tr.cell.Check(tr.now, &c)
	tr.model.Check(tr.now, &m)
	tr.compare("check", &c, &m)
	tr.foretell(&c)
	if c.Peek || c.Refused || c.CheckOnly {
		tr.refused++
		return
	}
	tr.admitted++
	tr.cell.Take(tr.now, &c)
	tr.model.Take(tr.now, &m)
	tr.compare("take", &c, &m)
	tr.keep(&c)
}

// keep remembers a charge, and when it ends.
func (tr *trace) keep(c *Charge) {
	i := tr.rng.IntN(len(tr.kept))
	tr.kept[i] = *c
	tr.moments[i] = tr.now.Steady + c.Grow
}

// settle corrects a charge that was kept, and then looks.
func (tr *trace) settle() {
	c := pick(tr.rng, tr.kept[:])
	if c.Limit == nil {
		return
	}
	delta := tr.rng.Int64N(4)
	if c.Cost > 0 && tr.rng.IntN(3) > 0 {
		delta = -1 - tr.rng.Int64N(c.Cost)
	}
	c.Max = pick(tr.rng, tr.maxima)
	if tr.schedule != nil {
		c.Window = tr.schedule.At(tr.now.Wall)
	}
	m := c
	tr.cell.Settle(tr.now, &c, delta)
	tr.model.Settle(tr.now, &m, delta)
	c.Peek, m.Peek = true, true
	tr.cell.Check(tr.now, &c)
	tr.model.Check(tr.now, &m)
	tr.compare("settle", &c, &m)
}

func (tr *trace) compare(what string, c, m *Charge) {
	if c.State != m.State {
		tr.t.Fatalf("%s at %+v of cost %d, max %d, rate %d, %+v:\n got %+v\nwant %+v",
			what, tr.now, c.Cost, c.Max, c.Rate, *c.Limit, c.State, m.State)
	}
}

// foretell replaces the cell by its copy now and then, and holds what it told
// against what comes: c fits after its Wait and not a microsecond earlier, and
// less is used after its Grow.
func (tr *trace) foretell(c *Charge) {
	if tr.rng.IntN(32) > 0 {
		return
	}
	tr.cell = tr.copy()
	if tr.now.Steady < tr.latest() {
		return // it reads as a later time
	}
	if !c.fits(c) && !c.NeverFits && c.Wait != Unknown {
		if s := tr.later(c, c.Wait); !s.fits(c) {
			tr.t.Fatalf("at %+v: waits %d, and then %+v does not fit", tr.now, c.Wait, s)
		}
		if s := tr.later(c, c.Wait-1); s.fits(c) {
			tr.t.Fatalf("at %+v: waits %d, but %+v fits earlier", tr.now, c.Wait, s)
		}
	}
	if c.Grow > 0 && (tr.later(c, c.Grow).Used >= c.Used || tr.later(c, c.Grow-1).Used != c.Used) {
		tr.t.Fatalf("at %+v: %d used, but not less after %d", tr.now, c.Used, c.Grow)
	}
}

// later returns what a copy of the cell tells of c after d.
func (tr *trace) later(c *Charge, d int64) State {
	at := *c
	now := tr.now.Add(d)
	if tr.schedule != nil {
		at.Window = tr.schedule.At(now.Wall)
	}
	tr.copy().Check(now, &at)
	return at.State
}

// latest returns the latest steady time that the cell has seen.
func (tr *trace) latest() int64 {
	switch c := tr.cell.(PoolCell); tr.limits[0].Kind {
	case Rolling:
		return c.rolling().latest
	case Bucket:
		return c.cell().(*bucketCell).latest
	}
	return 0
}

// copy returns the cell as a snapshot brings it back.
func (tr *trace) copy() Cell {
	b := appendCell(nil, tr.cell)
	c, rest, err := decodeCell(tr.limits[0].Kind, b)
	if err != nil || len(rest) > 0 {
		tr.t.Fatalf("DecodeCell: %v, %d bytes left", err, len(rest))
	}
	return c
}

// runTraces makes traces until there were steps operations, each begun by start.
func runTraces(t *testing.T, start func(r *rand.Rand) *trace) {
	const each = 2000
	admitted, refused := 0, 0
	for seed := range uint64(traceSteps() / each) {
		r := rand.New(rand.NewPCG(seed, 7))
		tr := start(r)
		tr.t, tr.rng = t, r
		if tr.cell == nil {
			tr.cell = newCell(tr.limits[0])
		}
		if tr.now == (Instant{}) {
			tr.now = Instant{Wall: 1_790_000_000_000_000, Steady: 1_790_000_000_000_000}.Add(r.Int64N(1_000_000_000))
		}
		for i := range each {
			if tr.step(); t.Failed() {
				t.Fatalf("seed %d, step %d", seed, i)
			}
		}
		admitted, refused = admitted+tr.admitted, refused+tr.refused
	}
	t.Logf("%d admitted, %d not", admitted, refused)
	if admitted < traceSteps()/8 || refused < traceSteps()/8 {
		t.Errorf("%d admitted, %d not: the traces are lopsided", admitted, refused)
	}
}
