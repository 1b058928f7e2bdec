package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirhq/weir/core"
)

// runTraces compares the store with a model, operation by operation.
func runTraces(t *testing.T, open func(testing.TB) core.Store) {
	rapid.Check(t, func(rt *rapid.T) {
		s := open(t)
		defer s.Close()
		tr := &trace{T: rt, kit: newKit(rt, s), model: newModel(), limits: traceLimits()}
		for range rapid.IntRange(1, 80).Draw(rt, "steps") {
			tr.step()
		}
	})
}

// A trace is a random sequence of operations on a store and its model.
type trace struct {
	*rapid.T
	kit    *kit
	model  *model
	limits []*core.Limit
	past   []*core.Take // requests that were admitted
	failed []core.ID    // requests whose Take failed
	passed int64        // µs since the beginning
}

// traceLimits are limits of every kind and manner.
func traceLimits() []*core.Limit {
	return []*core.Limit{
		limit("rolling", core.Rolling, 0, ofAttribute("credits", 4)),
		limit("fixed", core.Fixed, 5),
		limit("calendar", core.Calendar, 9, ofAttribute("credits", 9)),
		limit("bucket", core.Bucket, 4),
		limit("response", core.Hold, 4),
		limit("jobs", core.Hold, 5, released),
		limit("long jobs", core.Hold, 3, released, func(l *core.Limit) { l.TTL = hour }),
		limit("all", core.Ever, 0, countRefused),
		limit("admitted", core.Rolling, 0, count),
		limit("budget", core.Fixed, 2, settled),
		limit("reserved", core.Rolling, 3, settled, func(l *core.Limit) { l.Reserve = million }),
		limit("daily", core.Calendar, 9, settled, func(l *core.Limit) { l.Reserve = million }),
		limit("shadow", core.Fixed, 2, shadow),
	}
}

func (tr *trace) step() {
	switch rapid.SampledFrom([]string{"take", "take", "take", "settle", "settle", "outside", "read", "wait", "wait"}).Draw(tr.T, "op") {
	case "take":
		tr.take()
	case "read":
		tr.read()
	case "settle":
		tr.settlePast()
	case "outside":
		tr.outside()
	case "wait":
		tr.wait()
	}
}

// wait lets time pass, less than a day in all: settled requests are not to be
// forgotten.
func (tr *trace) wait() {
	d := rapid.SampledFrom([]int64{
		1, 500, 999, 1000, second, 7 * second, 20*second + 1, minute - 1, minute, minute + 1, hour,
	}).Draw(tr.T, "µs")
	if tr.passed+d < 20*hour {
		tr.passed += d
		tr.kit.wait(d)
	}
}

func (tr *trace) owner() core.Scope {
	return rapid.SampledFrom([]core.Scope{alice, bob}).Draw(tr.T, "owner")
}

// charges draws charges of some limits, per owner or per one of its keys.
func (tr *trace) charges(owner core.Scope, of func(*core.Limit) bool) (charges []core.Charge) {
	chosen := rapid.Uint64Range(0, 1<<len(tr.limits)-1).Draw(tr.T, "limits")
	for i, l := range tr.limits {
		if chosen>>i&1 == 0 || !of(l) {
			continue
		}
		scope := owner
		if i%2 == 1 {
			scope.Lo += rapid.Uint64Range(1, 2).Draw(tr.T, "key") << 32
		}
		c := charge(l, scope, 1)
		if l.Settled {
			c.Cost = l.Reserve
		} else {
			costs := []int64{1, 1, 1, 2, 3, 6, 0}
			if l.Kind != core.Hold {
				costs = append(costs, -1, -4)
			}
			c.Cost = rapid.SampledFrom(costs).Draw(tr.T, "cost")
		}
		switch rapid.IntRange(0, 11).Draw(tr.T, "manner") {
		case 0:
			c.Peek = true
		case 1:
			c.CheckOnly, c.Cost = true, 0
		case 2:
			c.Refusable = false
		case 3:
			c.Always = true
		case 4, 5:
			c.Quota = true
		}
		charges = append(charges, c)
	}
	return charges
}

func everything(*core.Limit) bool { return true }

func (tr *trace) take() {
	owner := tr.owner()
	op := tr.kit.ask(owner, tr.charges(owner, everything)...)
	want := copyTake(op)
	tr.model.take(want)
	tr.kit.must(tr.kit.store.Take(context.Background(), op))
	tr.Logf("%d: take %v", tr.passed, show(op))
	tr.compare(op, want)
	if op.Admitted {
		tr.past = append(tr.past, op)
	}
}

func (tr *trace) read() {
	owner := tr.owner()
	op := tr.kit.ask(owner, tr.charges(owner, everything)...)
	want := copyTake(op)
	tr.model.read(want)
	tr.kit.must(tr.kit.store.Read(context.Background(), op))
	tr.Logf("%d: read %v", tr.passed, show(op))
	tr.compare(op, want)
}

// settlePast settles an admitted request, perhaps again, perhaps after its end.
func (tr *trace) settlePast() {
	if len(tr.past) == 0 {
		return
	}
	op := tr.past[rapid.IntRange(0, len(tr.past)-1).Draw(tr.T, "request")]
	tr.settle(&core.Settle{ID: op.ID, Owner: op.Owner, Charges: settling(op, tr.kit.now), End: true})
}

// outside settles work outside any request, or the reservation of one in the
// past, or a request whose Take failed.
func (tr *trace) outside() {
	owner := tr.owner()
	s := &core.Settle{ID: tr.kit.newID(), Owner: owner}
	kind := rapid.SampledFrom([]string{"later", "failed", "reset", "nothing"}).Draw(tr.T, "outside")
	switch {
	case kind == "later" && len(tr.past) > 0:
		op := tr.past[rapid.IntRange(0, len(tr.past)-1).Draw(tr.T, "request")]
		s.ID, s.Owner = op.ID, op.Owner
		s.Charges = tr.charges(op.Owner, func(l *core.Limit) bool { return l.Settled })
	case kind == "failed":
		if len(tr.failed) > 0 && rapid.Bool().Draw(tr.T, "again") {
			s.ID = rapid.SampledFrom(tr.failed).Draw(tr.T, "request")
		}
		tr.failed = append(tr.failed, s.ID)
		s.Charges = tr.charges(owner, func(l *core.Limit) bool { return l.Settled || l.Kind == core.Hold })
		s.Unleased = true
	case kind == "reset":
		s.Charges = tr.charges(owner, everything)
		s.Reset = true
	}
	for i := range s.Charges {
		s.Charges[i].Peek, s.Charges[i].CheckOnly = false, false
	}
	bound := tr.kit.ask(s.Owner, s.Charges...)
	s.Charges = bound.Charges
	tr.settle(s)
}

// settle draws what is settled, with the end only where s may have one, and
// compares.
func (tr *trace) settle(s *core.Settle) {
	s.Now, s.Policy = tr.kit.now, "p"
	names := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "", strings.Repeat("z", 257)}), 0, 3)
	parts := rapid.Uint8Range(0, 63).Draw(tr.T, "parts")
	if !s.Reset && parts&1 != 0 {
		s.HasCost, s.Cost = true, rapid.Int64Range(0, 3*million).Draw(tr.T, "cost")
	}
	if parts&2 != 0 {
		s.Lease = names.Draw(tr.T, "lease")
	}
	if parts&4 != 0 {
		s.Release = names.Draw(tr.T, "release")
	}
	if parts&24 == 24 {
		s.Renew = names.Draw(tr.T, "renew")
	}
	if parts&40 == 40 {
		v := rapid.SampledFrom([]core.Value{core.Number(2), core.Number(7), core.UnlimitedValue(), {}}).Draw(tr.T, "set")
		s.Set = core.Attributes{{Name: "credits", Value: v}}
	}
	s.End = s.End && parts&16 != 0
	want := *s
	want.Charges = slices.Clone(s.Charges)
	tr.model.settle(&want)
	tr.kit.must(tr.kit.store.Settle(context.Background(), s))
	tr.Logf("%d: settle %+v", tr.passed, *s)
	got, expected := told(s), told(&want)
	if got != expected {
		tr.Fatalf("settled %+v, want %+v", got, expected)
	}
}

// A telling is what a settlement answers.
type telling struct {
	leased, released, renewed, ignored int
	duplicate                          bool
}

func told(s *core.Settle) telling {
	return telling{s.Leased, s.Released, s.Renewed, s.Ignored, s.Duplicate}
}

func copyTake(op *core.Take) *core.Take {
	c := *op
	c.Charges = slices.Clone(op.Charges)
	return &c
}

// compare requires that the store has answered what the model did. Where an
// entry is, is the store's business.
func (tr *trace) compare(got, want *core.Take) {
	if got.Admitted != want.Admitted || !slices.Equal(sorted(got.Overrides), sorted(want.Overrides)) {
		tr.Fatalf("admitted %v with %v, want %v with %v", got.Admitted, got.Overrides, want.Admitted, want.Overrides)
	}
	for i := range got.Charges {
		a, b := got.Charges[i].State, want.Charges[i].State
		a.Entry, b.Entry = core.Entry{}, core.Entry{}
		if a != b || got.Charges[i].Max != want.Charges[i].Max {
			tr.Fatalf("limit %s (max %d): %+v, want %+v", got.Charges[i].Limit.Name, got.Charges[i].Max, a, b)
		}
	}
}

func sorted(a core.Attributes) core.Attributes {
	a = slices.Clone(a)
	slices.SortFunc(a, func(x, y core.Attribute) int { return strings.Compare(x.Name, y.Name) })
	return a
}

func show(op *core.Take) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v of %v:", op.ID.Lo, op.Owner.Hi)
	for i := range op.Charges {
		c := &op.Charges[i]
		fmt.Fprintf(&b, " [%s/%d cost %d max %d peek %v check %v → %+v]", c.Limit.Name, c.Scope.Lo>>32, c.Cost, c.Max, c.Peek, c.CheckOnly, c.State)
	}
	return b.String()
}
