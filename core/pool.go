package core

// A Pool keeps cells, of which there may be millions, such that Go's garbage
// collector need not go through them: in chunks without pointers, but for holds,
// and for the codes of rolling cells where these are many. It is not safe for
// concurrent use. The zero Pool is empty.
type Pool struct {
	rolling  slots[rollingCell]
	codes    slots[[]byte] // of rolling cells
	parts    slots[parts]  // likewise
	fixed    slots[fixedCell]
	calendar slots[calendarCell]
	bucket   slots[bucketCell]
	hold     slots[hold]
	ever     slots[everCell]
}

// A CellRef says which cell of a Pool is meant. The zero CellRef is none.
type CellRef uint64

func refTo(kind Kind, place uint32) CellRef { return CellRef(kind)<<32 | CellRef(place) }

func (r CellRef) kind() Kind    { return Kind(r >> 32) }
func (r CellRef) place() uint32 { return uint32(r) }

// A PoolCell is a Cell in a Pool. It is valid until it is dropped.
type PoolCell struct {
	pool *Pool
	ref  CellRef
}

// Cell returns the cell that ref refers to.
func (p *Pool) Cell(ref CellRef) PoolCell { return PoolCell{p, ref} }

// New returns an empty cell of l's kind and window.
func (p *Pool) New(l *Limit) CellRef { return p.add(l.Kind, l.Length) }

// add returns an empty cell of a kind with a window of length µs, the zero CellRef if
// there is no such kind.
func (p *Pool) add(kind Kind, length int64) CellRef {
	place := uint32(0)
	switch kind {
	case Rolling:
		place = p.rolling.take()
		p.rolling.at(place).window = rollingWindow(length)
	case Fixed:
		place = p.fixed.take()
		p.fixed.at(place).length = max(1, length)
	case Calendar:
		place = p.calendar.take()
	case Bucket:
		place = p.bucket.take()
	case Hold:
		place = p.hold.take()
	case Ever:
		place = p.ever.take()
	default:
		return 0
	}
	return refTo(kind, place)
}

// Drop gives a cell's place to others.
func (p *Pool) Drop(ref CellRef) {
	switch ref.kind() {
	case Rolling:
		p.Cell(ref).rolling().clear()
		p.rolling.drop(ref.place())
	case Fixed:
		p.fixed.drop(ref.place())
	case Calendar:
		p.calendar.drop(ref.place())
	case Bucket:
		p.bucket.drop(ref.place())
	case Hold:
		p.hold.drop(ref.place())
	case Ever:
		p.ever.drop(ref.place())
	}
}

// Shrink gives back the memory of kinds that have at least so many places in p, of
// which an eighth or less are in use. cells are all of p's, by name; those that move
// are named anew.
func Shrink[K comparable](p *Pool, cells map[K]CellRef, places int) {
	var old Pool
	thin := [...]bool{
		Rolling:  retire(&p.rolling, &old.rolling, places),
		Fixed:    retire(&p.fixed, &old.fixed, places),
		Calendar: retire(&p.calendar, &old.calendar, places),
		Bucket:   retire(&p.bucket, &old.bucket, places),
		Hold:     retire(&p.hold, &old.hold, places),
		Ever:     retire(&p.ever, &old.ever, places),
	}
	if thin == [len(thin)]bool{} {
		return
	}
	if thin[Rolling] {
		old.codes, p.codes = p.codes, slots[[]byte]{}
		old.parts, p.parts = p.parts, slots[parts]{}
	}
	for name, ref := range cells {
		if thin[ref.kind()] {
			cells[name] = p.Move(old.Cell(ref))
		}
	}
}

// retire moves all of from to to, if it has at least so many places, of which an
// eighth or less are in use, and reports whether it has.
func retire[T any](from, to *slots[T], places int) bool {
	if n := from.places(); n < places || from.used() > n/8 {
		return false
	}
	*to, *from = *from, slots[T]{}
	return true
}

// Move makes a cell one of p that was another Pool's, which is not to be used any
// more.
func (p *Pool) Move(c PoolCell) CellRef {
	to := p.add(c.ref.kind(), 0)
	switch from := c.pool; to.kind() {
	case Rolling:
		p.Cell(to).rolling().move(c.rolling())
	case Fixed:
		*p.fixed.at(to.place()) = *from.fixed.at(c.ref.place())
	case Calendar:
		*p.calendar.at(to.place()) = *from.calendar.at(c.ref.place())
	case Bucket:
		*p.bucket.at(to.place()) = *from.bucket.at(c.ref.place())
	case Hold:
		*p.hold.at(to.place()) = *from.hold.at(c.ref.place())
	case Ever:
		*p.ever.at(to.place()) = *from.ever.at(c.ref.place())
	}
	return to
}

// Count returns for how many cells there is memory, how many there are, and how many
// buffers they have for their codes.
func (p *Pool) Count() (places, cells, buffers int) {
	places = p.rolling.places() + p.fixed.places() + p.calendar.places() + p.bucket.places() + p.hold.places() + p.ever.places()
	cells = p.rolling.used() + p.fixed.used() + p.calendar.used() + p.bucket.used() + p.hold.used() + p.ever.used()
	return places, cells, p.codes.used()
}

// cell returns the cell, which is not a rolling one.
func (c PoolCell) cell() keptCell {
	switch place := c.ref.place(); c.ref.kind() {
	case Fixed:
		return c.pool.fixed.at(place)
	case Calendar:
		return c.pool.calendar.at(place)
	case Bucket:
		return c.pool.bucket.at(place)
	case Hold:
		return c.pool.hold.at(place)
	}
	return c.pool.ever.at(c.ref.place())
}

// rolling returns the cell, which is a rolling one.
func (c PoolCell) rolling() rolling {
	cell := c.pool.rolling.at(c.ref.place())
	return rolling{longQueue{gapQueue{&cell.charges, &c.pool.codes}, &c.pool.parts}, cell}
}

// Check is Cell's.
func (c PoolCell) Check(now Instant, charge *Charge) {
	if c.ref.kind() == Rolling {
		c.rolling().Check(now, charge)
	} else {
		c.cell().Check(now, charge)
	}
}

// Take is Cell's.
func (c PoolCell) Take(now Instant, charge *Charge) {
	if c.ref.kind() == Rolling {
		c.rolling().Take(now, charge)
	} else {
		c.cell().Take(now, charge)
	}
}

// Settle is Cell's.
func (c PoolCell) Settle(now Instant, charge *Charge, delta int64) {
	if c.ref.kind() == Rolling {
		c.rolling().Settle(now, charge, delta)
	} else {
		c.cell().Settle(now, charge, delta)
	}
}

// Idle is Cell's.
func (c PoolCell) Idle(now Instant) bool {
	if c.ref.kind() == Rolling {
		return c.rolling().Idle(now)
	}
	return c.cell().Idle(now)
}

// slotsAtOnce is how many slots are allocated at once: as many as Go's allocator
// wastes little of, for most kinds nothing.
const slotsAtOnce = 40

// placeBits are what says where in its chunk a slot is. The rest of a place says,
// from 1, in which chunk.
const placeBits = 6

// slots are places for values, each of which stays where it is. No place is less
// than 1 << placeBits.
type slots[T any] struct {
	chunks []*[slotsAtOnce]T
	taken  uint32   // of the newest chunk
	free   []uint32 // places that were taken and dropped
}

func (s *slots[T]) at(place uint32) *T {
	return &s.chunks[place>>placeBits-1][place&(1<<placeBits-1)]
}

// take returns the place of a zero value.
func (s *slots[T]) take() uint32 {
	if n := len(s.free); n > 0 {
		place := s.free[n-1]
		s.free = s.free[:n-1]
		return place
	}
	if len(s.chunks) == 0 || s.taken == slotsAtOnce {
		s.chunks, s.taken = append(s.chunks, new([slotsAtOnce]T)), 0
	}
	s.taken++
	return uint32(len(s.chunks))<<placeBits | (s.taken - 1)
}

// drop frees a place.
func (s *slots[T]) drop(place uint32) {
	var zero T
	*s.at(place) = zero
	s.free = append(s.free, place)
}

func (s *slots[T]) places() int { return len(s.chunks) * slotsAtOnce }

// used returns how many places are taken.
func (s *slots[T]) used() int {
	if len(s.chunks) == 0 {
		return 0
	}
	return (len(s.chunks)-1)*slotsAtOnce + int(s.taken) - len(s.free)
}
