package memory

import (
	"context"
	"runtime"
	"runtime/metrics"
	"testing"

	"github.com/weirhq/weir/core"
)

// TestBytesPerCell compares what cells take with what docs/operations.md says,
// where maps have just grown and are at their emptiest.
func TestBytesPerCell(t *testing.T) {
	released := limitOf(6, core.Hold, "released")
	released.Released = true
	ever := limitOf(5, core.Ever, "ever")
	ever.Count = true
	for _, kind := range []struct {
		name    string
		limit   *core.Limit
		charges int
		most    int64
	}{
		{"rolling, 1 charge", limitOf(1, core.Rolling, "l"), 1, 170},
		{"rolling, 60 in a minute", limitOf(1, core.Rolling, "l"), 60, 290},
		{"fixed", limitOf(2, core.Fixed, "l"), 1, 120},
		{"calendar", limitOf(3, core.Calendar, "l"), 1, 120},
		{"bucket", limitOf(4, core.Bucket, "l"), 1, 165},
		{"ever", ever, 1, 100},
		{"hold response", limitOf(8, core.Hold, "l"), 1, 160},
		{"hold released", released, 1, 260},
	} {
		t.Run(kind.name, func(t *testing.T) {
			var worst int64
			sizes := []int64{64 * 230, 64 * 460, 64 * 920}
			if kind.charges > 1 || raceEnabled {
				sizes = sizes[:1] // others take long
			}
			for _, cells := range sizes {
				worst = max(worst, bytesPerCell(t, kind.limit, cells, kind.charges))
			}
			t.Logf("%d bytes per cell", worst)
			if worst > kind.most {
				t.Errorf("%d bytes per cell, want at most %d", worst, kind.most)
			}
		})
	}
}

// bytesPerCell returns how many bytes of the heap a cell takes of so many, each
// with so many charges within a minute.
func bytesPerCell(t *testing.T, l *core.Limit, cells int64, n int) int64 {
	s := newStore(t, Options{})
	before := liveBytes()
	list := charges(core.Scope{}, 1, l)
	op := core.Take{Policy: "p", Charges: list}
	for i := range int64(n) {
		for cell := range cells {
			list[0].Scope = stranger(uint64(cell))
			op.Now = at(i*minute/int64(n) + cell%1000)
			op.ID = core.ID{Hi: uint64(i), Lo: uint64(cell) + 1}
			must(t, s.Take(context.Background(), &op))
		}
	}
	taken := liveBytes() - before
	runtime.KeepAlive(s)
	return (taken + cells - 1) / cells
}

// TestCollectorSkipsCells fills a store, and asks Go how much more of the heap its
// garbage collector has to go through.
func TestCollectorSkipsCells(t *testing.T) {
	const cells = 60_000
	s := newStore(t, Options{})
	before := scannedBytes()
	list := charges(core.Scope{}, 1, limitOf(1, core.Rolling, "rolling"), limitOf(2, core.Calendar, "calendar"), limitOf(3, core.Bucket, "bucket"))
	for i := range list {
		list[i].Rate = 7
	}
	for subject := range uint64(cells / 3) {
		for i := range list {
			list[i].Scope = stranger(subject)
		}
		must(t, s.Take(context.Background(), &core.Take{Now: at(0), Policy: "p", Charges: list}))
	}
	if n := s.Stats().Cells; n != cells {
		t.Fatalf("%d cells", n)
	}
	per := float64(scannedBytes()-before) / cells
	t.Logf("%.1f bytes to go through per cell", per)
	if per > 2 {
		t.Errorf("%.1f bytes to go through per cell, want at most 2", per)
	}
	runtime.KeepAlive(s)
}

func scannedBytes() int64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/gc/scan/heap:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}
