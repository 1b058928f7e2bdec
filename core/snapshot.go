package core

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// errCell is what Decode wraps of an encoding that Append never wrote.
var errCell = errors.New("corrupt cell")

// maxTime bounds the times of decoded cells, in µs either side of the epoch:
// nine thousand years, so that sums do not overflow.
const maxTime = 1 << 58

// Append appends the cell's encoding to b: numbers as varints, a rolling cell's
// codes as they are. Of a Hold nothing is kept, for its slots end with the
// process.
func (c PoolCell) Append(b []byte) []byte {
	if c.ref.kind() == Rolling {
		return c.rolling().encode(b)
	}
	return c.cell().encode(b)
}

// Decode reads a cell of a kind from the beginning of b and returns what
// follows. Of bytes that Append did not write it makes an error, or a cell that
// works; it never needs more memory than a few times b.
func (p *Pool) Decode(kind Kind, b []byte) (ref CellRef, rest []byte, err error) {
	ref = p.add(kind, 0)
	from := cellReader{rest: b, bad: ref == 0}
	switch c := p.Cell(ref); {
	case from.bad:
	case kind == Rolling:
		from = c.rolling().decode(from)
	default:
		from = c.cell().decode(from)
	}
	if from.bad {
		p.Drop(ref)
		return 0, nil, errCellOf(kind)
	}
	return ref, from.rest, nil
}

func errCellOf(kind Kind) error { return fmt.Errorf("%w of kind %s", errCell, kind) }

func (r rolling) encode(b []byte) []byte {
	return r.longQueue.encode(appendInts(b, r.window, r.latest))
}

func (r rolling) decode(from cellReader) cellReader {
	r.window, r.latest = from.int(1, maxTime/milli), from.int(0, maxTime)
	from.longQueue(r.longQueue)
	return from
}

func (f *fixedCell) encode(b []byte) []byte { return f.span.encode(appendInts(b, f.length)) }

func (f *fixedCell) decode(r cellReader) cellReader {
	f.length = r.int(1, maxTime)
	return f.span.decode(r)
}

func (s *span) encode(b []byte) []byte { return appendInts(b, s.start, s.end, s.used) }

func (s *span) decode(r cellReader) cellReader {
	*s = span{r.int(-maxTime, maxTime), r.int(-maxTime, maxTime), r.int(0, MaxAmount)}
	r.bad = r.bad || s.start > s.end
	return r
}

func (b *bucketCell) encode(to []byte) []byte {
	return appendInts(to, b.units, b.part, b.time, b.empty, b.latest, b.poured, b.hole, b.given, b.until)
}

func (b *bucketCell) decode(r cellReader) cellReader {
	*b = bucketCell{
		units: r.int(0, MaxAmount), part: r.int(0, maxTime), time: r.int(0, maxTime),
		empty: r.int(0, 2*maxTime), latest: r.int(0, maxTime),
		poured: r.int(math.MinInt64, math.MaxInt64), hole: r.int(math.MinInt64, math.MaxInt64),
		given: r.int(0, math.MaxInt64), until: r.int(0, 3*maxTime),
	}
	return r
}

func (e *everCell) encode(b []byte) []byte { return appendInts(b, e.used) }

func (e *everCell) decode(r cellReader) cellReader {
	e.used = r.int(0, MaxAmount)
	return r
}

func (h *hold) encode(b []byte) []byte { return b }

func (h *hold) decode(r cellReader) cellReader { return r }

func appendInts(b []byte, numbers ...int64) []byte {
	for _, n := range numbers {
		b = binary.AppendVarint(b, n)
	}
	return b
}

// encode appends, if there are parts, how many, less than 0, and each of them; then
// the newest entries.
func (q longQueue) encode(b []byte) []byte {
	if older := q.older(); older != nil {
		b = appendInts(b, -int64(len(older.list)))
		for i := range older.list {
			b = appendQueue(b, q.part(&older.list[i]))
		}
	}
	return appendQueue(b, q.last)
}

// appendQueue appends the sum, and unless it is 0 the stamps, the newest count
// and how many bits of codes there are; with codes their parameter and, from
// the byte in which they begin, themselves.
func appendQueue(b []byte, q gapQueue) []byte {
	b = appendInts(b, q.used)
	if q.used == 0 {
		return b
	}
	b = appendInts(b, q.newest, q.newest-q.oldest, q.count, int64(q.bits))
	if q.bits == 0 {
		return b
	}
	buf := q.buf()
	_, k := meta(buf)
	b = appendInts(b, int64(k))
	r := q.reader(buf)
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

// longQueue reads what its encode wrote, into a queue that is empty.
func (r *cellReader) longQueue(q longQueue) {
	for n := r.parts(); n > 0 && !r.bad; n-- {
		r.queue(q.last)
		r.bad = r.bad || q.last.used == 0 || !q.partOff()
	}
	r.queue(q.last)
	r.bad = r.bad || !q.sound()
}

// parts reads how many there are, if any.
func (r *cellReader) parts() int64 {
	here := *r
	n := here.int(-maxParts, -1)
	if here.bad {
		return 0
	}
	*r = here
	return -n
}

// sound reports whether q's parts follow each other, and their counts are not too
// much.
func (q longQueue) sound() bool {
	older := q.older()
	if older == nil {
		return true
	}
	end, left := int64(-1), MaxAmount-q.last.used
	for i := range older.list {
		part := &older.list[i]
		if part.used == 0 || part.oldest <= end || part.used > left {
			return false
		}
		end, left = part.newest, left-part.used
	}
	return q.last.used > 0 && q.last.oldest > end
}

// queue reads what appendQueue wrote, into a queue that is empty, and walks it
// from end to end.
func (r *cellReader) queue(q gapQueue) {
	used := r.int(0, MaxAmount)
	if used == 0 || r.bad {
		return
	}
	q.used = used
	q.newest = r.int(0, maxTime/milli)
	q.oldest = q.newest - r.int(0, q.newest)
	q.count = r.int(1, q.used)
	if size := r.int(0, maxBits); size > 0 {
		r.codes(q, size)
	}
	r.bad = r.bad || !q.sound()
}

// codes reads a queue's codes, size bits.
func (r *cellReader) codes(q gapQueue, size int64) {
	k := r.int(0, maxRice)
	bytes := (size + 7) / 8
	if r.bad || bytes > int64(len(r.rest)) {
		r.bad = true
		return
	}
	buf := q.makeBuf(int(size))
	q.bits = uint32(size)
	copy(buf[metaSize:], r.rest[:bytes])
	r.rest = r.rest[bytes:]
	setMeta(buf, 0, uint(k))
}

// sound reports whether the codes lead from the oldest entry to the newest (or
// before it, if the queue was full), and the counts add up. It sets how many gaps
// there are.
func (q gapQueue) sound() bool {
	if q.bits == 0 {
		return q.oldest == q.newest && q.used == q.count
	}
	gaps, stamp, left := int64(0), q.oldest, q.used-q.count
	buf := q.buf()
	r := q.reader(buf)
	for ; r.left > 0; gaps++ {
		count, gap := r.readEntry()
		if gap <= 0 || gap > q.newest-stamp || count > left {
			return false
		}
		stamp, left = stamp+gap, left-count
	}
	_, k := meta(buf)
	setMeta(buf, gaps, k)
	return r.left == 0 && left == 0 && gaps <= maxGaps
}
