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
	"errors"
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
			for n, results := range map[int]*[]float64{1: &one[i], callers: &many[i]} {
				ns, err := measure(k, n, *span)
				if err != nil {
					log.Fatalf("%s: %v", k.name, err)
				}
				*results = append(*results, ns)
			}
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
func measure(k keeper, n int, span time.Duration) (float64, error) {
	dir, err := os.MkdirTemp("", "weir-journal")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	keep, done, err := k.open(dir)
	if err != nil {
		return 0, err
	}
	counts, errs := make([]int, n), make([]error, n)
	var group sync.WaitGroup
	begin := time.Now()
	for i := range n {
		group.Go(func() {
			for time.Since(begin) < span && errs[i] == nil {
				for range 4 {
					errs[i] = errors.Join(errs[i], keep(i))
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
	return float64(took.Nanoseconds()) / float64(sum), errors.Join(append(errs, done())...)
}
