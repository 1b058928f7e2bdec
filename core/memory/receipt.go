package memory

import (
	"math/bits"
	"sync"

	"github.com/weirhq/weir/core"
)

const (
	// remember in µs of steady clock is how long a settled request and a
	// reservation are remembered, at least.
	remember = 24 * 60 * 60 * 1_000_000
	// maxSettled and maxReserved bound one of two generations each.
	maxSettled  = 1 << 20
	maxReserved = 1 << 17
)

// receipts say which requests were settled, and what those reserved that ended
// without a cost.
type receipts struct {
	mu sync.Mutex // guards what follows
	// settled says of a request, or of a limit's part of one, whether its
	// reservations were dealt with.
	settled  generations[bool]
	reserved generations[[]reservation]
	notes    notes
}

// A reservation is what one charge of a request that has ended reserved.
type reservation struct {
	key   cellKey
	cost  int64
	entry core.Entry
}

// settle reports whether op's cost is to be applied: it is the first of its ID,
// or what was settled of that were parts. The zero ID names nothing, and its costs
// are always the first.
func (r *receipts) settle(now int64, op *core.Settle) bool {
	r.turn(now)
	if op.ID == (core.ID{}) {
		return true
	}
	if _, ok := r.settled.get(op.ID); ok {
		return false
	}
	if op.Part {
		return true
	}
	_, dealt := r.reserved.get(op.ID)
	for i := range op.Charges {
		dealt = dealt || reserved(&op.Charges[i])
	}
	r.put(now, op.ID, dealt)
	return true
}

// settlePart reports whether op's cost, which is to be applied, is the first of
// its ID for c's limit.
func (r *receipts) settlePart(now int64, op *core.Settle, c *core.Charge) bool {
	if r.partSettled(op.ID, c) {
		return false
	}
	if op.Part && op.ID != (core.ID{}) {
		r.put(now, partOf(op.ID, c), reserved(c))
	}
	return true
}

// put notes that the request, or the part of one, id was settled.
func (r *receipts) put(now int64, id core.ID, dealt bool) {
	r.settled.put(now, id, dealt)
	if r.notes.on {
		r.notes.about(noteSettled, id)
		r.notes.bool(dealt)
	}
}

// partOf returns the id under which the settling of the request id is remembered
// that was for c's limit, and not for all: nobody else's.
func partOf(id core.ID, c *core.Charge) core.ID {
	return core.ID{Hi: id.Hi ^ c.Limit.ID, Lo: id.Lo ^ bits.RotateLeft64(c.Limit.ID, 32)}
}

// partSettled reports whether a cost of the request id for c's limit was settled
// that was not for all.
func (r *receipts) partSettled(id core.ID, c *core.Charge) bool {
	_, ok := r.settled.get(partOf(id, c))
	return ok
}

// deal notes that the reservations of the request id, which was settled, are
// dealt with.
func (r *receipts) deal(id core.ID) {
	r.settled.replace(id, true)
	if r.notes.on {
		r.notes.about(noteDealt, id)
	}
}

// early reports whether the request id was settled by its ID alone, when nobody
// told what it had reserved, which has to be given back then.
func (r *receipts) early(id core.ID) bool {
	dealt, ok := r.settled.get(id)
	return ok && !dealt
}

// reserve remembers c, which was taken by the request id, unless that was
// settled already.
func (r *receipts) reserve(now int64, id core.ID, c *core.Charge, limit uint64) {
	r.turn(now)
	if _, ok := r.settled.get(id); ok || id == (core.ID{}) {
		return
	}
	one := reservation{keyOf(c), c.Cost, c.Entry}
	if r.add(now, id, one) && r.notes.on {
		r.notes.about(noteReserve, id)
		r.notes.reservation(limit, &one)
	}
}

// add adds what the request id reserved, unless it reserved in that limit before.
func (r *receipts) add(now int64, id core.ID, one reservation) bool {
	kept, _ := r.reserved.get(id)
	for i := range kept {
		if kept[i].key.limit == one.key.limit {
			return false
		}
	}
	r.reserved.put(now, id, append(kept, one))
	return true
}

// recall makes c, which carries no State, what the request id reserved in its
// limit.
func (r *receipts) recall(id core.ID, c *core.Charge) {
	kept, _ := r.reserved.get(id)
	for i := range kept {
		if kept[i].key.limit == c.Limit.ID {
			c.Scope, c.Cost = kept[i].key.scope, kept[i].cost
			c.Taken, c.Entry = true, kept[i].entry
		}
	}
}

// turn begins new generations when the time has come.
func (r *receipts) turn(now int64) {
	if r.settled.turn(now, maxSettled) && r.notes.on {
		r.notes.turn(noteTurn, now)
	}
	if r.reserved.turn(now, maxReserved) && r.notes.on {
		r.notes.turn(noteTurnKept, now)
	}
}

// forget drops the request's reservations, which were settled.
func (r *receipts) forget(id core.ID) {
	if _, ok := r.reserved.get(id); ok && r.notes.on {
		r.notes.about(noteForget, id)
	}
	r.reserved.remove(id)
}

// reservedShards returns the shards of the request's reservations. It requires
// that the receipts are locked.
func (s *Store) reservedShards(id core.ID) (set uint64) {
	kept, _ := s.receipts.reserved.get(id)
	for i := range kept {
		set |= s.bit(kept[i].key.scope)
	}
	return set
}

// generations remember values by ID for as long as remember, at most twice
// that: what is in the older one is dropped when the newer one takes its place.
type generations[V any] struct {
	recent, old map[core.ID]V
	since       int64 // steady clock: when recent began
}

func (g *generations[V]) get(id core.ID) (V, bool) {
	v, ok := g.recent[id]
	if !ok {
		v, ok = g.old[id]
	}
	return v, ok
}

func (g *generations[V]) put(now int64, id core.ID, v V) {
	if g.recent == nil {
		g.recent = make(map[core.ID]V)
		if g.old == nil {
			g.since = now
		}
	}
	g.recent[id] = v
}

// replace changes the value of an ID, if it is there.
func (g *generations[V]) replace(id core.ID, v V) {
	if _, ok := g.recent[id]; ok {
		g.recent[id] = v
	} else if _, ok := g.old[id]; ok {
		g.old[id] = v
	}
}

func (g *generations[V]) remove(id core.ID) {
	delete(g.recent, id)
	delete(g.old, id)
}

func (g *generations[V]) count() int { return len(g.recent) + len(g.old) }

// turn begins a new generation when the time has come, or when the recent one
// has as many values as it may. It reports whether anything was there to turn.
func (g *generations[V]) turn(now int64, most int) bool {
	if now-g.since < remember && len(g.recent) < most {
		return false
	}
	had := g.recent != nil || g.old != nil
	g.begin(now)
	return had
}

// begin begins a new generation.
func (g *generations[V]) begin(now int64) {
	if now-g.since >= 2*remember {
		g.recent, g.old = nil, nil
	} else {
		g.recent, g.old, g.since = nil, g.recent, now
	}
}

// restore puts a value into the recent generation (age 0), which began at
// since, or into the old one.
func (g *generations[V]) restore(age uint64, since int64, id core.ID, v V) {
	into := &g.recent
	if age > 0 {
		into = &g.old
	}
	if *into == nil {
		*into = make(map[core.ID]V)
	}
	(*into)[id] = v
	g.since = since
}
