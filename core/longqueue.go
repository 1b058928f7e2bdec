package core

import (
	"slices"
	"sort"
)

// A longQueue is a queue of counts with stamps that rise, however many. The newest
// are in a gapQueue; those before them, if there are more than one takes, are in
// parts, each of which is a gapQueue too. So what changes or asks for one entry takes
// time in proportion to the entries of a part, and to how many parts there are, which
// is a thousandth of the entries, but not to all entries.
type longQueue struct {
	last gapQueue // empty only if the queue is
	many *slots[parts]
}

// parts are a longQueue's older entries: at least one queue if there are any.
type parts struct {
	list []gaps // the oldest first; none is empty
	used int64  // of all
}

// maxParts is how many parts a queue has at most: for 134 million entries. When it has
// so many its newest entry is put off, as a gapQueue's is.
const maxParts = 1 << 17

// alikeParts is how many parts there are before the next one gets room for as many
// codes as the last has at once, and need not grow. Until then that would be much of
// the memory of the queue. Where the last one's parameter is no longer the right one,
// for charges come faster or slower, the next grows by itself, and chooses anew.
const alikeParts = 4

// older returns the parts, nil if there are none.
func (q longQueue) older() *parts {
	if q.last.parts == 0 {
		return nil
	}
	return q.many.at(q.last.parts)
}

// part returns a queue that is one of q's parts.
func (q longQueue) part(g *gaps) gapQueue { return gapQueue{g, q.last.many} }

// used returns the sum of all counts, 0 if the queue is empty.
func (q longQueue) used() int64 {
	if older := q.older(); older != nil {
		return q.last.used + older.used
	}
	return q.last.used
}

// oldest returns the stamp of the oldest entry.
func (q longQueue) oldest() int64 {
	if older := q.older(); older != nil {
		return older.list[0].oldest
	}
	return q.last.oldest
}

// newest returns the stamp of the newest entry.
func (q longQueue) newest() int64 { return q.last.newest }

// clear empties the queue.
func (q longQueue) clear() {
	if older := q.older(); older != nil {
		q.dropParts(older, len(older.list))
	}
	q.last.clear()
}

// push adds n units at stamp, which is no less than the newest. Where the sum would
// be above MaxAmount the oldest units make room: so the sum is MaxAmount as long as
// it would be more, and no less than what is still there when they would have left.
// It chooses no parameter of the codes less than floor.
func (q longQueue) push(stamp, n int64, floor uint) {
	if n = min(n, MaxAmount); n <= 0 {
		return // for nothing there is to be no part
	}
	if over := q.used() + n - MaxAmount; over > 0 {
		q.popOldest(over)
	}
	if q.last.full() && stamp > q.last.newest {
		size, k := q.last.bits, q.last.parameter()
		right := max(floor, riceParameter(q.last.newest-q.last.oldest, maxGaps))
		if q.partOff() && len(q.older().list) >= alikeParts && k == right {
			setMeta(q.last.makeBuf(int(size)), 0, k)
		}
	}
	q.last.push(stamp, n, floor)
}

// partOff makes the newest entries a part, and reports whether there was room for it.
func (q longQueue) partOff() bool {
	if q.last.parts == 0 {
		q.last.parts = q.many.take()
	}
	older := q.older()
	if len(older.list) == maxParts {
		return false
	}
	part := *q.last.gaps
	*q.last.gaps = gaps{parts: part.parts}
	part.parts = 0
	older.list, older.used = append(older.list, part), older.used+part.used
	return true
}

// rejoin makes the newest part the newest entries, if there are no others.
func (q longQueue) rejoin() {
	older := q.older()
	if older == nil || q.last.used > 0 {
		return
	}
	q.last.dropCodes()
	n := len(older.list) - 1
	part := older.list[n]
	part.parts = q.last.parts
	*q.last.gaps = part
	older.list, older.used = older.list[:n], older.used-part.used
	if n == 0 {
		q.dropParts(older, 0)
	}
}

// dropParts drops the oldest n parts.
func (q longQueue) dropParts(older *parts, n int) {
	for i := range older.list[:n] {
		part := q.part(&older.list[i])
		older.used -= part.used
		part.dropCodes()
	}
	if older.list = older.list[n:]; len(older.list) == 0 {
		q.many.drop(q.last.parts)
		q.last.parts = 0
	}
}

// dropThrough drops all entries whose stamp is at most stamp.
func (q longQueue) dropThrough(stamp int64) {
	if older := q.older(); older != nil {
		n := older.find(stamp + 1)
		q.dropParts(older, n)
	}
	if older := q.older(); older != nil {
		q.change(older, 0, func(part gapQueue) { part.dropThrough(stamp) })
	} else {
		q.last.dropThrough(stamp)
	}
}

// find returns the number of the first part with an entry at stamp or later; how many
// parts there are if it is none.
func (p *parts) find(stamp int64) int {
	return sort.Search(len(p.list), func(i int) bool { return p.list[i].newest >= stamp })
}

// change makes a change to the part of number i, and drops it if it is empty then.
func (q longQueue) change(older *parts, i int, do func(gapQueue)) {
	part := q.part(&older.list[i])
	before := part.used
	do(part)
	older.used -= before - part.used
	if part.used > 0 {
		return
	}
	if older.list = slices.Delete(older.list, i, i+1); len(older.list) == 0 {
		q.dropParts(older, 0)
	}
}

// freed returns the stamp of the entry with which the first n units, from 1 to
// used, are gone.
func (q longQueue) freed(n int64) int64 {
	if older := q.older(); older != nil {
		for i := range older.list {
			part := q.part(&older.list[i])
			if n <= part.used {
				return part.freed(n)
			}
			n -= part.used
		}
	}
	return q.last.freed(n)
}

// remove takes n units, or as many as there are, from the entry at stamp.
func (q longQueue) remove(stamp, n int64) {
	older := q.older()
	if older == nil || stamp >= q.last.oldest {
		q.last.remove(stamp, n)
		q.rejoin()
		return
	}
	if i := older.find(stamp); i < len(older.list) {
		q.change(older, i, func(part gapQueue) { part.remove(stamp, n) })
	}
}

// popOldest takes the oldest n units, or as many as there are, from 1.
func (q longQueue) popOldest(n int64) {
	if older := q.older(); older != nil {
		whole := 0
		for whole < len(older.list) && n >= older.list[whole].used {
			n -= older.list[whole].used
			whole++
		}
		q.dropParts(older, whole)
	}
	switch older := q.older(); {
	case n == 0:
	case older != nil:
		q.change(older, 0, func(part gapQueue) { part.popOldest(n) })
	default:
		q.last.popOldest(n)
	}
}

// pop takes the newest n units, or as many as there are.
func (q longQueue) pop(n int64) {
	for q.last.parts != 0 && n >= q.last.used {
		n -= q.last.used
		q.last.clear()
		q.rejoin()
	}
	if n > 0 {
		q.last.pop(n)
	}
}

// move makes q what from is, which is not to be used any more.
func (q longQueue) move(from longQueue) {
	q.last.moveFrom(from.last)
	older := from.older()
	if older == nil {
		return
	}
	q.last.parts = q.many.take()
	*q.older() = *older
	for i := range older.list {
		part := q.part(&older.list[i])
		part.moveFrom(from.part(&older.list[i]))
	}
}
