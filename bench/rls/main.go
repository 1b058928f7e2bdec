// Command rls prints how many calls a second Weir answers as Envoy's Rate Limit
// Service, beside servers that answer every call with the same constant, one with
// gRPC's options as they are and one with Weir's: what remains of gRPC's own speed
// once it decides something.
//
//	cd bench && go run ./rls
//
// h2load posts one message, on 4 connections with 32 streams each. Each server
// has one processor and h2load another one. The servers run in turn, several
// times; compare the ratio of the medians, not the numbers.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// least is the ratio that the project promises.
const least = 0.85

func main() {
	log.SetFlags(0)
	rounds := flag.Int("rounds", 7, "how often each server is measured; the median counts")
	calls := flag.Int("calls", 150_000, "calls of one measurement")
	caddy := flag.String("caddy", "", "the program to measure; built from this repository if empty")
	constant := flag.String("constant", "", "serve the constant at this address, and nothing else")
	same := flag.Bool("same", false, "serve the constant with Weir's options for gRPC")
	flag.Parse()
	if *constant != "" {
		log.Fatal(serveConstant(*constant, *same))
	}
	if err := bench(*caddy, *rounds, *calls); err != nil {
		log.Fatal(err)
	}
}

// bench measures and prints the table.
func bench(caddy string, rounds, calls int) error {
	dir, err := os.MkdirTemp("", "weir-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := ready(); err != nil {
		return err
	}
	if caddy == "" {
		caddy = filepath.Join(dir, "caddy")
		if err := build(caddy); err != nil {
			return err
		}
	}
	if err := sameGRPC(caddy); err != nil {
		return err
	}
	servers, err := servers(dir, caddy)
	if err != nil {
		return err
	}
	results := make([][]result, len(servers))
	for round := range rounds {
		for i := range servers {
			r, err := servers[i].measure(dir, calls)
			if err != nil {
				return fmt.Errorf("%s: %w", servers[i].name, err)
			}
			results[i] = append(results[i], r)
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, rounds)
	}
	return report(servers, results)
}

// ready reports what this machine lacks.
func ready() error {
	for program, install := range map[string]string{"h2load": "nghttp2-client", "taskset": "util-linux"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is missing: apt-get install %s, or what your system calls it", program, install)
		}
	}
	if runtime.NumCPU() < 2 {
		return errors.New("this machine has one processor; the server and h2load need one each")
	}
	return nil
}

// report prints a line each, and fails where Weir is slower than promised. It is
// compared with the fastest constant.
func report(servers []server, results [][]result) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	base := fastest(servers, results)
	fmt.Fprintln(w, "calls/s\tof the constant's\tfrom\tto\tCPU µs/call\t  \twhat\t")
	var slow error
	for i, s := range servers {
		rates, cpu := medians(results[i])
		rate := rates[len(rates)/2]
		ratio := rate / base
		fmt.Fprintf(w, "%.0f\t%.3f\t%.0f\t%.0f\t%.2f\t  \t%s\t\n", rate, ratio, rates[0], rates[len(rates)-1], float64(cpu)/1000, s.name)
		if s.promised && ratio < least {
			slow = fmt.Errorf("%s: %.3f of the constant's speed, less than %.2f", s.name, ratio, least)
		}
	}
	w.Flush()
	return slow
}

// fastest returns the rate of the fastest constant.
func fastest(servers []server, results [][]result) (rate float64) {
	for i, s := range servers {
		if s.constant {
			rates, _ := medians(results[i])
			rate = max(rate, rates[len(rates)/2])
		}
	}
	return rate
}

// medians returns the rates, sorted, and the median of the processor times.
func medians(results []result) (rates []float64, cpu time.Duration) {
	times := make([]time.Duration, len(results))
	for i, r := range results {
		rates, times[i] = append(rates, r.rate), r.cpu
	}
	slices.Sort(rates)
	slices.Sort(times)
	return rates, times[len(times)/2]
}
