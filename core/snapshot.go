package core

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// errCell is what DecodeCell wraps of an encoding that AppendCell never wrote.
var errCell = errors.New("corrupt cell")

// maxTime bounds the times of decoded cells, in µs either side of the epoch:
// nine thousand years, so that sums do not overflow.
const maxTime = 1 << 58

// AppendCell appends c's encoding to b: numbers as varints, a rolling cell's
// codes as they are. Of a Hold nothing is kept, for its slots end with the
// process.
func AppendCell(b []byte, c Cell) []byte {
	switch c := c.(type) {
	case *rollingCell:
		return appendQueue(appendInts(b, c.window, c.latest), &c.gapQueue)
	case *fixedCell:
		return appendInts(b, c.length, c.start, c.end, c.used)
	case *calendarCell:
		return appendInts(b, c.start, c.end, c.used)
	case *bucketCell:
		return appendInts(b, c.units, c.part, c.time, c.empty, c.latest)
	case *everCell:
		return appendInts(b, c.used)
	}
	return b
}

// DecodeCell reads a cell of a kind from the beginning of b and returns what
// follows. Of bytes that AppendCell did not write it makes an error, or a cell
// that works; it never needs more memory than a few times b.
func DecodeCell(kind Kind, b []byte) (c Cell, rest []byte, err error) {
	return new(Slab).DecodeCell(kind, b)
}

// DecodeCell is the function DecodeCell, with a cell of s.
func (s *Slab) DecodeCell(kind Kind, b []byte) (c Cell, rest []byte, err error) {
	r := cellReader{rest: b}
	c = s.newCell(kind, 0)
	switch c := c.(type) {
	case *rollingCell:
		c.window, c.latest, c.gapQueue = r.int(1, maxTime/milli), r.int(0, maxTime), r.queue()
	case *fixedCell:
		c.length, c.span = r.int(1, maxTime), r.span()
	case *calendarCell:
		c.span = r.span()
	case *bucketCell:
		*c = r.bucket()
	case *everCell:
		c.used = r.int(0, MaxAmount)
	default:
		r.bad = kind != Hold
	}
	switch {
	case r.bad:
		return nil, nil, errCellOf(kind)
	case kind == Hold:
		c = NewHold()
	}
	return c, r.rest, nil
}

func errCellOf(kind Kind) error { return fmt.Errorf("%w of kind %s", errCell, kind) }

func appendInts(b []byte, numbers ...int64) []byte {
	for _, n := range numbers {
		b = binary.AppendVarint(b, n)
	}
	return b
}

// appendQueue appends the sum, and unless it is 0 the stamps, the newest count
// and how many bits of codes there are; with codes their parameter and, from
// the byte in which they begin, themselves.
func appendQueue(b []byte, q *gapQueue) []byte {
	b = appendInts(b, q.used)
	if q.used == 0 {
		return b
	}
	b = appendInts(b, q.newest, q.newest-q.oldest, q.count, int64(q.bits))
	if q.bits == 0 {
		return b
	}
	_, k := q.meta()
	b = appendInts(b, int64(k))
	r := q.reader()
	for ; r.left > maxPiece; r.skip(32) {
		b = binary.BigEndian.AppendUint32(b, uint32(r.peek()>>32))
	}
	for ; r.left > 0; r.skip(8) {
		b = append(b, byte(r.peek()>>56))
	}
	return b
}

// A cellReader reads an encoding, and becomes bad where that is corrupt.
type cellReader struct {
	rest []byte
	bad  bool
}

// int reads a number from low to high; it is low if there is none.
func (r *cellReader) int(low, high int64) int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 || n < low || n > high {
		r.bad = true
		return low
	}
	r.rest = r.rest[size:]
	return n
}

func (r *cellReader) span() span {
	s := span{r.int(-maxTime, maxTime), r.int(-maxTime, maxTime), r.int(0, MaxAmount)}
	r.bad = r.bad || s.start > s.end
	return s
}

func (r *cellReader) bucket() bucketCell {
	return bucketCell{
		units: r.int(0, MaxAmount), part: r.int(0, maxTime), time: r.int(0, maxTime),
		empty: r.int(0, 2*maxTime), latest: r.int(0, maxTime),
	}
}

// queue reads what appendQueue wrote, and walks it from end to end.
func (r *cellReader) queue() gapQueue {
	q := gapQueue{used: r.int(0, MaxAmount)}
	if q.used == 0 || r.bad {
		return gapQueue{}
	}
	q.newest = r.int(0, maxTime/milli)
	q.oldest = q.newest - r.int(0, q.newest)
	q.count = r.int(1, q.used)
	if size := r.int(0, maxBits); size > 0 {
		r.codes(&q, size)
	}
	r.bad = r.bad || !q.sound()
	return q
}

// codes reads a queue's codes, size bits.
func (r *cellReader) codes(q *gapQueue, size int64) {
	k := r.int(0, maxRice)
	bytes := (size + 7) / 8
	if r.bad || bytes > int64(len(r.rest)) {
		r.bad = true
		return
	}
	q.buf, q.bits = newBuffer(int(size)), uint32(size)
	copy(q.buf[metaSize:], r.rest[:bytes])
	r.rest = r.rest[bytes:]
	q.setMeta(0, uint(k))
}

// sound reports whether the codes lead from the oldest entry to the newest (or
// before it, if the queue was full), and the counts add up. It sets how many gaps there are.
func (q *gapQueue) sound() bool {
	if q.bits == 0 {
		return q.oldest == q.newest && q.used == q.count
	}
	gaps, stamp, left := int64(0), q.oldest, q.used-q.count
	r := q.reader()
	for ; r.left > 0; gaps++ {
		count, gap := r.readEntry()
		if gap <= 0 || gap > q.newest-stamp || count > left {
			return false
		}
		stamp, left = stamp+gap, left-count
	}
	_, k := q.meta()
	q.setMeta(gaps, k)
	return r.left == 0 && left == 0 && gaps <= maxGaps
}
