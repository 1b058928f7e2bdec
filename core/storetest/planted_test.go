package storetest

import (
	"context"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/memory"
)

func newMemory() core.Store { return memory.New(memory.Options{}) }

// checksThenWrites is a store that decides by what it read before, as several
// limiters do.
type checksThenWrites struct{ core.Store }

func (s checksThenWrites) Take(ctx context.Context, op *core.Take) error {
	seen := copyTake(op)
	if err := s.Read(ctx, seen); err != nil {
		return err
	}
	runtime.Gosched()
	if op.Next != nil || op.Denied() {
		return s.Store.Take(ctx, op)
	}
	for i := range seen.Charges {
		if seen.Charges[i].Refused {
			return s.Store.Take(ctx, op)
		}
	}
	refusable := make([]bool, len(op.Charges))
	for i := range op.Charges {
		refusable[i], op.Charges[i].Refusable = op.Charges[i].Refusable, false
	}
	err := s.Store.Take(ctx, op)
	for i := range op.Charges {
		op.Charges[i].Refusable = refusable[i]
	}
	return err
}

// oneByOne is a store that charges the limits of a request one after the other,
// once it has seen that all have room.
type oneByOne struct{ core.Store }

func (s oneByOne) Take(ctx context.Context, op *core.Take) error {
	seen := copyTake(op)
	if err := s.Read(ctx, seen); err != nil {
		return err
	}
	if seen.Denied() || op.Next != nil || len(op.Charges) == 1 {
		return s.Store.Take(ctx, op)
	}
	all := op.Charges
	for i := range all {
		op.Charges = all[i : i+1]
		if err := s.Store.Take(ctx, op); err != nil {
			return err
		}
		runtime.Gosched()
	}
	op.Charges, op.Admitted = all, true
	return nil
}

// late is a store that settles after it has answered.
type late struct {
	core.Store
	under *atomic.Int64
}

func (s late) Settle(ctx context.Context, op *core.Settle) error {
	if op.HasCost || len(op.Lease)+len(op.Release)+len(op.Renew) > 0 {
		return s.Store.Settle(ctx, op)
	}
	later := (&asked{settle: op}).copy().settle
	s.under.Add(1)
	go func() {
		defer s.under.Add(-1)
		runtime.Gosched()
		_ = s.Store.Settle(ctx, later) // it may be closed by now
	}()
	return nil
}

// TestHistoriesFindPlantedBugs: stores whose every answer is right as long as
// nobody else asks are found out.
func TestHistoriesFindPlantedBugs(t *testing.T) {
	var under atomic.Int64
	for name, open := range map[string]func() core.Store{
		"checks, then writes":   func() core.Store { return checksThenWrites{newMemory()} },
		"one limit at a time":   func() core.Store { return oneByOne{newMemory()} },
		"settles in background": func() core.Store { return late{newMemory(), &under} },
	} {
		t.Run(name, func(t *testing.T) {
			var sum extent
			for seed := range uint64(2000) {
				m := history(seed, func() (core.Store, error) { return open(), nil }, &sum)
				if strings.Contains(m, "is not linearizable") {
					t.Logf("found in history %d, after %d operations", seed, sum.operations)
					return
				}
				if m != "" {
					t.Fatal(m)
				}
			}
			t.Error("not found in 2000 histories")
		})
	}
	for name, open := range map[string]func() core.Store{
		"checks, then writes": func() core.Store { return checksThenWrites{newMemory()} },
		"one limit at a time": func() core.Store { return oneByOne{newMemory()} },
	} {
		c := comparison{n: 50_000, begun: time.Now(), open: func() (core.Store, error) { return open(), nil }}
		if c.work(); len(c.mismatches) > 0 {
			t.Errorf("%s: wrong by itself: %s", name, c.mismatches[0])
		}
	}
	for under.Load() > 0 {
		time.Sleep(time.Millisecond)
	}
}

// twisted is a store that answers some operations wrongly.
type twisted struct {
	core.Store
	before func(*core.Take)
	after  func(*core.Take)
	settle func(*core.Settle)
}

func (s twisted) Take(ctx context.Context, op *core.Take) error {
	if s.before != nil {
		s.before(op)
	}
	err := s.Store.Take(ctx, op)
	if s.after != nil {
		s.after(op)
	}
	return err
}

func (s twisted) Settle(ctx context.Context, op *core.Settle) error {
	if s.settle != nil {
		s.settle(op)
	}
	return s.Store.Settle(ctx, op)
}

// TestOperationsFindPlantedBugs: what differs from the model in one case of many
// is found.
func TestOperationsFindPlantedBugs(t *testing.T) {
	each := func(f func(*core.Charge)) func(*core.Take) {
		return func(op *core.Take) {
			for ; op != nil; op = op.Next {
				for i := range op.Charges {
					f(&op.Charges[i])
				}
			}
		}
	}
	for name, s := range map[string]twisted{
		"a steady clock that steps": {before: func(op *core.Take) { op.Now.Steady = op.Now.Wall }},
		"a wait that is too short":  {after: each(func(c *core.Charge) { c.Wait = max(c.Wait-1, min(c.Wait, 0)) })},
		"no counts of the refused": {before: each(func(c *core.Charge) {
			if c.Limit.CountRefused {
				l := *c.Limit
				l.CountRefused = false
				c.Limit = &l
			}
		})},
		"a batch that is cut":        {before: func(op *core.Take) { op.Next = nil }},
		"gives nothing back":         {before: each(func(c *core.Charge) { c.Cost = max(c.Cost, 0) })},
		"no refunds":                 {settle: func(op *core.Settle) { op.Cost = max(op.Cost, million) }},
		"settles twice":              {settle: func(op *core.Settle) { op.ID.Lo += uint64(op.Now.Steady) << 32 }},
		"forgets attributes":         {settle: func(op *core.Settle) { op.Set = nil }},
		"resets nothing":             {settle: func(op *core.Settle) { op.Reset = false }},
		"a heartbeat without effect": {settle: func(op *core.Settle) { op.Renew = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			c := comparison{n: 200_000, begun: time.Now(), open: func() (core.Store, error) {
				s := s
				s.Store = newMemory()
				return s, nil
			}}
			c.work()
			if len(c.mismatches) == 0 {
				t.Error("not found: " + c.String())
			}
		})
	}
}

// What only tests need is no part of the product.
func TestProductHasNoTestDependencies(t *testing.T) {
	list, err := exec.Command("go", "list", "-deps", "github.com/weirhq/weir", "github.com/weirhq/weir/cmd/caddy").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pgregory.net/rapid", "anishathalye/porcupine", "core/storetest"} {
		if strings.Contains(string(list), name) {
			t.Errorf("the product has %s", name)
		}
	}
}
