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
		cell := NewCell(l)
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
