package core

// A Cell counts for one limit and one scope: the state machine of one kind,
// which every store that counts in Go shares. Those of a [Pool] are Cells too. A
// Cell is not safe for concurrent use. It stores what was used; the maximum comes
// with each charge.
//
// now never runs backwards as far as a cell is concerned: a cell that has seen
// a later time than now reads now as that time.
type Cell interface {
	// Check fills in c's State as if c were not charged: Used, Wait, Grow,
	// Refused (only if c.Refusable), NeverFits. It may drop what has expired,
	// but changes nothing that can be told.
	Check(now Instant, c *Charge)
	// Take charges c.Cost, whatever the maximum, or gives it back, and fills in
	// c's State as it is afterwards, with Taken and Entry, and a Wait of 0.
	Take(now Instant, c *Charge)
	// Settle corrects a charge by delta: an excess (> 0) is added as of now; a
	// refund (< 0) is taken from what of c.Entry still counts.
	Settle(now Instant, c *Charge, delta int64)
	// Idle reports whether the cell is as good as a new one.
	Idle(now Instant) bool
}

// Demand returns what must fit below Max for the charge to be admitted: its
// cost, but at least one unit of a cost that is not known yet or not taken, and
// what is taken ahead of it.
func (c *Charge) Demand() int64 {
	if c.Limit.Settled || c.CheckOnly {
		return SaturatingAdd(max(c.Cost, 1), c.Ahead)
	}
	return SaturatingAdd(max(c.Cost, 0), c.Ahead)
}

// weigh fills in Used, Refused and NeverFits for a cell that counts used, and
// reports whether the charge fits.
func (c *Charge) weigh(used int64) bool {
	c.State = State{Used: used}
	if c.uncapped() || c.Demand() <= c.Max-used {
		return true
	}
	c.Refused = c.Refusable && !c.Peek && c.Cost >= 0
	c.NeverFits = c.Demand() > c.Max
	return false
}

// uncapped reports whether every demand fits.
func (c *Charge) uncapped() bool { return c.Max == Unlimited || c.Limit.Count }

// A keptCell can be kept outside the process.
type keptCell interface {
	Cell
	// encode appends all of the cell to b; decode reads that, and returns r where
	// it has read to. A pointer to r would escape.
	encode(b []byte) []byte
	decode(r cellReader) cellReader
	// appendChange appends to b what Take or Settle has just made of the cell;
	// applyChange does that to a cell that stands as this one did before.
	appendChange(b []byte, now Instant, c *Charge, delta int64) []byte
	applyChange(r cellReader, now Instant) cellReader
}
