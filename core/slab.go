package core

// slabSize is how many cells of a kind are allocated at once. One that lives
// keeps all of its slab.
const slabSize = 32

// A Slab makes cells for somebody who makes very many. It is not safe for
// concurrent use. The zero Slab allocates each cell by itself.
type Slab struct {
	size     int
	rolling  []rollingCell
	fixed    []fixedCell
	calendar []calendarCell
	bucket   []bucketCell
	ever     []everCell
}

// NewSlab returns a Slab that allocates many cells at once.
func NewSlab() *Slab { return &Slab{size: slabSize} }

// one takes an element of a slab, and makes another slab if it is used up.
func one[T any](size int, slab *[]T) *T {
	if len(*slab) == 0 {
		*slab = make([]T, max(1, size))
	}
	p := &(*slab)[0]
	*slab = (*slab)[1:]
	return p
}

// newCell returns an empty cell; nil of a Hold and of no kind.
func (s *Slab) newCell(kind Kind, length int64) Cell {
	switch kind {
	case Rolling:
		c := one(s.size, &s.rolling)
		c.window = max(1, length/milli)
		return c
	case Fixed:
		c := one(s.size, &s.fixed)
		c.length = max(1, length)
		return c
	case Calendar:
		return one(s.size, &s.calendar)
	case Bucket:
		return one(s.size, &s.bucket)
	case Ever:
		return one(s.size, &s.ever)
	}
	return nil
}
