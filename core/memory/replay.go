package memory

import (
	"errors"
	"fmt"

	"github.com/weirhq/weir/core"
)

// A player does to a store that nobody uses what the records of its journal
// say. Several players share the work: each reads all records, and does what
// concerns its own parts of the store. The first has the ledger, the receipts
// and the clocks.
type player struct {
	loader *loader
	nth    int // from 0
	of     int

	// Within a segment:
	number  uint64 // of the next record
	now     core.Instant
	numbers []limitIdentity

	seen   seen
	epoch  uint64
	leases map[uint64]*lease // live ones, by order
}

var errUnknownNote = errors.New("nobody knows this kind of note")

// begin begins a segment, whose first record is number.
func (p *player) begin(number uint64) {
	p.number, p.now, p.numbers = number, core.Instant{}, nil
}

// play plays records, which are whole.
func (p *player) play(records []byte) error {
	for len(records) > 0 {
		size := recordSize(records)
		if err := p.record(records[recordHead : size-recordTail]); err != nil {
			return fmt.Errorf("record %d: %w", p.number, err)
		}
		records = records[size:]
		p.number++
	}
	return nil
}

// record plays the record number.
func (p *player) record(payload []byte) error {
	d := decoder{b: payload}
	steady, offset := d.int(), d.int()
	p.now.Steady += steady
	p.now.Wall += steady + offset
	if outside(p.now) {
		return errClock
	}
	for d.more() {
		if err := p.note(&d); err != nil {
			return err
		}
	}
	if p.nth == 0 && p.now != (core.Instant{}) {
		p.seen.see(p.now)
	}
	return d.err
}

// note plays one note.
func (p *player) note(d *decoder) error {
	switch kind := d.b[0]; kind {
	case noteLimit:
		d.b = d.b[1:]
		return p.limit(d)
	case noteChange, noteNew, noteReset, noteGone:
		d.b = d.b[1:]
		return p.cell(kind, d)
	case noteSet:
		d.b = d.b[1:]
		return p.set(d)
	case noteLease, noteExtend, noteDrop:
		d.b = d.b[1:]
		return p.lease(kind, d)
	case noteTurn, noteTurnKept, noteSettled, noteDealt, noteReserve, noteForget:
		d.b = d.b[1:]
		return p.receipt(kind, d)
	case noteSeal:
		d.b = d.b[1:]
		return nil
	}
	return errUnknownNote
}

// limit learns what a number means from now on.
func (p *player) limit(d *decoder) error {
	number, l := d.identity()
	switch {
	case d.err != nil:
		return d.err
	case number > uint64(len(p.numbers)):
		return fmt.Errorf("limit %d comes after %d others", number, len(p.numbers))
	case number == uint64(len(p.numbers)):
		p.numbers = append(p.numbers, l)
	default:
		p.numbers[number] = l
	}
	if p.nth == 0 {
		p.loader.store.limits.add(l)
	}
	return nil
}

// identity reads a limit's number, and tells what it means.
func (p *player) identity(d *decoder) (limitIdentity, error) {
	n := d.uint()
	if d.err == nil && n >= uint64(len(p.numbers)) {
		return limitIdentity{}, errNumber
	}
	if d.err != nil {
		return limitIdentity{}, d.err
	}
	return p.numbers[n], nil
}

// shard returns the shard that has scope if that is the player's, and has not
// heard of the record; else nil.
func (p *player) shard(scope core.Scope) *shard {
	s := p.loader.store
	n := s.shardOf(scope)
	if n%p.of != p.nth || p.number <= p.loader.parts.shards[shardOf(scope, p.loader.shards)] {
		return nil
	}
	return &s.shards[n]
}

// cell plays what happened to a cell.
func (p *player) cell(kind byte, d *decoder) error {
	l, err := p.identity(d)
	if err != nil {
		return err
	}
	key := cellKey{l.ID, d.scope()}
	var n uint64
	var change []byte
	if kind != noteGone {
		n = d.uint()
	}
	if kind == noteChange || kind == noteNew {
		change = d.bytes(n)
	}
	sh := p.shard(key.scope)
	if d.err != nil || sh == nil {
		return d.err
	}
	switch kind {
	case noteReset:
		sh.reset(key, n)
		p.epoch = max(p.epoch, n)
		return nil
	case noteGone:
		sh.remove(key)
		return nil
	}
	var ref core.CellRef
	if kind == noteChange {
		ref = sh.cells[key]
	}
	known := ref != 0
	ref, rest, err := sh.pool.ApplyChange(l.Kind, l.Length, ref, p.now, change)
	if err == nil && len(rest) > 0 {
		err = errors.New("more values than expected")
	}
	if err != nil {
		return fmt.Errorf("limit %q of policy %q: %w", l.Name, l.Policy, err)
	}
	if !known {
		sh.replace(key, ref)
	}
	return nil
}

// set plays what was set on an owner.
func (p *player) set(d *decoder) error {
	peek := decoder{b: d.b}
	if p.shard(peek.scope()) != nil {
		return p.loader.store.decodeSet(d)
	}
	d.scope()
	for range d.uint() {
		if _, _ = d.bytes(d.uint()), d.bytes(d.uint()); d.err != nil {
			return d.err
		}
	}
	return d.err
}

// lease plays what happened to a lease.
func (p *player) lease(kind byte, d *decoder) error {
	g := &p.loader.store.ledger
	plays := p.nth == 0 && p.number > p.loader.parts.ledger
	order := d.uint()
	l := p.leases[order]
	if plays && d.err == nil && (l == nil) != (kind == noteLease) {
		return fmt.Errorf("lease %d: there is one already, or none", order)
	}
	switch kind {
	case noteLease:
		l = &lease{order: order, name: d.string()}
		policy := d.string()
		identity, err := p.identity(d)
		if err != nil {
			return err
		}
		l.key = cellKey{identity.ID, d.scope()}
		l.owner, l.expiry, l.ttl = d.scope(), d.int(), d.int()
		if plays && d.err == nil {
			l.book = g.book(policy)
			g.add(l.key, 1)
			g.restore(l)
			g.order = max(g.order, order)
			p.leases[order] = l
		}
	case noteExtend:
		expiry, ttl := d.int(), d.int()
		if plays && d.err == nil {
			l.expiry, l.ttl = expiry, ttl
			g.expiring.fix(l)
		}
	case noteDrop:
		if plays && d.err == nil {
			g.drop(l)
			delete(p.leases, order)
		}
	}
	return d.err
}

// receipt plays what happened to the receipts.
func (p *player) receipt(kind byte, d *decoder) error {
	r := &p.loader.store.receipts
	plays := p.nth == 0 && p.number > p.loader.parts.receipts
	if kind == noteTurn || kind == noteTurnKept {
		now := d.int()
		switch {
		case !plays || d.err != nil:
		case kind == noteTurn:
			r.settled.begin(now)
		default:
			r.reserved.begin(now)
		}
		return d.err
	}
	id := d.id()
	switch kind {
	case noteSettled:
		dealt := d.uint() != 0
		if plays && d.err == nil {
			r.settled.put(p.now.Steady, id, dealt)
		}
	case noteReserve:
		one, err := p.reservation(d)
		if err != nil {
			return err
		}
		if plays {
			r.add(p.now.Steady, id, one)
			p.epoch = max(p.epoch, one.entry.Slot)
		}
	case noteDealt:
		if plays && d.err == nil {
			r.settled.replace(id, true)
		}
	case noteForget:
		if plays && d.err == nil {
			r.reserved.remove(id)
		}
	}
	return d.err
}

func (p *player) reservation(d *decoder) (reservation, error) {
	l, err := p.identity(d)
	if err != nil {
		return reservation{}, err
	}
	return d.reservation(cellKey{l.ID, d.scope()})
}
