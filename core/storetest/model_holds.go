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
	for i := range m.slots {
		if s := &m.slots[i]; s.limit.ID == c.Limit.ID && s.scope == c.Scope {
			n += s.places
		}
	}
	for i := range m.leases {
		if l := &m.leases[i]; l.limit.ID == c.Limit.ID && l.scope == c.Scope {
			n++
		}
	}
	return n
}

func (m *model) expire(now core.Instant) {
	m.leases = slices.DeleteFunc(m.leases, func(l lease) bool { return l.expiry <= now.Steady })
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
	for i := range m.slots {
		s := &m.slots[i]
		if s.id != op.ID || s.policy != op.Policy || !s.limit.Released || s.places == 0 {
			continue
		}
		s.places--
		acted = true
		if !buried && !m.live(op.Policy, name, s.owner, s.limit, s.scope) {
			m.leases = append(m.leases, lease{op.Policy, name, s.owner, s.limit, s.scope, op.Now.Steady + s.limit.TTL})
		}
	}
	if buried {
		return acted
	}
	for i := range m.leases {
		l := &m.leases[i]
		if l.policy == op.Policy && l.name == name && l.owner == op.Owner {
			l.expiry = op.Now.Steady + l.limit.TTL
			acted = true
		}
	}
	for i := range op.Charges {
		c := &op.Charges[i]
		if !op.Unleased || !c.Limit.Released || c.Taken || c.Cost <= given || m.held(c) == core.MaxAmount {
			continue
		}
		acted = true
		if !m.live(op.Policy, name, op.Owner, c.Limit, c.Scope) {
			m.leases = append(m.leases, lease{op.Policy, name, op.Owner, c.Limit, c.Scope, op.Now.Steady + c.Limit.TTL})
		}
	}
	return acted
}

// live reports whether the owner has a lease of a name in a cell.
func (m *model) live(policy, name string, owner core.Scope, l *core.Limit, scope core.Scope) bool {
	return slices.ContainsFunc(m.leases, func(x lease) bool {
		return x.policy == policy && x.name == name && x.owner == owner && x.limit.ID == l.ID && x.scope == scope
	})
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

// meant returns whose leases of a name op means; found is false if there are
// none.
func (m *model) meant(op *core.Settle, name string) (owner core.Scope, found bool) {
	for i := range m.leases {
		l := &m.leases[i]
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
	return owner, found && validName(name)
}

func (m *model) release(op *core.Settle) {
	for _, name := range op.Release {
		owner, found := m.meant(op, name)
		tally(found, &op.Released, &op.Ignored)
		if !found && validName(name) {
			m.tombs = append(m.tombs, tomb{op.Policy, name, m.sequence})
		}
		m.leases = slices.DeleteFunc(m.leases, func(l lease) bool {
			return found && l.policy == op.Policy && l.name == name && l.owner == owner
		})
	}
}

func (m *model) renew(op *core.Settle) {
	for _, name := range op.Renew {
		owner, found := m.meant(op, name)
		tally(found, &op.Renewed, &op.Ignored)
		for i := range m.leases {
			if l := &m.leases[i]; found && l.policy == op.Policy && l.name == name && l.owner == owner {
				l.expiry = op.Now.Steady + l.limit.TTL
			}
		}
	}
}

func (m *model) resetHold(c *core.Charge) {
	for i := range m.slots {
		if s := &m.slots[i]; s.limit.ID == c.Limit.ID && s.scope == c.Scope {
			s.places = 0
		}
	}
	m.leases = slices.DeleteFunc(m.leases, func(l lease) bool {
		return l.limit.ID == c.Limit.ID && l.scope == c.Scope
	})
}

func (m *model) endSlots(id core.ID) {
	m.slots = slices.DeleteFunc(m.slots, func(s slot) bool { return s.id == id })
	if len(m.slots) == 0 {
		m.tombs = nil // nobody is late any more
	}
}
