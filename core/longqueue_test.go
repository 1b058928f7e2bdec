package core

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// newLongQueue returns an empty queue.
func newLongQueue() longQueue { return longQueue{newQueue(), new(slots[parts])} }

// queues returns a queue's parts and its newest entries.
func (q longQueue) queues() (all []gapQueue) {
	if older := q.older(); older != nil {
		for i := range older.list {
			all = append(all, q.part(&older.list[i]))
		}
	}
	return append(all, q.last)
}

// queueBytes returns how many bytes a queue has beside its cell's.
func queueBytes(q longQueue) int {
	n := 0
	for _, part := range q.queues() {
		n += int(unsafe.Sizeof(gaps{})) + cap(part.buf())
	}
	return n - int(unsafe.Sizeof(gaps{}))
}

// longQueueCheck compares a queue with a list of its entries.
func longQueueCheck(t *testing.T, q longQueue, want []event) {
	t.Helper()
	var got []event
	sum, buffers := int64(0), 0
	for _, part := range q.queues() {
		entries := int64(0)
		for c := part.cursor(); part.used > 0 && c.next(); entries++ {
			got = append(got, event{c.stamp, c.count})
			sum += c.count
		}
		if part.codes > fewCodes {
			buffers++
		}
		if part.used == 0 && len(want) > 0 || entries > maxGaps+1 {
			t.Fatalf("a part has %d entries", entries)
		}
		if buf := part.buf(); buf != nil {
			if gaps, _ := meta(buf); gaps != entries-1 {
				t.Fatalf("%d gaps of %d entries", gaps, entries)
			}
		}
	}
	switch {
	case !slices.Equal(got, want) || sum != q.used():
		t.Fatalf("the queue has %v, want %v; used %d", got, want, q.used())
	case len(want) == 0 && (q.last.codes != noCodes || q.older() != nil):
		t.Fatal("an empty queue has a buffer or parts")
	case len(want) > 0 && (q.oldest() != want[0].stamp || q.newest() != want[len(want)-1].stamp):
		t.Fatalf("from %d to %d, want %v", q.oldest(), q.newest(), want)
	case q.last.many.used() != buffers:
		t.Fatalf("%d buffers are in use, want %d", q.last.many.used(), buffers)
	case (q.many.used() > 0) != (q.older() != nil) || q.many.used() > 1:
		t.Fatalf("%d lists of parts are in use", q.many.used())
	}
}

// A queueScript makes operations of bytes; it is at its end when they are.
type queueScript struct {
	rest   []byte
	pushed int64 // by many
	most   int   // parts there were
}

func (s *queueScript) number() int64 {
	n, size := binary.Uvarint(s.rest)
	if size <= 0 {
		s.rest = nil
		return 0
	}
	s.rest = s.rest[size:]
	return int64(n & (1<<47 - 1))
}

// many returns how many entries to push at once: now and then so many that they take
// several parts.
func (s *queueScript) many(n int64) int64 {
	if n%32 != 31 || s.pushed > 3*maxGaps {
		return 1
	}
	n = (n/32%3+1)*(maxGaps+1) + n/96%4
	s.pushed += n
	return n
}

// run does the operations to a queue and to a list.
func (s *queueScript) run(t *testing.T) {
	q, list, now := newLongQueue(), []event(nil), int64(1)
	floor := uint(s.number() % (maxRice + 1))
	for len(s.rest) > 0 {
		switch op, n := s.number()%10, s.number(); op {
		case 0, 1, 2, 3:
			gap, n := n>>(op*8)%(1<<40), 1+s.number()>>40*s.number()
			for range s.many(s.number()) {
				now += gap
				q.push(now, n, floor)
				list = pushList(list, event{now, n})
			}
			if len(s.rest)%2 == 0 {
				q.push(now+1, 0, floor)
			}
		case 4, 5:
			stamp := now - n%1000
			if len(list) > 0 {
				stamp = list[n%int64(len(list))].stamp - n>>8%2
			}
			q.dropThrough(stamp)
			list = slices.DeleteFunc(list, func(e event) bool { return e.stamp <= stamp })
		case 6:
			stamp := now - n
			switch {
			case len(list) == 0 || n%4 == 0:
			case n%4 == 1:
				stamp = list[max(0, len(list)-1-int(n/4%4))].stamp
			default:
				stamp = list[n/4%int64(len(list))].stamp
			}
			n = s.number()
			q.remove(stamp, n)
			list = slices.DeleteFunc(list, func(e event) bool { return e.stamp == stamp && e.n <= n })
			for i := range list {
				if e := &list[i]; e.stamp == stamp {
					e.n -= n
				}
			}
		case 7:
			freedCheck(t, q, list, n)
		case 8:
			n = s.units(list, n)
			q.popOldest(n)
			list = popList(list, n)
		case 9:
			n = s.units(list, n)
			q.pop(n)
			slices.Reverse(list)
			list = popList(list, n)
			slices.Reverse(list)
		}
		longQueueCheck(t, q, list)
		if older := q.older(); older != nil {
			s.most = max(s.most, len(older.list))
		}
		q = s.again(t, q, list)
	}
	q.clear()
	longQueueCheck(t, q, nil)
}

// again returns q, or now and then what is read of its encoding, or what it is in
// another place.
func (s *queueScript) again(t *testing.T, q longQueue, list []event) longQueue {
	t.Helper()
	switch n := len(s.rest); {
	case n%16 == 0:
		moved := newLongQueue()
		moved.move(q)
		longQueueCheck(t, moved, list)
		return moved
	case n%8 == 0 && q.newest() <= maxTime/milli:
		read := newLongQueue()
		from := cellReader{rest: q.encode(nil)}
		if from.longQueue(read); from.bad || len(from.rest) > 0 {
			t.Fatalf("the encoding of %d entries up to %d is bad", len(list), q.newest())
		}
		longQueueCheck(t, read, list)
		return read
	}
	return q
}

// units returns a number of units to take from what the list has.
func (s *queueScript) units(list []event, n int64) int64 {
	sum := int64(0)
	for _, e := range list {
		sum += e.n
	}
	return 1 + n%(sum+2)
}

// popList takes the first n units of a list.
func popList(list []event, n int64) []event {
	for n > 0 && len(list) > 0 {
		taken := min(n, list[0].n)
		n -= taken
		if list[0].n -= taken; list[0].n == 0 {
			list = list[1:]
		}
	}
	return list
}

// pushList is what push does, to a list.
func pushList(list []event, e event) []event {
	sum := int64(0)
	for _, other := range list {
		sum += other.n
	}
	e.n = min(e.n, MaxAmount)
	list = popList(list, sum+e.n-MaxAmount)
	last := len(list) - 1
	switch {
	case e.n == 0:
	case last >= 0 && list[last].stamp == e.stamp:
		list[last].n += e.n
	default:
		list = append(list, e)
	}
	return list
}

func freedCheck(t *testing.T, q longQueue, list []event, n int64) {
	t.Helper()
	if q.used() == 0 {
		return
	}
	sum := int64(0)
	for _, part := range q.queues() {
		sum += part.used
		freedAt(t, q, list, sum)
	}
	freedAt(t, q, list, 1+n%sum)
}

// freedAt checks what freed returns of n units.
func freedAt(t *testing.T, q longQueue, list []event, n int64) {
	t.Helper()
	got := q.freed(n)
	for _, e := range list {
		if n -= e.n; n <= 0 {
			if got != e.stamp {
				t.Fatalf("freed at %d, want %d", got, e.stamp)
			}
			return
		}
	}
}

func TestQueueIsAList(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 6))
	long, scripts := 0, 3000
	if testing.Short() {
		scripts = 300
	}
	for range scripts {
		script := make([]byte, r.IntN(400))
		for i := range script {
			script[i] = byte(r.Uint32()) >> r.IntN(8)
		}
		s := &queueScript{rest: script}
		if s.run(t); s.most > 1 {
			long++
		}
	}
	if long < scripts/30 {
		t.Errorf("only %d queues had parts", long)
	}
}

func FuzzGapQueue(f *testing.F) {
	f.Add([]byte{7, 0, 1, 0, 0, 0, 1, 0, 0, 1, 200, 1, 0, 0, 4, 1, 7, 0})
	f.Add([]byte{0, 0, 255, 255, 3, 255, 255, 255, 255, 255, 127, 9, 6, 1, 3, 4, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		// Every operation goes through thousands of entries; an input that takes ten
		// seconds counts as one that hangs, on however busy a machine.
		if len(script) < 1024 {
			(&queueScript{rest: script}).run(t)
		}
	})
}

// TestQueuePutsOffWhenItHasTheMostParts: it then counts for longer.
func TestQueuePutsOffWhenItHasTheMostParts(t *testing.T) {
	q := newLongQueue()
	stamp := int64(0)
	for q.older() == nil || len(q.older().list) < maxParts {
		stamp++
		q.push(stamp, 1, 0)
		q.partOff()
	}
	for !q.last.full() {
		stamp++
		q.push(stamp, 1, 0)
	}
	used := q.used()
	q.push(stamp+10, 2, 0)
	if q.newest() != stamp+10 || q.used() != used+2 || q.freed(used) != stamp+10 || q.freed(used-1) != stamp-1 {
		t.Errorf("from %d to %d, %d used", q.oldest(), q.newest(), q.used())
	}
	q.dropThrough(stamp - 1)
	longQueueCheck(t, q, []event{{stamp + 10, 3}})
}

// TestLongQueueIsSmall: parts take little more than one buffer would.
func TestLongQueueIsSmall(t *testing.T) {
	q := newLongQueue()
	const n = 200_000
	for i := range int64(n) {
		q.push(1+i*3, 1, 0)
	}
	if bits := queueBytes(q) * 8; bits > n*4*13/10 { // a gap of 3 takes 4 bits or less
		t.Errorf("%.2f bits for each entry", float64(bits)/n)
	}
}

// TestLongQueueOfNothing: a charge whose cost is not known yet is one of 0, and changes
// nothing, however many entries the newest part has.
func TestLongQueueOfNothing(t *testing.T) {
	for entries := range int64(2*maxGaps + 8) {
		q, list := newLongQueue(), []event(nil)
		for stamp := int64(1); stamp <= entries; stamp++ {
			q.push(stamp, 1, 0)
			list = append(list, event{stamp, 1})
		}
		q.push(entries+1, 0, 0)
		longQueueCheck(t, q, list)
	}
}

// TestLongQueueChoosesAnew: after many entries that are far from each other come far
// more that are close; their codes are as long as the bound for all allows.
func TestLongQueueChoosesAnew(t *testing.T) {
	const far, closer, span, entries = 16_200, 10, 86_400_000, 300_000
	floor, q, stamp := riceParameter(span, entries), newLongQueue(), int64(0)
	for n := range entries {
		if stamp += closer; n < (alikeParts+1)*maxGaps {
			stamp += far
		}
		q.push(stamp, 1, floor)
	}
	bound := int(riceBound(span, entries, floor) / 8)
	if n := queueBytes(q); n > bound*5/4 {
		t.Errorf("%d bytes with a parameter of %d; the bound of the codes is %d", n, q.last.parameter(), bound)
	}
}
