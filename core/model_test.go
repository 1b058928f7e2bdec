package core

import (
	"math/big"
	"slices"
)

// The models here are cells that do what the definitions say in the plainest
// way: a list of events, a map of windows, numbers of any size.

// An event is what a naive cell remembers of a charge.
type event struct{ stamp, n int64 }

// naiveRolling is a list of events.
type naiveRolling struct {
	length, latest int64
	events         []event
}

func (m *naiveRolling) see(now Instant) {
	m.latest = max(m.latest, now.Steady)
	m.events = slices.DeleteFunc(m.events, func(e event) bool { return m.latest >= e.stamp+m.length })
}

func (m *naiveRolling) used() (sum int64) {
	for _, e := range m.events {
		sum += e.n
	}
	return sum
}

func (m *naiveRolling) grow() int64 {
	for _, e := range m.events {
		if e.n > 0 {
			return e.stamp + m.length - m.latest
		}
	}
	return 0
}

func (m *naiveRolling) add(n int64) (stamp int64) {
	stamp = m.latest
	for stamp%1000 != 0 {
		stamp++
	}
	over := m.used() + n - MaxAmount
	for i := 0; over > 0; i++ { // the oldest make room
		taken := min(over, m.events[i].n)
		m.events[i].n -= taken
		over -= taken
	}
	m.events = append(m.events, event{stamp, n})
	return stamp
}

func (m *naiveRolling) Check(now Instant, c *Charge) {
	m.see(now)
	c.State = judge(m.used(), c)
	c.Grow = m.grow()
	left := m.used()
	switch {
	case judge(left, c).fits(c):
	case c.NeverFits:
		c.Wait = m.length
	default:
		for _, e := range m.events {
			left -= e.n
			c.Wait = e.stamp + m.length - m.latest
			if left+c.Demand() <= c.Max {
				break
			}
		}
	}
}

func (m *naiveRolling) Take(now Instant, c *Charge) {
	m.see(now)
	c.State = State{Taken: true}
	switch {
	case c.Max == Unlimited && !c.Limit.Count:
	case c.Cost < 0:
		for i, n := len(m.events)-1, -c.Cost; i >= 0; i-- {
			most := min(n, m.events[i].n)
			m.events[i].n -= most
			n -= most
		}
	default:
		c.Entry.Stamp = m.add(c.Cost)
	}
	c.Used, c.Grow = m.used(), m.grow()
}

func (m *naiveRolling) Settle(now Instant, c *Charge, delta int64) {
	m.see(now)
	if delta > 0 && (c.Max != Unlimited || c.Limit.Count) {
		m.add(delta)
	}
	for i := range m.events {
		if e := &m.events[i]; delta < 0 && c.Taken && e.stamp == c.Entry.Stamp {
			n := min(-delta, e.n)
			e.n, delta = e.n-n, delta+n
		}
	}
}

func (m *naiveRolling) Idle(now Instant) bool {
	at := max(m.latest, now.Steady)
	return !slices.ContainsFunc(m.events, func(e event) bool { return e.n > 0 && at < e.stamp+m.length })
}

// judge returns the State of a check by the words of the definitions.
func judge(used int64, c *Charge) State {
	s := State{Used: used}
	demand := max(0, c.Cost)
	if (c.CheckOnly || c.Limit.Settled) && demand < 1 {
		demand = 1
	}
	if c.Max == Unlimited || c.Limit.Count || used+demand <= c.Max {
		return s
	}
	s.Refused = c.Refusable && !c.Peek && c.Cost >= 0
	s.NeverFits = demand > c.Max
	return s
}

// fits reports whether s says that c fits.
func (s State) fits(c *Charge) bool {
	demand := max(0, c.Cost)
	if (c.CheckOnly || c.Limit.Settled) && demand < 1 {
		demand = 1
	}
	return c.Max == Unlimited || c.Limit.Count || s.Used+demand <= c.Max
}

// naiveWindows remembers all windows it ever saw.
type naiveWindows struct {
	window     func(wall int64, c *Charge) (start, end int64)
	start, end int64
	used       map[int64]int64
}

func (m *naiveWindows) see(now Instant, c *Charge) {
	if start, end := m.window(now.Wall, c); m.used == nil || start > m.start {
		m.start, m.end, m.used = start, end, map[int64]int64{}
	}
}

func (m *naiveWindows) left(now Instant) int64 {
	if m.end == Unknown {
		return Unknown
	}
	return m.end - now.Wall
}

func (m *naiveWindows) state(now Instant) State {
	s := State{Used: m.used[m.start]}
	if s.Used > 0 {
		s.Grow = m.left(now)
	}
	return s
}

func (m *naiveWindows) Check(now Instant, c *Charge) {
	m.see(now, c)
	s := m.state(now)
	c.State = judge(s.Used, c)
	c.Grow = s.Grow
	if !c.fits(c) {
		c.Wait = m.left(now)
	}
}

func (m *naiveWindows) Take(now Instant, c *Charge) {
	m.see(now, c)
	m.used[m.start] = max(0, min(m.used[m.start]+c.Cost, MaxAmount))
	c.State = m.state(now)
	c.Taken, c.Entry.Stamp = true, m.start
}

func (m *naiveWindows) Settle(now Instant, c *Charge, delta int64) {
	m.see(now, c)
	if delta > 0 {
		m.used[m.start] = min(m.used[m.start]+delta, MaxAmount)
	} else if c.Taken {
		m.used[c.Entry.Stamp] = max(m.used[c.Entry.Stamp]+delta, 0)
	}
}

func (m *naiveWindows) Idle(now Instant) bool {
	if m.end == Unknown {
		return m.used[m.start] == 0
	}
	return m.used == nil || now.Wall >= m.end
}

// naiveBucket keeps its debt in 1/length units, of any size.
type naiveBucket struct {
	length, time, empty, latest int64
	debt                        big.Int

	poured, stamps   int64 // what was poured in, and until when there are stamps
	holeAt, holeSize int64 // what was given back amid that
}

// ownLeft returns how many of the units that end at place have not drained.
func (m *naiveBucket) ownLeft(c *Charge) int64 {
	whole := new(big.Int).Quo(m.level(c), big.NewInt(m.length)).Int64()
	drained := m.poured - m.holeSize - whole
	if drained >= m.holeAt {
		m.holeSize = 0
		drained = m.poured - whole
	}
	return max(0, c.Entry.Place-drained)
}

// giveBack makes a hole of n units before place, or a greater one.
func (m *naiveBucket) giveBack(place, n int64) {
	if place == m.poured {
		m.poured -= n
		return
	}
	if m.holeSize == 0 || place-n < m.holeAt {
		m.holeAt = place - n
	}
	m.holeSize += n
}

func (m *naiveBucket) level(c *Charge) *big.Int {
	if m.latest >= m.empty {
		return new(big.Int)
	}
	drained := new(big.Int).Mul(big.NewInt(c.Rate), big.NewInt(m.latest-m.time))
	if drained.Sub(&m.debt, drained); drained.Sign() < 0 {
		return new(big.Int)
	}
	return drained
}

// units converts to 1/length units.
func (m *naiveBucket) units(n int64) *big.Int {
	return new(big.Int).Mul(big.NewInt(n), big.NewInt(m.length))
}

func ceilDiv(a *big.Int, b int64) int64 {
	q, rest := new(big.Int).QuoRem(a, big.NewInt(b), new(big.Int))
	if rest.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	if !q.IsInt64() {
		return MaxAmount
	}
	return min(q.Int64(), MaxAmount)
}

func (m *naiveBucket) grow(debt *big.Int, c *Charge) int64 {
	if debt.Sign() == 0 {
		return 0
	}
	target := m.units(ceilDiv(debt, m.length) - 1)
	return min(ceilDiv(target.Sub(debt, target), c.Rate), m.empty-m.latest)
}

func (m *naiveBucket) Check(now Instant, c *Charge) {
	m.latest = max(m.latest, now.Steady)
	debt := m.level(c)
	c.State = judge(ceilDiv(debt, m.length), c)
	c.Grow = m.grow(debt, c)
	switch {
	case c.fits(c):
	case c.NeverFits:
		c.Wait = ceilDiv(m.units(max(1, c.Max)), c.Rate)
	default:
		room := m.units(c.Max - c.Demand())
		c.Wait = min(ceilDiv(room.Sub(debt, room), c.Rate), m.empty-m.latest)
	}
}

func (m *naiveBucket) add(c *Charge, n int64) {
	m.poured += max(0, n)
	m.debt.Add(m.level(c), m.units(n))
	if m.debt.Sign() < 0 {
		m.debt.SetInt64(0)
	}
	if full := m.units(MaxAmount); m.debt.Cmp(full) > 0 {
		m.debt.Set(full)
	}
	before := m.empty
	m.time, m.empty = m.latest, m.latest+ceilDiv(&m.debt, c.Rate)
	if m.empty < before {
		m.stamps = max(m.stamps, before)
	}
}

func (m *naiveBucket) Take(now Instant, c *Charge) {
	m.latest = max(m.latest, now.Steady)
	c.State = State{Taken: true}
	if c.Max != Unlimited && c.Rate != Unlimited && c.Cost != 0 {
		if m.add(c, c.Cost); m.debt.Cmp(m.units(MaxAmount)) < 0 {
			c.Entry = Entry{Stamp: m.empty, Place: m.poured}
		}
	}
	debt := m.level(c)
	c.Used, c.Grow = ceilDiv(debt, m.length), m.grow(debt, c)
}

func (m *naiveBucket) Settle(now Instant, c *Charge, delta int64) {
	m.latest = max(m.latest, now.Steady)
	if delta > 0 && c.Max != Unlimited && c.Rate != Unlimited {
		m.add(c, delta)
	}
	if left := c.Entry.Stamp - m.latest; delta < 0 && c.Taken && left > 0 {
		still := new(big.Int).Mul(big.NewInt(c.Rate), big.NewInt(left))
		if still.Quo(still, big.NewInt(m.length)); still.Cmp(big.NewInt(-delta)) < 0 {
			delta = -still.Int64()
		}
		if delta = max(delta, -m.ownLeft(c)); delta < 0 {
			m.add(c, delta)
			m.giveBack(c.Entry.Place, -delta)
		}
	}
}

func (m *naiveBucket) Idle(now Instant) bool {
	return max(m.latest, now.Steady) >= max(m.empty, m.stamps)
}
