package core

import "math/rand/v2"

// A hold counts the slots that are taken until their response ends. Each charge
// has a slot of its own, so that ending it twice is ending it once.
type hold struct {
	used int64 // what the slots cost, at most MaxAmount
	// generation tells this cell's entries from those of one that was here
	// before it was reset; 0 until something is taken.
	generation int64
	slots      []slot
	free       uint32 // the first free slot, by number from 1; 0: none
}

// A slot is what one charge took: of a cost above what the cell has room for, as
// much as there is, so that its end gives back no more. Slots that are free form a
// list.
type slot struct {
	cost   int64
	serial uint32 // distinguishes the charges that had this slot
	next   uint32 // of a free slot: the next free one, by number from 1
}

// CheckHold fills in c's State for a hold in which used slots are taken, at most
// MaxAmount.
func CheckHold(used int64, c *Charge) {
	if !c.weigh(used) {
		c.Wait = Unknown
	}
	if used > 0 {
		c.Grow = Unknown
	}
}

// Check is Cell's.
func (h *hold) Check(_ Instant, c *Charge) { CheckHold(h.used, c) }

// Take is Cell's. The entry is the cell's generation and the slot.
func (h *hold) Take(_ Instant, c *Charge) {
	if h.generation == 0 {
		h.generation = 1 + rand.Int64N(MaxAmount)
	}
	cost := min(c.Cost, MaxAmount-h.used)
	h.used += cost
	c.State = State{Used: h.used, Taken: true}
	c.Entry.Stamp = h.generation
	if h.used > 0 {
		c.Grow = Unknown
	}
	if cost > 0 {
		c.Entry.Slot = h.take(cost)
	}
}

// take returns the handle of a slot that costs cost: its serial and its number.
func (h *hold) take(cost int64) uint64 {
	n := h.free
	if n == 0 {
		h.slots = append(h.slots, slot{})
		n = uint32(len(h.slots))
	} else {
		h.free = h.slots[n-1].next
	}
	s := &h.slots[n-1]
	s.cost = cost
	return uint64(s.serial)<<32 | uint64(n)
}

// Settle is Cell's. A refund of a slot's whole cost ends the slot.
func (h *hold) Settle(_ Instant, c *Charge, delta int64) {
	n := uint32(c.Entry.Slot)
	if n == 0 || int(n) > len(h.slots) || c.Entry.Stamp != h.generation {
		return
	}
	s := &h.slots[n-1]
	if s.cost == 0 || s.serial != uint32(c.Entry.Slot>>32) {
		return
	}
	delta = min(max(delta, -s.cost), MaxAmount-h.used)
	s.cost += delta
	h.used += delta
	if s.cost == 0 {
		s.serial++
		s.next, h.free = h.free, n
	}
}

// Idle is Cell's.
func (h *hold) Idle(Instant) bool { return h.used == 0 }
