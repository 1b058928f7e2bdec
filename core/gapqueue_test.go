package core

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestCodesReadBackAsWritten(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	for range 2000 {
		size := minRing + r.IntN(600)
		w := bitRing{ring: make([]byte, size), pos: uint32(r.IntN(size * 8)), k: uint(r.IntN(maxRice + 1))}
		for i := range w.ring {
			w.ring[i] = byte(r.Uint32()) // what was there before
		}
		rd := w
		room := size * 8
		var rice, gamma []uint64
		for {
			v, n := r.Uint64N(1<<48)>>r.UintN(48), 1+r.Uint64N(1<<54)>>r.UintN(54)
			if room -= int(riceBits(v, w.k) + gammaBits(n)); room < 0 {
				break
			}
			w.writeRice(v)
			w.writeGamma(n)
			rice, gamma = append(rice, v), append(gamma, n)
		}
		rd.left = -w.left
		for i := range rice {
			if v, n := rd.readRice(), rd.readGamma(); v != rice[i] || n != gamma[i] {
				t.Fatalf("k %d: read %d, %d; written %d, %d", w.k, v, n, rice[i], gamma[i])
			}
		}
		if rd.left != 0 || rd.pos != w.pos {
			t.Fatalf("k %d: %d bits left of %d", w.k, rd.left, size*8)
		}
	}
}

// Every quotient's code has one bit more at most than in unary, so that the
// bound on sums holds.
func TestRiceCodesAreWithinTheBound(t *testing.T) {
	for k := range uint(12) {
		for v := range uint64(100_000) {
			if n := uint64(riceBits(v, k)); n > v>>k+1+uint64(k)+1 || v>>k < riceEscape && n != v>>k+1+uint64(k) {
				t.Fatalf("%d needs %d bits with k %d", v, n, k)
			}
		}
	}
	for _, sum := range []int64{1, 999, 60_000, 86_400_000, 1 << 48} {
		for n := int64(1); n <= sum; n = n*3 + 1 {
			best := riceBound(sum, n, riceParameter(sum, n))
			for k := range uint(maxRice + 1) {
				if riceBound(sum, n, k) < best-1 { // rounded down
					t.Errorf("sum %d of %d: k %d is better than %d", sum, n, k, riceParameter(sum, n))
				}
			}
		}
	}
}

// newQueue returns an empty queue.
func newQueue() gapQueue { return gapQueue{new(gaps), new(slots[[]byte])} }

// queueCheck compares a queue with a list of its entries.
func queueCheck(t *testing.T, q gapQueue, want []event) {
	t.Helper()
	var got []event
	sum := int64(0)
	for c := q.cursor(); q.used > 0 && c.next(); {
		got = append(got, event{c.stamp, c.count})
		sum += c.count
	}
	switch {
	case !slices.Equal(got, want) || sum != q.used:
		t.Fatalf("the queue has %v, want %v; used %d", got, want, q.used)
	case len(want) == 0:
		if q.buf() != nil {
			t.Fatal("an empty queue has a buffer")
		}
		if n := q.many; len(n.free) < int(n.taken) {
			t.Fatal("an empty queue has codes")
		}
	case q.oldest != want[0].stamp || q.newest != want[len(want)-1].stamp:
		t.Fatalf("from %d to %d, want %v", q.oldest, q.newest, want)
	case q.buf() != nil:
		if gaps, _ := meta(q.buf()); gaps != int64(len(want)-1) {
			t.Fatalf("%d gaps, want %d", gaps, len(want)-1)
		}
	}
}

// A queueScript makes operations of bytes; it is at its end when they are.
type queueScript struct{ rest []byte }

func (s *queueScript) number() int64 {
	n, size := binary.Uvarint(s.rest)
	if size <= 0 {
		s.rest = nil
		return 0
	}
	s.rest = s.rest[size:]
	return int64(n & (1<<47 - 1))
}

// run does the operations to a queue and to a list.
func (s *queueScript) run(t *testing.T) {
	q, list, now := newQueue(), []event(nil), int64(1)
	floor := uint(s.number() % (maxRice + 1))
	for len(s.rest) > 0 {
		switch op, n := s.number()%8, s.number(); op {
		case 0, 1, 2, 3:
			now += n >> (op * 8) % (1 << 40)
			n = 1 + s.number()>>40*s.number()
			q.push(now, n, floor)
			list = pushList(list, event{now, n})
		case 4, 5:
			stamp := now - n%1000
			if len(list) > 0 {
				stamp = list[n%int64(len(list))].stamp - n>>8%2
			}
			q.dropThrough(stamp)
			list = slices.DeleteFunc(list, func(e event) bool { return e.stamp <= stamp })
		case 6:
			stamp := now - n
			if len(list) > 0 && n%4 > 0 {
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
		}
		queueCheck(t, q, list)
	}
}

// pushList is what push does, to a list.
func pushList(list []event, e event) []event {
	sum := int64(0)
	for _, other := range list {
		sum += other.n
	}
	e.n = min(e.n, MaxAmount)
	for over := sum + e.n - MaxAmount; over > 0; {
		taken := min(over, list[0].n)
		over -= taken
		if list[0].n -= taken; list[0].n == 0 {
			list = list[1:]
		}
	}
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

func freedCheck(t *testing.T, q gapQueue, list []event, n int64) {
	t.Helper()
	if q.used == 0 {
		return
	}
	n = 1 + n%q.used
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
	for range 3000 {
		script := make([]byte, r.IntN(400))
		for i := range script {
			script[i] = byte(r.Uint32()) >> r.IntN(8)
		}
		(&queueScript{script}).run(t)
	}
}

func FuzzGapQueue(f *testing.F) {
	f.Add([]byte{7, 0, 1, 0, 0, 0, 1, 0, 0, 1, 200, 1, 0, 0, 4, 1, 7, 0})
	f.Add([]byte{0, 0, 255, 255, 3, 255, 255, 255, 255, 255, 127, 9, 6, 1, 3, 4, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) < 4096 {
			(&queueScript{script}).run(t)
		}
	})
}

func TestFullQueueCountsForLonger(t *testing.T) {
	q := newQueue()
	for stamp := int64(10); stamp <= 30; stamp += 10 {
		q.push(stamp, 1, 3)
	}
	_, k := meta(q.buf())
	setMeta(q.buf(), maxGaps, k)
	bits := q.bits
	q.push(45, 2, 3)
	if q.newest != 45 || q.count != 3 || q.used != 5 || q.bits != bits {
		t.Errorf("a full queue is %+v", q)
	}
	setMeta(q.buf(), 2, k)
	queueCheck(t, q, []event{{10, 1}, {20, 1}, {45, 3}})
	q.dropThrough(30)
	queueCheck(t, q, []event{{45, 3}})
	q.push(50, 1, 3)
	queueCheck(t, q, []event{{45, 3}, {50, 1}})
	q.bits = maxBits
	q.push(60, 1, 3)
	if q.newest != 60 || q.bits != maxBits {
		t.Errorf("a queue full of bits is %+v", q)
	}
}

// TestQueueChoosesItsParameter pushes charges of many units, whose gaps are
// much longer than a window full of single units has.
func TestQueueChoosesItsParameter(t *testing.T) {
	for _, r := range []struct{ gap, n, bytes int64 }{
		{60, 1000, 5}, {5000, 1, 2}, {5000, 1_000_000, 10}, {1, 1, 1}, {1_000_000, 1, 3},
	} {
		q := newQueue()
		for i := range int64(1000) {
			q.push(1+i*r.gap, r.n, 0)
		}
		want := 1000 * r.bytes
		if got := int64(len(q.buf())); got > want {
			t.Errorf("1000 gaps of %d and %d units each are %d bytes, want at most %d", r.gap, r.n, got, want)
		}
	}
}

// The first gaps need not be like the rest.
func TestQueueChoosesItsParameterAnew(t *testing.T) {
	for _, gaps := range [][2]int64{{1, 5000}, {5000, 1}} {
		q := newQueue()
		stamp := int64(1)
		for i := range 2000 {
			q.push(stamp, 1, 0)
			stamp += gaps[min(i/50, 1)]
		}
		k := riceParameter(stamp, 2000)
		if want := int(riceBound(stamp, 2000, k)/8) * 6 / 5; len(q.buf()) > want {
			t.Errorf("gaps of %d after those of %d are %d bytes, want at most %d", gaps[1], gaps[0], len(q.buf()), want)
		}
	}
}

// Growing a large queue is amortised: it copies a bounded number of times as
// many bytes as it has in the end.
func TestQueueGrowsBySmallSteps(t *testing.T) {
	q := newQueue()
	copied, size := 0, 0
	for i := range int64(2_000_000) {
		q.push(1+i*3, 1, 0)
		if len(q.buf()) != size {
			copied, size = copied+size, len(q.buf())
		}
	}
	if slack := size - int(q.bits/8); copied > 16*size || slack > size/7 {
		t.Errorf("%d bytes copied for %d, of which %d unused", copied, size, slack)
	}
}

// TestFewCodesAllocateNothing: also where they are made anew of another parameter.
func TestFewCodesAllocateNothing(t *testing.T) {
	q := newQueue()
	fill := func() {
		q.clear()
		for stamp := range int64(6) {
			q.push(stamp, 1, 0)
		}
		if q.codes != fewCodes {
			t.Fatal("there are many")
		}
		_, before := meta(q.buf())
		for gap := int64(20); gap < 30; gap++ {
			q.push(q.newest+gap, 1, 0)
		}
		if _, k := meta(q.buf()); k == before || q.codes != fewCodes {
			t.Fatal("the codes are not made anew, or are many")
		}
	}
	if n := testing.AllocsPerRun(100, fill); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
