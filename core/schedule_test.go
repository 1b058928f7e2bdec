package core

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

func mustSchedule(t testing.TB, unit, zone, anchor string) *Schedule {
	t.Helper()
	s, err := NewSchedule(unit, zone, anchor)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// micro reads an instant in RFC 3339.
func micro(t testing.TB, s string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMicro()
}

// scheduleRows are windows, in UTC.
var scheduleRows = []struct{ unit, zone, anchor, at, start, end, next string }{
	{"day", "UTC", "", "2026-02-28T12:00:00Z", "2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"},
	{"day", "UTC", "", "2026-02-28T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"},
	{"day", "UTC", "06:30", "2026-03-01T06:29:59Z", "2026-02-28T06:30:00Z", "2026-03-01T06:30:00Z", "2026-03-02T06:30:00Z"},
	{"day", "Asia/Kathmandu", "", "2026-01-01T18:15:00Z", "2026-01-01T18:15:00Z", "2026-01-02T18:15:00Z", "2026-01-03T18:15:00Z"},
	{"day", "UTC", "", "1969-12-31T23:59:59Z", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z"},
	// 23 and 25 hours.
	{"day", "Europe/Berlin", "", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z"},
	{"day", "Europe/Berlin", "", "2026-10-25T22:59:59Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "2026-10-26T23:00:00Z"},
	// 02:30 is skipped, and then repeated.
	{"day", "Europe/Berlin", "02:30", "2026-03-29T12:00:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z", "2026-03-31T00:30:00Z"},
	{"day", "Europe/Berlin", "02:30", "2026-10-25T01:00:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z", "2026-10-27T01:30:00Z"},
	// Midnight is skipped: the day starts at 01:00.
	{"day", "America/Sao_Paulo", "", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z", "2018-11-06T02:00:00Z"},
	{"day", "America/Sao_Paulo", "", "2018-11-04T02:59:59Z", "2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
	{"day", "Asia/Beirut", "", "2022-03-27T12:00:00Z", "2022-03-26T22:00:00Z", "2022-03-27T21:00:00Z", "2022-03-28T21:00:00Z"},
	// Clocks go back from 24:00 to 23:00, from 01:00 to 00:00, and from 00:01
	// to 23:01 on the date before.
	{"day", "America/Sao_Paulo", "", "2018-02-18T02:30:00Z", "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z", "2018-02-19T03:00:00Z"},
	{"day", "America/Havana", "", "2012-11-04T05:30:00Z", "2012-11-04T04:00:00Z", "2012-11-05T05:00:00Z", "2012-11-06T05:00:00Z"},
	{"day", "America/St_Johns", "", "2010-11-07T03:00:00Z", "2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z", "2010-11-09T03:30:00Z"},
	// Samoa went without the 30th, Kiritimati without the 31st, Kwajalein
	// without the 21st.
	{"day", "Pacific/Apia", "", "2011-12-30T09:00:00Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
	{"day", "Pacific/Apia", "", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z", "2012-01-01T10:00:00Z"},
	{"day", "Pacific/Apia", "", "2011-12-29T09:00:00Z", "2011-12-28T10:00:00Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},
	{"month", "Pacific/Apia", "30", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2012-01-29T10:00:00Z", "2012-02-28T10:00:00Z"},
	// Alaska's clocks went back from the 19th to the 18th.
	{"day", "America/Juneau", "", "1867-10-19T05:00:00Z", "1867-10-18T08:57:41Z", "1867-10-20T08:57:41Z", "1867-10-21T08:57:41Z"},
	// ZoneBounds errs on the last day of a leap year.
	{"day", "Europe/Berlin", "", "2040-12-31T12:00:00Z", "2040-12-30T23:00:00Z", "2040-12-31T23:00:00Z", "2041-01-01T23:00:00Z"},
	{"year", "Australia/Sydney", "", "2072-12-31T14:00:00Z", "2072-12-31T13:00:00Z", "2073-12-31T13:00:00Z", "2074-12-31T13:00:00Z"},

	{"week", "UTC", "", "2026-11-22T23:59:59Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"},
	{"week", "UTC", "sunday", "2026-11-22T00:00:00Z", "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z", "2026-12-06T00:00:00Z"},
	{"week", "Europe/Berlin", "Thursday", "2026-10-28T12:00:00Z", "2026-10-21T22:00:00Z", "2026-10-28T23:00:00Z", "2026-11-04T23:00:00Z"},

	{"month", "UTC", "", "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z"},
	{"month", "UTC", "31", "2026-04-29T12:00:00Z", "2026-03-31T00:00:00Z", "2026-04-30T00:00:00Z", "2026-05-31T00:00:00Z"},
	{"month", "UTC", "31", "2026-04-30T00:00:00Z", "2026-04-30T00:00:00Z", "2026-05-31T00:00:00Z", "2026-06-30T00:00:00Z"},
	{"month", "UTC", "30", "2026-02-28T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-30T00:00:00Z", "2026-04-30T00:00:00Z"},
	{"month", "UTC", "31", "2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "2024-03-31T00:00:00Z", "2024-04-30T00:00:00Z"},
	{"month", "UTC", "15", "2026-01-14T00:00:00Z", "2025-12-15T00:00:00Z", "2026-01-15T00:00:00Z", "2026-02-15T00:00:00Z"},

	{"year", "UTC", "", "2026-12-31T23:59:59Z", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"},
	{"year", "Europe/London", "04-06", "2026-04-05T22:59:59Z", "2025-04-05T23:00:00Z", "2026-04-05T23:00:00Z", "2027-04-05T23:00:00Z"},
	{"year", "UTC", "02-29", "2027-03-01T00:00:00Z", "2027-02-28T00:00:00Z", "2028-02-29T00:00:00Z", "2029-02-28T00:00:00Z"},
}

func TestDefinitionCalendarWindows(t *testing.T) {
	for _, r := range scheduleRows {
		want := Window{micro(t, r.start), micro(t, r.end), micro(t, r.next)}
		if got := mustSchedule(t, r.unit, r.zone, r.anchor).At(micro(t, r.at)); got != want {
			t.Errorf("%s %s %s at %s:\n got %s\nwant %s", r.unit, r.zone, r.anchor, r.at, show(got), show(want))
		}
	}
}

func show(w Window) string {
	var s []string
	for _, at := range []int64{w.Start, w.End, w.Next} {
		s = append(s, time.UnixMicro(at).UTC().Format(time.RFC3339))
	}
	return strings.Join(s, " ")
}

// strangeZones change their clocks about midnight, by half an hour, by a day,
// every year or by decree.
var strangeZones = []string{
	"UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/Havana", "America/Santiago",
	"America/Asuncion", "America/St_Johns", "America/Scoresbysund", "Atlantic/Azores", "Asia/Beirut",
	"Asia/Amman", "Asia/Gaza", "Asia/Tehran", "Asia/Kathmandu", "Africa/Cairo", "Africa/Casablanca",
	"Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kwajalein", "Pacific/Kiritimati", "Pacific/Chatham",
	"Antarctica/Troll", "Antarctica/Casey", "Asia/Pyongyang", "America/Caracas",
}

// walkTo walks by the minute to the first instant at which the zone's clocks
// show the time that local has in UTC, or a later one.
func walkTo(zone *time.Location, local time.Time) time.Time {
	at := local.Add(-15 * time.Hour)
	for {
		shown := at.In(zone)
		if !time.Date(shown.Year(), shown.Month(), shown.Day(), shown.Hour(), shown.Minute(), 0, 0, time.UTC).Before(local) {
			return at
		}
		at = at.Add(time.Minute)
	}
}

// begins returns the local times at which a unit's periods begin, from the one
// before from on, found by walking the dates.
func begins(s *Schedule, from time.Time, n int) (all []time.Time) {
	for d := from; len(all) < n; d = d.Add(24 * time.Hour) {
		begins, offset := false, time.Duration(0)
		monthEnds := d.Add(24*time.Hour).Month() != d.Month()
		switch s.unit {
		case "day":
			at, _ := time.Parse("15:04", s.anchor)
			begins, offset = true, time.Duration(at.Hour())*time.Hour+time.Duration(at.Minute())*time.Minute
		case "week":
			begins = strings.EqualFold(d.Weekday().String(), s.anchor)
		case "month":
			begins = d.Format("2") == s.anchor || monthEnds && len(s.anchor) == 2 && d.Format("02") < s.anchor
		case "year":
			begins = d.Format("01-02") == s.anchor || s.anchor == "02-29" && monthEnds && d.Format("01-02") == "02-28"
		}
		if begins {
			all = append(all, d.Add(offset))
		}
	}
	return all
}

// walkWindows returns the instants at which s's windows start, ascending.
func walkWindows(s *Schedule, from time.Time, n int) (starts []int64) {
	for _, local := range begins(s, from, n) {
		at := walkTo(s.zone, local).UnixMicro()
		if len(starts) == 0 || at > starts[len(starts)-1] {
			starts = append(starts, at)
		}
	}
	return starts
}

func TestDefinitionCalendarFirstInstantOfTheLocalDate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	anchors := map[string][]string{
		"day": {"", "", "02:30", "23:30"}, "week": {"", "sunday"}, "month": {"", "29", "31"}, "year": {"", "02-29"},
	}
	for _, zone := range strangeZones {
		for unit, choices := range anchors {
			s := mustSchedule(t, unit, zone, pick(r, choices))
			for range 8 {
				from := transitionNear(s.zone, time.Date(1985+r.IntN(50), 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, r.IntN(365)))
				starts := walkWindows(s, from.AddDate(0, 0, -2), 5)
				checkWindows(t, s, starts, r)
			}
			if unit != "day" {
				continue
			}
			for _, from := range []time.Time{
				time.Date(2011, 12, 28, 0, 0, 0, 0, time.UTC), time.Date(1993, 8, 19, 0, 0, 0, 0, time.UTC),
				time.Date(1994, 12, 29, 0, 0, 0, 0, time.UTC),
			} {
				checkWindows(t, s, walkWindows(s, from, 6), r)
			}
		}
	}
}

// transitionNear returns the day of the next change of clocks, or one of t's.
func transitionNear(zone *time.Location, t time.Time) time.Time {
	if _, end := t.In(zone).ZoneBounds(); !end.IsZero() {
		t = end.UTC()
	}
	return t.Truncate(24 * time.Hour)
}

func checkWindows(t *testing.T, s *Schedule, starts []int64, r *rand.Rand) {
	t.Helper()
	for i := range len(starts) - 2 {
		want := Window{starts[i], starts[i+1], starts[i+2]}
		for _, at := range []int64{want.Start, want.Start + r.Int64N(want.End-want.Start), want.End - 1} {
			if got := s.At(at); got != want {
				t.Fatalf("%s at %d:\n got %s\nwant %s", s, at, show(got), show(want))
			}
		}
	}
}

// TestScheduleWindowsFollowEachOther asks for every instant from 1800 to 2200.
func TestScheduleWindowsFollowEachOther(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	for _, zone := range append(strangeZones, "Asia/Manila", "America/Juneau", "Africa/Monrovia", "Europe/Dublin") {
		for _, unit := range []string{"day", "week", "month", "year"} {
			s := mustSchedule(t, unit, zone, "")
			for range 100 {
				at := micro(t, "1800-01-01T00:00:00Z") + r.Int64N(400*365*24*3600*second)
				w := s.At(at)
				if next := s.At(w.End); w.Start > at || at >= w.End || next.Start != w.End || next.End != w.Next {
					t.Fatalf("%s at %d: %s, then %s", s, at, show(w), show(next))
				}
			}
		}
	}
}

func TestScheduleErrorsSayWhatWasExpected(t *testing.T) {
	for _, r := range []struct{ unit, zone, anchor, want string }{
		{"hour", "UTC", "", `"hour" is not a unit; expected one of day, week, month, year`},
		{"", "", "", `"" is not a unit; expected one of day, week, month, year`},
		{"day", "", "", `"" is not an IANA time zone such as UTC or Europe/Berlin`},
		{"day", "Local", "", `"Local" is not an IANA time zone such as UTC or Europe/Berlin`},
		{"day", "Mars/Olympus", "", `"Mars/Olympus" is not an IANA time zone such as UTC or Europe/Berlin`},
		{"day", "../etc/passwd", "", `"../etc/passwd" is not an IANA time zone such as UTC or Europe/Berlin`},
		{"day", "right/UTC", "", `"right/UTC" is not an IANA time zone such as UTC or Europe/Berlin`},
		{"day", "UTC", "24:00", `"24:00" is not a time of day such as 06:30`},
		{"day", "UTC", "monday", `"monday" is not a time of day such as 06:30`},
		{"week", "UTC", "1", `"1" is not a weekday; expected one of monday, tuesday, wednesday, thursday, friday, saturday, sunday`},
		{"month", "UTC", "0", `"0" is not a day of the month from 1 to 31`},
		{"month", "UTC", "32", `"32" is not a day of the month from 1 to 31`},
		{"month", "UTC", "+1", `"+1" is not a day of the month from 1 to 31`},
		{"year", "UTC", "02-30", `"02-30" is not a date such as 04-01 (month-day)`},
		{"year", "UTC", "april", `"april" is not a date such as 04-01 (month-day)`},
	} {
		if s, err := NewSchedule(r.unit, r.zone, r.anchor); err == nil || s != nil || err.Error() != r.want {
			t.Errorf("%s %s %s:\n got %v\nwant %s", r.unit, r.zone, r.anchor, err, r.want)
		}
	}
}

func TestScheduleStringIsCanonical(t *testing.T) {
	for _, r := range []struct{ unit, zone, anchor, want string }{
		{"day", "UTC", "", "day UTC 00:00"},
		{"day", "Europe/Berlin", "6:30", "day Europe/Berlin 06:30"},
		{"week", "UTC", "", "week UTC monday"},
		{"week", "UTC", "Sunday", "week UTC sunday"},
		{"month", "UTC", "07", "month UTC 7"},
		{"month", "UTC", "", "month UTC 1"},
		{"year", "UTC", "", "year UTC 01-01"},
		{"year", "UTC", "02-29", "year UTC 02-29"},
	} {
		if got := mustSchedule(t, r.unit, r.zone, r.anchor).String(); got != r.want {
			t.Errorf("got %q, want %q", got, r.want)
		}
	}
}

func TestScheduleIsSafeForConcurrentUse(t *testing.T) {
	s := mustSchedule(t, "day", "Europe/Berlin", "")
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				at := steadyStart.Wall + int64((i*(g+1))%7)*20*3600*second
				if w := s.At(at); w.Start > at || at >= w.End {
					t.Errorf("at %d: %s", at, show(w))
				}
			}
		})
	}
	wg.Wait()
}

func TestScheduleDoesNotAllocateWhileAWindowLasts(t *testing.T) {
	s := mustSchedule(t, "month", "Europe/Berlin", "31")
	at := steadyStart.Wall
	if n := testing.AllocsPerRun(100, func() { at += second; s.At(at) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
