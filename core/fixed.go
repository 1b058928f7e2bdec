package core

// A fixedCell counts in windows of one length, aligned to the epoch.
type fixedCell struct {
	span
	length int64 // µs
}

func (f *fixedCell) Check(now Instant, c *Charge) {
	f.enter(f.window(now.Wall))
	f.check(now.Wall, c)
}

func (f *fixedCell) Take(now Instant, c *Charge) {
	f.enter(f.window(now.Wall))
	f.take(now.Wall, c)
}

func (f *fixedCell) Settle(now Instant, c *Charge, delta int64) {
	f.enter(f.window(now.Wall))
	f.settle(c, delta)
}

func (f *fixedCell) Idle(now Instant) bool { return f.over(now.Wall) }

// window returns the window that holds wall.
func (f *fixedCell) window(wall int64) (start, end int64) {
	into := wall % f.length
	if into < 0 {
		into += f.length
	}
	return wall - into, wall - into + f.length
}

// A span counts in one window [start, end) of wall time after another. The zero
// span has seen none.
type span struct {
	start, end int64 // µs of wall clock
	used       int64
}

// enter moves on to a window that is later than the span's. An earlier one
// means that the wall clock was set back: the span's stays current.
func (s *span) enter(start, end int64) {
	switch {
	case s.end == 0 || start > s.start:
		*s = span{start: start, end: end}
	case start == s.start:
		s.end = end // the zone's rules may have changed
	}
}

// check is Cell.Check in the current window.
func (s *span) check(wall int64, c *Charge) {
	if !c.weigh(s.used) {
		c.Wait = s.end - wall
	}
	c.Grow = s.grow(wall)
}

// take is Cell.Take in the current window.
func (s *span) take(wall int64, c *Charge) {
	s.used = max(0, SaturatingAdd(s.used, c.Cost))
	c.State = State{Used: s.used, Grow: s.grow(wall), Taken: true, Entry: Entry{Stamp: s.start}}
}

// settle is Cell.Settle in the current window.
func (s *span) settle(c *Charge, delta int64) {
	switch {
	case delta > 0:
		s.used = SaturatingAdd(s.used, min(delta, MaxAmount))
	case c.Taken && c.Entry.Stamp == s.start:
		s.used = max(0, s.used+delta)
	}
}

// grow returns the time to the window's end, 0 if nothing is used.
func (s *span) grow(wall int64) int64 {
	if s.used == 0 {
		return 0
	}
	return s.end - wall
}

// over reports whether no window is current at wall.
func (s *span) over(wall int64) bool { return s.end == 0 || wall >= s.end }
