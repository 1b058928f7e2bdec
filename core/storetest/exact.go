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
		"EverythingAtOnce",
		"operations at once are operations one after the other",
		everythingAtOnce,
	},
	{
		"HoldsAtOnce",
		"slots that are taken, leased and released at once never exceed the maximum and all come back",
		holdsAtOnce,
	},
}

// everythingAtOnce has callers do everything to shared cells. What is over at
// the end counts nothing, and what only counts has counted every request.
func everythingAtOnce(k *kit) {
	job, answer := limit("job", core.Hold, 40, released), limit("answer", core.Hold, 40)
	budget := limit("budget", core.Calendar, 1<<40, settled)
	all := limit("all", core.Ever, 0, countRefused)
	everybody := core.Scope{Hi: 1, Lo: 99}
	var asked, spent atomic.Int64
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			owner := core.Scope{Hi: uint64(caller % 8), Lo: 5}
			name := string(rune('A' + caller%8))
			for i := range 20 {
				op := k.ask(owner, charge(job, owner, 2), charge(answer, everybody, 1),
					charge(budget, everybody, million), charge(all, everybody, 1))
				k.check(k.store.Take(context.Background(), op))
				asked.Add(1)
				if !op.Admitted {
					continue
				}
				spent.Add(int64(i))
				later := core.Charge{Limit: budget, Scope: owner, Window: op.Charges[2].Window}
				steps := []core.Settle{
					{Lease: []string{name}, Set: core.Attributes{{Name: "n", Value: core.Number(int64(i))}}},
					{Release: []string{name, "nobody"}},
					{End: true, Charges: settling(op, k.now)},
					{HasCost: true, Cost: int64(i), Charges: []core.Charge{later}},
					{Set: core.Attributes{{Name: "n"}}},
				}
				var own sync.WaitGroup
				for j := range steps {
					s := &steps[j]
					s.Now, s.ID, s.Policy, s.Owner = k.now, op.ID, "p", owner
					if s.End || s.HasCost {
						own.Go(func() { k.check(k.store.Settle(context.Background(), s)) })
					} else {
						k.check(k.store.Settle(context.Background(), s))
					}
				}
				own.Wait()
			}
		})
	}
	group.Wait()
	k.wait(minute)
	k.wantUsed(answer, everybody, 0)
	k.wantUsed(all, everybody, asked.Load())
	total := k.state(alice, charge(budget, everybody, 1)).Used
	for caller := range 8 {
		owner := core.Scope{Hi: uint64(caller), Lo: 5}
		k.wantUsed(job, owner, 0)
		total += k.state(alice, charge(budget, owner, 1)).Used
	}
	if total != spent.Load() {
		k.Errorf("%d used of the budget, %d spent", total, spent.Load())
	}
}

// check is must for goroutines of a case.
func (k *kit) check(err error) {
	if err != nil {
		k.Error(err)
	}
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
				k.check(k.store.Take(context.Background(), op))
				if op.Admitted {
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
				k.check(k.store.Take(context.Background(), op))
				if !op.Admitted {
					continue
				}
				if n := running.Add(1); n > worst.Load() {
					worst.Store(n)
				}
				k.lease(op, name)
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
