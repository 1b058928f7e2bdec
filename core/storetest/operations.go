package storetest

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirhq/weir/core"
)

// Operations compares stores with the model in random operations, at least n of
// them, on all processors. Each trace has a new store, which open returns and
// Operations closes; so it needs no more memory for many traces than for a few.
// If progress is set it is told how many operations were compared, every ten
// seconds and at the end.
func Operations(t *testing.T, n int64, progress bool, open func() (core.Store, error)) {
	t.Helper()
	c := comparison{n: n, open: open, begun: time.Now()}
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(c.work)
	}
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	ticker := time.NewTicker(10 * time.Second)
	defer ticker.Stop()
	for running := true; running; {
		select {
		case <-ticker.C:
			if progress {
				t.Log(c.String())
			}
		case <-done:
			running = false
		}
	}
	t.Log(c.String())
	for _, m := range c.mismatches {
		t.Error(m)
	}
}

const (
	// traceLength is how many steps a trace has.
	traceLength = 400
	// maxMismatches is after how many the comparison gives up.
	maxMismatches = 3
)

// A comparison makes traces until there were n operations.
type comparison struct {
	n     int64
	open  func() (core.Store, error)
	begun time.Time

	traces, operations atomic.Int64 // traces are numbered, which is their seed
	admitted, refused  atomic.Int64

	mu         sync.Mutex // guards what follows
	mismatches []string
}

// String returns the figures.
func (c *comparison) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	n := c.operations.Load()
	return fmt.Sprintf("%d operations in %d traces, %d requests admitted, %d refused: %d mismatches (%.0f a second, %d MB of heap)",
		n, c.traces.Load(), c.admitted.Load(), c.refused.Load(), len(c.mismatches),
		float64(n)/time.Since(c.begun).Seconds(), memory.HeapAlloc>>20)
}

func (c *comparison) work() {
	for c.operations.Load() < c.n {
		seed := uint64(c.traces.Add(1))
		if m := c.trace(seed, nil); m != "" {
			var log strings.Builder
			c.trace(seed, func(format string, args ...any) { fmt.Fprintf(&log, format+"\n", args...) })
			c.mu.Lock()
			c.mismatches = append(c.mismatches, fmt.Sprintf("trace %d: %s\n%s", seed, m, last(log.String(), 4000)))
			full := len(c.mismatches) >= maxMismatches
			c.mu.Unlock()
			if full {
				return
			}
		}
	}
}

// last returns the end of a text.
func last(s string, bytes int) string { return s[max(0, len(s)-bytes):] }

// A failure is what a trace panics with, to end.
type failure string

// trace makes one trace, and returns how the store and the model differ in the
// end, "" if they don't.
func (c *comparison) trace(seed uint64, log func(string, ...any)) (mismatch string) {
	s, err := c.open()
	if err != nil {
		return err.Error()
	}
	tr := newTrace(random{rand.New(rand.NewPCG(seed, 5))}, panicking{}, s)
	tr.log = log
	n := int64(0)
	defer func() {
		if f, ok := recover().(failure); ok {
			mismatch = string(f)
		} else if err := s.Close(); err != nil {
			mismatch = err.Error()
		}
		if log == nil {
			c.operations.Add(n)
			c.admitted.Add(tr.admitted)
			c.refused.Add(tr.refused)
		}
	}()
	for range traceLength {
		tr.step()
		n = tr.operations
	}
	return ""
}

// panicking is a reporter that ends a trace by a panic.
type panicking struct{}

func (panicking) Helper()                   {}
func (panicking) Error(args ...any)         { panic(failure(fmt.Sprint(args...))) }
func (panicking) Errorf(f string, a ...any) { panic(failure(fmt.Sprintf(f, a...))) }
func (panicking) Fatal(args ...any)         { panic(failure(fmt.Sprint(args...))) }
func (panicking) Fatalf(f string, a ...any) { panic(failure(fmt.Sprintf(f, a...))) }
