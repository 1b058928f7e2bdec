package storetest

import "github.com/weirhq/weir/core"

// A row is one request for a cell and what it is told. Times are in µs after
// the case's beginning at noon.
type row struct {
	at, cost   int64
	ok         bool
	used       int64
	wait, grow int64
	neverFits  bool
}

func rows(l *core.Limit, rows ...row) func(*kit) {
	return func(k *kit) {
		k.Helper()
		begin := k.now
		for i, r := range rows {
			k.now = begin.Add(r.at)
			op := k.take(alice, charge(l, alice, r.cost))
			c := &op.Charges[0]
			got := row{r.at, r.cost, op.Admitted, c.Used, c.Wait, c.Grow, c.NeverFits}
			if got != r {
				k.Errorf("row %d: got %+v, want %+v", i, got, r)
			}
			if c.Refused == r.ok || c.Taken != r.ok {
				k.Errorf("row %d: refused %v, taken %v", i, c.Refused, c.Taken)
			}
		}
	}
}

var kindCases = []testCase{
	{
		"Rolling",
		"a charge counts from its whole millisecond for exactly the window; a refusal's wait is when its cost fits",
		rows(limit("rolling", core.Rolling, 3),
			row{0, 1, true, 1, 0, minute, false},
			row{10 * second, 2, true, 3, 0, 50 * second, false},
			row{20 * second, 1, false, 3, 40 * second, 40 * second, false},
			row{20 * second, 2, false, 3, 50 * second, 40 * second, false},
			row{20 * second, 4, false, 3, minute, 40 * second, true},
			row{minute - 1, 1, false, 3, 1, 1, false},
			row{minute, 1, true, 3, 0, 10 * second, false},
			row{70*second + 1, 2, true, 3, 0, 50*second - 1, false},
			row{70*second + 2, 1, false, 3, 50*second - 2, 50*second - 2, false},
			row{130*second + 999, 2, false, 2, 1, 1, false},
		),
	},
	{
		"Fixed",
		"windows are aligned to the epoch; nothing of one counts in the next",
		rows(limit("fixed", core.Fixed, 3),
			row{10 * second, 2, true, 2, 0, 50 * second, false},
			row{20 * second, 2, false, 2, 40 * second, 40 * second, false},
			row{20 * second, 4, false, 2, 40 * second, 40 * second, true},
			row{minute - 1, 1, true, 3, 0, 1, false},
			row{minute, 3, true, 3, 0, minute, false},
		),
	},
	{
		"FixedClockSetBack",
		"a wall clock that was set back opens no earlier window again",
		rows(limit("back", core.Fixed, 1),
			row{minute, 1, true, 1, 0, minute, false},
			row{30 * second, 1, false, 1, 90 * second, 90 * second, false},
			row{2 * minute, 1, true, 1, 0, minute, false},
		),
	},
	{
		"Calendar",
		"a day of UTC ends at midnight",
		rows(limit("calendar", core.Calendar, 2),
			row{0, 2, true, 2, 0, 12 * hour, false},
			row{11 * hour, 1, false, 2, hour, hour, false},
			row{12 * hour, 1, true, 1, 0, day, false},
		),
	},
	{
		"Bucket",
		"the debt drains at 3 in a minute; what is part of a unit counts as a whole one",
		rows(limit("bucket", core.Bucket, 2),
			row{0, 2, true, 2, 0, 20 * second, false},
			row{second, 1, false, 2, 19 * second, 19 * second, false},
			row{second, 3, false, 2, 40 * second, 19 * second, true},
			row{20 * second, 1, true, 2, 0, 20 * second, false},
			row{50 * second, 1, true, 2, 0, 10 * second, false},
		),
	},
	{
		"HoldResponse",
		"a slot is free when its response has ended; nobody knows when that is",
		func(k *kit) {
			l := limit("hold", core.Hold, 2)
			first := k.admit(alice, charge(l, alice, 1))
			second := k.admit(alice, charge(l, alice, 1))
			if c := second.Charges[0]; c.Used != 2 || c.Wait != 0 || c.Grow != core.Unknown {
				k.Errorf("admitted: %+v", c.State)
			}
			if c := k.refuse(alice, charge(l, alice, 1)).Charges[0]; c.Wait != core.Unknown || c.NeverFits {
				k.Errorf("refused: %+v", c.State)
			}
			if c := k.refuse(alice, charge(l, alice, 3)).Charges[0]; !c.NeverFits {
				k.Errorf("never fits: %+v", c.State)
			}
			k.wait(day)
			k.wantUsed(l, alice, 2)
			k.end(first)
			k.admit(alice, charge(l, alice, 1))
			k.refuse(alice, charge(l, alice, 1))
		},
	},
	{
		"Ever",
		"a count that never ends",
		func(k *kit) {
			l := limit("ever", core.Ever, 0, count)
			k.admit(alice, charge(l, alice, 2))
			k.wait(1000 * day)
			c := k.admit(alice, charge(l, alice, 1)).Charges[0]
			if c.Used != 3 || c.Grow != core.Unknown {
				k.Errorf("%+v", c.State)
			}
		},
	},
}
