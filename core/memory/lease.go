package memory

import (
	"cmp"
	"slices"
	"strings"

	"github.com/weirhq/weir/core"
)

// A lease is a slot that outlives its response, under the name that the origin
// gave.
type lease struct {
	name   string
	book   *book
	key    cellKey
	owner  core.Scope
	expiry int64  // steady clock; the lease is gone from then on
	ttl    int64  // µs
	order  uint64 // of leasing
	index  int    // in the heap

	prev, next *lease // of its name: see holders
}

// byOrder compares leases by when they were leased.
func byOrder(a, b *lease) int { return cmp.Compare(a.order, b.order) }

// lease gives slots of op's request names.
func (g *ledger) lease(now core.Instant, op *core.Settle) {
	if len(op.Lease) == 0 {
		return // and the ledger need not be locked
	}
	given, _ := g.given.get(op.ID)
	for _, name := range op.Lease {
		acted := false
		if named(name) {
			acted = g.leaseName(now, op, name, given)
			given++
		}
		tell(acted, &op.Leased, &op.Ignored)
	}
	if op.Unleased && given > 0 && op.ID != (core.ID{}) {
		g.given.turn(now.Steady, maxGiven)
		g.given.put(now.Steady, op.ID, given)
	}
}

func named(name string) bool { return name != "" && len(name) <= maxName }

func tell(acted bool, yes, no *int) {
	if acted {
		*yes++
	} else {
		*no++
	}
}

// leaseName leases one place of each of the request's slots under name, unless
// the name was released since the request was admitted: then it frees them.
func (g *ledger) leaseName(now core.Instant, op *core.Settle, name string, given int64) bool {
	b := g.book(op.Policy)
	first := g.requests[op.ID]
	if first != 0 && b.tombs.concerns(name, g.slots[first].sequence) {
		return g.place(b, first, func(s *slot) { g.add(s.key, -1) })
	}
	acted := g.place(b, first, func(s *slot) {
		if b.held(name, s.owner, s.key) {
			g.add(s.key, -1)
		} else {
			g.hold(now, b, name, s.key, s.owner, s.limit)
		}
	})
	acted = g.prolong(now, b, op, name, op.Owner) || acted
	if op.Unleased {
		acted = g.leaseAbove(now, b, op, name, given) || acted
	}
	return acted
}

// place takes one place out of each slot of the request that has any left, and
// does something with it.
func (g *ledger) place(b *book, first uint32, with func(*slot)) (any bool) {
	for n := first; n != 0; n = g.slots[n].sibling {
		if s := &g.slots[n]; s.count > 0 && s.book == b {
			s.count--
			with(s)
			any = true
		}
	}
	return any
}

// held reports whether owner has a live lease of name in the cell.
func (b *book) held(name string, owner core.Scope, key cellKey) bool {
	for l := range b.holders.of(name, owner) {
		if l.key == key {
			return true
		}
	}
	return false
}

// hold makes a lease; the cell counts it already.
func (g *ledger) hold(now core.Instant, b *book, name string, key cellKey, owner core.Scope, l *core.Limit) {
	g.order++
	made := &lease{
		name: strings.Clone(name), book: b, key: key, owner: owner,
		expiry: g.later(now) + l.TTL, ttl: l.TTL, order: g.order,
	}
	g.restore(made)
	if limit := g.limits.note(l); g.notes.on {
		g.notes.b = append(g.notes.b, noteLease)
		g.notes.lease(limit, made)
	}
}

// later returns the steady time now, or the newest that was seen.
func (g *ledger) later(now core.Instant) int64 { return max(now.Steady, g.seen.last.Steady) }

// restore adds a lease behind the others of its name.
func (g *ledger) restore(l *lease) {
	g.expiring.push(l)
	l.book.holders.add(l)
}

// drop ends a lease.
func (g *ledger) drop(l *lease) {
	g.add(l.key, -1)
	g.expiring.remove(l)
	l.book.holders.remove(l)
}

// prolong starts the TTL anew of owner's leases of name.
func (g *ledger) prolong(now core.Instant, b *book, op *core.Settle, name string, owner core.Scope) (any bool) {
	for l := range b.holders.of(name, owner) {
		g.extend(now, l, op)
		any = true
	}
	return any
}

// extend starts l's TTL anew, with its limit's TTL of now if op names that.
func (g *ledger) extend(now core.Instant, l *lease, op *core.Settle) {
	for i := range op.Charges {
		if c := &op.Charges[i]; c.Limit.ID == l.key.limit {
			l.ttl = c.Limit.TTL
		}
	}
	l.expiry = g.later(now) + l.ttl
	g.expiring.fix(l)
	if g.notes.on {
		g.notes.numbered(noteExtend, l.order)
		g.notes.int(l.expiry)
		g.notes.int(l.ttl)
	}
}

// discard ends a lease before its time.
func (g *ledger) discard(l *lease) {
	if g.notes.on {
		g.notes.numbered(noteDrop, l.order)
	}
	g.drop(l)
}

// leaseAbove makes leases for a request whose Take failed: they count above
// any maximum, but are no more than there may be. given is how many names the request was given before.
func (g *ledger) leaseAbove(now core.Instant, b *book, op *core.Settle, name string, given int64) (any bool) {
	for i := range op.Charges {
		c := &op.Charges[i]
		if !c.Limit.Leasable() || c.Taken || c.Peek || c.CheckOnly || c.Cost <= given {
			continue
		}
		if g.size() >= g.most || g.used[keyOf(c)] == core.MaxAmount {
			continue
		}
		any = true
		if !b.held(name, op.Owner, keyOf(c)) {
			g.add(keyOf(c), 1)
			g.hold(now, b, name, keyOf(c), op.Owner, c.Limit)
		}
	}
	return any
}

// release ends the leases of op's names.
func (g *ledger) release(op *core.Settle) {
	for _, name := range op.Release {
		acted := false
		if named(name) {
			b := g.book(op.Policy)
			if owner, held := b.holders.meant(name, op.Owner); held {
				g.dropAll(b, name, owner)
				acted = true
			} else if b.first != 0 {
				b.tombs.add(strings.Clone(name), g.sequence)
			}
		}
		tell(acted, &op.Released, &op.Ignored)
	}
}

// dropAll ends owner's leases of name: one in each cell that it was leased in.
func (g *ledger) dropAll(b *book, name string, owner core.Scope) {
	for _, l := range slices.Collect(b.holders.of(name, owner)) {
		g.discard(l)
	}
}

// renew starts the TTL anew of the leases of op's names.
func (g *ledger) renew(now core.Instant, op *core.Settle) {
	for _, name := range op.Renew {
		acted := false
		if named(name) {
			b := g.book(op.Policy)
			if owner, held := b.holders.meant(name, op.Owner); held {
				acted = g.prolong(now, b, op, name, owner)
			}
		}
		tell(acted, &op.Renewed, &op.Ignored)
	}
}
