package core

import "testing"

func TestNewCellCountsByKind(t *testing.T) {
	schedule, err := NewSchedule("day", "UTC", "")
	if err != nil {
		t.Fatal(err)
	}
	now := Instant{Wall: 1_000_000_000_000, Steady: 1_000_000_000_000}
	for _, kind := range []Kind{Rolling, Fixed, Calendar, Bucket, Hold, Ever} {
		l := &Limit{Kind: kind, Length: 60_000_000, Schedule: schedule}
		c := Charge{Limit: l, Cost: 3, Max: 10, Rate: 10, Window: schedule.At(now.Wall), Refusable: true}
		cell := newCell(l)
		for want := int64(3); want <= 9; want += 3 {
			if cell.Check(now, &c); c.Refused {
				t.Errorf("%s: refused at %d", kind, want)
			}
			if cell.Take(now, &c); c.Used != want || !c.Taken {
				t.Errorf("%s: used %d, want %d", kind, c.Used, want)
			}
		}
		if cell.Check(now, &c); !c.Refused || c.Used != 9 {
			t.Errorf("%s: %+v admitted above the maximum", kind, c.State)
		}
	}
}

// steadyTraffic returns a warm cell and a function that charges it once: 300 a
// minute of 400 that are allowed.
func steadyTraffic(t testing.TB, kind Kind) func() {
	schedule := mustSchedule(t, "month", "Europe/Berlin", "31")
	l := &Limit{Kind: kind, Length: 60_000_000, Schedule: schedule}
	c := Charge{Limit: l, Cost: 1, Max: 400, Rate: 400, Refusable: true}
	cell := newCell(l)
	now := Instant{Wall: 1_790_000_000_000_000, Steady: 1_790_000_000_000_000}
	once := func() {
		now = now.Add(200_000)
		c.Window = schedule.At(now.Wall)
		if cell.Check(now, &c); !c.Refused {
			cell.Take(now, &c)
		}
	}
	for range 2000 {
		once()
	}
	return once
}

func TestCellsDoNotAllocateWhenWarm(t *testing.T) {
	for _, kind := range []Kind{Rolling, Fixed, Calendar, Bucket, Ever} {
		if n := testing.AllocsPerRun(2000, steadyTraffic(t, kind)); n != 0 {
			t.Errorf("%s: %v allocations", kind, n)
		}
	}
}

func BenchmarkCell(b *testing.B) {
	for _, kind := range []Kind{Rolling, Fixed, Calendar, Bucket, Ever} {
		b.Run(kind.String(), func(b *testing.B) {
			b.ReportAllocs()
			once := steadyTraffic(b, kind)
			for b.Loop() {
				once()
			}
		})
	}
}
