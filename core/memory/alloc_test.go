package memory

import (
	"context"
	"runtime"
	"strconv"
	"testing"

	"github.com/weirhq/weir/core"
)

const (
	second = int64(1_000_000)
	minute = 60 * second
	start  = int64(1_800_000_000_000_000)
)

func at(d int64) core.Instant { return core.Instant{Wall: start + d, Steady: start + d} }

func newStore(t testing.TB, o Options) *Store {
	t.Helper()
	s := New(o)
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Close()
		checkPools(t, s)
	})
	return s
}

func limitOf(id uint64, kind core.Kind, name string) *core.Limit {
	return &core.Limit{ID: id, Policy: "p", Name: name, Kind: kind, Length: minute, TTL: minute}
}

// warmTakes are the requests whose allocations are pinned.
func warmTakes() map[string][]core.Charge {
	one := core.Charge{Limit: limitOf(1, core.Rolling, "requests"), Scope: core.Scope{Lo: 7}, Cost: 1, Max: 300, Refusable: true}
	three := []core.Charge{one, one, one}
	three[1].Limit = limitOf(2, core.Fixed, "fixed")
	three[2].Limit = limitOf(3, core.Bucket, "bucket")
	three[2].Rate = 100
	held := []core.Charge{one, one}
	held[0].Limit = limitOf(4, core.Hold, "response")
	held[1].Limit = limitOf(5, core.Hold, "released")
	held[1].Limit.Released = true
	return map[string][]core.Charge{"1 charge": {one}, "3 charges": three, "holds": held}
}

func TestTakeAllocatesNothing(t *testing.T) {
	for name, charges := range warmTakes() {
		t.Run(name, func(t *testing.T) { takesAllocateNothing(t, charges, Options{}) })
		t.Run(name+", kept", func(t *testing.T) { takesAllocateNothing(t, charges, Options{Dir: t.TempDir()}) })
	}
}

func takesAllocateNothing(t *testing.T, charges []core.Charge, o Options) {
	s := newStore(t, o)
	op := core.Take{Policy: "p", Owner: core.Scope{Lo: 7}, Charges: charges}
	end := core.Settle{Policy: "p", Owner: op.Owner, Charges: charges, End: true}
	now := int64(0)
	step := func() {
		now += second
		op.Now, op.ID = at(now), core.ID{Lo: uint64(now)}
		if err := s.Take(context.Background(), &op); err != nil || !op.Admitted {
			t.Fatal(err, op.Admitted)
		}
		end.Now, end.ID = op.Now, op.ID
		if err := s.Settle(context.Background(), &end); err != nil {
			t.Fatal(err)
		}
	}
	for range 1000 {
		step()
	}
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Errorf("a warm Take and its end allocate %v times", n)
	}
}

func TestBytesPerKey(t *testing.T) {
	keys, most := int64(20_000), int64(550)
	if raceEnabled { // which is slow; of few cells, much of their memory is room for others
		keys, most = 2000, 700
	}
	s := newStore(t, Options{})
	l := limitOf(1, core.Rolling, "requests")
	before := liveBytes()
	charges := []core.Charge{{Limit: l, Cost: 1, Max: 300, Refusable: true}}
	op := core.Take{Policy: "p", Charges: charges}
	for i := range 300 {
		for key := range keys {
			charges[0].Scope = core.Scope{Hi: uint64(key) * 0x9E3779B97F4A7C15, Lo: uint64(key)}
			op.Now = at(int64(i)*199_000 + int64(key)*7)
			if err := s.Take(context.Background(), &op); err != nil || !op.Admitted {
				t.Fatal(err, op.Admitted)
			}
		}
	}
	per := (liveBytes() - before) / keys
	t.Logf("%d bytes per key", per)
	if per > most {
		t.Errorf("%d bytes per key of 300 in a minute, want at most %d", per, most)
	}
	runtime.KeepAlive(s)
}

func liveBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkTake(b *testing.B) {
	for name, charges := range warmTakes() {
		b.Run(name, func(b *testing.B) {
			s := newStore(b, Options{})
			op := core.Take{Policy: "p", Owner: core.Scope{Lo: 7}, Charges: charges}
			for i := 0; b.Loop(); i++ {
				op.Now, op.ID = at(int64(i)*second), core.ID{Lo: uint64(i)}
				_ = s.Take(context.Background(), &op)
				if name == "holds" {
					_ = s.Settle(context.Background(), &core.Settle{Now: op.Now, ID: op.ID, Policy: "p", Charges: charges, End: true})
				}
			}
		})
	}
	for _, n := range []int{1, 1000} {
		b.Run("parallel/"+strconv.Itoa(n)+" subjects", func(b *testing.B) { benchmarkParallel(b, n) })
	}
}

func benchmarkParallel(b *testing.B, subjects int) {
	s := newStore(b, Options{})
	l := limitOf(1, core.Rolling, "requests")
	b.RunParallel(func(pb *testing.PB) {
		op := core.Take{Policy: "p", Charges: []core.Charge{{Limit: l, Cost: 1, Max: 300, Refusable: true}}}
		for i := 0; pb.Next(); i++ {
			op.Charges[0].Scope = core.Scope{Lo: uint64(i % subjects)}
			op.Now = at(int64(i) * 1000)
			_ = s.Take(context.Background(), &op)
		}
	})
}
