package storetest

import (
	"context"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirhq/weir/core"
)

// runClocks lets clocks step, stop and run fast while somebody asks, and counts
// what was admitted by the true time: never more than the maximum in any
// interval of a rolling window, than burst and rate allow in any time, than
// there are slots, or in any one window that a fixed or calendar limit counted
// in, none of which comes before another that was counted in already.
func runClocks(t *testing.T, open func(testing.TB) core.Store) {
	rapid.Check(t, func(rt *rapid.T) {
		s := open(t)
		defer func() { _ = s.Close() }() // the answers counted
		w := newWorld(rt, s)
		for range rapid.IntRange(1, 120).Draw(rt, "steps") {
			w.step()
		}
	})
}

// changes are instants of wall clocks, in s, near which windows begin: days of
// Berlin that have 23 and 25 hours, one of São Paulo that begins at 01:00, one
// that Havana begins twice, and the last of a leap year.
var changes = []int64{1774746000, 1792890000, 1541300400, 1352001600, 1735603200}

// A world is what a store sees of the time, and what it admitted.
type world struct {
	*rapid.T
	kit      *kit
	limits   []*core.Limit
	least    int64 // what the wall clock showed when the store saw it first
	furthest int64 // that the wall clock was
	admitted map[*core.Limit][]admission
	windows  map[*core.Limit]map[int64]int64 // what was admitted by the window's end
	latest   map[*core.Limit]int64           // the latest window's end
	holding  []*core.Take
}

// An admission is how much was admitted and when, by the true time.
type admission struct{ at, cost int64 }

const clockMax = 4

func newWorld(t *rapid.T, s core.Store) *world {
	w := &world{
		T: t, kit: newKit(t, s), admitted: make(map[*core.Limit][]admission),
		windows: make(map[*core.Limit]map[int64]int64), latest: make(map[*core.Limit]int64),
		limits: refusing(clockMax),
	}
	for _, zone := range []string{"Europe/Berlin", "America/Sao_Paulo", "America/Havana"} {
		w.limits = append(w.limits, limit(zone, core.Calendar, clockMax, func(l *core.Limit) {
			l.Schedule, _ = core.NewSchedule("day", zone, "")
		}))
	}
	at := rapid.SampledFrom(changes).Draw(t, "change")*second - rapid.Int64Range(0, 2*hour).Draw(t, "before")
	w.kit.now = core.Instant{Wall: at, Steady: at}
	w.least, w.furthest = math.MinInt64, at
	return w
}

var passing = []int64{1, 999, second, 20 * second, minute - 1, minute, hour, 8 * hour, day}

func (w *world) step() {
	now := &w.kit.now
	pass := func(name string) int64 { return rapid.SampledFrom(passing).Draw(w.T, name) }
	switch rapid.IntRange(0, 9).Draw(w.T, "what") {
	case 0, 1:
		d := pass("passes")
		*now = now.Add(d)
	case 2: // slewed, as NTP does by up to 500 ppm
		d := pass("passes")
		now.Steady += d
		now.Wall += d + d*rapid.Int64Range(-500, 500).Draw(w.T, "ppm")/1_000_000
	case 3: // set ahead, or found so after a suspend, in which no time passes
		now.Wall += pass("ahead")
	case 4: // set back, but not to before the beginning
		now.Wall = max(w.least, now.Wall-pass("back"))
	case 5:
		w.end()
	default:
		w.ask()
	}
	w.furthest = max(w.furthest, now.Wall)
}

// ask asks for alice, or for bob, whose requests only show the store the time.
func (w *world) ask() {
	who := rapid.SampledFrom([]core.Scope{alice, alice, bob}).Draw(w.T, "who")
	l := rapid.SampledFrom(w.limits).Draw(w.T, "limit")
	cost := rapid.Int64Range(1, clockMax).Draw(w.T, "cost")
	op := w.kit.ask(who, charge(l, who, cost))
	if w.least == math.MinInt64 {
		w.least = w.kit.now.Wall
	}
	w.kit.must(w.kit.store.Take(context.Background(), op))
	c := &op.Charges[0]
	w.Logf("%+v: %s of %x: %+v", w.kit.now, l.Name, who.Hi, c.State)
	if who != alice || !op.Admitted {
		return
	}
	switch l.Kind {
	case core.Rolling:
		w.count(l, cost, func(int64) int64 { return clockMax })
	case core.Bucket:
		w.count(l, cost, func(d int64) int64 { return clockMax + 3*d/l.Length })
	case core.Fixed, core.Calendar:
		w.countWindow(l, cost, w.kit.now.Wall+c.Grow)
	case core.Hold:
		w.hold(op)
	}
}

// count notes an admission, and checks all intervals that end with it; a rolling
// window is as long as the interval, a bucket allows what a function says.
func (w *world) count(l *core.Limit, cost int64, allowed func(d int64) int64) {
	w.admitted[l] = append(w.admitted[l], admission{w.kit.now.Steady, cost})
	all, sum := w.admitted[l], int64(0)
	for i := len(all) - 1; i >= 0; i-- {
		d := w.kit.now.Steady - all[i].at
		if l.Kind == core.Rolling && d >= l.Length {
			return
		}
		if sum += all[i].cost; sum > allowed(d) {
			w.Fatalf("limit %s: %d admitted in %d µs", l.Name, sum, d)
		}
	}
}

// countWindow notes an admission in the window that ends at end.
func (w *world) countWindow(l *core.Limit, cost, end int64) {
	if w.windows[l] == nil {
		w.windows[l] = make(map[int64]int64)
	}
	w.windows[l][end] += cost
	switch start := w.start(l, end); {
	case w.windows[l][end] > clockMax:
		w.Fatalf("limit %s: %d admitted in one window", l.Name, w.windows[l][end])
	case end < w.latest[l]:
		w.Fatalf("limit %s: a window that ends at %d, after one that ends at %d", l.Name, end, w.latest[l])
	case end <= w.kit.now.Wall || start > w.furthest:
		w.Fatalf("limit %s: a window from %d to %d at %d; the clock was never past %d", l.Name, start, end, w.kit.now.Wall, w.furthest)
	}
	w.latest[l] = end
}

// start returns where the window begins that ends at end, which has to be where
// windows do.
func (w *world) start(l *core.Limit, end int64) int64 {
	if l.Kind == core.Fixed {
		if end%l.Length != 0 {
			w.Fatalf("limit %s: a window ends at %d", l.Name, end)
		}
		return end - l.Length
	}
	if l.Schedule.At(end).Start != end {
		w.Fatalf("limit %s: a window ends at %d", l.Name, end)
	}
	return l.Schedule.At(end - 1).Start
}

// hold notes a request with slots; half of those that can be are leased.
func (w *world) hold(op *core.Take) {
	if l := op.Charges[0].Limit; l.Released && rapid.Bool().Draw(w.T, "leased") {
		names := []string{op.ID.String(), op.ID.String() + "b", op.ID.String() + "c", op.ID.String() + "d"}
		w.kit.lease(op, names[:op.Charges[0].Cost]...)
		w.kit.end(op)
		w.count(l, op.Charges[0].Cost, func(d int64) int64 {
			if d < l.TTL {
				return clockMax
			}
			return core.MaxAmount
		})
		return
	}
	w.holding = append(w.holding, op)
	held := map[*core.Limit]int64{}
	for _, op := range w.holding {
		held[op.Charges[0].Limit] += op.Charges[0].Cost
	}
	if n := held[op.Charges[0].Limit]; n > clockMax {
		w.Fatalf("limit %s: %d slots are taken", op.Charges[0].Limit.Name, n)
	}
}

// end ends the oldest request that holds slots.
func (w *world) end() {
	if len(w.holding) > 0 {
		w.kit.end(w.holding[0])
		w.holding = w.holding[1:]
	}
}
