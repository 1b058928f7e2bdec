package storetest

import (
	"context"

	"github.com/weirhq/weir/core"
)

var batchCases = []testCase{
	{
		"BatchAllOrNothing",
		"if one of several requests is refused, none of them is charged",
		func(k *kit) {
			for _, l := range refusing(1) {
				k.admit(bob, charge(l, bob, 1))
				ops := k.batch(k.ask(alice, charge(l, alice, 1)), k.ask(bob, charge(l, bob, 1)))
				if ops[0].Admitted || ops[1].Admitted {
					k.Errorf("limit %s: admitted", l.Name)
				}
				if ops[0].Charges[0].Refused || !ops[1].Charges[0].Refused {
					k.Errorf("limit %s: the wrong one refuses", l.Name)
				}
				k.wantUsed(l, alice, 0)
				k.wantUsed(l, bob, 1)
			}
		},
	},
	{
		"BatchOneCell",
		"several requests need room for all that they charge a cell, and are told what it counts afterwards",
		func(k *kit) {
			for _, l := range refusing(5) {
				two := func() *core.Take { return k.ask(alice, charge(l, alice, 2)) }
				for i, op := range k.batch(two(), two()) {
					if c := op.Charges[0]; !op.Admitted || !c.Taken || c.Used != 4 {
						k.Errorf("limit %s, request %d: %+v", l.Name, i, c.State)
					}
				}
				one := k.ask(alice, charge(l, alice, 1))
				ops := k.batch(one, two())
				if ops[0].Charges[0].Refused || !ops[1].Charges[0].Refused || ops[1].Charges[0].NeverFits {
					k.Errorf("limit %s: the last one does not refuse", l.Name)
				}
				k.wantUsed(l, alice, 4)
				k.admit(alice, charge(l, alice, 1))
			}
		},
	},
	{
		"BatchNeverFits",
		"requests that charge a cell more than its maximum together never fit",
		func(k *kit) {
			for _, l := range refusing(3) {
				op := func() *core.Take { return k.ask(alice, charge(l, alice, 2)) }
				if c := k.batch(op(), op())[1].Charges[0]; !c.Refused || !c.NeverFits {
					k.Errorf("limit %s: %+v", l.Name, c.State)
				}
				k.wantUsed(l, alice, 0)
			}
		},
	},
	{
		"BatchOwnMaximum",
		"each request is held to its own subject's attributes",
		func(k *kit) {
			l := limit("attribute", core.Rolling, 0, ofAttribute("n", 1))
			k.outside(bob, core.Settle{Set: core.Attributes{{Name: "n", Value: core.Number(2)}}})
			shared := core.Scope{Hi: 7}
			if ops := k.batch(k.ask(alice, charge(l, shared, 1)), k.ask(bob, charge(l, shared, 1))); !ops[0].Admitted {
				k.Errorf("the second has room for two: %+v", ops[1].Charges[0])
			}
			k.wantUsed(l, shared, 2)
			if ops := k.batch(k.ask(bob, charge(l, bob, 1)), k.ask(alice, charge(l, bob, 1))); ops[0].Admitted {
				k.Errorf("the second has room for one: %+v", ops[1].Charges[0])
			}
		},
	},
	{
		"BatchShadow",
		"a shadow that does not fit takes nothing, and leaves its room to the next",
		func(k *kit) {
			l := limit("shadow", core.Fixed, 3, shadow)
			ops := k.batch(k.ask(alice, charge(l, alice, 4)), k.ask(alice, charge(l, alice, 3)))
			if !ops[0].Admitted || ops[0].Charges[0].Taken || !ops[1].Charges[0].Taken {
				k.Errorf("%+v, %+v", ops[0].Charges[0].State, ops[1].Charges[0].State)
			}
			k.wantUsed(l, alice, 3)
		},
	},
	{
		"BatchCountRefused",
		"counts of refused requests count each of them",
		func(k *kit) {
			c, l := limit("count", core.Ever, 0, countRefused), limit("limit", core.Fixed, 0)
			k.batch(k.ask(alice, charge(c, alice, 1)), k.ask(alice, charge(c, alice, 1), charge(l, alice, 1)))
			k.wantUsed(c, alice, 2)
			k.wantUsed(l, alice, 0)
		},
	},
	{
		"BatchSlots",
		"each request of a batch holds slots of its own",
		func(k *kit) {
			for _, l := range []*core.Limit{limit("response", core.Hold, 2), limit("released", core.Hold, 2, released)} {
				ops := k.batch(k.ask(alice, charge(l, alice, 1)), k.ask(alice, charge(l, alice, 1)))
				k.end(ops[0])
				k.wantUsed(l, alice, 1)
				k.end(ops[1])
				k.wantUsed(l, alice, 0)
			}
		},
	},
}

// batch takes several requests in one step.
func (k *kit) batch(ops ...*core.Take) []*core.Take {
	k.Helper()
	for i := range ops[1:] {
		ops[i].Next = ops[i+1]
	}
	k.must(k.store.Take(context.Background(), ops[0]))
	return ops
}
