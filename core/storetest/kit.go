package storetest

import (
	"context"
	"hash/fnv"
	"sync/atomic"

	"github.com/weirhq/weir/core"
)

// Durations in µs.
const (
	second = int64(1_000_000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// noon is a midnight of UTC, whole minutes and days since the epoch, plus half
// a day: far from the edges of windows.
const noon = 20_000*day + 12*hour

var (
	alice = core.Scope{Hi: 0xA11CE, Lo: 1}
	bob   = core.Scope{Hi: 0xB0B, Lo: 2}
)

// A kit drives one store through one case.
type kit struct {
	reporter
	store core.Store
	now   core.Instant
	ids   atomic.Uint64
}

// A reporter is what testing.T and rapid.T have in common here.
type reporter interface {
	Helper()
	Error(...any)
	Errorf(string, ...any)
	Fatal(...any)
	Fatalf(string, ...any)
}

func newKit(t reporter, s core.Store) *kit {
	return &kit{reporter: t, store: s, now: core.Instant{Wall: noon, Steady: noon}}
}

// newID returns an ID that no request had before.
func (k *kit) newID() core.ID { return core.ID{Hi: 0x1D, Lo: k.ids.Add(1)} }

// wait lets d µs pass.
func (k *kit) wait(d int64) { k.now = k.now.Add(d) }

// ask makes a Take of charges for owner, with the maxima of their limits.
func (k *kit) ask(owner core.Scope, charges ...core.Charge) *core.Take {
	op := &core.Take{Now: k.now, ID: k.newID(), Policy: "p", Owner: owner, Charges: charges}
	op.Subject = &core.Subject{ID: "somebody"}
	bindAll(op)
	return op
}

// bindAll sets the maxima and windows of op's charges as a door does.
func bindAll(op *core.Take) {
	op.Override(nil)
	for i := range op.Charges {
		if c := &op.Charges[i]; c.Limit.Schedule != nil {
			c.Window = c.Limit.Schedule.At(op.Now.Wall)
		}
	}
}

// take takes charges for owner and returns what became of them.
func (k *kit) take(owner core.Scope, charges ...core.Charge) *core.Take {
	k.Helper()
	op := k.ask(owner, charges...)
	k.must(k.store.Take(context.Background(), op))
	return op
}

// admit is take, and requires that the request is admitted.
func (k *kit) admit(owner core.Scope, charges ...core.Charge) *core.Take {
	k.Helper()
	op := k.take(owner, charges...)
	if !op.Admitted {
		k.Fatalf("refused: %+v", op.Charges)
	}
	return op
}

// refuse is take, and requires that the request is refused.
func (k *kit) refuse(owner core.Scope, charges ...core.Charge) *core.Take {
	k.Helper()
	op := k.take(owner, charges...)
	if op.Admitted {
		k.Fatalf("admitted: %+v", op.Charges)
	}
	return op
}

// settle settles op's request with what change sets. As an engine does it hands
// over copies of the charges that were taken.
func (k *kit) settle(op *core.Take, change func(*core.Settle)) *core.Settle {
	k.Helper()
	s := &core.Settle{Now: k.now, ID: op.ID, Policy: op.Policy, Owner: op.Owner, Charges: settling(op, k.now)}
	change(s)
	k.must(k.store.Settle(context.Background(), s))
	return s
}

// settling returns copies of the charges that op took and that can be settled.
func settling(op *core.Take, now core.Instant) (charges []core.Charge) {
	for _, c := range op.Charges {
		if c.Taken && (c.Limit.Settled || c.Limit.Kind == core.Hold) {
			if c.Limit.Schedule != nil {
				c.Window = c.Limit.Schedule.At(now.Wall)
			}
			charges = append(charges, c)
		}
	}
	return charges
}

func (k *kit) end(op *core.Take) {
	k.Helper()
	k.settle(op, func(s *core.Settle) { s.End = true })
}

func (k *kit) lease(op *core.Take, names ...string) *core.Settle {
	k.Helper()
	return k.settle(op, func(s *core.Settle) { s.Lease = names })
}

// outside settles work outside any request.
func (k *kit) outside(owner core.Scope, s core.Settle) *core.Settle {
	k.Helper()
	if s.ID == (core.ID{}) {
		s.ID = k.newID()
	}
	s.Now, s.Policy, s.Owner = k.now, "p", owner
	k.must(k.store.Settle(context.Background(), &s))
	return &s
}

func (k *kit) release(owner core.Scope, names ...string) *core.Settle {
	k.Helper()
	return k.outside(owner, core.Settle{Release: names})
}

// state reads how one cell stands for a charge.
func (k *kit) state(owner core.Scope, c core.Charge) core.Charge {
	k.Helper()
	c.Peek = true
	op := k.ask(owner, c)
	k.must(k.store.Read(context.Background(), op))
	return op.Charges[0]
}

// wantUsed requires that owner's cell of l counts want.
func (k *kit) wantUsed(l *core.Limit, owner core.Scope, want int64) {
	k.Helper()
	if c := k.state(owner, charge(l, owner, 1)); c.Used != want {
		k.Errorf("limit %s: used %d, want %d", l.Name, c.Used, want)
	}
}

// wantTold requires a settlement's figures.
func (k *kit) wantTold(s *core.Settle, leased, released, renewed, ignored int) {
	k.Helper()
	if s.Leased != leased || s.Released != released || s.Renewed != renewed || s.Ignored != ignored {
		k.Errorf("leased %d, released %d, renewed %d, ignored %d; want %d, %d, %d, %d",
			s.Leased, s.Released, s.Renewed, s.Ignored, leased, released, renewed, ignored)
	}
}

func (k *kit) must(err error) {
	k.Helper()
	if err != nil {
		k.Fatal(err)
	}
}

// limit returns a limit of one minute, or of a day of UTC, with a maximum.
func limit(name string, kind core.Kind, most int64, change ...func(*core.Limit)) *core.Limit {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	l := &core.Limit{
		ID: h.Sum64(), Policy: "p", Name: name, Kind: kind, Length: minute, TTL: minute,
		Max:  core.Amount{Value: core.Number(most)},
		Rate: core.Amount{Value: core.Number(3)},
	}
	if kind == core.Calendar {
		l.Schedule, _ = core.NewSchedule("day", "UTC", "")
	}
	for _, f := range change {
		f(l)
	}
	return l
}

func released(l *core.Limit)     { l.Released = true }
func shadow(l *core.Limit)       { l.Shadow = true }
func unlimited(l *core.Limit)    { l.Max = core.Amount{Value: core.UnlimitedValue()} }
func settled(l *core.Limit)      { l.Settled = true }
func count(l *core.Limit)        { l.Count = true; unlimited(l) }
func countRefused(l *core.Limit) { l.CountRefused = true; count(l) }

func ofAttribute(name string, otherwise int64) func(*core.Limit) {
	return func(l *core.Limit) { l.Max = core.Amount{Attribute: name, Value: core.Number(otherwise)} }
}

// charge returns a charge of l as an engine makes it.
func charge(l *core.Limit, scope core.Scope, cost int64) core.Charge {
	return core.Charge{Limit: l, Scope: scope, Cost: cost, Refusable: !l.Count}
}
