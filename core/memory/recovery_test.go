package memory

import (
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/weirhq/weir/core"
)

// recovered is how many cells are recovered.
func recovered() uint64 {
	if testing.Short() || raceEnabled {
		return 50_000
	}
	return 1_000_000
}

// manyCells makes a state directory with so many cells, half of them rolling,
// half of a day, and says which of its files have them.
func manyCells(t testing.TB, journaled bool) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	s := New(Options{Dir: dir, Durability: Interval, Interval: time.Minute})
	must(t, s.Open())
	s.journal.threshold.Store(1 << 40)
	limits := []*core.Limit{limitOf(1, core.Rolling, "rolling"), limitOf(2, core.Calendar, "day")}
	for n := range recovered() / 2 {
		take(t, s, int64(n), n+1, alice, charges(core.Scope{Hi: n * 0x9E3779B97F4A7C15, Lo: n}, 1, limits...))
	}
	must(t, s.journal.sync())
	if journaled {
		kill(s)
		return dir, segmentPath(dir, 1)
	}
	must(t, s.Close())
	return dir, filepath.Join(dir, SnapshotName)
}

// readAndFill reads and checksums a file, and fills a Go map with n cells.
func readAndFill(t testing.TB, file string, n uint64, cells []core.CellRef) time.Duration {
	t.Helper()
	runtime.GC()
	begin := time.Now()
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	b := make([]byte, 1<<20)
	sum := uint32(0)
	for {
		n, err := f.Read(b)
		if sum = crc32.Update(sum, castagnoli, b[:n]); err == io.EOF {
			break
		}
		must(t, err)
	}
	m := make(map[cellKey]core.CellRef)
	for i := range n {
		m[cellKey{i & 1, core.Scope{Hi: i * 0x9E3779B97F4A7C15, Lo: i}}] = cells[i&1]
	}
	took := time.Since(begin)
	runtime.KeepAlive(m)
	runtime.KeepAlive(sum)
	return took
}

// open opens dir and returns how long that took.
func open(t testing.TB, dir string) time.Duration {
	t.Helper()
	runtime.GC()
	s := New(Options{Dir: dir, Durability: None})
	begin := time.Now()
	must(t, s.Open())
	took := time.Since(begin)
	if n := s.Stats().Cells; uint64(n) != recovered() {
		t.Fatalf("%d cells", n)
	}
	kill(s)
	return took
}

// A start takes at most three times what reading and checksumming the same bytes
// and filling a Go map of the same size takes, on the same machine at the same
// time: of each, the best of several counts.
func TestRecoveryTime(t *testing.T) {
	var pool core.Pool
	cells := []core.CellRef{pool.New(limitOf(1, core.Rolling, "")), pool.New(limitOf(2, core.Ever, ""))}
	for name, journaled := range map[string]bool{"snapshot": false, "journal": true} {
		t.Run(name, func(t *testing.T) {
			dir, file := manyCells(t, journaled)
			info, err := os.Stat(file)
			must(t, err)
			best, base := time.Hour, time.Hour
			for range 5 {
				base = min(base, readAndFill(t, file, recovered(), cells))
				best = min(best, open(t, dir))
			}
			t.Logf("%d cells, %d MB: %v to start, %v to read and checksum as much and to fill a map: %.2f times",
				recovered(), info.Size()>>20, best, base, float64(best)/float64(base))
			if best > 3*base && recovered() == 1_000_000 { // few say little
				t.Error("that is more than three times as long")
			}
		})
	}
}
