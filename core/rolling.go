package core

const milli = 1000 // µs

// A rollingCell counts every interval of one length. It has no pointers.
type rollingCell struct {
	charges gaps  // stamps in ms
	window  int64 // ms
	latest  int64 // µs of steady clock: the latest time seen
}

// A rolling counts every interval of one length, exactly: a charge is stamped at
// the next whole millisecond and dropped one length after its stamp.
type rolling struct {
	longQueue // the cell's charges
	*rollingCell
}

// rollingWindow returns in ms a length in µs.
func rollingWindow(length int64) int64 { return max(1, length/milli) }

func (r rolling) Check(now Instant, c *Charge) {
	r.advance(now)
	if !c.weigh(r.used()) {
		c.Wait = r.wait(c)
	}
	c.Grow = r.grow()
}

func (r rolling) Take(now Instant, c *Charge) {
	r.advance(now)
	var stamp int64
	switch {
	case !r.tracks(c):
	case c.Cost < 0:
		r.pop(-c.Cost)
	default:
		stamp = r.add(c, c.Cost) * milli
	}
	c.State = State{Used: r.used(), Grow: r.grow(), Taken: true, Entry: Entry{Stamp: stamp}}
}

func (r rolling) Settle(now Instant, c *Charge, delta int64) {
	r.advance(now)
	switch {
	case delta > 0 && r.tracks(c):
		r.add(c, min(delta, MaxAmount))
	case delta < 0:
		r.remove(c.Entry.Stamp/milli, -max(delta, -MaxAmount))
	}
}

func (r rolling) Idle(now Instant) bool {
	return r.used() == 0 || max(now.Steady, r.latest) >= r.leaves(r.newest())
}

// tracks reports whether the charge is recorded: without a cap nothing is,
// except by a count.
func (r rolling) tracks(c *Charge) bool {
	return c.Max != Unlimited || c.Limit.Count
}

// advance moves to now and drops what has expired by then.
func (r rolling) advance(now Instant) {
	r.latest = max(r.latest, now.Steady)
	r.dropThrough(r.latest/milli - r.window)
}

// move makes r what from is, which is not to be used any more.
func (r rolling) move(from rolling) {
	r.window, r.latest = from.window, from.latest
	r.longQueue.move(from.longQueue)
}

// add records n units as of now and returns their stamp in ms.
func (r rolling) add(c *Charge, n int64) int64 {
	stamp := r.next()
	r.push(stamp, n, r.floor(c))
	return stamp
}

// next returns the stamp in ms of what is charged now.
func (r rolling) next() int64 { return (r.latest + milli - 1) / milli }

// floor returns the code parameter for a window full of charges of one unit.
// Charges of several units are fewer; the queue then chooses a larger one.
func (r rolling) floor(c *Charge) uint {
	if c.uncapped() {
		return 0
	}
	return riceParameter(r.window, max(1, c.Max))
}

// leaves returns when an entry is dropped, in µs.
func (r rolling) leaves(stamp int64) int64 { return (stamp + r.window) * milli }

// grow returns the time until the oldest entry leaves, 0 if there is none.
func (r rolling) grow() int64 {
	if r.used() == 0 {
		return 0
	}
	return r.leaves(r.oldest()) - r.latest
}

// wait returns the time until so many entries have left that c fits, the whole
// window if it never does.
func (r rolling) wait(c *Charge) int64 {
	if c.NeverFits {
		return r.window * milli
	}
	return r.leaves(r.freed(r.used()+c.Demand()-c.Max)) - r.latest
}
