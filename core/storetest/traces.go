package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirhq/weir/core"
)

// runTraces compares the store with a model, operation by operation. A trace
// that they differ in is made as short as it can be.
func runTraces(t *testing.T, open func(testing.TB) core.Store) {
	rapid.Check(t, func(rt *rapid.T) {
		s := open(t)
		defer func() { _ = s.Close() }() // some cases close it themselves
		tr := newTrace(drawn{rt}, rt, s)
		for range rapid.IntRange(1, 80).Draw(rt, "steps") {
			tr.step()
		}
	})
}

// A source makes the choices of a trace.
type source interface {
	// choose returns a number below n, for what is named.
	choose(n int, name string) int
}

// drawn are choices that rapid makes, which shrinks them.
type drawn struct{ t *rapid.T }

func (d drawn) choose(n int, name string) int { return rapid.IntRange(0, n-1).Draw(d.t, name) }

// random are choices that are made fast.
type random struct{ *rand.Rand }

func (r random) choose(n int, _ string) int { return r.IntN(n) }

// one chooses one of several values.
func one[T any](s source, of []T, name string) T { return of[s.choose(len(of), name)] }

// A trace is a random sequence of operations on a store and its model.
type trace struct {
	source
	reporter
	kit    *kit
	model  *model
	limits []*core.Limit
	past   []*core.Take // requests that were admitted, the last few
	failed []core.ID    // requests whose Take failed
	passed int64        // µs since the beginning
	log    func(string, ...any)

	operations        int64 // on the store
	admitted, refused int64 // requests
}

func newTrace(s source, r reporter, store core.Store) *trace {
	tr := &trace{source: s, reporter: r, kit: newKit(r, store), model: newModel(), limits: limits}
	if t, ok := r.(interface{ Logf(string, ...any) }); ok {
		tr.log = t.Logf
	}
	return tr
}

// limits of every kind and manner.
var limits = []*core.Limit{
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
	limit("reserved", core.Rolling, 0, settled, ofAttribute("credits", 3), func(l *core.Limit) { l.Reserve = million }),
	limit("daily", core.Calendar, 9, settled, func(l *core.Limit) { l.Reserve = million }),
	limit("metered", core.Bucket, 5, settled),
	limit("shadow", core.Fixed, 2, shadow),
	limit("moment", core.Rolling, 3, func(l *core.Limit) { l.Length = 7 * milli }),
}

const milli = 1000 // µs

var steps = []func(*trace){
	(*trace).take, (*trace).take, (*trace).take, (*trace).batch, (*trace).read,
	(*trace).settlePast, (*trace).settlePast, (*trace).outside, (*trace).wait, (*trace).wait, (*trace).stepWall,
}

func (tr *trace) step() { steps[tr.choose(len(steps), "operation")](tr) }

var waits = []int64{
	1, 500, 999, 1000, 1001, second, 7 * second, 20*second + 1, minute - 1, minute, minute + 1, hour,
}

// wait lets time pass, less than a day in all: settled requests are not to be
// forgotten.
func (tr *trace) wait() {
	if d := one(tr, waits, "µs"); tr.passed+d < 20*hour {
		tr.passed += d
		tr.kit.wait(d)
	}
}

// stepWall sets the wall clock: ahead, as it is found after a suspend, or
// slewed, or back within the minute. What goes by the steady clock is none the
// wiser.
func (tr *trace) stepWall() {
	wall := &tr.kit.now.Wall
	switch tr.choose(4, "clock") {
	case 0:
		*wall += one(tr, waits, "ahead")
	case 1:
		*wall += int64(tr.choose(500, "slew"))
	default:
		*wall -= int64(tr.choose(int(*wall%minute)+1, "back"))
	}
}

func (tr *trace) owner() core.Scope { return one(tr, []core.Scope{alice, bob}, "owner") }

// charges draws charges of some limits, per owner or per one of its keys.
func (tr *trace) charges(owner core.Scope, of func(*core.Limit) bool) (charges []core.Charge) {
	n := one(tr, []int{1, 1, 2, 3, 5}, "charges")
	first, stride := tr.choose(len(tr.limits), "limit"), 1+tr.choose(3, "stride")
	for i := first; len(charges) < n && i < first+len(tr.limits); i += stride {
		l := tr.limits[i%len(tr.limits)]
		if of(l) && !slices.ContainsFunc(charges, func(c core.Charge) bool { return c.Limit == l }) {
			charges = append(charges, tr.charge(l, owner, i%2 == 1))
		}
	}
	return charges
}

var (
	costs = []int64{1, 1, 1, 2, 3, 6, 0, -1, -4}
	slots = []int64{1, 1, 1, 2, 3, 6, 0, core.MaxAmount - 1}
)

// charge draws a charge of l.
func (tr *trace) charge(l *core.Limit, scope core.Scope, perKey bool) core.Charge {
	if perKey {
		scope.Lo += uint64(1+tr.choose(2, "key")) << 32
	}
	c := charge(l, scope, 1)
	switch {
	case l.Settled:
		c.Cost = l.Reserve
	case l.Kind == core.Hold:
		c.Cost = one(tr, slots, "slots")
	default:
		c.Cost = one(tr, costs, "cost")
	}
	switch tr.choose(12, "manner") {
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
	return c
}

func everything(*core.Limit) bool { return true }

// request draws a request.
func (tr *trace) request() *core.Take {
	owner := tr.owner()
	return tr.kit.ask(owner, tr.charges(owner, everything)...)
}

func (tr *trace) take() { tr.decide(tr.request()) }

// batch decides several requests in one step.
func (tr *trace) batch() {
	first := tr.request()
	last := first
	for range 1 + tr.choose(3, "more") {
		last.Next = tr.request()
		last = last.Next
	}
	tr.decide(first)
}

func (tr *trace) decide(op *core.Take) {
	want := copyTake(op)
	tr.model.take(want)
	tr.kit.must(tr.kit.store.Take(context.Background(), op))
	tr.operations++
	for ; op != nil; op, want = op.Next, want.Next {
		tr.note("take %v", op)
		tr.compare(op, want)
		if op.Admitted {
			tr.admitted++
			tr.past = append(tr.past, op)
		} else {
			tr.refused++
		}
	}
	for len(tr.past) > 16 { // the oldest end
		tr.settle(tr.ending(tr.past[0]))
		tr.past = slices.Delete(tr.past, 0, 1)
	}
}

func (tr *trace) read() {
	op := tr.request()
	want := copyTake(op)
	tr.model.read(want)
	tr.kit.must(tr.kit.store.Read(context.Background(), op))
	tr.operations++
	tr.note("read %v", op)
	tr.compare(op, want)
}

func copyTake(op *core.Take) *core.Take {
	if op == nil {
		return nil
	}
	c := *op
	c.Charges = slices.Clone(op.Charges)
	c.Next = copyTake(op.Next)
	return &c
}

// compare requires that the store has answered what the model did. Where an
// entry is, is the store's business.
func (tr *trace) compare(got, want *core.Take) {
	tr.Helper()
	if s := differ(got, want); s != "" {
		tr.Fatalf("%s", s)
	}
}

// differ returns how two answers differ, "" if they don't.
func differ(got, want *core.Take) string {
	if got.Admitted != want.Admitted || !sameAttributes(got.Overrides, want.Overrides) {
		return fmt.Sprintf("admitted %v with %v, want %v with %v", got.Admitted, got.Overrides, want.Admitted, want.Overrides)
	}
	for i := range got.Charges {
		a, b := got.Charges[i].State, want.Charges[i].State
		a.Entry, b.Entry = core.Entry{}, core.Entry{}
		if a != b || got.Charges[i].Max != want.Charges[i].Max {
			return fmt.Sprintf("limit %s (max %d): %+v, want %+v", got.Charges[i].Limit.Name, got.Charges[i].Max, a, b)
		}
	}
	return ""
}

// sameAttributes reports whether two sets have the same members.
func sameAttributes(a, b core.Attributes) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(x core.Attribute) bool { return b.Get(x.Name) != x.Value })
}

// note logs an operation, unless there is no log.
func (tr *trace) note(format string, op *core.Take) {
	if tr.log != nil {
		tr.log("%d: "+format, tr.passed, show(op))
	}
}

func show(op *core.Take) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v of %v:", op.ID.Lo, op.Owner.Hi)
	for i := range op.Charges {
		c := &op.Charges[i]
		fmt.Fprintf(&b, " [%s/%d cost %d max %d peek %v check %v always %v quota %v → %+v]",
			c.Limit.Name, c.Scope.Lo>>32, c.Cost, c.Max, c.Peek, c.CheckOnly, c.Always, c.Quota, c.State)
	}
	return b.String()
}
