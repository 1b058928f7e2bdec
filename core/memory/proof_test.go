package memory

import (
	"context"
	"flag"
	"sync/atomic"
	"testing"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/storetest"
)

var (
	operations = flag.Int64("operations", 1_000_000, "how many random operations are compared with the model")
	histories  = flag.Int("histories", 2000, "how many concurrent histories are checked")
	progress   = flag.Bool("progress", false, "tell every ten seconds how many were")
)

// TestOperations compares stores with storetest's model; CI has ten million
// operations compared.
func TestOperations(t *testing.T) {
	n := *operations
	if raceEnabled {
		n /= 20
	}
	var opened atomic.Int64
	storetest.Operations(t, n, *progress, func() (core.Store, error) {
		switch opened.Add(1) % 3 {
		case 0:
			s := New(Options{Shards: 1})
			return s, s.Open()
		case 1:
			s := &swept{Store: New(Options{}), every: 5}
			return s, s.Open()
		}
		s := New(Options{})
		return s, s.Open()
	})
}

// TestHistories checks that what many do at once to a store is as if they had
// done it one after the other.
func TestHistories(t *testing.T) {
	n := *histories
	if raceEnabled {
		n /= 5
	}
	var opened atomic.Int64
	storetest.Histories(t, n, func() (core.Store, error) {
		s := New(Options{Shards: int(1 + 63*(opened.Add(1)%2))})
		return s, s.Open()
	})
}

// A swept store is swept after every few operations, which nobody can tell.
type swept struct {
	*Store
	every int64
	n     atomic.Int64
}

func (s *swept) sweepSometimes() {
	if s.n.Add(1)%s.every == 0 {
		s.sweep(s.present(), nil)
	}
}

func (s *swept) Take(ctx context.Context, op *core.Take) error {
	defer s.sweepSometimes()
	return s.Store.Take(ctx, op)
}

func (s *swept) Read(ctx context.Context, op *core.Take) error {
	defer s.sweepSometimes()
	return s.Store.Read(ctx, op)
}

func (s *swept) Settle(ctx context.Context, op *core.Settle) error {
	defer s.sweepSometimes()
	return s.Store.Settle(ctx, op)
}
