package core

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	_ "time/tzdata" // for machines without a zone database
)

// A Schedule gives the windows of a calendar limit. It is safe for concurrent
// use.
type Schedule struct {
	unit, anchor string
	zone         *time.Location
	// begin returns the local time at which the i-th period begins, and index
	// the period that local time is in; local times are seconds as of a clock
	// in UTC that shows them.
	begin   func(i int64) int64
	index   func(local int64) int64
	current atomic.Pointer[Window]
}

// NewSchedule returns the schedule of a unit (day, week, month, year) in an
// IANA zone with an anchor ("" for the default; see LimitConfig.Anchor). Its
// errors say what was expected.
func NewSchedule(unit, zone, anchor string) (*Schedule, error) {
	location, err := loadZone(zone)
	s := &Schedule{unit: unit, zone: location}
	switch unit {
	case "day", "week", "month", "year":
	default:
		return nil, fmt.Errorf("%q is not a unit%s", Clip(unit), DidYouMean(unit, []string{"day", "week", "month", "year"}))
	}
	if err != nil {
		return nil, err
	}
	if err := s.setAnchor(anchor); err != nil {
		return nil, err
	}
	return s, nil
}

// loadZone loads an IANA zone: none of the names that the machine gives a
// meaning of its own, nor clocks that count leap seconds.
func loadZone(name string) (*time.Location, error) {
	dir, _, _ := strings.Cut(name, "/")
	if !slices.Contains([]string{"", "Local", "localtime", "posixrules", "posix", "right"}, dir) {
		if zone, err := time.LoadLocation(name); err == nil {
			return zone, nil
		}
	}
	return nil, fmt.Errorf("%q is not an IANA time zone such as UTC or Europe/Berlin", Clip(name))
}

const daySeconds = 24 * 60 * 60

// setAnchor reads the anchor and keeps its canonical form.
func (s *Schedule) setAnchor(anchor string) error {
	switch s.unit {
	case "day":
		return s.days(anchor)
	case "week":
		return s.weeks(anchor)
	case "month":
		return s.months(anchor)
	}
	return s.years(anchor)
}

// days begin at a time of day.
func (s *Schedule) days(anchor string) error {
	t, err := time.Parse("15:04", orDefault(anchor, "00:00"))
	if err != nil {
		return fmt.Errorf("%q is not a time of day such as 06:30", Clip(anchor))
	}
	s.anchor = t.Format("15:04")
	offset := int64(t.Hour()*60+t.Minute()) * 60
	s.begin = func(i int64) int64 { return i*daySeconds + offset }
	s.index = func(local int64) int64 { return floorDiv(local-offset, daySeconds) }
	return nil
}

var weekdays = []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}

// weeks begin with a weekday.
func (s *Schedule) weeks(anchor string) error {
	s.anchor = strings.ToLower(orDefault(anchor, "monday"))
	day := slices.Index(weekdays, s.anchor)
	if day < 0 {
		return fmt.Errorf("%q is not a weekday%s", Clip(anchor), DidYouMean(anchor, weekdays))
	}
	const week = 7 * daySeconds
	offset := int64(day-3) * daySeconds // the epoch was a thursday
	s.begin = func(i int64) int64 { return i*week + offset }
	s.index = func(local int64) int64 { return floorDiv(local-offset, week) }
	return nil
}

// months begin with a day of the month, or the last one of a shorter month.
func (s *Schedule) months(anchor string) error {
	day, err := strconv.Atoi(orDefault(anchor, "1"))
	if err != nil || !digits(orDefault(anchor, "1")) || day < 1 || day > 31 {
		return fmt.Errorf("%q is not a day of the month from 1 to 31", Clip(anchor))
	}
	s.anchor = strconv.Itoa(day)
	s.begin = func(i int64) int64 {
		return clampedDate(floorDiv(i, 12), time.Month(i-floorDiv(i, 12)*12+1), day)
	}
	s.index = func(local int64) int64 {
		t := time.Unix(local, 0).UTC()
		return int64(t.Year())*12 + int64(t.Month()) - 1
	}
	return nil
}

// years begin with a date; 02-29 is 02-28 in years that lack it.
func (s *Schedule) years(anchor string) error {
	t, err := time.Parse("2006-01-02", "2000-"+orDefault(anchor, "01-01"))
	if err != nil {
		return fmt.Errorf("%q is not a date such as 04-01 (month-day)", Clip(anchor))
	}
	s.anchor = t.Format("01-02")
	s.begin = func(i int64) int64 { return clampedDate(i, t.Month(), t.Day()) }
	s.index = func(local int64) int64 { return int64(time.Unix(local, 0).UTC().Year()) }
	return nil
}

// String identifies the schedule: two with the same String have the same windows.
func (s *Schedule) String() string {
	return s.unit + " " + s.zone.String() + " " + s.anchor
}

// At returns the window that holds the instant wall (µs). It does not allocate
// while a window lasts.
func (s *Schedule) At(wall int64) Window {
	if w := s.current.Load(); w != nil && w.Start <= wall && wall < w.End {
		return *w
	}
	w := s.window(wall)
	s.current.Store(&w)
	return w
}

// window computes what At returns. A period may be empty: in 2011 Samoa went
// without its 30th of December.
func (s *Schedule) window(wall int64) Window {
	now := floorDiv(wall, 1_000_000)
	_, offset := time.Unix(now, 0).In(s.zone).Zone()
	i := s.index(now+int64(offset)) + 1
	for s.start(i) > now {
		i--
	}
	start := s.start(i)
	end, i := s.after(i, start)
	next, _ := s.after(i, end)
	return Window{Start: start * 1_000_000, End: end * 1_000_000, Next: next * 1_000_000}
}

// after returns the first start later than t of the periods after the i-th, and
// which one has it.
func (s *Schedule) after(i, t int64) (start, index int64) {
	for start = t; start <= t; {
		i++
		start = s.start(i)
	}
	return start, i
}

// start returns the instant, in Unix seconds, at which the i-th period starts:
// the first at which local clocks show the time at which it begins or, where
// they skip that, a later one.
func (s *Schedule) start(i int64) int64 {
	local := s.begin(i)
	// No zone has been two days from UTC: by then clocks show earlier times.
	from := local - 2*daySeconds
	for {
		t := time.Unix(from, 0).In(s.zone)
		_, offset := t.Zone()
		first := max(from, local-int64(offset))
		end, bounded := offsetEnd(t)
		if !bounded || first < end {
			return first
		}
		from = end
	}
}

// offsetEnd returns a Unix time later than t until which t's zone keeps its
// offset; bounded is false where it does for ever. On the last day of a leap
// year ZoneBounds may answer with that day's beginning (golang/go#81583) where
// it means the year's end.
func offsetEnd(t time.Time) (end int64, bounded bool) {
	_, bound := t.ZoneBounds()
	if bound.IsZero() {
		return 0, false
	}
	if end = bound.Unix(); end <= t.Unix() {
		end = (floorDiv(t.Unix(), daySeconds) + 1) * daySeconds
	}
	return end, true
}

// clampedDate returns the local midnight with which a day of a month begins, or
// the month's last day.
func clampedDate(year int64, month time.Month, day int) int64 {
	last := time.Date(int(year), month+1, 0, 0, 0, 0, 0, time.UTC)
	return last.AddDate(0, 0, min(day, last.Day())-last.Day()).Unix()
}

func orDefault(s, value string) string {
	if s == "" {
		return value
	}
	return s
}

// floorDiv returns a/b rounded down, for b > 0.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
