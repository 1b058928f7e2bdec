package core

import (
	"math/rand/v2"
	"testing"
)

// fixedStart is 10 s into a minute.
var fixedStart = Instant{Wall: 1_790_000_050 * second, Steady: 5 * second}

func TestDefinitionFixedWindowsAlignToTheEpoch(t *testing.T) {
	runRows(t, &Limit{Kind: Fixed, Length: 60 * second}, fixedStart, Charge{Max: 3}, []row{
		{0, 2, State{Used: 2, Grow: 50 * second, Taken: true}},
		{second, 2, State{Used: 2, Grow: 49 * second, Wait: 49 * second, Refused: true}},
		{second, 1, State{Used: 3, Grow: 49 * second, Taken: true}},
		{50*second - 1, 1, State{Used: 3, Grow: 1, Wait: 1, Refused: true}},
		{50 * second, 0, State{Taken: true}},
		{50 * second, 3, State{Used: 3, Grow: 60 * second, Taken: true}},
		{300 * second, 1, State{Used: 1, Grow: 50 * second, Taken: true}},
	})
	runRows(t, &Limit{Kind: Fixed, Length: 60 * second}, Instant{Wall: -1}, Charge{Max: 3}, []row{
		{0, 1, State{Used: 1, Grow: 1, Taken: true}}, // a minute that ends with the epoch
		{1, 1, State{Used: 1, Grow: 60 * second, Taken: true}},
	})
}

func TestDefinitionNeverFitsFixedWaitsForTheWindowsEnd(t *testing.T) {
	runRows(t, &Limit{Kind: Fixed, Length: 60 * second}, fixedStart, Charge{Max: 3}, []row{
		{0, 4, State{Wait: 50 * second, Refused: true, NeverFits: true}},
	})
	runRows(t, &Limit{Kind: Fixed, Length: 60 * second, Settled: true}, fixedStart, Charge{Max: 0}, []row{
		{0, 0, State{Wait: 50 * second, Refused: true, NeverFits: true}},
	})
}

func TestDefinitionClockFixedNeverAnEarlierWindow(t *testing.T) {
	runRows(t, &Limit{Kind: Fixed, Length: 60 * second}, fixedStart, Charge{Max: 3}, []row{
		{0, 3, State{Used: 3, Grow: 50 * second, Taken: true}},
		{-second * 60, 1, State{Used: 3, Grow: 110 * second, Wait: 110 * second, Refused: true}},
		{second * 50, 1, State{Used: 1, Grow: 60 * second, Taken: true}},
		{0, 1, State{Used: 2, Grow: 110 * second, Taken: true}},
	})
}

func TestDefinitionRefundFixedOnlyInItsOwnWindow(t *testing.T) {
	l := &Limit{Kind: Fixed, Length: 60 * second}
	cell := newCell(l)
	early := Charge{Limit: l, Cost: 5, Max: 20}
	late := early
	cell.Take(fixedStart, &early)
	cell.Take(fixedStart.Add(50*second), &late)
	cell.Settle(fixedStart.Add(51*second), &early, -5)
	if cell.Check(fixedStart.Add(51*second), &late); late.Used != 5 {
		t.Errorf("a refund reaches the next window: %+v", late.State)
	}
	late.Taken, late.Entry.Stamp = true, fixedStart.Add(50*second).Wall
	cell.Settle(fixedStart.Add(52*second), &late, -7)
	cell.Settle(fixedStart.Add(52*second), &early, 2)
	if cell.Check(fixedStart.Add(52*second), &late); late.Used != 2 {
		t.Errorf("own refund, other's excess: %+v", late.State)
	}
}

func TestDefinitionUnlimitedFixedKeepsCounting(t *testing.T) {
	l := &Limit{Kind: Fixed, Length: 60 * second}
	cell := newCell(l)
	c := Charge{Limit: l, Cost: 5, Max: Unlimited, Refusable: true}
	cell.Take(fixedStart, &c)
	c.Max = 5
	if cell.Check(fixedStart, &c); c.Used != 5 || !c.Refused {
		t.Errorf("with a cap: %+v", c.State)
	}
}

func TestDefinitionAmountsSaturate(t *testing.T) {
	schedule := mustSchedule(t, "day", "UTC", "")
	for _, kind := range []Kind{Rolling, Fixed, Calendar, Bucket, Ever} {
		l := &Limit{Kind: kind, Length: 60 * second, Schedule: schedule}
		cell := newCell(l)
		c := Charge{Limit: l, Cost: MaxAmount, Max: 1, Rate: 1, Window: schedule.At(fixedStart.Wall)}
		for range 3 {
			if cell.Take(fixedStart, &c); c.Used != MaxAmount || c.Remaining() != 0 {
				t.Errorf("%s: %+v", kind, c.State)
			}
			cell.Settle(fixedStart, &c, MaxAmount)
		}
		c.Refusable, c.Max = true, MaxAmount
		if cell.Check(fixedStart, &c); !c.Refused || c.NeverFits || c.Wait == 0 {
			t.Errorf("%s: %+v", kind, c.State)
		}
	}
}

func TestTraceFixed(t *testing.T) {
	runTraces(t, func(r *rand.Rand) *trace {
		length := pick(r, []int64{10, 7001, 20_000, 60_000_000})
		return &trace{
			model: &naiveWindows{window: func(wall int64, _ *Charge) (start, end int64) {
				for start = wall; start%length != 0; start -= start % length {
				}
				return start, start + length
			}},
			limits: variants(Limit{Kind: Fixed, Length: length}, settledVariant, countVariant),
			maxima: pick(r, [][]int64{{3}, {20, 40}, {0, 1, 3, 10, Unlimited}, {30, MaxAmount - 1}}),
			costs:  pick(r, [][]int64{{1}, {0, 1, 1, 2}, {1, 2, 3, 100, MaxAmount / 2}}),
			rates:  []int64{1},
		}
	})
}
