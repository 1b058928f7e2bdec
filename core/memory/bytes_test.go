package memory

import (
	"context"
	"runtime"
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
		{"rolling, 1 charge", limitOf(1, core.Rolling, "l"), 1, 190},
		{"rolling, 60 in a minute", limitOf(1, core.Rolling, "l"), 60, 280},
		{"fixed", limitOf(2, core.Fixed, "l"), 1, 140},
		{"calendar", limitOf(3, core.Calendar, "l"), 1, 140},
		{"bucket", limitOf(4, core.Bucket, "l"), 1, 150},
		{"ever", ever, 1, 110},
		{"hold response", limitOf(8, core.Hold, "l"), 1, 180},
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
