package storetest

import (
	"slices"

	"github.com/weirhq/weir/core"
)

// A slot is what one charge of a request in flight took; places is what is left.
type slot struct {
	id       core.ID
	policy   string
	owner    core.Scope
	limit    *core.Limit
	scope    core.Scope
	sequence int
	places   int64
}

// A lease is a place that has a name.
type lease struct {
	policy, name string
	owner        core.Scope
	limit        *core.Limit
	scope        core.Scope
	expiry       int64
}

// A tomb is a release of a name that nobody held: it concerns the requests up
// to a sequence.
type tomb struct {
	policy, name string
	sequence     int
}

// held returns how many places of c's cell are taken.
func (m *model) held(c *core.Charge) (n int64) {
	for _, s := range m.slots {
		if s.limit.ID == c.Limit.ID && s.scope == c.Scope {
			n += s.places
		}
	}
	for _, l := range m.leases {
		if l.limit.ID == c.Limit.ID && l.scope == c.Scope {
			n++
		}
	}
	return n
}

func (m *model) expire(now core.Instant) {
	m.leases = slices.DeleteFunc(m.leases, func(l *lease) bool { return l.expiry <= now.Steady })
}

func validName(name string) bool { return name != "" && len(name) <= 256 }

func (m *model) lease(op *core.Settle) {
	for _, name := range op.Lease {
		acted := false
		if validName(name) {
			acted = m.leaseOne(op, name, m.given[op.ID])
			if op.Unleased {
				m.given[op.ID]++
			}
		}
		tally(acted, &op.Leased, &op.Ignored)
	}
}

func tally(acted bool, yes, no *int) {
	if acted {
		*yes++
	} else {
		*no++
	}
}

func (m *model) leaseOne(op *core.Settle, name string, given int64) (acted bool) {
	buried := m.buried(op, name)
	for _, s := range m.slots {
		if s.id != op.ID || s.policy != op.Policy || !s.limit.Released || s.places == 0 {
			continue
		}
		s.places--
		acted = true
		if !buried && m.live(op.Policy, name, s.owner, s.limit, s.scope) == nil {
			m.leases = append(m.leases, &lease{op.Policy, name, s.owner, s.limit, s.scope, op.Now.Steady + s.limit.TTL})
		}
	}
	if buried {
		return acted
	}
	for _, l := range m.leases {
		if l.policy == op.Policy && l.name == name && l.owner == op.Owner {
			l.expiry = op.Now.Steady + l.limit.TTL
			acted = true
		}
	}
	for i := range op.Charges {
		c := &op.Charges[i]
		if !op.Unleased || !c.Limit.Released || c.Taken || c.Cost <= given {
			continue
		}
		acted = true
		if m.live(op.Policy, name, op.Owner, c.Limit, c.Scope) == nil {
			m.leases = append(m.leases, &lease{op.Policy, name, op.Owner, c.Limit, c.Scope, op.Now.Steady + c.Limit.TTL})
		}
	}
	return acted
}

// live returns the owner's lease of a name in a cell.
func (m *model) live(policy, name string, owner core.Scope, l *core.Limit, scope core.Scope) *lease {
	for _, x := range m.leases {
		if x.policy == policy && x.name == name && x.owner == owner && x.limit.ID == l.ID && x.scope == scope {
			return x
		}
	}
	return nil
}

// buried reports whether name was released since op's request was admitted.
func (m *model) buried(op *core.Settle, name string) bool {
	for _, s := range m.slots {
		for _, t := range m.tombs {
			if s.id == op.ID && s.limit.Released && t.policy == op.Policy && t.name == name && s.sequence <= t.sequence {
				return true
			}
		}
	}
	return false
}

// meant returns the leases that a name means to op.
func (m *model) meant(op *core.Settle, name string) (leases []*lease) {
	owner, found := op.Owner, false
	for _, l := range m.leases {
		if l.policy != op.Policy || l.name != name {
			continue
		}
		if !found {
			owner, found = l.owner, true
		}
		if l.owner == op.Owner {
			owner = op.Owner
		}
	}
	for _, l := range m.leases {
		if l.policy == op.Policy && l.name == name && l.owner == owner {
			leases = append(leases, l)
		}
	}
	return leases
}

func (m *model) release(op *core.Settle) {
	for _, name := range op.Release {
		var meant []*lease
		if validName(name) {
			meant = m.meant(op, name)
			if len(meant) == 0 {
				m.tombs = append(m.tombs, tomb{op.Policy, name, m.sequence})
			}
		}
		tally(len(meant) > 0, &op.Released, &op.Ignored)
		m.leases = slices.DeleteFunc(m.leases, func(l *lease) bool { return slices.Contains(meant, l) })
	}
}

func (m *model) renew(op *core.Settle) {
	for _, name := range op.Renew {
		var meant []*lease
		if validName(name) {
			meant = m.meant(op, name)
		}
		for _, l := range meant {
			l.expiry = op.Now.Steady + l.limit.TTL
		}
		tally(len(meant) > 0, &op.Renewed, &op.Ignored)
	}
}

func (m *model) resetHold(c *core.Charge) {
	for _, s := range m.slots {
		if s.limit.ID == c.Limit.ID && s.scope == c.Scope {
			s.places = 0
		}
	}
	m.leases = slices.DeleteFunc(m.leases, func(l *lease) bool {
		return l.limit.ID == c.Limit.ID && l.scope == c.Scope
	})
}

func (m *model) endSlots(id core.ID) {
	m.slots = slices.DeleteFunc(m.slots, func(s *slot) bool { return s.id == id })
}
