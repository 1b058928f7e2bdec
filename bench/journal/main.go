// Command journal prints what keeping an operation costs: Weir's store in memory
// without and with its journal, beside libraries to which a store could append
// its records, one for each operation.
//
//	cd bench && go run ./journal
//
// All have what is acknowledged in the system before the call returns, so that
// it outlives a killed process. That a library waits for the disk besides, where
// that cannot be turned off, is said. Each runs by itself and with 16 callers, in
// turn and several times; the medians are printed.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

// callers is how many there are where there are many.
const callers = 16

func main() {
	log.SetFlags(0)
	rounds := flag.Int("rounds", 5, "how often each is measured; the median counts")
	span := flag.Duration("for", time.Second, "how long one measurement takes")
	flag.Parse()
	one, many := make([][]float64, len(keepers)), make([][]float64, len(keepers))
	for range *rounds {
		for i, k := range keepers {
			one[i] = append(one[i], measure(k, 1, *span))
			many[i] = append(many[i], measure(k, callers, *span))
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "ns/operation\tof %d callers\t  \twhat\t\n", callers)
	for i, k := range keepers {
		fmt.Fprintf(w, "%.0f\t%.0f\t  \t%s\t\n", median(one[i]), median(many[i]), k.name)
	}
	w.Flush()
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// measure returns how many ns an operation takes where n callers keep some at a
// time: of one, its latency; of many, the time divided by the operations of all.
func measure(k keeper, n int, span time.Duration) float64 {
	dir, err := os.MkdirTemp("", "weir-journal")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	keep, done, err := k.open(dir)
	if err != nil {
		log.Fatalf("%s: %v", k.name, err)
	}
	counts := make([]int, n)
	var group sync.WaitGroup
	begin := time.Now()
	for i := range n {
		group.Go(func() {
			for time.Since(begin) < span {
				for range 4 {
					if err := keep(i); err != nil {
						log.Fatalf("%s: %v", k.name, err)
					}
					counts[i]++
				}
			}
		})
	}
	group.Wait()
	took, sum := time.Since(begin), 0
	for _, c := range counts {
		sum += c
	}
	if err := done(); err != nil {
		log.Fatalf("%s: %v", k.name, err)
	}
	return float64(took.Nanoseconds()) / float64(sum)
}
