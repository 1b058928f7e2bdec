package core

import (
	"math/rand/v2"
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
	longQueueCheck(t, longQueue{q, new(slots[parts])}, want)
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
}

// TestFullQueueHasFewEnoughBits fills a queue with the longest codes there are.
func TestFullQueueHasFewEnoughBits(t *testing.T) {
	if n := maxGaps * entryBits(MaxAmount, maxTime/milli, maxRice); n > maxBits {
		t.Errorf("%d bits", n)
	}
	if n := maxGaps * entryBits(MaxAmount, maxTime/milli, 0); n > maxBits {
		t.Errorf("%d bits", n)
	}
}

// TestQueueChoosesItsParameter pushes charges of many units, whose gaps are
// much longer than a window full of single units has.
func TestQueueChoosesItsParameter(t *testing.T) {
	for _, r := range []struct{ gap, n, bytes int64 }{
		{60, 1000, 5}, {5000, 1, 2}, {5000, 1_000_000, 10}, {1, 1, 1}, {1_000_000, 1, 3},
	} {
		q := newQueue()
		for i := range int64(500) {
			q.push(1+i*r.gap, r.n, 0)
		}
		want := 500 * r.bytes
		if got := int64(len(q.buf())); got > want {
			t.Errorf("500 gaps of %d and %d units each are %d bytes, want at most %d", r.gap, r.n, got, want)
		}
	}
}

// The first gaps need not be like the rest.
func TestQueueChoosesItsParameterAnew(t *testing.T) {
	for _, gaps := range [][2]int64{{1, 5000}, {5000, 1}} {
		q := newQueue()
		stamp := int64(1)
		for i := range 500 {
			q.push(stamp, 1, 0)
			stamp += gaps[min(i/12, 1)]
		}
		k := riceParameter(stamp, 500)
		if want := int(riceBound(stamp, 500, k)/8) * 6 / 5; len(q.buf()) > want {
			t.Errorf("gaps of %d after those of %d are %d bytes, want at most %d", gaps[1], gaps[0], len(q.buf()), want)
		}
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
