package storetest

import (
	"maps"
	"slices"

	"github.com/weirhq/weir/core"
)

// A model is a store that keeps lists of what happened and searches them from
// end to end. It drops only what has left its window and what has drained. Its
// steady time never runs backwards; its wall clock may, within a minute.
type model struct {
	cells     map[place][]event
	slots     []slot // of requests in flight, in the order of their admission
	leases    []lease
	tombs     []tomb
	given     map[core.ID]int64 // names given to requests whose Take failed
	overrides map[core.Scope]core.Attributes
	settled   []core.ID
	dealt     []core.ID // settled requests whose reservations are dealt with
	parts     []part    // likewise, what was settled for some limits only
	reserved  []reservation
	sequence  int
}

// A place names a cell.
type place struct {
	limit uint64
	scope core.Scope
}

func placeOf(c *core.Charge) place { return place{c.Limit.ID, c.Scope} }

// An event is what a charge added to a cell that counts amounts.
type event struct {
	id     core.ID
	at     int64 // µs of steady clock
	leaves int64 // when it stops to count, on the clock of its kind
	cost   int64
}

// A reservation is what a charge of a request reserved that has ended without a
// cost.
type reservation struct {
	id    core.ID
	place place
	cost  int64
}

// A part is what was settled of a request for one limit.
type part struct {
	id    core.ID
	limit uint64
	dealt bool
}

func newModel() *model {
	return &model{
		cells: make(map[place][]event), given: make(map[core.ID]int64),
		overrides: make(map[core.Scope]core.Attributes),
	}
}

// clone returns a copy that shares nothing with m.
func (m *model) clone() *model {
	c := *m
	c.cells = make(map[place][]event, len(m.cells))
	for p, events := range m.cells {
		c.cells[p] = slices.Clone(events)
	}
	c.slots, c.leases, c.tombs = slices.Clone(m.slots), slices.Clone(m.leases), slices.Clone(m.tombs)
	c.settled, c.dealt, c.reserved = slices.Clone(m.settled), slices.Clone(m.dealt), slices.Clone(m.reserved)
	c.parts = slices.Clone(m.parts)
	c.given, c.overrides = maps.Clone(m.given), maps.Clone(m.overrides)
	return &c
}

// take decides op, and what is to be decided with it.
func (m *model) take(op *core.Take) {
	ahead := make(map[place]int64)
	for t := op; t != nil; t = t.Next {
		t.Now = op.Now
		m.override(t)
		for i := range t.Charges {
			c := &t.Charges[i]
			n := ahead[placeOf(c)]
			m.look(op.Now, c, n)
			if wanted(c, true) {
				ahead[placeOf(c)] = max(n+c.Cost, -c.Used)
			}
		}
	}
	admitted := admits(op)
	for t := op; t != nil; t = t.Next {
		t.Admitted = admitted
		m.sequence++
		for i := range t.Charges {
			if c := &t.Charges[i]; wanted(c, admitted) {
				m.charge(t, c)
			}
		}
	}
	if op.Next != nil {
		m.restate(op)
	}
}

// wanted reports whether a charge that was looked at is taken.
func wanted(c *core.Charge, admitted bool) bool {
	if c.Peek || c.CheckOnly {
		return false
	}
	return c.Always || admitted && !c.Refused || !admitted && c.Limit.Count && c.Limit.CountRefused
}

// admits reports whether the charges of op and of what follows admit them: each
// that must fit does, and of the quotas, if there are any, one.
func admits(op *core.Take) bool {
	quotas, fit := false, false
	for ; op != nil; op = op.Next {
		for i := range op.Charges {
			c := &op.Charges[i]
			fits := !c.Refused || c.Limit.Shadow
			if !c.Quota && !fits {
				return false
			}
			quotas, fit = quotas || c.Quota, fit || c.Quota && fits
		}
	}
	return fit || !quotas
}

// restate tells each charge how a cell stands that any of the requests charged.
func (m *model) restate(op *core.Take) {
	taken := make(map[place]bool)
	for t := op; t != nil; t = t.Next {
		for i := range t.Charges {
			if c := &t.Charges[i]; c.Taken {
				taken[placeOf(c)] = true
			}
		}
	}
	for t := op; t != nil; t = t.Next {
		for i := range t.Charges {
			if c := &t.Charges[i]; taken[placeOf(c)] {
				now := *c
				m.look(op.Now, &now, 0)
				c.Used, c.Grow = now.Used, now.Grow
			}
		}
	}
}

// read fills in the State of op's charges.
func (m *model) read(op *core.Take) {
	m.override(op)
	for i := range op.Charges {
		m.look(op.Now, &op.Charges[i], 0)
	}
}

func (m *model) override(op *core.Take) {
	op.Overrides = nil
	if o := m.overrides[op.Owner]; len(o) > 0 {
		op.Override(o)
	}
}

// charge takes c, and tells how its cell stands afterwards.
func (m *model) charge(op *core.Take, c *core.Charge) {
	refused := c.Refused
	switch {
	case c.Limit.Kind == core.Hold:
		if c.Cost > 0 {
			places := min(c.Cost, core.MaxAmount-m.held(c))
			m.slots = append(m.slots, slot{op.ID, op.Policy, op.Owner, c.Limit, c.Scope, m.sequence, places})
		}
	case c.Cost < 0:
		m.giveBack(op.Now, c)
	default:
		m.add(op.Now, op.ID, c, c.Cost)
	}
	m.look(op.Now, c, 0)
	if c.Taken = true; !refused {
		c.Refused, c.NeverFits, c.Wait = false, false, 0
	}
}

// settle applies op.
func (m *model) settle(op *core.Settle) {
	if op.HasCost {
		op.Duplicate = slices.Contains(m.settled, op.ID)
		if !op.Duplicate {
			if !op.Part {
				m.settled = append(m.settled, op.ID)
				m.deal(op)
			}
			m.cost(op)
		}
	}
	m.set(op)
	m.expire(op.Now)
	m.lease(op)
	m.release(op)
	m.renew(op)
	if op.Reset {
		for i := range op.Charges {
			delete(m.cells, placeOf(&op.Charges[i]))
			m.resetHold(&op.Charges[i])
		}
	}
	if op.End {
		m.end(op)
	}
}

// cost replaces reservations, by the maxima of now.
func (m *model) cost(op *core.Settle) {
	op.Override(m.overrides[op.Owner])
	again, first := false, false
	for i := range op.Charges {
		c := op.Charges[i]
		if !c.Limit.Settled || c.Peek || c.CheckOnly || c.Refused && !c.Taken {
			continue
		}
		for _, r := range m.reserved {
			if r.id == op.ID && r.place.limit == c.Limit.ID && !c.Taken {
				c.Taken, c.Cost, c.Scope = true, r.cost, r.place.scope
			}
		}
		if m.part(op.ID, c.Limit) != nil {
			again = true
			continue
		}
		if first = true; op.Part {
			m.parts = append(m.parts, part{op.ID, c.Limit.ID, c.Taken && c.Cost > 0})
		}
		var own *event
		reserved := int64(0)
		if c.Taken {
			own, reserved = m.find(op.ID, placeOf(&c)), c.Cost
		}
		switch delta := op.Cost - reserved; {
		case delta > 0:
			m.add(op.Now, core.ID{}, &c, delta)
		case own != nil:
			own.cost = max(0, own.cost+delta)
		}
	}
	op.Duplicate = again && !first
}

// part returns what was settled of a request for l and not for all limits, nil if
// nothing was.
func (m *model) part(id core.ID, l *core.Limit) *part {
	for i := range m.parts {
		if p := &m.parts[i]; p.id == id && p.limit == l.ID {
			return p
		}
	}
	return nil
}

// find returns the event of a request in a cell.
func (m *model) find(id core.ID, p place) *event {
	for i, e := range m.cells[p] {
		if e.id == id {
			return &m.cells[p][i]
		}
	}
	return nil
}

func (m *model) set(op *core.Settle) {
	attributes := slices.Clone(m.overrides[op.Owner])
	for _, a := range op.Set {
		attributes = slices.DeleteFunc(attributes, func(b core.Attribute) bool { return b.Name == a.Name })
		if !a.Value.IsZero() {
			attributes = append(attributes, a)
		}
	}
	if m.overrides[op.Owner] = attributes; len(attributes) == 0 {
		delete(m.overrides, op.Owner)
	}
}

// end ends the request's slots, and keeps its reservations.
func (m *model) end(op *core.Settle) {
	m.endSlots(op.ID)
	settled, dealt := slices.Contains(m.settled, op.ID), slices.Contains(m.dealt, op.ID)
	for i := range op.Charges {
		c := &op.Charges[i]
		if !c.Taken || !c.Limit.Settled || c.Cost == 0 {
			continue
		}
		settled, dealt := settled, dealt
		p := m.part(op.ID, c.Limit)
		if p != nil {
			settled, dealt, p.dealt = true, p.dealt, true
		}
		if e := m.find(op.ID, placeOf(c)); settled && !dealt && e != nil {
			e.cost = 0
		}
		if !settled {
			m.reserved = append(m.reserved, reservation{op.ID, placeOf(c), c.Cost})
		}
	}
	if settled && !dealt {
		m.dealt = append(m.dealt, op.ID)
	}
}

// deal notes whether it is known at settling what op's request reserved.
func (m *model) deal(op *core.Settle) {
	known := false
	for _, r := range m.reserved {
		known = known || r.id == op.ID
	}
	for _, c := range op.Charges {
		known = known || c.Taken && c.Limit.Settled && c.Cost > 0
	}
	if known {
		m.dealt = append(m.dealt, op.ID)
	}
}
