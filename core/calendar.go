package core

// A calendarCell counts in days, weeks, months or years of a time zone. Each
// charge brings the window that was current at its door.
type calendarCell struct{ span }

func (k *calendarCell) Check(now Instant, c *Charge) {
	k.enter(c.windowAt(now.Wall))
	k.check(now.Wall, c)
}

func (k *calendarCell) Take(now Instant, c *Charge) {
	k.enter(c.windowAt(now.Wall))
	k.take(now.Wall, c)
}

func (k *calendarCell) Settle(now Instant, c *Charge, delta int64) {
	k.enter(c.windowAt(now.Wall))
	k.settle(c, delta)
}

func (k *calendarCell) Idle(now Instant) bool { return k.over(now.Wall) }

// windowAt returns the window that holds wall: the charge's or the one after
// it; only a store whose clock is further ahead of the door's asks the Schedule.
func (c *Charge) windowAt(wall int64) (start, end int64) {
	w := c.Window
	switch {
	case wall < w.End:
		return w.Start, w.End
	case wall >= w.Next && c.Limit.Schedule != nil:
		w = c.Limit.Schedule.At(wall)
		return w.Start, w.End
	}
	return w.End, w.Next
}
