package core

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// snapshotKinds are all kinds of which something is kept.
var snapshotKinds = []Kind{Rolling, Fixed, Calendar, Bucket, Ever}

// fullCells returns a cell of each kind after some charges.
func fullCells(t testing.TB) (cells []Cell, limits []*Limit) {
	schedule := mustSchedule(t, "day", "Europe/Berlin", "")
	for _, kind := range snapshotKinds {
		l := &Limit{Kind: kind, Length: 60 * second, Schedule: schedule}
		cell := newCell(l)
		c := Charge{Limit: l, Max: 50, Rate: 7, Window: schedule.At(steadyStart.Wall)}
		for i := range int64(40) {
			c.Cost = i % 4
			cell.Take(steadyStart.Add(i*i*777), &c)
		}
		cells, limits = append(cells, cell), append(limits, l)
	}
	return cells, limits
}

func TestDecodeCellReadsCellsOneAfterAnother(t *testing.T) {
	cells, limits := fullCells(t)
	var b []byte
	for i := range cells {
		b = appendCell(appendCell(b, cells[i]), newCell(limits[i]))
	}
	b = append(b, "rest"...)
	for i := range cells {
		for _, want := range []Cell{cells[i], newCell(limits[i])} {
			got, rest, err := decodeCell(limits[i].Kind, b)
			if err != nil {
				t.Fatalf("%s: %v", limits[i].Kind, err)
			}
			if again := appendCell(nil, got); !bytes.Equal(again, appendCell(nil, want)) {
				t.Errorf("%s: %x read back as %x", limits[i].Kind, appendCell(nil, want), again)
			}
			b = rest
		}
	}
	if string(b) != "rest" {
		t.Errorf("%q is left", b)
	}
}

func TestSnapshotOfARollingCellIsAsCompactAsTheCell(t *testing.T) {
	l := &Limit{Kind: Rolling, Length: 60 * second}
	cell, _ := playArrivals(new(Pool), rand.New(rand.NewPCG(1, 1)), l, 900, arrivals[1].gap)
	if n := len(appendCell(nil, cell)); n > 400 {
		t.Errorf("300 charges are %d bytes", n)
	}
}

func TestSnapshotKeepsNothingOfAHold(t *testing.T) {
	hold := newCell(&Limit{Kind: Hold})
	hold.Take(steadyStart, &Charge{Limit: &Limit{Kind: Hold}, Cost: 1, Max: 5})
	if b := appendCell(nil, hold); len(b) > 0 {
		t.Errorf("%x is kept", b)
	}
	if c, rest, err := decodeCell(Hold, []byte("x")); err != nil || len(rest) != 1 || !c.Idle(steadyStart) {
		t.Errorf("%v, %q, %v", c, rest, err)
	}
}

// TestDecodeCellOfCorruptBytes cuts and changes encodings.
func TestDecodeCellOfCorruptBytes(t *testing.T) {
	cells, limits := fullCells(t)
	r := rand.New(rand.NewPCG(1, 9))
	for i, cell := range cells {
		kind, good := limits[i].Kind, appendCell(nil, cell)
		for n := range good {
			if c, rest, err := decodeCell(kind, good[:n]); !errors.Is(err, errCell) || c != nil || rest != nil {
				t.Errorf("%s: the first %d of %d bytes decode: %v", kind, n, len(good), err)
			}
		}
		for range 20_000 {
			bad := bytes.Clone(good)
			for range 1 + r.IntN(3) {
				bad[r.IntN(len(bad))] = byte(r.Uint32())
			}
			useDecoded(t, kind, bad)
		}
	}
	for _, kind := range []Kind{0, Ever + 1, 255} {
		if _, _, err := decodeCell(kind, []byte{0, 0, 0, 0}); !errors.Is(err, errCell) {
			t.Errorf("kind %d: %v", kind, err)
		}
	}
}

// crafted are encodings that no cell has, field by field: of rolling cells the
// window, the latest time, the sum, the newest stamp, the span, the newest
// count, the number of bits and the parameter, followed by codes.
var crafted = []struct {
	why    string
	kind   Kind
	fields []int64
	codes  func(w *bitRing)
}{
	{"a window of nothing", Rolling, []int64{0, 5, 0}, nil},
	{"a time before the epoch", Rolling, []int64{60, -5, 0}, nil},
	{"a time that overflows", Rolling, []int64{60, math.MaxInt64, 0}, nil},
	{"stamps before the epoch", Rolling, []int64{60, 5, 2, 5, 10, 1}, func(w *bitRing) { w.writeEntry(1, 10) }},
	{"no codes between two stamps", Rolling, []int64{60, 5, 1, 5, 2, 1, 0}, nil},
	{"no codes of the rest", Rolling, []int64{60, 5, 2, 5, 0, 1, 0}, nil},
	{"a newest count of 0", Rolling, []int64{60, 5, 1, 5, 3, 0}, func(w *bitRing) { w.writeEntry(1, 3) }},
	{"a newest count above the sum", Rolling, []int64{60, 5, 1, 5, 3, 2}, func(w *bitRing) { w.writeEntry(1, 3) }},
	{"counts below the sum", Rolling, []int64{60, 5, 9, 5, 3, 1}, func(w *bitRing) { w.writeEntry(3, 3) }},
	{"counts above the sum", Rolling, []int64{60, 5, 3, 5, 3, 1}, func(w *bitRing) { w.writeEntry(3, 3) }},
	{"gaps beyond the newest stamp", Rolling, []int64{60, 5, 3, 5, 3, 1}, func(w *bitRing) { w.writeEntry(2, 4) }},
	{"a gap of 0", Rolling, []int64{60, 5, 4, 5, 3, 1}, func(w *bitRing) { w.writeEntry(2, 0); w.writeEntry(1, 3) }},
	{"a gamma code that is too long", Rolling, []int64{60, 5, 4, 5, 3, 1}, func(w *bitRing) {
		w.writeRice(0)
		w.write(0, 50)
		w.write(0, 14)
		w.write(1, 50)
		w.write(1, 15)
		w.writeRice(3)
	}},
	{"counts that overflow to the sum", Rolling, []int64{60, 5, 3, 200, 128, 3}, func(w *bitRing) {
		for range 128 {
			w.writeRice(0)
			w.writeGamma(1<<57 - 1)
			w.writeRice(1)
		}
	}},
	{"a part that ends with the next", Rolling, []int64{60, 9, -1, 1, 5, 0, 1, 0, 1, 5, 0, 1, 0}, nil},
	{"parts in the wrong order", Rolling, []int64{60, 9, -2, 1, 5, 0, 1, 0, 1, 4, 0, 1, 0, 1, 6, 0, 1, 0}, nil},
	{"a part that ends with the next part", Rolling, []int64{60, 9, -2, 1, 5, 0, 1, 0, 1, 5, 0, 1, 0, 1, 6, 0, 1, 0}, nil},
	{"parts of too many units", Rolling, []int64{60, 9, -1, MaxAmount, 5, 0, MaxAmount, 0, 1, 6, 0, 1, 0}, nil},
	{"an empty part", Rolling, []int64{60, 9, -1, 0, 1, 6, 0, 1, 0}, nil},
	{"a part, and nothing after", Rolling, []int64{60, 9, -1, 1, 5, 0, 1, 0, 0}, nil},
	{"less parts than said", Rolling, []int64{60, 9, -2, 1, 5, 0, 1, 0, 1, 6, 0, 1, 0}, nil},
	{"more parts than there may be", Rolling, []int64{60, 9, -maxParts - 1, 1, 5, 0, 1, 0, 1, 6, 0, 1, 0}, nil},
	{"a window that ends before it starts", Fixed, []int64{60, 9, 8, 1}, nil},
	{"a length of nothing", Fixed, []int64{0, 8, 9, 1}, nil},
	{"less than nothing used", Calendar, []int64{8, 9, -1}, nil},
	{"more than the most used", Ever, []int64{MaxAmount + 1}, nil},
	{"less than no debt", Bucket, []int64{-1, 0, 5, 5, 5}, nil},
	{"a time that overflows", Bucket, []int64{1, 0, math.MaxInt64, 5, 5}, nil},
}

func TestDecodeCellRefusesWhatNoCellHas(t *testing.T) {
	pool := new(Pool)
	for _, r := range crafted {
		b := appendInts(nil, r.fields...)
		if r.codes != nil {
			w := bitRing{ring: make([]byte, 4096), k: 2}
			r.codes(&w)
			b = append(appendInts(b, int64(w.pos), int64(w.k)), w.ring[:(w.pos+7)/8]...)
		}
		if ref, _, err := pool.Decode(r.kind, b); !errors.Is(err, errCell) {
			t.Errorf("%s: decodes as %x", r.why, appendCell(nil, pool.Cell(ref)))
		}
	}
	checkUsed(t, pool, 0)
}

// useDecoded decodes b and, if it is a cell, uses it.
func useDecoded(t *testing.T, kind Kind, b []byte) {
	t.Helper()
	cell, rest, err := decodeCell(kind, b)
	if err != nil {
		return
	}
	if len(rest) > len(b) {
		t.Fatalf("%d bytes are left of %d", len(rest), len(b))
	}
	if kind == Rolling && queueBytes(rollingOf(cell).longQueue) > 13*len(b)+64 {
		t.Fatalf("%d bytes for %d", queueBytes(rollingOf(cell).longQueue), len(b))
	}
	// The order of fields may differ in what was not canonical, but not twice.
	again, _, err := decodeCell(kind, appendCell(nil, cell))
	if err != nil {
		t.Fatalf("%s: %x decodes, but not its encoding: %v", kind, b, err)
	}
	l := &Limit{Kind: kind, Length: 60 * second}
	c := Charge{Limit: l, Cost: 3, Max: 10, Rate: 5, Refusable: true, Window: Window{steadyStart.Wall, steadyStart.Wall + 1, steadyStart.Wall + 2}}
	for _, at := range []int64{0, -steadyStart.Wall, 1, 60 * second, math.MaxInt64/2 - steadyStart.Wall} {
		now := steadyStart.Add(at)
		for _, cell := range []Cell{cell, again} {
			cell.Idle(now)
			cell.Check(now, &c)
			if c.Used < 0 || c.Used > MaxAmount {
				t.Fatalf("%s: %x uses %d", kind, b, c.Used)
			}
			cell.Take(now, &c)
			cell.Settle(now, &c, -2)
			cell.Settle(now.Add(2), &c, 2)
		}
		if !bytes.Equal(appendCell(nil, cell), appendCell(nil, again)) {
			t.Fatalf("%s: %x and its copy differ", kind, b)
		}
	}
}

func FuzzDecodeCell(f *testing.F) {
	cells, limits := fullCells(f)
	for i, cell := range cells {
		f.Add(byte(limits[i].Kind), appendCell(nil, cell))
		f.Add(byte(limits[i].Kind), appendCell(nil, newCell(limits[i])))
	}
	f.Fuzz(func(t *testing.T, kind byte, b []byte) { useDecoded(t, Kind(kind), b) })
}
