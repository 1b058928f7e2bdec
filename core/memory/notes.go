package memory

import "github.com/weirhq/weir/core"

// The kinds of note: what can happen to a part of the store.
const (
	noteLimit    byte = iota + 1 // a number from now on means a limit
	noteChange                   // a cell was charged or corrected
	noteNew                      // likewise, a cell that is new
	noteReset                    // a cell was emptied
	noteGone                     // there is no such cell: it was dropped, if there was one
	noteSet                      // attributes were set on an owner
	noteLease                    // a lease was made
	noteExtend                   // a lease's TTL was started anew
	noteDrop                     // a lease was ended
	noteTurn                     // the settled requests began a new generation
	noteTurnKept                 // the reservations did
	noteSettled                  // a request was settled
	noteDealt                    // its reservations were dealt with
	noteReserve                  // a reservation was remembered
	noteForget                   // a request's reservations were dropped
	noteSeal                     // the journal goes on in the next segment
)

// notes are what changed in one part of the store since its lock was taken. The
// notes of all parts that an operation has locked make a record. The lock that
// guards the part guards them. Off, nothing is noted.
type notes struct {
	encoder
	on bool
}

// limit begins a note about a limit's cell.
func (n *notes) limit(kind byte, number uint64, scope core.Scope) {
	n.b = append(n.b, kind)
	n.uint(number)
	n.scope(scope)
}

// numbered begins a note about a lease.
func (n *notes) numbered(kind byte, order uint64) {
	n.b = append(n.b, kind)
	n.uint(order)
}

// about begins a note about a request.
func (n *notes) about(kind byte, id core.ID) {
	n.b = append(n.b, kind)
	n.word(id.Hi)
	n.word(id.Lo)
}

// turn begins a note that receipts began a new generation at now.
func (n *notes) turn(kind byte, now int64) {
	n.b = append(n.b, kind)
	n.int(now)
}

func (e *encoder) bool(is bool) {
	if is {
		e.uint(1)
	} else {
		e.uint(0)
	}
}

// lease appends a lease in the limit with a number.
func (e *encoder) lease(limit uint64, l *lease) {
	e.uint(l.order)
	e.string(l.name)
	e.string(l.book.policy)
	e.uint(limit)
	e.scope(l.key.scope)
	e.scope(l.owner)
	e.int(l.expiry)
	e.int(l.ttl)
}

// reservation appends a reservation in the limit with a number.
func (e *encoder) reservation(limit uint64, r *reservation) {
	e.uint(limit)
	e.scope(r.key.scope)
	e.int(r.cost)
	e.int(r.entry.Stamp)
	e.word(r.entry.Slot)
	e.int(r.entry.Place)
}

// set appends what is set on an owner.
func (e *encoder) set(owner core.Scope, attributes core.Attributes) {
	e.scope(owner)
	e.uint(uint64(len(attributes)))
	for _, a := range attributes {
		value, _ := a.Value.MarshalJSON() // a value always has one
		e.string(a.Name)
		e.string(string(value))
	}
}

// clear forgets what was noted, and large buffers.
func (n *notes) clear() {
	const most = 1 << 16
	if cap(n.b) > most {
		n.b = nil
	}
	n.b = n.b[:0]
}
