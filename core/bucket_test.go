package core

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestDefinitionBucketDrainsExactly(t *testing.T) {
	third := int64(333_334) // µs in which one of three a second drains, rounded up
	runRows(t, &Limit{Kind: Bucket, Length: second}, steadyStart, Charge{Max: 2, Rate: 3}, []row{
		{0, 1, State{Used: 1, Grow: third, Taken: true}},
		{0, 1, State{Used: 2, Grow: third, Taken: true}},
		{0, 1, State{Used: 2, Grow: third, Wait: third, Refused: true}},
		{100_000, 1, State{Used: 2, Grow: third - 100_000, Wait: third - 100_000, Refused: true}},
		{333_333, 1, State{Used: 2, Grow: 1, Wait: 1, Refused: true}},
		{333_334, 1, State{Used: 2, Grow: third - 1, Taken: true}},
		{second - 1, 2, State{Used: 1, Grow: 1, Wait: 1, Refused: true}}, // three drained in a second
		{second, 2, State{Used: 2, Grow: third, Taken: true}},
	})
}

func TestDefinitionNeverFitsBucketWaitsForAFullBurst(t *testing.T) {
	runRows(t, &Limit{Kind: Bucket, Length: 60 * second}, steadyStart, Charge{Max: 10, Rate: 30}, []row{
		{0, 11, State{Wait: 20 * second, Refused: true, NeverFits: true}},
		{0, 9, State{Used: 9, Grow: 2 * second, Taken: true}},
		{0, 11, State{Used: 9, Grow: 2 * second, Wait: 20 * second, Refused: true, NeverFits: true}},
	})
}

func TestDefinitionBucketRaisedBurstActsAtOnce(t *testing.T) {
	l := &Limit{Kind: Bucket, Length: second}
	cell := newCell(l)
	c := Charge{Limit: l, Cost: 10, Max: 10, Rate: 1, Refusable: true}
	cell.Take(steadyStart, &c)
	for _, r := range []struct{ burst, rate, cost, wait int64 }{
		{10, 1, 1, second},
		{15, 1, 5, 0},
		{15, 1, 6, second},
		{10, 1000, 1, 1000},
		{5, 1, 1, 6 * second},
	} {
		c.Max, c.Rate, c.Cost = r.burst, r.rate, r.cost
		if cell.Check(steadyStart, &c); c.Wait != r.wait || c.Used != 10 {
			t.Errorf("%+v: %+v", r, c.State)
		}
	}
	c.Max, c.Rate, c.Cost = 10, 1_000_000_000, 1
	if cell.Check(steadyStart, &c); c.Used != 10 || c.Wait != 1 || c.Grow != 1 {
		t.Errorf("a unit drains in a nanosecond: %+v", c.State)
	}
	c.Rate = 1
	for _, at := range []int64{10*second - 1, 10 * second} {
		if cell.Check(steadyStart.Add(at), &c); (c.Used == 0) != (at == 10*second) {
			t.Errorf("at %d: %+v", at, c.State)
		}
	}
}

// A slower rate does not take back what the last charge was told.
func TestDefinitionBucketIsEmptyWhenTheLastChargeHasDrained(t *testing.T) {
	l := &Limit{Kind: Bucket, Length: second}
	cell := newCell(l)
	c := Charge{Limit: l, Cost: 10, Max: 10, Rate: 10, Refusable: true}
	cell.Take(steadyStart, &c)
	c.Rate = 1
	if cell.Check(steadyStart.Add(second/2), &c); c.Used != 10 || c.Wait != second/2 || c.Grow != second/2 {
		t.Errorf("at the slower rate: %+v", c.State)
	}
	if cell.Idle(steadyStart.Add(second-1)) || !cell.Idle(steadyStart.Add(second)) {
		t.Error("idle is not when the debt has drained")
	}
	if cell.Check(steadyStart.Add(second), &c); c.Used != 0 || c.Wait != 0 {
		t.Errorf("when idle: %+v", c.State)
	}
}

func TestDefinitionUnlimitedBucketStartsEmpty(t *testing.T) {
	l := &Limit{Kind: Bucket, Length: second}
	cell := newCell(l)
	c := Charge{Limit: l, Cost: 5, Max: Unlimited, Rate: 1, Refusable: true}
	if cell.Take(steadyStart, &c); c.State != (State{Taken: true}) {
		t.Errorf("while unlimited: %+v", c.State)
	}
	cell.Settle(steadyStart, &c, -5)
	cell.Settle(steadyStart, &c, 5)
	c.Max = 5
	if cell.Check(steadyStart, &c); c.State != (State{}) {
		t.Errorf("with a cap: %+v", c.State)
	}
}

func TestDefinitionRefundBucketOfWhatHasNotDrained(t *testing.T) {
	l := &Limit{Kind: Bucket, Length: second}
	for _, r := range []struct {
		charge          int // of two
		at, delta, used int64
	}{
		{0, 0, -3, 17},
		{1, 0, -10, 10},
		{0, 5 * second, -10, 10}, // half of the first has drained
		{1, 5 * second, -10, 5},
		{0, 10 * second, -10, 10},
		{1, 15 * second, -3, 2},
		{1, 15 * second, -10, 0},
		{1, 15*second + 1, -10, 1}, // of 4.999999 units, whole ones
		{1, 20 * second, -10, 0},
	} {
		cell := newCell(l)
		both := [2]Charge{{Limit: l, Cost: 10, Max: 20, Rate: 1}, {Limit: l, Cost: 10, Max: 20, Rate: 1}}
		cell.Take(steadyStart, &both[0])
		cell.Take(steadyStart, &both[1])
		c := both[r.charge]
		cell.Settle(steadyStart.Add(r.at), &c, r.delta)
		if cell.Check(steadyStart.Add(r.at), &c); c.Used != r.used {
			t.Errorf("%+v: %+v", r, c.State)
		}
	}
}

// A drained bucket is of charges that drain one after another, each in 1/length units.
type drainedBucket struct {
	rate, length int64
	charges      []drained // in their order
}

type drained struct {
	id, left int64
}

// pass drains for a time in µs.
func (q *drainedBucket) pass(d int64) {
	d *= q.rate
	for len(q.charges) > 0 && d > 0 {
		n := min(d, q.charges[0].left)
		d -= n
		if q.charges[0].left -= n; q.charges[0].left == 0 {
			q.charges = q.charges[1:]
		}
	}
}

// of returns the charge id, none if it has drained.
func (q *drainedBucket) of(id int64) *drained {
	for i := range q.charges {
		if q.charges[i].id == id {
			return &q.charges[i]
		}
	}
	return &drained{}
}

func (q *drainedBucket) sum() (sum int64) {
	for _, c := range q.charges {
		sum += c.left
	}
	return sum
}

// TestDefinitionRefundBucketOfItsOwn: whatever others give back meanwhile, a charge gives
// back no more than what of it has not drained; and all of that where time stands still
// or there are two charges at once, and nearly always else.
func TestDefinitionRefundBucketOfItsOwn(t *testing.T) {
	less, refunds := 0, 0
	for seed := range uint64(4000) {
		r := rand.New(rand.NewPCG(seed, 7))
		l := &Limit{Kind: Bucket, Length: pick(r, []int64{1, 7, 1000}), Settled: true}
		q := &drainedBucket{rate: 1 + r.Int64N(5), length: l.Length}
		order, most, speed := r.IntN(3), 1+r.IntN(2)*r.IntN(6), r.Int64N(9) // most: at once, but for one
		exact := speed == 0 || most < 2
		b, now, flying := &bucketCell{}, steadyStart, []Charge(nil)
		for step := range int64(200) {
			d := r.Int64N(speed*q.length/q.rate + 1)
			now = now.Add(d)
			q.pass(d)
			switch {
			case len(flying) > most || len(flying) > 0 && r.IntN(2) == 0:
				i := [...]int{r.IntN(len(flying)), 0, len(flying) - 1}[order]
				c := flying[i]
				flying = append(flying[:i:i], flying[i+1:]...)
				own := q.of(c.Entry.Stamp)
				c.Entry.Stamp = now.Steady + 1<<40 // of the place alone
				b.Settle(now, &c, 0)               // which tells the time
				was, part := b.level(&c)
				back := r.Int64N(c.Cost + 1)
				b.Settle(now, &c, -back)
				units, rest := b.level(&c)
				got, want := was-units, min(back, own.left/q.length)
				if rest != part || got > want || got < want && exact {
					t.Fatalf("seed %d, step %d: %d of %d were given back, want %d", seed, step, got, back, want)
				}
				if own.left -= got * q.length; got < want {
					less++
				}
				refunds++
			default:
				c := Charge{Limit: l, Cost: 1 + r.Int64N(9), Max: MaxAmount, Rate: q.rate}
				b.Take(now, &c)
				c.Entry.Stamp = step
				flying = append(flying, c)
				q.charges = append(q.charges, drained{step, c.Cost * q.length})
			}
			c := Charge{Limit: l, Rate: q.rate}
			if units, part := b.level(&c); units*q.length+part != q.sum() {
				t.Fatalf("seed %d, step %d: %d and %d, want %d", seed, step, units, part, q.sum())
			}
		}
	}
	if less > refunds/1000 {
		t.Errorf("%d of %d refunds were of less", less, refunds)
	}
}

// TestBucketGivesNothingBackOfWhatWasCut: a debt is at most MaxAmount. What is above that
// is forgotten, and so cannot be told from what others owe.
func TestBucketGivesNothingBackOfWhatWasCut(t *testing.T) {
	l := &Limit{Kind: Bucket, Length: second, Settled: true}
	for _, costs := range [][2]int64{{10, MaxAmount}, {MaxAmount, 10}, {MaxAmount - 5, MaxAmount - 5}, {5, MaxAmount - 5}} {
		b := &bucketCell{}
		var both [2]Charge
		for i, cost := range costs {
			both[i] = Charge{Limit: l, Cost: cost, Max: MaxAmount, Rate: 10_000_000}
			b.Take(steadyStart, &both[i])
		}
		for i, cost := range costs {
			b.Settle(steadyStart, &both[i], 3-cost)
		}
		c := Charge{Limit: l, Max: MaxAmount, Rate: 10_000_000}
		if b.Check(steadyStart, &c); c.Used < 6 {
			t.Errorf("%d: %d used, want at least 6", costs, c.Used)
		}
	}
}

// TestBucketIsKeptForRefunds: a bucket that is full sooner, for somebody gave units back,
// is not forgotten until what others reserved would have drained by their stamps.
func TestBucketIsKeptForRefunds(t *testing.T) {
	l := &Limit{Kind: Bucket, Length: second, Settled: true}
	cell := &bucketCell{}
	both := [2]Charge{{Limit: l, Cost: 5, Max: 10, Rate: 1}, {Limit: l, Cost: 5, Max: 10, Rate: 1}}
	cell.Take(steadyStart, &both[0])
	cell.Take(steadyStart, &both[1])
	cell.Settle(steadyStart, &both[0], -5)
	for at, idle := range map[int64]bool{5*second - 1: false, 5 * second: false, 10*second - 1: false, 10 * second: true} {
		c := Charge{Limit: l, Max: 10, Rate: 1}
		copied := *cell
		copied.Check(steadyStart.Add(at), &c)
		if copied.Idle(steadyStart.Add(at)) != idle || c.Used > 0 != (at < 5*second) {
			t.Errorf("after %d: idle %t, %+v", at, !idle, c.State)
		}
	}
}

func TestTraceBucket(t *testing.T) {
	runTraces(t, func(r *rand.Rand) *trace {
		length := pick(r, []int64{1000, 7001, second, 60 * second, 30 * 24 * 3600 * second})
		return &trace{
			model:  &naiveBucket{length: length},
			limits: variants(Limit{Kind: Bucket, Length: length}, settledVariant),
			maxima: pick(r, [][]int64{{3}, {20, 40}, {0, 1, 3, 10, Unlimited}, {30, MaxAmount - 1}}),
			costs:  pick(r, [][]int64{{1}, {0, 1, 1, 2}, {1, 2, 3, 100, MaxAmount / 2}}),
			rates:  pick(r, [][]int64{{1}, {7, 30}, {1, 100, 1_000_000}, {3, MaxAmount, Unlimited}}),
		}
	})
}

// TestDefinitionBucketIsGCRA compares with the virtual scheduling algorithm of
// ITU-T I.371 (2004), figure A.1: T is the emission interval, τ the tolerance.
func TestDefinitionBucketIsGCRA(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	refused := 0
	for range 200 {
		rate, burst := 1+r.Int64N(9), 1+r.Int64N(9)
		l := &Limit{Kind: Bucket, Length: pick(r, []int64{1000, 999, 10_007})}
		c := Charge{Limit: l, Cost: 1, Max: burst, Rate: rate, Refusable: true}
		cell := newCell(l)
		interval := big.NewRat(l.Length, rate)
		tolerance := new(big.Rat).Mul(interval, big.NewRat(burst-1, 1))
		now, arrival := steadyStart, new(big.Rat)
		for range 500 {
			now = now.Add(r.Int64N(2 * l.Length / rate))
			at := big.NewRat(now.Steady, 1)
			if arrival.Cmp(at) < 0 {
				arrival.Set(at)
			}
			conforms := new(big.Rat).Sub(arrival, tolerance).Cmp(at) <= 0
			if cell.Check(now, &c); c.Refused == conforms {
				t.Fatalf("rate %d/%d burst %d: %+v, but conforming is %t", rate, l.Length, burst, c.State, conforms)
			}
			if conforms {
				cell.Take(now, &c)
				arrival.Add(arrival, interval)
			} else {
				refused++
			}
		}
	}
	if refused < 1000 {
		t.Errorf("only %d of 100000 refused", refused)
	}
}
