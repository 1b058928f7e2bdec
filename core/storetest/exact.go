package storetest

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/weirhq/weir/core"
)

// callers is how many ask at once.
const callers = 64

var raceCases = []testCase{
	{
		"Exact",
		"of many requests at once exactly the maximum is admitted",
		func(k *kit) {
			for _, l := range refusing(1000) {
				if n := stampede(k, 20, charge(l, alice, 1)); n != 1000 {
					k.Errorf("limit %s: %d admitted of a maximum of 1000", l.Name, n)
				}
				k.wantUsed(l, alice, 1000)
			}
		},
	},
	{
		"ExactTogether",
		"requests charge all limits or none, also at once: the smallest maximum is what all have used",
		func(k *kit) {
			var charges []core.Charge
			limits := refusing(1000)
			limits[3].Max = core.Amount{Value: core.Number(500)}
			for i, l := range limits {
				charges = append(charges, charge(l, core.Scope{Hi: uint64(i), Lo: 1}, 1))
			}
			if n := stampede(k, 10, charges...); n != 500 {
				k.Errorf("%d admitted of a maximum of 500", n)
			}
			for i, l := range limits {
				k.wantUsed(l, core.Scope{Hi: uint64(i), Lo: 1}, 500)
			}
		},
	},
	{
		"HoldsAtOnce",
		"slots that are taken, leased and released at once never exceed the maximum and all come back",
		holdsAtOnce,
	},
}

// stampede has callers ask each times for charges, and returns how many were
// admitted.
func stampede(k *kit, times int, charges ...core.Charge) int64 {
	var admitted atomic.Int64
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for range times {
				op := k.ask(alice, append([]core.Charge(nil), charges...)...)
				if err := k.store.Take(context.Background(), op); err != nil {
					k.Error(err)
				} else if op.Admitted {
					admitted.Add(1)
				}
			}
		})
	}
	group.Wait()
	return admitted.Load()
}

func holdsAtOnce(k *kit) {
	const most = 10
	job, answer := limit("job", core.Hold, most, released), limit("answer", core.Hold, most)
	var running, worst atomic.Int64
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			name := string(rune('A' + caller))
			for range 30 {
				op := k.ask(alice, charge(job, alice, 1), charge(answer, alice, 1))
				if err := k.store.Take(context.Background(), op); err != nil {
					k.Error(err)
				}
				if !op.Admitted {
					continue
				}
				if n := running.Add(1); n > worst.Load() {
					worst.Store(n)
				}
				k.settle(op, func(s *core.Settle) { s.Lease = []string{name} })
				running.Add(-1)
				k.settle(op, func(s *core.Settle) { s.Release, s.End = []string{name}, true })
			}
		})
	}
	group.Wait()
	if worst.Load() > most {
		k.Errorf("%d at once of a maximum of %d", worst.Load(), most)
	}
	k.wantUsed(job, alice, 0)
	k.wantUsed(answer, alice, 0)
}
