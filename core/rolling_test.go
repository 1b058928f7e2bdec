package core

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
	"unsafe"
)

// A row is one charge of a table: at a time in µs since the table's start.
type row struct {
	at, cost int64
	want     State
}

// runRows charges a new cell of l row by row: taken if it is admitted.
func runRows(t *testing.T, l *Limit, start Instant, c Charge, rows []row) {
	t.Helper()
	cell := newCell(l)
	c.Limit, c.Refusable = l, true
	for _, r := range rows {
		now := start.Add(r.at)
		c.Cost = r.cost
		if l.Schedule != nil {
			c.Window = l.Schedule.At(now.Wall)
		}
		if cell.Check(now, &c); !c.Refused {
			cell.Take(now, &c)
		}
		c.Entry = Entry{}
		if c.State != r.want {
			t.Errorf("at %d, cost %d:\n got %+v\nwant %+v", r.at, r.cost, c.State, r.want)
		}
	}
}

const second = 1_000_000 // µs

// steadyStart is a whole millisecond.
var steadyStart = Instant{Wall: 1_790_000_000 * second, Steady: 1_790_000_000 * second}

func TestDefinitionRollingStampedAtNextMillisecond(t *testing.T) {
	runRows(t, &Limit{Kind: Rolling, Length: 60 * second}, steadyStart, Charge{Max: 3}, []row{
		{0, 1, State{Used: 1, Grow: 60 * second, Taken: true}},         // stamped 0
		{1, 1, State{Used: 2, Grow: 60*second - 1, Taken: true}},       // stamped 1 ms
		{1000, 1, State{Used: 3, Grow: 60*second - 1000, Taken: true}}, // stamped 1 ms
		{1001, 1, State{Used: 3, Grow: 60*second - 1001, Wait: 60*second - 1001, Refused: true}},
		{60*second - 1, 1, State{Used: 3, Grow: 1, Wait: 1, Refused: true}},
		{60 * second, 1, State{Used: 3, Grow: 1000, Taken: true}}, // the first has left
		{60*second + 999, 1, State{Used: 3, Grow: 1, Wait: 1, Refused: true}},
		{60*second + 1000, 2, State{Used: 3, Grow: 60*second - 1000, Taken: true}}, // and both of 1 ms
	})
}

func TestDefinitionRollingWaitIsUntilTheCostFits(t *testing.T) {
	runRows(t, &Limit{Kind: Rolling, Length: second}, steadyStart, Charge{Max: 10}, []row{
		{0, 3, State{Used: 3, Grow: second, Taken: true}},
		{2000, 5, State{Used: 8, Grow: second - 2000, Taken: true}},
		{5000, 2, State{Used: 10, Grow: second - 5000, Taken: true}},
		{6000, 3, State{Used: 10, Grow: second - 6000, Wait: second - 6000, Refused: true}},
		{6000, 4, State{Used: 10, Grow: second - 6000, Wait: second - 4000, Refused: true}},
		{6000, 8, State{Used: 10, Grow: second - 6000, Wait: second - 4000, Refused: true}},
		{6000, 9, State{Used: 10, Grow: second - 6000, Wait: second - 1000, Refused: true}},
		{6000, 0, State{Used: 10, Grow: second - 6000, Taken: true}},
		{second + 5000, 10, State{Used: 10, Grow: second, Taken: true}},
	})
}

func TestDefinitionNeverFitsRollingWaitsTheWindow(t *testing.T) {
	runRows(t, &Limit{Kind: Rolling, Length: second}, steadyStart, Charge{Max: 10}, []row{
		{0, 11, State{Wait: second, Refused: true, NeverFits: true}},
		{0, MaxAmount, State{Wait: second, Refused: true, NeverFits: true}},
		{1, 10, State{Used: 10, Grow: second + 999, Taken: true}},
		{2, 11, State{Used: 10, Grow: second + 998, Wait: second, Refused: true, NeverFits: true}},
	})
}

// A charge that nobody refuses may be as large as amounts can be: what is charged
// beside it counts, and for as long as it would without.
func TestDefinitionRollingBesideTheLargestAmount(t *testing.T) {
	l := &Limit{Kind: Rolling, Length: second}
	cell := newCell(l)
	take := func(at, cost int64) {
		cell.Take(steadyStart.Add(at), &Charge{Limit: l, Cost: cost, Max: 10})
	}
	used := func(at int64) int64 {
		c := &Charge{Limit: l, Cost: 1, Max: 10}
		cell.Check(steadyStart.Add(at), c)
		return c.Used
	}
	take(0, MaxAmount)
	take(second/2, 30)
	take(second/2+1000, 5)
	if n := used(second - 1000); n != MaxAmount {
		t.Errorf("%d used while all count, want %d", n, MaxAmount)
	}
	if n := used(second); n != 35 {
		t.Errorf("%d used once the largest has left, want 35", n)
	}
	if n := used(second + second/2); n != 5 {
		t.Errorf("%d used in the end, want 5", n)
	}
}

func TestDefinitionUnlimitedRollingStartsEmpty(t *testing.T) {
	l := &Limit{Kind: Rolling, Length: second}
	cell := newCell(l)
	c := Charge{Limit: l, Cost: 5, Max: Unlimited, Refusable: true}
	if cell.Take(steadyStart, &c); c.State != (State{Taken: true}) {
		t.Errorf("while unlimited: %+v", c.State)
	}
	cell.Settle(steadyStart, &c, -5)
	cell.Settle(steadyStart, &c, 5)
	c.Max = 5
	if cell.Check(steadyStart, &c); c.State != (State{}) {
		t.Errorf("with a cap: %+v", c.State)
	}
	l.Count = true
	c.Max = Unlimited
	if cell.Take(steadyStart, &c); c.Used != 5 {
		t.Errorf("a count: %+v", c.State)
	}
}

func TestDefinitionRefundRollingTakesFromItsOwnEntry(t *testing.T) {
	l := &Limit{Kind: Rolling, Length: second, Settled: true}
	cell := newCell(l)
	first := Charge{Limit: l, Cost: 5, Max: 20}
	second := first
	cell.Take(steadyStart, &first)
	cell.Take(steadyStart.Add(1000), &second)
	cell.Settle(steadyStart.Add(2000), &first, -100)
	if cell.Check(steadyStart.Add(2000), &second); second.Used != 5 || second.Grow != 999_000 {
		t.Errorf("after the first's refund: %+v", second.State)
	}
	cell.Settle(steadyStart.Add(2000), &first, -1)
	cell.Settle(steadyStart.Add(1_000_000), &first, 3)
	cell.Settle(steadyStart.Add(1_001_000), &second, -5) // it has just left
	if cell.Check(steadyStart.Add(1_001_000), &second); second.Used != 3 || second.Grow != 999_000 {
		t.Errorf("after the excess: %+v", second.State)
	}
}

func TestDefinitionRollingNeverReadsTheClockBackwards(t *testing.T) {
	l := &Limit{Kind: Rolling, Length: second}
	cell := newCell(l)
	c := Charge{Limit: l, Cost: 1, Max: 1, Refusable: true}
	cell.Take(steadyStart.Add(5500), &c)
	if cell.Check(steadyStart, &c); c.Wait != second+500 {
		t.Errorf("an earlier time is not read as the latest: %+v", c.State)
	}
}

func TestTraceRolling(t *testing.T) {
	runTraces(t, func(r *rand.Rand) *trace {
		length := pick(r, []int64{1, 2, 7, 20, 100, 1000, 60_000}) * 1000
		return &trace{
			model:  &naiveRolling{length: length},
			limits: variants(Limit{Kind: Rolling, Length: length}, settledVariant, countVariant),
			maxima: pick(r, [][]int64{{3}, {20, 40}, {0, 1, 3, 10, Unlimited}, {30, MaxAmount - 1}, {1000, 50}}),
			costs:  pick(r, [][]int64{{1}, {0, 1, 1, 2}, {1, 5, 9}, {1, 2, 3, 100, 100_000, MaxAmount / 2}}),
			rates:  []int64{1},
		}
	})
}

// TestInvariantRollingNeverOver counts what was admitted straight from the
// real times, in the interval that begins with each.
func TestInvariantRollingNeverOver(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		length := pick(r, []int64{3, 50, 1000}) * 1000
		l := &Limit{Kind: Rolling, Length: length}
		cell := newCell(l)
		now := steadyStart
		c := Charge{Limit: l, Max: 1 + r.Int64N(40), Refusable: true}
		var admitted []event
		for range 4000 {
			now = now.Add(pick(r, []int64{0, 1, r.Int64N(1000), length / (c.Max + 1), c.Wait, c.Grow}))
			c.Cost = 1 + r.Int64N(3)*r.Int64N(3)
			if cell.Check(now, &c); !c.Refused {
				admitted = append(admitted, event{now.Steady, c.Cost})
				cell.Take(now, &c)
			}
		}
		sum, end := int64(0), 0
		for _, first := range admitted {
			for ; end < len(admitted) && admitted[end].stamp < first.stamp+length; end++ {
				sum += admitted[end].n
			}
			if sum > c.Max {
				t.Fatalf("%d admitted in the %d µs from %d, at most %d may be", sum, length, first.stamp, c.Max)
			}
			sum -= first.n
		}
	}
}

// arrivals are patterns of 300 charges in 60 s: gaps in µs.
var arrivals = []struct {
	name string
	gap  func(r *rand.Rand, i int) int64
}{
	{"even", func(*rand.Rand, int) int64 { return 200_000 }},
	{"poisson", func(r *rand.Rand, _ int) int64 { return int64(r.ExpFloat64() * 200_000) }},
	{"as they come", func(r *rand.Rand, _ int) int64 { return r.Int64N(10_000) }},
	{"a burst a millisecond apart", func(*rand.Rand, int) int64 { return 1000 }},
	{"pairs", func(_ *rand.Rand, i int) int64 { return int64(i%2) * 400_000 }},
	{"bunches of 20", func(_ *rand.Rand, i int) int64 {
		if i%20 == 0 {
			return 3_900_000
		}
		return 1000
	}},
	{"sparse, then a burst", func(_ *rand.Rand, i int) int64 {
		if i%300 < 20 {
			return 2_900_000
		}
		return 2000
	}},
	{"gaps of a quotient and a half", func(_ *rand.Rand, i int) int64 { return 128_000 + int64(i%2)*144_000 }},
}

// playArrivals charges a cell of 300 a minute, as soon as it admits them, and
// returns the most bytes that it had: its own and its buffer's.
func playArrivals(p *Pool, r *rand.Rand, l *Limit, charges int, gap func(*rand.Rand, int) int64) (Cell, int) {
	cell := p.Cell(p.New(l))
	c := Charge{Limit: l, Cost: 1, Max: 300, Refusable: true}
	most := 0
	now := steadyStart
	for i := range charges {
		now = now.Add(gap(r, i))
		if cell.Check(now, &c); c.Refused {
			now = now.Add(c.Wait)
		}
		cell.Take(now, &c)
		most = max(most, int(unsafe.Sizeof(rollingCell{}))+cap(rollingOf(cell).last.buf()))
	}
	return cell, most
}

// maxRollingBytes is what a cell of 300 charges in 60 s may need, of which 80
// are its own; the codes of 300 charges need at most 382.
const maxRollingBytes = 464

func TestRollingBytesWhateverTheArrivals(t *testing.T) {
	l := &Limit{Kind: Rolling, Length: 60 * second}
	r := rand.New(rand.NewPCG(3, 4))
	for _, a := range arrivals {
		_, most := playArrivals(new(Pool), r, l, 6000, a.gap)
		t.Logf("%s: at most %d bytes", a.name, most)
		if most > maxRollingBytes {
			t.Errorf("%s: %d bytes, want at most %d", a.name, most, maxRollingBytes)
		}
	}
	worst := 0
	for range 300 {
		mix, left, part := arrivals[0].gap, 0, 0
		_, most := playArrivals(new(Pool), r, l, 6000, func(r *rand.Rand, i int) int64 {
			if left--; left < 0 {
				left, part = r.IntN(300), r.IntN(len(arrivals))
				mix = arrivals[part].gap
			}
			return mix(r, i)
		})
		worst = max(worst, most)
	}
	t.Logf("mixed: at most %d bytes", worst)
	if worst > maxRollingBytes {
		t.Errorf("mixed: %d bytes, want at most %d", worst, maxRollingBytes)
	}
}

func TestRollingHeapPerCell(t *testing.T) {
	const cells = 400
	l := &Limit{Kind: Rolling, Length: 60 * second}
	r := rand.New(rand.NewPCG(5, 6))
	for _, a := range arrivals {
		pool := new(Pool)
		before := heap()
		for range cells {
			playArrivals(pool, r, l, 900, a.gap)
		}
		bytes := int(heap()-before) / cells
		t.Logf("%s: %d bytes of heap a cell", a.name, bytes)
		if bytes > maxRollingBytes+32 { // others allocate too
			t.Errorf("%s: %d bytes of heap a cell", a.name, bytes)
		}
		runtime.KeepAlive(pool)
	}
}

// heap returns the bytes of live objects.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestRollingReleasesItsBufferWhenEmpty(t *testing.T) {
	l := &Limit{Kind: Rolling, Length: 60 * second}
	cell, _ := playArrivals(new(Pool), rand.New(rand.NewPCG(7, 8)), l, 900, arrivals[0].gap)
	later := steadyStart.Add(1e12)
	cell.Check(later, &Charge{Limit: l, Max: 300})
	if !cell.Idle(later) || rollingOf(cell).last.buf() != nil {
		t.Error("an empty cell keeps its buffer")
	}
}

// BenchmarkRollingRefused refuses charges of a full cell.
func BenchmarkRollingRefused(b *testing.B) {
	for _, cost := range []int64{1, 100} {
		b.Run(FormatAmount(cost, 1), func(b *testing.B) {
			l := &Limit{Kind: Rolling, Length: 60 * second}
			cell, _ := playArrivals(new(Pool), rand.New(rand.NewPCG(1, 1)), l, 900, arrivals[0].gap)
			c := Charge{Limit: l, Cost: cost, Max: 300, Refusable: true}
			now := Instant{Steady: rollingOf(cell).latest}
			for b.Loop() {
				cell.Check(now, &c)
			}
		})
	}
}

// largeWindow is what asks for many of the charges of a large window, or for one amid
// them. Each does its work every time if the window is its own: what the others drop it
// would not find.
func largeWindow(charges int) map[string]func() {
	l := &Limit{Kind: Rolling, Length: 3600 * second, Settled: true}
	most := int64(2 * charges)
	c := Charge{Limit: l, Cost: 2, Max: most, Refusable: true}
	cell, now, entries := newCell(l), steadyStart, []Entry(nil)
	for range charges {
		now = now.Add(milli)
		cell.Take(now, &c)
		entries = append(entries, c.Entry)
	}
	n := 0
	return map[string]func(){
		"refuse": func() { cell.Check(now, &Charge{Limit: l, Cost: most / 2, Max: most, Refusable: true}) },
		"settle": func() {
			n += 7919
			c.Entry = entries[charges/4+n%(charges/2)]
			cell.Settle(now, &c, -1)
		},
		"give back":    func() { cell.Take(now, &Charge{Limit: l, Cost: -3, Max: most}) },
		"make room":    func() { rollingOf(cell).popOldest(3) },
		"ask and drop": func() { now = now.Add(3 * milli); cell.Check(now, &c) },
	}
}

// TestLargeWindowsTakeLittle: or a request that is refused, which costs who sends it
// nothing, would keep all others waiting while its limit's charges are gone through.
func TestLargeWindowsTakeLittle(t *testing.T) {
	least := func(do func()) time.Duration {
		took := time.Hour
		for range 50 {
			began := time.Now()
			do()
			took = min(took, time.Since(began))
		}
		return took
	}
	for name := range largeWindow(1) {
		few, many := largeWindow(2000)[name], largeWindow(200_000)[name]
		if a, b := least(few), least(many); b > 20*a+100*time.Microsecond {
			t.Errorf("%s: %v of 2000 charges, %v of 200,000", name, a, b)
		}
	}
}

func BenchmarkRollingLarge(b *testing.B) {
	for name := range largeWindow(1) {
		do := largeWindow(1_000_000)[name]
		b.Run(name, func(b *testing.B) {
			for range b.N {
				do()
			}
		})
	}
}

// BenchmarkRollingPush fills a window of a million charges.
func BenchmarkRollingPush(b *testing.B) {
	q := newLongQueue()
	stamp := int64(0)
	for b.Loop() {
		stamp += 1 + stamp%7
		q.push(stamp, 1, 0)
		q.dropThrough(stamp - 4_000_000)
	}
}
