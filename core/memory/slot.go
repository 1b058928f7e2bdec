package memory

import "github.com/weirhq/weir/core"

// A slot is what one charge of a request in flight holds. The slots of a policy
// are linked in the order in which their requests were admitted, and those of a
// request with each other. A slot stays linked until its request ends, even if
// nothing is left of it, for the sake of the releases that wait for that.
type slot struct {
	id         core.ID
	book       *book // nil: the slot is free
	key        cellKey
	limit      *core.Limit
	owner      core.Scope
	sequence   uint64 // of the request
	count      int64  // places that were neither leased nor freed
	prev, next uint32 // in the book; next also links free slots
	sibling    uint32 // the request's next slot
}

// admit adds a slot with count places for c to op's request, the newest of its
// policy.
func (g *ledger) admit(op *core.Take, c *core.Charge, count int64) {
	n := g.free
	if n == 0 {
		n = uint32(len(g.slots))
		g.slots = append(g.slots, slot{})
	} else {
		g.free = g.slots[n].next
	}
	g.inFlight++
	first := g.requests[op.ID]
	if first == 0 {
		g.sequence++
	}
	b := g.book(op.Policy)
	g.slots[n] = slot{
		id: op.ID, book: b, key: keyOf(c), limit: c.Limit, owner: op.Owner,
		sequence: g.sequence, count: count, prev: b.last,
	}
	if first == 0 {
		g.requests[op.ID] = n
	} else {
		g.append(first, n)
	}
	if b.last == 0 {
		b.first = n
	} else {
		g.slots[b.last].next = n
	}
	b.last = n
}

// append links slot n behind the others of its request, in the order of the
// charges.
func (g *ledger) append(first, n uint32) {
	for g.slots[first].sibling != 0 {
		first = g.slots[first].sibling
	}
	g.slots[first].sibling = n
}

// end frees what is left of the request's slots, and forgets the releases that
// nobody can be late for any more.
func (g *ledger) end(id core.ID) {
	n := g.requests[id]
	delete(g.requests, id)
	for n != 0 {
		s := &g.slots[n]
		sibling, b := s.sibling, s.book
		if s.count > 0 {
			g.add(s.key, -s.count)
		}
		g.unlink(b, n)
		*s = slot{next: g.free}
		g.free = n
		g.inFlight--
		n = sibling
		b.tombs.forget(g.oldest(b))
	}
}

// unlink takes slot n out of b's list.
func (g *ledger) unlink(b *book, n uint32) {
	s := &g.slots[n]
	if s.prev == 0 {
		b.first = s.next
	} else {
		g.slots[s.prev].next = s.next
	}
	if s.next == 0 {
		b.last = s.prev
	} else {
		g.slots[s.next].prev = s.prev
	}
}

// oldest returns the sequence of b's oldest request in flight; if there is
// none, that of the next one.
func (g *ledger) oldest(b *book) uint64 {
	if b.first == 0 {
		return g.sequence + 1
	}
	return g.slots[b.first].sequence
}
