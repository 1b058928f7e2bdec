package core

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestDefinitionCalendarCountsByLocalDays(t *testing.T) {
	const hour = 3600 * second
	start := Instant{Wall: micro(t, "2026-10-24T21:00:00Z")} // 23:00 in Berlin, then 25 hours
	l := &Limit{Kind: Calendar, Schedule: mustSchedule(t, "day", "Europe/Berlin", "")}
	runRows(t, l, start, Charge{Max: 3}, []row{
		{0, 2, State{Used: 2, Grow: hour, Taken: true}},
		{0, 2, State{Used: 2, Grow: hour, Wait: hour, Refused: true}},
		{0, 4, State{Used: 2, Grow: hour, Wait: hour, Refused: true, NeverFits: true}},
		{hour - 1, 1, State{Used: 3, Grow: 1, Taken: true}},
		{hour, 3, State{Used: 3, Grow: 25 * hour, Taken: true}},
		{26*hour - 1, 1, State{Used: 3, Grow: 1, Wait: 1, Refused: true}},
		{26 * hour, 1, State{Used: 1, Grow: 24 * hour, Taken: true}},
		{2 * hour, 2, State{Used: 3, Grow: 48 * hour, Taken: true}}, // the clock was set back
	})
}

// A store's clock may be ahead of the door's that found the window.
func TestDefinitionCalendarUsesTheNextWindowPastTheEnd(t *testing.T) {
	schedule := mustSchedule(t, "day", "UTC", "")
	day := Window{Start: micro(t, "2026-01-01T00:00:00Z"), End: micro(t, "2026-01-02T00:00:00Z"), Next: micro(t, "2026-01-03T00:00:00Z")}
	for _, r := range []struct {
		schedule *Schedule
		at       int64
		stamp    int64
		grow     int64
	}{
		{nil, day.Start - 5, day.Start, day.End - day.Start + 5},
		{nil, day.End - 1, day.Start, 1},
		{nil, day.End, day.End, day.Next - day.End},
		{nil, day.Next - 1, day.End, 1},
		{schedule, day.Next, day.Next, 24 * 3600 * second},
	} {
		l := &Limit{Kind: Calendar, Schedule: r.schedule}
		c := Charge{Limit: l, Cost: 1, Max: 5, Window: day}
		cell := newCell(l)
		if cell.Take(Instant{Wall: r.at}, &c); c.Entry.Stamp != r.stamp || c.Grow != r.grow {
			t.Errorf("at %d: %+v", r.at, c.State)
		}
	}
}

func TestTraceCalendar(t *testing.T) {
	from := time.Date(2018, 10, 1, 0, 0, 0, 0, time.UTC)
	schedules := map[*Schedule][]int64{}
	var all []*Schedule
	for _, s := range []*Schedule{
		mustSchedule(t, "day", "America/Sao_Paulo", ""), mustSchedule(t, "day", "Europe/Berlin", "02:30"),
		mustSchedule(t, "week", "Asia/Kathmandu", "sunday"), mustSchedule(t, "month", "America/St_Johns", "31"),
	} {
		schedules[s] = walkWindows(s, from.AddDate(0, -2, 0), map[string]int{"day": 500, "week": 80, "month": 30}[s.unit])
		all = append(all, s)
	}
	runTraces(t, func(r *rand.Rand) *trace {
		s := pick(r, all)
		starts := schedules[s]
		length := pick(r, []int64{60, 3600, 6 * 3600}) * second // by which the clock moves on
		start := starts[len(starts)/8+1] - length/2
		return &trace{
			now: Instant{Wall: start, Steady: start},
			model: &naiveWindows{window: func(wall int64, c *Charge) (start, end int64) {
				i, _ := slices.BinarySearch(starts, max(wall, c.Window.Start)+1)
				return starts[i-1], starts[i]
			}},
			schedule: s,
			limits:   variants(Limit{Kind: Calendar, Schedule: s, Length: length}, settledVariant, countVariant),
			maxima:   pick(r, [][]int64{{3}, {200, 400}, {0, 1, 3, 10, Unlimited}, {30, MaxAmount - 1}}),
			costs:    pick(r, [][]int64{{1}, {0, 1, 1, 2}, {1, 2, 3, 100, MaxAmount / 2}}),
			rates:    []int64{1},
		}
	})
}
