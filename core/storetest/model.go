package storetest

import (
	"slices"

	"github.com/weirhq/weir/core"
)

// A model is a store that keeps lists of everything that ever happened and
// searches them from end to end. Time never runs backwards for it.
type model struct {
	events    []*event
	slots     []*slot // of requests in flight, in the order of their admission
	leases    []*lease
	tombs     []tomb
	given     map[core.ID]int64 // names given to requests whose Take failed
	overrides map[core.Scope]core.Attributes
	settled   []core.ID
	dealt     []core.ID // settled requests whose reservations are dealt with
	reserved  []reservation
	sequence  int
}

// An event is what a charge added to a cell that counts amounts.
type event struct {
	id    core.ID
	limit *core.Limit
	scope core.Scope
	now   core.Instant
	cost  int64
}

// A reservation is what a charge of a request reserved that has ended without a
// cost.
type reservation struct {
	id core.ID
	core.Charge
}

func newModel() *model {
	return &model{overrides: make(map[core.Scope]core.Attributes), given: make(map[core.ID]int64)}
}

// take decides op.
func (m *model) take(op *core.Take) {
	m.read(op)
	op.Admitted = admits(op.Charges)
	sequence := m.sequence + 1
	for i := range op.Charges {
		c := &op.Charges[i]
		wanted := c.Always || op.Admitted && !c.Refused || !op.Admitted && c.Limit.Count && c.Limit.CountRefused
		if !wanted || c.Peek || c.CheckOnly {
			continue
		}
		refused := c.Refused
		m.charge(op, c, sequence)
		m.look(op.Now, c)
		if c.Taken = true; !refused {
			c.Refused, c.NeverFits, c.Wait = false, false, 0
		}
	}
	m.sequence = sequence
}

// admits reports whether charges admit their request: each that must fit does,
// and of the quotas, if there are any, one.
func admits(charges []core.Charge) bool {
	quotas, fit := false, false
	for _, c := range charges {
		fits := !c.Refused || c.Limit.Shadow
		if !c.Quota && !fits {
			return false
		}
		quotas, fit = quotas || c.Quota, fit || c.Quota && fits
	}
	return fit || !quotas
}

// read fills in the State of op's charges.
func (m *model) read(op *core.Take) {
	op.Overrides = nil
	if o := m.overrides[op.Owner]; len(o) > 0 {
		op.Override(o)
	}
	for i := range op.Charges {
		m.look(op.Now, &op.Charges[i])
	}
}

// charge adds c.
func (m *model) charge(op *core.Take, c *core.Charge, sequence int) {
	if c.Limit.Kind == core.Hold {
		if c.Cost > 0 {
			m.slots = append(m.slots, &slot{op.ID, op.Policy, op.Owner, c.Limit, c.Scope, sequence, c.Cost})
		}
		return
	}
	if c.Cost < 0 {
		m.giveBack(op.Now, c)
		return
	}
	m.add(op.Now, op.ID, c, c.Cost)
}

// giveBack takes units from the newest events that count still. A bucket has
// drained its oldest; what is left of it falls as such.
func (m *model) giveBack(now core.Instant, c *core.Charge) {
	if c.Limit.Kind == core.Bucket {
		if c.Max != core.Unlimited {
			m.events = append(m.events, &event{core.ID{}, c.Limit, c.Scope, now, c.Cost})
		}
		return
	}
	if c.Limit.Kind == core.Rolling && c.Max == core.Unlimited && !c.Limit.Count {
		return
	}
	back := -c.Cost
	for _, e := range slices.Backward(m.of(c)) {
		if leaves(e) > clock(now, c) {
			n := min(back, e.cost)
			e.cost -= n
			back -= n
		}
	}
}

// add adds an event, unless the kind does not count what is not capped.
func (m *model) add(now core.Instant, id core.ID, c *core.Charge, cost int64) {
	forgets := c.Limit.Kind == core.Rolling || c.Limit.Kind == core.Bucket
	if cost > 0 && (c.Max != core.Unlimited || c.Limit.Count || !forgets) {
		m.events = append(m.events, &event{id, c.Limit, c.Scope, now, cost})
	}
}

// settle applies op.
func (m *model) settle(op *core.Settle) {
	if op.HasCost {
		op.Duplicate = slices.Contains(m.settled, op.ID)
		if !op.Duplicate {
			m.settled = append(m.settled, op.ID)
			m.deal(op)
			m.cost(op)
		}
	}
	m.set(op)
	m.expire(op.Now)
	m.lease(op)
	m.release(op)
	m.renew(op)
	if op.Reset {
		for _, c := range op.Charges {
			m.reset(&c)
		}
	}
	if op.End {
		m.end(op)
	}
}

// cost replaces reservations.
func (m *model) cost(op *core.Settle) {
	for i := range op.Charges {
		c := op.Charges[i]
		if !c.Limit.Settled {
			continue
		}
		for _, r := range m.reserved {
			if r.id == op.ID && r.Limit.ID == c.Limit.ID && !c.Taken {
				c.Taken, c.Cost, c.Scope = true, r.Cost, r.Scope
			}
		}
		var own *event
		reserved := int64(0)
		if c.Taken {
			own, reserved = m.find(op.ID, c.Limit), c.Cost
		}
		switch delta := op.Cost - reserved; {
		case delta > 0:
			m.add(op.Now, core.ID{}, &c, delta)
		case own != nil:
			own.cost = max(0, own.cost+delta)
		}
	}
}

// find returns the event of a request in a limit.
func (m *model) find(id core.ID, l *core.Limit) *event {
	for _, e := range m.events {
		if e.id == id && e.limit.ID == l.ID {
			return e
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
	m.overrides[op.Owner] = attributes
}

func (m *model) reset(c *core.Charge) {
	m.events = slices.DeleteFunc(m.events, func(e *event) bool {
		return e.limit.ID == c.Limit.ID && e.scope == c.Scope
	})
	m.resetHold(c)
}

// end ends the request's slots, and keeps its reservations.
func (m *model) end(op *core.Settle) {
	m.endSlots(op.ID)
	settled, dealt := slices.Contains(m.settled, op.ID), slices.Contains(m.dealt, op.ID)
	for _, c := range op.Charges {
		if !c.Taken || !c.Limit.Settled || c.Cost == 0 {
			continue
		}
		if e := m.find(op.ID, c.Limit); settled && !dealt && e != nil {
			e.cost = 0
		}
		if !settled {
			m.reserved = append(m.reserved, reservation{op.ID, c})
		}
	}
	if settled {
		m.dealt = append(m.dealt, op.ID)
	}
}

// deal notes whether it is known at settling what op's request reserved.
func (m *model) deal(op *core.Settle) {
	for _, r := range m.reserved {
		if r.id == op.ID {
			m.dealt = append(m.dealt, op.ID)
		}
	}
	for _, c := range op.Charges {
		if c.Taken && c.Limit.Settled && c.Cost > 0 {
			m.dealt = append(m.dealt, op.ID)
		}
	}
}
