package storetest

import "github.com/weirhq/weir/core"

// million is one unit of a settled limit.
const million = core.Million

// budgets are settled limits of every kind that can be, with one maximum.
func budgets(most int64) []*core.Limit {
	return []*core.Limit{
		limit("rolling budget", core.Rolling, most, settled),
		limit("fixed budget", core.Fixed, most, settled),
		limit("calendar budget", core.Calendar, most, settled),
		limit("bucket budget", core.Bucket, most, settled),
	}
}

// cost settles op's request at a cost in millionths.
func (k *kit) cost(op *core.Take, cost int64) *core.Settle {
	k.Helper()
	return k.settle(op, func(s *core.Settle) { s.HasCost, s.Cost = true, cost })
}

var settleCases = []testCase{
	{
		"SettledWithoutReservation",
		"such a limit admits while used < max; settling never refuses, and used may pass the maximum",
		func(k *kit) {
			for _, l := range budgets(2) {
				first := k.admit(alice, charge(l, alice, 0))
				second := k.admit(alice, charge(l, alice, 0))
				k.cost(first, 2*million-1)
				k.admit(alice, charge(l, alice, 0))
				k.cost(second, 3*million)
				k.wantUsed(l, alice, 5*million-1)
				if c := k.refuse(alice, charge(l, alice, 0)).Charges[0]; c.Remaining() != 0 {
					k.Errorf("limit %s: remaining %d", l.Name, c.Remaining())
				}
			}
		},
	},
	{
		"SettledReservation",
		"a cost replaces what was reserved: the excess is added, the rest is given back",
		func(k *kit) {
			for _, l := range budgets(2) {
				cheap := k.admit(alice, charge(l, alice, million))
				dear := k.admit(alice, charge(l, alice, million))
				k.refuse(alice, charge(l, alice, million))
				k.cost(cheap, million/4)
				k.wantUsed(l, alice, million+million/4)
				k.cost(dear, 2*million)
				k.wantUsed(l, alice, 2*million+million/4)
			}
		},
	},
	{
		"SettledOnce",
		"a cost is applied once per ID; a second is told to be a duplicate, whatever it says",
		func(k *kit) {
			for _, l := range budgets(9) {
				op := k.admit(alice, charge(l, alice, 0))
				if k.cost(op, million).Duplicate {
					k.Errorf("limit %s: the first cost is a duplicate", l.Name)
				}
				k.wait(second)
				if !k.cost(op, 2*million).Duplicate {
					k.Errorf("limit %s: the second cost is none", l.Name)
				}
				k.end(op)
				if l.Kind != core.Bucket {
					k.wantUsed(l, alice, million)
				}
			}
		},
	},
	{
		"SettledOutside",
		"work outside any request is settled once per ID too, for whoever it names",
		func(k *kit) {
			for _, l := range budgets(9) {
				s := core.Settle{ID: k.newID(), HasCost: true, Cost: million, Charges: []core.Charge{charge(l, alice, 0)}}
				if k.outside(alice, s).Duplicate || !k.outside(alice, s).Duplicate {
					k.Errorf("limit %s: want the second to be the duplicate", l.Name)
				}
				k.wantUsed(l, alice, million)
			}
		},
	},
	{
		"SettledLater",
		"the reservation of a request that ended without a cost is corrected by a later cost of the same ID",
		func(k *kit) {
			for _, l := range budgets(9)[1:3] {
				for _, cost := range []int64{0, million / 2, 3 * million} {
					op := k.admit(bob, charge(l, alice, million))
					k.end(op)
					k.wantUsed(l, alice, million)
					later := core.Settle{ID: op.ID, HasCost: true, Cost: cost, Charges: []core.Charge{charge(l, alice, 0)}}
					k.outside(bob, later)
					k.wantUsed(l, alice, cost)
					if !k.outside(bob, later).Duplicate {
						k.Errorf("limit %s: settled twice", l.Name)
					}
					k.end(op)
					k.wantUsed(l, alice, cost)
					k.outside(bob, core.Settle{Reset: true, Charges: []core.Charge{charge(l, alice, 0)}})
				}
			}
		},
	},
	{
		"SettledElsewhere",
		"a reservation is corrected where it was made, whoever the later cost is said to be about",
		func(k *kit) {
			l := budgets(9)[1]
			op := k.admit(alice, charge(l, alice, 2*million))
			k.end(op)
			k.outside(bob, core.Settle{ID: op.ID, HasCost: true, Cost: million, Charges: []core.Charge{charge(l, bob, 0)}})
			k.wantUsed(l, alice, million)
			k.wantUsed(l, bob, 0)
		},
	},
	{
		"SettledEarly",
		"a request that is settled by its ID alone gives back its reservation when it ends",
		func(k *kit) {
			l := budgets(9)[1]
			op := k.admit(alice, charge(l, alice, 2*million))
			k.outside(alice, core.Settle{ID: op.ID, HasCost: true, Cost: million, Charges: []core.Charge{charge(l, alice, 0)}})
			k.wantUsed(l, alice, 3*million)
			k.end(op)
			k.wantUsed(l, alice, million)
			k.end(op)
			k.wantUsed(l, alice, million)
		},
	},
	{
		"SettledInPart",
		"what is settled for some limits leaves the others as they are, to be settled by the same ID, before the request's end as after it",
		func(k *kit) {
			a, b := limit("part", core.Fixed, 9, settled), limit("other part", core.Rolling, 9, settled)
			for _, early := range []bool{true, false} {
				op := k.admit(alice, charge(a, alice, 4*million), charge(b, alice, 4*million))
				part := func() *core.Settle {
					return k.outside(alice, core.Settle{ID: op.ID, HasCost: true, Cost: million, Part: true, Charges: []core.Charge{charge(a, alice, 0)}})
				}
				if !early {
					k.end(op)
				}
				if part().Duplicate || !part().Duplicate {
					k.Errorf("early %v: want the second to be the duplicate", early)
				}
				if early {
					k.end(op)
					k.end(op)
				}
				k.wantUsed(a, alice, million)
				k.wantUsed(b, alice, 4*million)
				whole := func() *core.Settle {
					return k.outside(alice, core.Settle{ID: op.ID, HasCost: true, Cost: 3 * million, Charges: []core.Charge{charge(a, alice, 0), charge(b, alice, 0)}})
				}
				if whole().Duplicate || !whole().Duplicate || !part().Duplicate {
					k.Errorf("early %v: want one cost for the other limit", early)
				}
				k.wantUsed(b, alice, 3*million)
				k.end(op)
				k.wantUsed(a, alice, million)
				k.wantUsed(b, alice, 3*million)
				k.wait(minute)
			}
		},
	},
	{
		"SettledInPartFirst",
		"the cost of a request that was settled for all its limits but one settles that one",
		func(k *kit) {
			a, b := limit("part", core.Fixed, 9, settled), limit("other part", core.Rolling, 9, settled)
			op := k.admit(alice, charge(a, alice, 4*million), charge(b, alice, 4*million))
			k.outside(alice, core.Settle{ID: op.ID, HasCost: true, Cost: million, Part: true, Charges: []core.Charge{charge(a, alice, 0)}})
			k.cost(op, 3*million)
			k.end(op)
			k.wantUsed(a, alice, million)
			k.wantUsed(b, alice, 3*million)
		},
	},
	{
		"SettledUnderASetMaximum",
		"a cost counts by the maximum and the rate that are set when it is told, not by those of the Take or of the limit",
		func(k *kit) {
			credits := func(l *core.Limit) {
				l.Max = core.Amount{Attribute: "credits", Value: core.UnlimitedValue()}
				l.Rate = core.Amount{Attribute: "rate", Value: core.Number(1_000_000)}
			}
			set := core.Attributes{{Name: "credits", Value: core.Number(5)}, {Name: "rate", Value: core.Number(1)}}
			key := core.Scope{Hi: alice.Hi, Lo: alice.Lo + 1<<32}
			for _, l := range budgets(0) {
				credits(l)
				before := k.admit(alice, charge(l, key, 0))
				k.outside(alice, core.Settle{Set: set})
				k.cost(before, 3*million)
				k.wait(milli)
				k.outside(alice, core.Settle{HasCost: true, Cost: million, Charges: []core.Charge{charge(l, key, 0)}})
				if used := k.state(alice, charge(l, key, 0)).Used; used > 4*million || used < 4*million-17 { // drained in 1 ms
					k.Errorf("limit %s: used %d", l.Name, used)
				}
				k.outside(alice, core.Settle{HasCost: true, Cost: 3 * million, Charges: []core.Charge{charge(l, key, 0)}})
				k.refuse(alice, charge(l, key, 0))
				k.outside(alice, core.Settle{Set: core.Attributes{{Name: "credits"}, {Name: "rate"}}})
			}
		},
	},
	{
		"SettledByAGuess",
		"a cost for somebody whose maximum is only guessed to be none counts",
		func(k *kit) {
			for _, guessed := range []bool{true, false} {
				l := limit("guessed", core.Rolling, 0, settled)
				l.Max = core.Amount{Attribute: "credits", Value: core.UnlimitedValue()}
				k.outside(bob, core.Settle{Guessed: guessed, HasCost: true, Cost: million, Charges: []core.Charge{charge(l, bob, 0)}})
				if used := k.state(bob, charge(l, bob, 0)).Used; used != 0 != guessed {
					k.Errorf("guessed %v: used %d", guessed, used)
				}
				k.wait(minute)
			}
		},
	},
	{
		"RefundAfterReset",
		"what was reserved before a reset is not given back after it",
		func(k *kit) {
			for _, l := range budgets(9) {
				op := k.admit(alice, charge(l, alice, 2*million))
				k.outside(alice, core.Settle{Reset: true, Charges: []core.Charge{charge(l, alice, 0)}})
				k.admit(alice, charge(l, alice, million))
				k.cost(op, 0)
				k.wantUsed(l, alice, million)
			}
		},
	},
	{
		"RefundOfTheEntry",
		"a refund comes out of the reservation's own entry: if that does not count any more there is nothing to give back",
		func(k *kit) {
			for _, l := range budgets(9)[:2] {
				op := k.admit(alice, charge(l, alice, 2*million))
				k.wait(minute)
				k.admit(alice, charge(l, alice, million))
				k.cost(op, 0)
				k.wantUsed(l, alice, million)
				k.wait(2 * minute)
			}
		},
	},
	{
		"ExcessNow",
		"the excess counts in the window that is current at settling",
		func(k *kit) {
			for _, l := range budgets(9)[:3] {
				op := k.admit(alice, charge(l, alice, million))
				k.wait(day)
				k.cost(op, 3*million)
				k.wantUsed(l, alice, 2*million)
			}
		},
	},
	{
		"SettledShadow",
		"a shadow that was left out of a request is left out of its cost too",
		func(k *kit) {
			l, s := limit("real", core.Fixed, 9, settled), limit("shadow", core.Fixed, 1, settled, shadow)
			k.cost(k.admit(alice, charge(l, alice, 0), charge(s, alice, 0)), million)
			op := k.admit(alice, charge(l, alice, 0), charge(s, alice, 0))
			k.outside(alice, core.Settle{ID: op.ID, HasCost: true, Cost: million, Charges: op.Charges})
			k.wantUsed(l, alice, 2*million)
			k.wantUsed(s, alice, million)
		},
	},
}
