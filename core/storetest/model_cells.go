package storetest

import (
	"math"
	"slices"

	"github.com/weirhq/weir/core"
)

// look fills in c's State as the definitions of its kind have it.
func (m *model) look(now core.Instant, c *core.Charge) {
	c.State = core.State{}
	if c.Limit.Kind == core.Hold {
		m.expire(now)
	}
	c.Used = m.used(now, c)
	demand := max(0, c.Cost)
	if c.Limit.Settled || c.CheckOnly {
		demand = max(1, demand)
	}
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
	for _, e := range m.of(c) {
		if leaves(e) > clock(now, c) {
			n += e.cost
		}
	}
	return n
}

// of returns the events of c's cell, oldest first.
func (m *model) of(c *core.Charge) (events []*event) {
	for _, e := range m.events {
		if e.limit.ID == c.Limit.ID && e.scope == c.Scope && e.cost != 0 {
			events = append(events, e)
		}
	}
	return events
}

// clock returns now on the clock that c's kind goes by.
func clock(now core.Instant, c *core.Charge) int64 {
	if c.Limit.Kind == core.Rolling || c.Limit.Kind == core.Bucket {
		return now.Steady
	}
	return now.Wall
}

// leaves returns when an event stops to count.
func leaves(e *event) int64 {
	switch e.limit.Kind {
	case core.Rolling:
		const milli = 1000
		return (e.now.Steady+milli-1)/milli*milli + e.limit.Length
	case core.Fixed:
		return e.now.Wall - e.now.Wall%e.limit.Length + e.limit.Length
	case core.Calendar:
		return e.now.Wall - e.now.Wall%day + day
	}
	return math.MaxInt64
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
	var times []int64
	for _, e := range m.of(c) {
		if t := leaves(e); t > clock(now, c) {
			times = append(times, t)
		}
	}
	slices.Sort(times)
	for _, t := range times {
		later := now.Add(t - clock(now, c))
		if m.used(later, c) <= level {
			return t - clock(now, c)
		}
	}
	return 0
}

// whole returns the wait of a charge that never fits.
func (m *model) whole(now core.Instant, c *core.Charge) int64 {
	switch c.Limit.Kind {
	case core.Rolling:
		return c.Limit.Length
	case core.Fixed:
		return c.Limit.Length - now.Wall%c.Limit.Length
	case core.Calendar:
		return day - now.Wall%day
	case core.Bucket:
		return (max(1, c.Max)*c.Limit.Length + c.Rate - 1) / c.Rate
	}
	return core.Unknown
}

// debt returns what has not drained of a bucket, in 1/Length units.
func (m *model) debt(now core.Instant, c *core.Charge) (debt int64) {
	then := int64(0)
	for _, e := range m.of(c) {
		debt = max(0, debt-(e.now.Steady-then)*c.Rate)
		debt = max(0, debt+e.cost*c.Limit.Length)
		then = e.now.Steady
	}
	return max(0, debt-(now.Steady-then)*c.Rate)
}
