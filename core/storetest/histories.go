package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/weirhq/weir/core"
)

// Histories has callers use stores at once and checks that each history is
// linearizable: that there is an order of its operations, one that contradicts
// nobody's experience of before and after, in which the model answers what the
// store has answered. Half of n histories are of requests that charge several
// cells, batches, settlements and names, each of which is one operation; half
// are of single cells, longer ones, and checked cell by cell.
func Histories(t *testing.T, n int, open func() (core.Store, error)) {
	t.Helper()
	var sum extent
	for seed := range uint64(n) {
		if m := history(seed, open, &sum); m != "" {
			t.Fatal(m)
		}
	}
	t.Logf("%d histories of %d operations, of which %d met another under way: all linearizable", n, sum.operations, sum.met)
	if sum.met < sum.operations/50 {
		t.Errorf("only %d of %d operations met another", sum.met, sum.operations)
	}
}

// An extent is what histories were made of.
type extent struct{ operations, met int }

// history makes and checks one history. It returns what is wrong, "" if nothing
// is.
func history(seed uint64, open func() (core.Store, error), sum *extent) string {
	s, err := open()
	if err != nil {
		return err.Error()
	}
	defer func() { _ = s.Close() }() // it was the answers that counted
	h := newRecord(seed, s)
	operations := h.run()
	sum.operations += len(operations)
	sum.met += met(operations)
	const patience = time.Minute // one takes a millisecond
	switch porcupine.CheckOperationsTimeout(h.spec(), operations, patience) {
	case porcupine.Ok:
		return h.failure()
	case porcupine.Unknown:
		return fmt.Sprintf("history %d: no order was found in %s, nor that there is none:\n%s", seed, patience, describe(operations))
	}
	return fmt.Sprintf("history %d is not linearizable:\n%s", seed, describe(operations))
}

// met returns how many operations began while another one was under way.
func met(operations []porcupine.Operation) (n int) {
	for i := range operations {
		for j := range operations {
			if i != j && operations[j].Call < operations[i].Call && operations[i].Call < operations[j].Return {
				n++
				break
			}
		}
	}
	return n
}

func describe(operations []porcupine.Operation) string {
	sorted := slices.Clone(operations)
	slices.SortFunc(sorted, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	var b strings.Builder
	for _, o := range sorted {
		fmt.Fprintf(&b, "%d–%d, caller %d: %s\n", o.Call, o.Return, o.ClientId, o.Output.(*asked))
	}
	return b.String()
}

// An asked is one operation: as input as it was asked, as output as it was
// answered.
type asked struct {
	take   *core.Take
	read   bool
	settle *core.Settle
}

func (a *asked) String() string {
	switch {
	case a.settle != nil:
		return fmt.Sprintf("settle %+v", *a.settle)
	case a.read:
		return "read " + show(a.take)
	}
	var all []string
	for t := a.take; t != nil; t = t.Next {
		all = append(all, fmt.Sprint("take ", show(t), " admitted ", t.Admitted))
	}
	return strings.Join(all, " with ")
}

func (a *asked) copy() *asked {
	c := &asked{take: copyTake(a.take), read: a.read}
	if a.settle != nil {
		s := *a.settle
		s.Charges = slices.Clone(a.settle.Charges)
		c.settle = &s
	}
	return c
}

// do asks s.
func (a *asked) do(s core.Store) error {
	switch {
	case a.settle != nil:
		return s.Settle(context.Background(), a.settle)
	case a.read:
		return s.Read(context.Background(), a.take)
	}
	return s.Take(context.Background(), a.take)
}

// spec is the model as porcupine wants it.
func (h *record) spec() porcupine.Model {
	spec := porcupine.Model{
		Init:  func() any { return newModel() },
		Equal: reflect.DeepEqual,
		Step: func(state, input, output any) (bool, any) {
			m, want := state.(*model).clone(), input.(*asked).copy()
			return want.agrees(m, output.(*asked)), m
		},
	}
	if h.single {
		spec.Partition = byCell
	}
	return spec
}

// agrees asks m, and reports whether it answers what was got.
func (a *asked) agrees(m *model, got *asked) bool {
	switch {
	case a.settle != nil:
		m.settle(a.settle)
		return told(a.settle) == told(got.settle)
	case a.read:
		m.read(a.take)
		return differ(got.take, a.take) == ""
	}
	m.take(a.take)
	for g, w := got.take, a.take; w != nil; g, w = g.Next, w.Next {
		if differ(g, w) != "" {
			return false
		}
	}
	return true
}

// byCell divides a history of single cells.
func byCell(history []porcupine.Operation) [][]porcupine.Operation {
	cells := make(map[place][]porcupine.Operation)
	for _, o := range history {
		in := o.Input.(*asked)
		var charges []core.Charge
		if in.settle != nil {
			charges = in.settle.Charges
		} else {
			charges = in.take.Charges
		}
		p := placeOf(&charges[0])
		cells[p] = append(cells[p], o)
	}
	var all [][]porcupine.Operation
	for _, part := range cells {
		all = append(all, part)
	}
	return all
}

// A record is a history being made.
type record struct {
	seed   uint64
	store  core.Store
	single bool // every operation is on one cell
	limits []*core.Limit
	scopes []core.Scope
	kit    *kit
	clock  atomic.Int64 // orders calls and returns

	mu         sync.Mutex // guards what follows
	operations []porcupine.Operation
	errors     []error
}

const (
	// recordCallers use a store at once, for some phases; time passes between.
	recordCallers = 4
	recordPhases  = 2
)

func newRecord(seed uint64, s core.Store) *record {
	rng := rand.New(rand.NewPCG(seed, 11))
	h := &record{seed: seed, store: s, single: seed%2 == 1, kit: newKit(panicking{}, s)}
	for _, i := range rng.Perm(len(limits))[:1+rng.IntN(3)] {
		h.limits = append(h.limits, limits[i])
	}
	h.scopes = []core.Scope{alice, bob}[:1+rng.IntN(2)]
	return h
}

// failure returns the first error of the store.
func (h *record) failure() string {
	if len(h.errors) > 0 {
		return fmt.Sprintf("history %d: %v", h.seed, h.errors[0])
	}
	return ""
}

// run has callers use the store, and returns what became of it.
func (h *record) run() []porcupine.Operation {
	callers := make([]*caller, recordCallers)
	for i := range callers {
		callers[i] = &caller{record: h, number: i, random: random{rand.New(rand.NewPCG(h.seed, uint64(100+i)))}}
	}
	for phase := range recordPhases {
		h.kit.wait(int64(phase) * one(callers[0].random, waits, ""))
		var group sync.WaitGroup
		var ready atomic.Int64
		for _, c := range callers {
			group.Go(func() {
				for ready.Add(1); ready.Load() < recordCallers; {
					runtime.Gosched()
				}
				for range 3 + 3*c.choose(2, "more") {
					c.step()
				}
			})
		}
		group.Wait()
	}
	return h.operations
}
