// Command bench prints what one decision costs, in time and in memory a key,
// beside the libraries that Go programs use for rate limits. All run in one
// process, one after the other and several times; compare the ratios, not the
// nanoseconds.
//
//	cd bench && go run .
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"text/tabwriter"

	"github.com/weirhq/weir/core"
)

// A peer decides for one of many keys.
type peer struct {
	name string
	// exact says what its windows are.
	exact string
	// open returns a function that decides a request of a key at now. Peers
	// that read the clock themselves ignore now.
	open func(now func() core.Instant) (allow func(key string) bool)
}

const keyCount = 10_000

func main() {
	rounds := flag.Int("rounds", 3, "how often each is measured; the median counts")
	testing.Init()
	flag.Parse()
	keys := make([]string, keyCount)
	for i := range keys {
		keys[i] = "key-" + strconv.Itoa(i)
	}
	report(peers, keys, *rounds)
}

// report measures all peers and prints a line each.
func report(peers []peer, keys []string, rounds int) {
	times := make([][]float64, len(peers))
	parallel := make([][]float64, len(peers))
	allocs := make([]int64, len(peers))
	for range rounds {
		for i, p := range peers {
			one := measure(p, keys)
			times[i] = append(times[i], float64(one.T.Nanoseconds())/float64(one.N))
			allocs[i] = one.AllocsPerOp()
			many := measureParallel(p, keys)
			parallel[i] = append(parallel[i], float64(many.T.Nanoseconds())/float64(many.N))
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "ns/decision\tof Weir's\tparallel\tof Weir's\tallocs\tbytes/key\t  \twhat\t")
	for i, p := range peers {
		one, many := median(times[i]), median(parallel[i])
		fmt.Fprintf(w, "%.0f\t%.2f\t%.0f\t%.2f\t%d\t%.0f\t  \t%s (%s)\t\n",
			one, one/median(times[0]), many, many/median(parallel[0]), allocs[i], bytesPerKey(p, keys), p.name, p.exact)
	}
	w.Flush()
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// measure decides for all keys in turn.
func measure(p peer, keys []string) testing.BenchmarkResult {
	allow := p.open(fastClock())
	return testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			allow(keys[i%len(keys)])
		}
	})
}

// measureParallel decides on all processors at once.
func measureParallel(p peer, keys []string) testing.BenchmarkResult {
	allow := p.open(fastClock())
	var next atomic.Int64
	return testing.Benchmark(func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for i := int(next.Add(997)); pb.Next(); i++ {
				allow(keys[i%len(keys)])
			}
		})
	})
}

// fastClock reads the clock, as any decision must, but runs 200 times as fast,
// so that the windows of a benchmark's keys fill and drain as in production.
func fastClock() func() core.Instant {
	clock := core.NewClock()
	start := clock.Now()
	return func() core.Instant {
		return start.Add((clock.Now().Steady - start.Steady) * 200)
	}
}

// bytesPerKey fills every key's window with 300 requests, evenly over 60 s for
// those who take the time from us, and divides the heap by the keys.
func bytesPerKey(p peer, keys []string) float64 {
	before := heap()
	now, step := core.NewClock().Now(), 60_000_000/int64(300*len(keys))
	allow := p.open(func() core.Instant {
		now = now.Add(step)
		return now
	})
	for range 300 {
		for _, key := range keys {
			allow(key)
		}
	}
	after := heap()
	runtime.KeepAlive(allow)
	return float64(after-before) / float64(len(keys))
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
