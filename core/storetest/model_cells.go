package storetest

import (
	"math"
	"slices"

	"github.com/weirhq/weir/core"
)

// look fills in c's State as the definitions of its kind have it; ahead is what
// charges before it take from the cell in the same step.
func (m *model) look(now core.Instant, c *core.Charge, ahead int64) {
	c.State = core.State{}
	if c.Limit.Kind == core.Hold {
		m.expire(now)
	}
	c.Used = m.used(now, c)
	demand := max(0, c.Cost)
	if c.Limit.Settled || c.CheckOnly {
		demand = max(1, demand)
	}
	demand += ahead
	if c.Used > 0 {
		c.Grow = m.until(now, c, c.Used-1)
	}
	if c.Max == core.Unlimited || c.Limit.Count || c.Used+demand <= c.Max {
		return
	}
	c.Refused = c.Refusable && !c.Peek && c.Cost >= 0
	c.NeverFits = demand > c.Max
	if c.NeverFits {
		c.Wait = m.whole(now, c)
	} else {
		c.Wait = m.until(now, c, c.Max-demand)
	}
}

// used returns what c's cell counts at now.
func (m *model) used(now core.Instant, c *core.Charge) (n int64) {
	switch c.Limit.Kind {
	case core.Hold:
		return m.held(c)
	case core.Bucket:
		debt := m.debt(now, c)
		return (debt + c.Limit.Length - 1) / c.Limit.Length
	}
	for _, e := range m.cells[placeOf(c)] {
		if e.leaves > clock(now, c.Limit) {
			n += e.cost
		}
	}
	return n
}

// clock returns now on the clock that l's kind goes by.
func clock(now core.Instant, l *core.Limit) int64 {
	if l.Kind == core.Rolling || l.Kind == core.Bucket {
		return now.Steady
	}
	return now.Wall
}

// leaves returns when what is charged now stops to count.
func leaves(now core.Instant, l *core.Limit) int64 {
	switch l.Kind {
	case core.Rolling:
		const milli = 1000
		return (now.Steady+milli-1)/milli*milli + l.Length
	case core.Fixed:
		return now.Wall - now.Wall%l.Length + l.Length
	case core.Calendar:
		return now.Wall - now.Wall%day + day
	}
	return math.MaxInt64
}

// add adds an event, unless the kind does not count what is not capped.
func (m *model) add(now core.Instant, id core.ID, c *core.Charge, cost int64) {
	if cost > 0 && (c.Max != core.Unlimited || c.Limit.Count || !forgets(c.Limit)) {
		m.append(now, c, event{id, now.Steady, leaves(now, c.Limit), cost})
	}
}

// forgets reports whether a limit's cells start empty once they have a cap.
func forgets(l *core.Limit) bool { return l.Kind == core.Rolling || l.Kind == core.Bucket }

// append adds an event to c's cell, without those that are over.
func (m *model) append(now core.Instant, c *core.Charge, e event) {
	p := placeOf(c)
	events := m.cells[p]
	if c.Limit.Kind == core.Bucket {
		if m.debt(now, c) == 0 {
			events = nil
		}
	} else {
		events = slices.DeleteFunc(events, func(e event) bool { return e.leaves <= clock(now, c.Limit) })
	}
	m.cells[p] = append(events, e)
}

// giveBack takes units from the newest events that count still. A bucket has
// drained its oldest; what is left of it falls as such.
func (m *model) giveBack(now core.Instant, c *core.Charge) {
	if forgets(c.Limit) && c.Max == core.Unlimited && !c.Limit.Count {
		return
	}
	if c.Limit.Kind == core.Bucket {
		m.append(now, c, event{at: now.Steady, cost: c.Cost})
		return
	}
	events, back := m.cells[placeOf(c)], -c.Cost
	for i := len(events) - 1; i >= 0; i-- {
		if e := &events[i]; e.leaves > clock(now, c.Limit) {
			n := min(back, e.cost)
			e.cost, back = e.cost-n, back-n
		}
	}
}

// until returns in how many µs the cell counts at most level.
func (m *model) until(now core.Instant, c *core.Charge, level int64) int64 {
	switch c.Limit.Kind {
	case core.Hold, core.Ever:
		return core.Unknown
	case core.Bucket:
		excess := m.debt(now, c) - level*c.Limit.Length
		return (excess + c.Rate - 1) / c.Rate
	}
	at, left := clock(now, c.Limit), m.used(now, c)
	for _, e := range m.cells[placeOf(c)] { // in the order in which they leave
		if e.leaves <= at {
			continue
		}
		if left -= e.cost; left <= level {
			return e.leaves - at
		}
	}
	return 0
}

// whole returns the wait of a charge that never fits.
func (m *model) whole(now core.Instant, c *core.Charge) int64 {
	switch c.Limit.Kind {
	case core.Rolling:
		return c.Limit.Length
	case core.Fixed, core.Calendar:
		return leaves(now, c.Limit) - now.Wall
	case core.Bucket:
		return (max(1, c.Max)*c.Limit.Length + c.Rate - 1) / c.Rate
	}
	return core.Unknown
}

// debt returns what has not drained of a bucket, in 1/Length units.
func (m *model) debt(now core.Instant, c *core.Charge) (debt int64) {
	then := int64(0)
	for _, e := range m.cells[placeOf(c)] {
		debt = max(0, debt-(e.at-then)*c.Rate)
		debt = max(0, debt+e.cost*c.Limit.Length)
		then = e.at
	}
	return max(0, debt-(now.Steady-then)*c.Rate)
}
