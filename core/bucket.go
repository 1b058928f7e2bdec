package core

import "math/bits"

// A bucketCell is a leaky bucket as a meter, which is what ITU-T I.371's
// generic cell rate algorithm computes. It is kept as a debt rather than as
// the algorithm's theoretical arrival time, so that a changed burst or rate
// acts at once: since the last charge the debt has drained at the rate of the
// charge that asks. Once it has drained at the rate of the last charge it is
// gone, whatever rate comes later. It is MaxAmount at most; what is cut for that counts as
// drained in what follows, and gives nothing back.
//
// Charges drain in their order, and a refund is of what has not drained of the charge's
// own. For that each ends at a place in all that was poured in, and the debt tells at
// which place the bucket drains. What was given back between two charges is a hole that
// it will pass at once. There is one hole, as if all were where the first of them is: a
// refund is never of more than is left of the charge, but where it drained before all
// holes in their midst did it may be of less.
type bucketCell struct {
	units  int64 // the debt's whole part at time
	part   int64 // and the rest, in 1/Length units, below Length
	time   int64 // µs of steady clock
	empty  int64 // when the debt will have drained
	latest int64 // the latest time seen

	poured int64 // all that was ever poured in, but for what was given back last of all
	hole   int64 // the place from which on
	given  int64 // so many units were given back
	until  int64 // when the charges will have drained by their stamps, if not by empty
}

func (b *bucketCell) Check(now Instant, c *Charge) {
	b.latest = max(b.latest, now.Steady)
	units, part := b.level(c)
	if !c.weigh(ceilUnits(units, part)) {
		c.Wait = b.wait(c, units, part)
	}
	c.Grow = b.grow(c, units, part)
}

func (b *bucketCell) Take(now Instant, c *Charge) {
	b.latest = max(b.latest, now.Steady)
	entry := Entry{}
	if b.tracks(c) && c.Cost != 0 { // one of 0 changes nothing, nor at which rate the debt drains
		if b.add(c, c.Cost); b.units < MaxAmount { // else some of it may have been cut
			entry = Entry{Stamp: b.empty, Place: b.poured}
		}
	}
	units, part := b.level(c)
	c.State = State{
		Used: ceilUnits(units, part), Grow: b.grow(c, units, part),
		Taken: true, Entry: entry,
	}
}

func (b *bucketCell) Settle(now Instant, c *Charge, delta int64) {
	b.latest = max(b.latest, now.Steady)
	switch {
	case delta > 0 && b.tracks(c):
		b.add(c, min(delta, MaxAmount))
	case delta < 0:
		if n := min(-max(delta, -MaxAmount), b.undrained(c)); n > 0 {
			b.add(c, -n)
			b.giveBack(c.Entry.Place, n)
		}
	}
}

func (b *bucketCell) Idle(now Instant) bool {
	return max(b.empty, b.until) <= max(b.latest, now.Steady)
}

// tracks reports whether the charge is recorded: without a cap nothing is.
func (b *bucketCell) tracks(c *Charge) bool {
	return c.Max != Unlimited && c.Rate != Unlimited
}

// level returns the debt at the latest time, drained at c's rate.
func (b *bucketCell) level(c *Charge) (units, part int64) {
	if b.latest >= b.empty {
		return 0, 0
	}
	length := uint64(c.Limit.Length)
	hi, lo := bits.Mul64(uint64(c.Rate), uint64(b.latest-b.time))
	if hi >= length {
		return 0, 0
	}
	whole, rest := bits.Div64(hi, lo, length)
	if whole > uint64(b.units) {
		return 0, 0
	}
	units, part = b.units-int64(whole), b.part-int64(rest)
	if part < 0 {
		units, part = units-1, part+int64(length)
	}
	if units < 0 {
		return 0, 0
	}
	return units, part
}

// add brings the debt to the latest time and adds n units, or takes away -n, at
// most what there is.
func (b *bucketCell) add(c *Charge, n int64) {
	before := b.empty
	b.units, b.part = b.level(c)
	b.poured += max(0, n)
	b.units += n
	if b.units < 0 {
		b.units, b.part = 0, 0
	}
	if b.units >= MaxAmount {
		b.units, b.part = MaxAmount, 0
	}
	b.time = b.latest
	if b.empty = b.latest + drainTime(c, b.units, b.part); b.empty < before {
		b.until = max(b.until, before)
	}
}

// giveBack notes that of the charge that ends at place n units were given back.
func (b *bucketCell) giveBack(place, n int64) {
	switch {
	case place == b.poured: // nothing is behind it
		b.poured -= n
	case b.given == 0:
		b.hole, b.given = place-n, n
	default:
		b.hole, b.given = min(b.hole, place-n), b.given+n
	}
}

// undrained returns how much of the charge whose refund c asks for is in the
// bucket still: no more than drains from now to its stamp, which others' refunds and a
// higher rate have not moved, nor than is behind where the bucket drains.
func (b *bucketCell) undrained(c *Charge) int64 {
	units, _ := b.level(c)
	if b.poured-units-b.given >= b.hole {
		b.given = 0 // it is passed
	}
	return min(b.drains(c, c.Entry.Stamp-b.latest), c.Entry.Place-(b.poured-units-b.given))
}

// drains returns how many units c's rate drains in a time.
func (b *bucketCell) drains(c *Charge, left int64) int64 {
	if left <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(c.Rate), uint64(left))
	if hi >= uint64(c.Limit.Length) {
		return MaxAmount
	}
	whole, _ := bits.Div64(hi, lo, uint64(c.Limit.Length))
	return int64(min(whole, uint64(MaxAmount)))
}

// wait returns the time until c fits on top of the debt units and part; for one
// that never does, the time in which a full burst drains.
func (b *bucketCell) wait(c *Charge, units, part int64) int64 {
	if c.NeverFits {
		return drainTime(c, max(1, c.Max), 0)
	}
	return min(drainTime(c, units-(c.Max-c.Demand()), part), b.empty-b.latest)
}

// grow returns the time until the debt, rounded up to units, falls by one.
func (b *bucketCell) grow(c *Charge, units, part int64) int64 {
	switch {
	case part > 0:
		units = 0
	case units > 0:
		units = 1
	default:
		return 0
	}
	return min(drainTime(c, units, part), b.empty-b.latest)
}

// drainTime returns in how many µs, rounded up, units and part drain; at most
// MaxAmount.
func drainTime(c *Charge, units, part int64) int64 {
	rate := uint64(c.Rate)
	hi, lo := bits.Mul64(uint64(units), uint64(c.Limit.Length))
	lo, carry := bits.Add64(lo, uint64(part), 0)
	lo, carry2 := bits.Add64(lo, rate-1, 0)
	hi += carry + carry2
	if hi >= rate {
		return MaxAmount
	}
	whole, _ := bits.Div64(hi, lo, rate)
	return int64(min(whole, uint64(MaxAmount)))
}

func ceilUnits(units, part int64) int64 {
	if part > 0 {
		return units + 1
	}
	return units
}
