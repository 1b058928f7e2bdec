package core

import (
	"encoding/binary"
	"slices"
)

// A gapQueue is a queue of counts with stamps that rise, at most maxGaps+1 of them.
// The stamps are kept as gaps, in Golomb–Rice codes, the counts above 1 as a gap of 0
// and a gamma code; so n counts of 1 whose stamps span s take at most
// n(1+k) + s/2^k bits. The newest entry is kept decoded, for later units of the same
// stamp, and of the oldest one its stamp.
type gapQueue struct {
	*gaps
	many *slots[[]byte] // has the codes of queues where they are many
}

// gaps are a gapQueue but for codes that are many. The zero gaps are of an empty
// queue. They have no pointers.
type gaps struct {
	head uint32 // where in the ring the code of the oldest entry begins
	bits uint32 // how many are used
	// Stamps of the oldest and the newest entry; equal if there is one entry.
	oldest, newest int64
	count          int64 // of the newest entry
	used           int64 // of all; 0 if the queue is empty
	// codes is where the buffer of the codes is: noCodes while there is at most one
	// entry, or since; fewCodes where it is few; else its place in many.
	codes uint32
	parts uint32 // a longQueue's
	few   [metaSize + minRing]byte
}

// No places.
const (
	noCodes  = 0
	fewCodes = 1
)

// buf returns the buffer, which begins with a word (see meta); the rest is a ring
// of bits. It is nil if there is none.
func (q gapQueue) buf() []byte {
	switch q.codes {
	case noCodes:
		return nil
	case fewCodes:
		return q.few[:]
	}
	return *q.many.at(q.codes)
}

// makeBuf gives the queue another buffer, for so many bits, which is empty.
func (q gapQueue) makeBuf(bits int) []byte {
	if metaSize*8+bits <= len(q.few)*8 {
		q.dropCodes()
		q.few, q.codes = [metaSize + minRing]byte{}, fewCodes
		return q.few[:]
	}
	if q.codes <= fewCodes {
		q.codes = q.many.take()
	}
	buf := newBuffer(bits)
	*q.many.at(q.codes) = buf
	return buf
}

// dropCodes gives the buffer back.
func (q gapQueue) dropCodes() {
	if q.codes > fewCodes {
		q.many.drop(q.codes)
	}
	q.codes = noCodes
}

// full reports whether another entry would put the newest off.
func (q gapQueue) full() bool {
	buf := q.buf()
	if buf == nil {
		return false
	}
	gaps, _ := meta(buf)
	return gaps == maxGaps
}

// parameter returns the codes' parameter.
func (q gapQueue) parameter() uint {
	_, k := meta(q.buf())
	return k
}

// moveFrom makes q what from is, which is not to be used any more.
func (q gapQueue) moveFrom(from gapQueue) {
	buf := from.buf()
	if *q.gaps = *from.gaps; q.codes > fewCodes {
		q.codes = q.many.take()
		*q.many.at(q.codes) = buf
	}
}

// clear empties the queue.
func (q gapQueue) clear() {
	q.dropCodes()
	*q.gaps = gaps{parts: q.parts}
}

const (
	metaSize = 4
	// A queue has at most maxGaps gaps. When it is full its newest entry is put off
	// to the stamp that comes: it then counts for longer, so that a limit holds all
	// the same.
	maxGaps = 1023
	// maxBits is more than the codes of so many gaps and counts need.
	maxBits = maxGaps * 8 * maxPiece
	// minRing is the least size of a ring, in bytes.
	minRing = 12
)

// meta returns how many gaps are encoded, and in codes of which parameter.
func meta(buf []byte) (gaps int64, k uint) {
	word := binary.LittleEndian.Uint32(buf)
	return int64(word >> 6), uint(word & 63)
}

func setMeta(buf []byte, gaps int64, k uint) {
	binary.LittleEndian.PutUint32(buf, uint32(gaps)<<6|uint32(k))
}

// reader returns a ring at the code of the oldest entry, for the queue's buffer.
func (q gapQueue) reader(buf []byte) bitRing {
	_, k := meta(buf)
	return bitRing{ring: buf[metaSize:], pos: q.head, left: int64(q.bits), k: k}
}

// readEntry reads an entry's count, and the gap to the next entry.
func (b *bitRing) readEntry() (count, gap int64) {
	g := b.readRice()
	if g != 0 {
		return 1, int64(g)
	}
	count = int64(b.readGamma()) + 1
	return count, int64(b.readRice())
}

// unreadEntry moves back, and writes before where it was an entry whose code is no
// longer than that of the one just read.
func (b *bitRing) unreadEntry(count, gap int64) {
	n := entryBits(count, gap, b.k)
	b.back(n)
	w := *b
	w.writeEntry(count, gap)
}

// writeEntry is readEntry's inverse.
func (b *bitRing) writeEntry(count, gap int64) {
	if count > 1 {
		b.writeRice(0)
		b.writeGamma(uint64(count - 1))
	}
	b.writeRice(uint64(gap))
}

// entryBits returns how many bits writeEntry needs.
func entryBits(count, gap int64, k uint) uint {
	n := riceBits(uint64(gap), k)
	if count > 1 {
		n += 1 + k + gammaBits(uint64(count-1))
	}
	return n
}

// push adds n units at stamp, which is no less than the newest; with what there is
// they are at most MaxAmount. It chooses no parameter less than floor.
func (q gapQueue) push(stamp, n int64, floor uint) {
	switch {
	case n <= 0:
		return
	case q.used == 0:
		q.oldest, q.newest, q.count = stamp, stamp, n
	case stamp == q.newest:
		q.count += n
	case q.encodeNewest(stamp-q.newest, floor):
		q.newest, q.count = stamp, n
	default:
		q.newest, q.count = stamp, q.count+n
	}
	q.used += n
}

// encodeNewest writes the newest entry with the gap to the one that comes, or
// reports that the queue is full.
func (q gapQueue) encodeNewest(gap int64, floor uint) bool {
	buf := q.buf()
	if buf == nil {
		buf = q.makeBuf(0)
		setMeta(buf, 0, max(floor, riceParameter(gap, 1)))
	}
	gaps, k := meta(buf)
	need := entryBits(q.count, gap, k)
	if gaps == maxGaps {
		return false
	}
	if int(q.bits)+int(need) > len(buf[metaSize:])*8 {
		buf = q.enlarge(buf, gap, floor)
		_, k = meta(buf)
		need = entryBits(q.count, gap, k)
	}
	w := q.reader(buf)
	w.skipAll()
	w.writeEntry(q.count, gap)
	q.bits += uint32(need)
	setMeta(buf, gaps+1, k)
	return true
}

// enlarge makes room for the newest entry and its gap, and returns the new buffer.
// It chooses the parameter anew: what was right for the first entries need not be
// for many.
func (q gapQueue) enlarge(buf []byte, gap int64, floor uint) []byte {
	gaps, k := meta(buf)
	span := q.newest + gap - q.oldest
	best := max(floor, riceParameter(span, gaps+1))
	if riceBound(span, gaps+1, best) >= riceBound(span, gaps+1, k) {
		return q.move(buf, q.makeBuf(int(q.bits)+int(entryBits(q.count, gap, k))))
	}
	size := entryBits(q.count, gap, best)
	for r := q.reader(buf); r.left > 0; {
		count, gap := r.readEntry()
		size += entryBits(count, gap, best)
	}
	few, from := q.few, buf
	if q.codes == fewCodes {
		from = few[:] // for the new buffer may be where they are
	}
	old := q.reader(from)
	buf = q.makeBuf(int(size))
	q.head, q.bits = 0, 0
	setMeta(buf, gaps, best)
	w := q.reader(buf)
	for old.left > 0 {
		w.writeEntry(old.readEntry())
	}
	q.bits = uint32(-w.left)
	return buf
}

// move copies the codes to a larger buffer, as they are, and returns that.
func (q gapQueue) move(from, to []byte) []byte {
	copy(to[:metaSize], from)
	ring, first := from[metaSize:], q.head>>3
	n := copy(to[metaSize:], ring[first:])
	copy(to[metaSize+n:], ring[:first+1])
	q.head &= 7
	return to
}

// newBuffer returns a buffer for a number of bits, and as much more as Go's
// allocator rounds up to: up to 32 KiB a tenth or so. It adds an eighth itself
// to larger ones, so that growing takes constant time for a bit.
func newBuffer(bits int) []byte {
	n := metaSize + max(minRing, (bits+7)/8)
	if n > 16<<10 {
		n += n / 8
	}
	buf := slices.Grow([]byte(nil), n)
	return buf[:cap(buf)]
}

// dropThrough drops all entries whose stamp is at most stamp.
func (q gapQueue) dropThrough(stamp int64) {
	if q.used == 0 || q.oldest > stamp {
		return
	}
	if q.newest <= stamp {
		q.clear()
		return
	}
	buf := q.buf()
	gaps, _ := meta(buf)
	r := q.reader(buf)
	for q.oldest <= stamp && r.left > 0 {
		count, gap := r.readEntry()
		q.oldest += gap
		q.used -= count
		gaps--
	}
	q.dropTo(r, gaps)
}

// dropTo makes the entry at r the oldest, before so many gaps.
func (q gapQueue) dropTo(r bitRing, gaps int64) {
	q.head, q.bits = r.pos, uint32(r.left)
	if r.left == 0 {
		q.oldest = q.newest
	}
	setMeta(q.buf(), gaps, r.k)
}

// A gapCursor walks a queue from its oldest entry on.
type gapCursor struct {
	q            gapQueue
	r            bitRing
	stamp, count int64 // of the entry it is at
	gap          int64
	last         bool
}

// cursor returns a cursor before the oldest entry of a queue that is not empty.
func (q gapQueue) cursor() gapCursor {
	c := gapCursor{q: q, stamp: q.oldest}
	if q.bits > 0 {
		c.r = q.reader(q.buf())
	}
	return c
}

// next moves to the next entry, and reports whether there is one.
func (c *gapCursor) next() bool {
	if c.last {
		return false
	}
	c.stamp += c.gap
	if c.r.left > 0 {
		c.count, c.gap = c.r.readEntry()
		return true
	}
	c.stamp, c.count, c.last = c.q.newest, c.q.count, true
	return true
}

// freed returns the stamp of the entry with which the first n units, from 1 to
// used, are gone.
func (q gapQueue) freed(n int64) int64 {
	c := q.cursor()
	for n > 0 && c.next() {
		n -= c.count
	}
	return c.stamp
}

// remove takes n units, or as many as there are, from the entry at stamp.
func (q gapQueue) remove(stamp, n int64) {
	switch {
	case q.used == 0 || n <= 0 || stamp < q.oldest || stamp > q.newest:
		return
	case stamp == q.newest && n < q.count:
		q.count -= n
		q.used -= n
		return
	}
	var g gaps
	rest := q.emptied(&g)
	for c := q.cursor(); c.next(); {
		if c.stamp == stamp {
			c.count -= min(n, c.count)
		}
		rest.push(c.stamp, c.count, 0)
	}
	q.become(rest)
}

// emptied returns an empty queue, in g, with room for q's entries.
func (q gapQueue) emptied(g *gaps) gapQueue {
	g.parts = q.parts
	rest := gapQueue{g, q.many}
	if buf := q.buf(); buf != nil {
		_, k := meta(buf)
		setMeta(rest.makeBuf(int(q.bits)), 0, k)
	}
	return rest
}

// become makes q what rest is, which is not to be used any more.
func (q gapQueue) become(rest gapQueue) {
	q.dropCodes()
	if rest.used == 0 {
		rest.clear()
	}
	*q.gaps = *rest.gaps
}

// popOldest takes the oldest n units, or as many as there are. It takes time in
// proportion to how many entries go.
func (q gapQueue) popOldest(n int64) {
	if n >= q.used {
		q.clear()
		return
	}
	q.used -= n
	if q.bits == 0 {
		q.count -= n
		return
	}
	buf := q.buf()
	gaps, _ := meta(buf)
	r := q.reader(buf)
	for n > 0 && r.left > 0 {
		count, gap := r.readEntry()
		if count > n {
			r.unreadEntry(count-n, gap)
			n = 0
			break
		}
		q.oldest += gap
		n -= count
		gaps--
	}
	q.count -= n
	q.dropTo(r, gaps)
}

// pop takes the newest n units, or as many as there are.
func (q gapQueue) pop(n int64) {
	switch {
	case n >= q.used:
		q.clear()
		return
	case n < q.count:
		q.count -= n
		q.used -= n
		return
	}
	keep := q.used - n
	var g gaps
	rest := q.emptied(&g)
	for c := q.cursor(); keep > 0 && c.next(); {
		count := min(c.count, keep)
		rest.push(c.stamp, count, 0)
		keep -= count
	}
	q.become(rest)
}
