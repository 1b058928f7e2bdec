package storetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/weirhq/weir/core"
)

// refusing are limits of every kind that refuses, with one maximum.
func refusing(most int64) []*core.Limit {
	return []*core.Limit{
		limit("rolling", core.Rolling, most),
		limit("fixed", core.Fixed, most),
		limit("calendar", core.Calendar, most),
		limit("bucket", core.Bucket, most),
		limit("response", core.Hold, most),
		limit("released", core.Hold, most, released),
	}
}

var decisionCases = []testCase{
	{
		"AllOrNothing",
		"if the last of the limits refuses, none is charged",
		allOrNothing,
	},
	{
		"Scopes",
		"each scope of a limit has a cell of its own, and so has each limit of a scope",
		func(k *kit) {
			for _, l := range refusing(1) {
				k.admit(alice, charge(l, alice, 1))
				k.admit(bob, charge(l, bob, 1))
				k.refuse(alice, charge(l, alice, 1))
			}
		},
	},
	{
		"Peek",
		"a peek is told the state, never refuses and takes nothing",
		func(k *kit) {
			for _, l := range refusing(1) {
				peek := charge(l, alice, 1)
				peek.Peek = true
				for range 3 {
					if c := k.admit(alice, peek).Charges[0]; c.Taken || c.Used != 0 {
						k.Errorf("limit %s: %+v", l.Name, c.State)
					}
				}
				k.admit(alice, charge(l, alice, 1))
				if c := k.admit(alice, peek).Charges[0]; c.Refused || c.Used != 1 {
					k.Errorf("limit %s: %+v", l.Name, c.State)
				}
			}
		},
	},
	{
		"CheckOnly",
		"a request that may be refused but is not charged needs one free unit and takes none",
		func(k *kit) {
			for _, l := range refusing(1) {
				check := charge(l, alice, 0)
				check.CheckOnly = true
				for range 3 {
					k.admit(alice, check)
				}
				k.admit(alice, charge(l, alice, 1))
				k.refuse(alice, check)
				k.wantUsed(l, alice, 1)
			}
		},
	},
	{
		"NotRefusable",
		"a charge that may not refuse is taken above the maximum",
		func(k *kit) {
			for _, l := range refusing(1) {
				c := charge(l, alice, 1)
				c.Refusable = false
				k.admit(alice, c)
				k.admit(alice, c)
				k.wantUsed(l, alice, 2)
				k.refuse(alice, charge(l, alice, 1))
			}
		},
	},
	{
		"Shadow",
		"a shadow that would refuse takes nothing and stays silent; otherwise it is charged",
		func(k *kit) {
			l, s := limit("real", core.Fixed, 3), limit("shadow", core.Fixed, 1, shadow)
			k.admit(alice, charge(l, alice, 1), charge(s, alice, 1))
			op := k.admit(alice, charge(l, alice, 1), charge(s, alice, 1))
			if c := op.Charges[1]; !c.Refused || c.Taken || c.Used != 1 {
				k.Errorf("shadow: %+v", c.State)
			}
			k.wantUsed(l, alice, 2)
			k.wantUsed(s, alice, 1)
		},
	},
	{
		"Counts",
		"counts count admitted requests, with refused those too, each decision once",
		func(k *kit) {
			l := limit("real", core.Fixed, 1)
			admitted, all := limit("admitted", core.Ever, 0, count), limit("all", core.Rolling, 0, countRefused)
			k.admit(alice, charge(l, alice, 1), charge(admitted, alice, 1), charge(all, alice, 1))
			op := k.refuse(alice, charge(l, alice, 1), charge(admitted, alice, 1), charge(all, alice, 1))
			if op.Charges[1].Taken || !op.Charges[2].Taken || op.Charges[2].Used != 2 {
				k.Errorf("%+v", op.Charges)
			}
			k.wantUsed(admitted, alice, 1)
			k.wantUsed(all, alice, 2)
		},
	},
	{
		"Unlimited",
		"without a cap calendar, fixed and hold keep counting; rolling and bucket are empty when a cap comes back",
		func(k *kit) {
			for i, kept := range []int64{0, 3, 3, 0, 3, 3} {
				capped := refusing(1)[i]
				open := *capped
				unlimited(&open)
				for range 3 {
					if c := k.admit(alice, charge(&open, alice, 1)).Charges[0]; c.Remaining() != core.Unlimited {
						k.Errorf("limit %s: remaining %d", open.Name, c.Remaining())
					}
				}
				k.wantUsed(capped, alice, kept)
			}
		},
	},
	{
		"PlanChange",
		"what was used stays: a smaller maximum leaves 0 remaining, a larger one the difference",
		func(k *kit) {
			for i := range refusing(0) {
				three, one, five := refusing(3)[i], refusing(1)[i], refusing(5)[i]
				for range 3 {
					k.admit(alice, charge(three, alice, 1))
				}
				if c := k.refuse(alice, charge(one, alice, 1)).Charges[0]; c.Used != 3 || c.Remaining() != 0 {
					k.Errorf("limit %s: used %d, remaining %d", one.Name, c.Used, c.Remaining())
				}
				k.admit(alice, charge(five, alice, 2))
				k.refuse(alice, charge(five, alice, 1))
			}
		},
	},
	{
		"Overrides",
		"an attribute that was set on the owner acts at once, for that owner only, until it is removed",
		overrides,
	},
	{
		"Capped",
		"a maximum that a request brings with it stands, whatever was set on the owner; the cell is the limit's",
		capped,
	},
	{
		"ReadChangesNothing",
		"reading tells what a decision would see, and changes nothing",
		func(k *kit) {
			for _, l := range refusing(2) {
				k.admit(alice, charge(l, alice, 1))
				before := k.state(alice, charge(l, alice, 1))
				if again := k.state(alice, charge(l, alice, 1)); again.State != before.State || again.Used != 1 {
					k.Errorf("limit %s: %+v, then %+v", l.Name, before.State, again.State)
				}
				k.admit(alice, charge(l, alice, 1))
			}
		},
	},
	{
		"Reset",
		"a reset empties the cells that it names and no others",
		func(k *kit) {
			for _, l := range refusing(1) {
				k.admit(alice, charge(l, alice, 1))
				k.admit(bob, charge(l, bob, 1))
				k.outside(alice, core.Settle{Reset: true, Charges: []core.Charge{charge(l, alice, 0)}})
				k.wantUsed(l, alice, 0)
				k.wantUsed(l, bob, 1)
				k.admit(alice, charge(l, alice, 1))
			}
		},
	},
	{
		"Closed",
		"a closed store answers ErrClosed to everything",
		func(k *kit) {
			k.must(k.store.Close())
			op := k.ask(alice, charge(limit("l", core.Fixed, 1), alice, 1))
			for name, err := range map[string]error{
				"Take": k.store.Take(context.Background(), op), "Read": k.store.Read(context.Background(), op),
				"Settle": k.store.Settle(context.Background(), &core.Settle{}), "Close": k.store.Close(),
			} {
				if !errors.Is(err, core.ErrClosed) {
					k.Errorf("%s: %v", name, err)
				}
			}
		},
	},
}

func allOrNothing(k *kit) {
	for _, last := range refusing(1) {
		k.admit(bob, charge(last, bob, 1))
		var charges []core.Charge
		for i, l := range refusing(10) {
			l.Name = fmt.Sprint(l.Name, " before ", last.Name)
			l.ID += uint64(i) + last.ID
			charges = append(charges, charge(l, alice, 3))
		}
		first := append([]core.Charge(nil), charges...)
		charges = append(charges, charge(last, bob, 1))
		op := k.refuse(alice, charges...)
		for i, c := range op.Charges {
			want := core.State{Used: 0}
			if i == len(op.Charges)-1 {
				continue
			}
			if c.State != want {
				k.Errorf("limit %s: %+v after a refusal by the last", c.Limit.Name, c.State)
			}
			k.wantUsed(c.Limit, alice, 0)
		}
		k.wantUsed(last, bob, 1)
		k.admit(alice, first...)
	}
}

func overrides(k *kit) {
	l := limit("l", core.Fixed, 0, ofAttribute("credits", 1))
	set := func(v core.Value) {
		k.Helper()
		k.outside(alice, core.Settle{Set: core.Attributes{{Name: "credits", Value: v}, {Name: "note", Value: core.Text("x")}}})
	}
	k.admit(alice, charge(l, alice, 1))
	k.refuse(alice, charge(l, alice, 1))
	set(core.Number(2))
	op := k.admit(alice, charge(l, alice, 1))
	if op.Charges[0].Max != 2 || op.Overrides.Get("credits") != core.Number(2) || op.Overrides.Get("note") != core.Text("x") {
		k.Errorf("max %d, overrides %v", op.Charges[0].Max, op.Overrides)
	}
	k.refuse(alice, charge(l, alice, 1))
	k.admit(bob, charge(l, bob, 1))
	if c := k.refuse(bob, charge(l, bob, 1)).Charges[0]; c.Max != 1 {
		k.Errorf("another owner has a maximum of %d", c.Max)
	}
	before := op.Overrides
	set(core.UnlimitedValue())
	if before.Get("credits") != core.Number(2) {
		k.Errorf("a decision's overrides changed to %v", before)
	}
	k.admit(alice, charge(l, alice, 5))
	set(core.Value{})
	op = k.ask(bob, charge(l, bob, 1))
	op.Overrides = before
	k.must(k.store.Take(context.Background(), op))
	if op.Overrides != nil {
		k.Errorf("an owner without overrides has %v", op.Overrides)
	}
	op = k.refuse(alice, charge(l, alice, 1))
	if op.Charges[0].Max != 1 || !op.Overrides.Get("credits").IsZero() {
		k.Errorf("after removal: max %d, overrides %v", op.Charges[0].Max, op.Overrides)
	}
	read := k.ask(alice, charge(l, alice, 1))
	k.must(k.store.Read(context.Background(), read))
	if read.Overrides.Get("note") != core.Text("x") {
		k.Errorf("read overrides %v", read.Overrides)
	}
}

func capped(k *kit) {
	l := limit("l", core.Fixed, 0, ofAttribute("credits", 10))
	k.outside(alice, core.Settle{Set: core.Attributes{{Name: "credits", Value: core.Number(20)}}})
	own := func(most int64) core.Charge {
		c := charge(l, alice, 1)
		c.Capped, c.Max = true, most
		return c
	}
	k.admit(alice, charge(l, alice, 2))
	if c := k.admit(alice, own(3)).Charges[0]; c.Max != 3 || c.Remaining() != 0 {
		k.Errorf("max %d, remaining %d of a cap of 3", c.Max, c.Remaining())
	}
	k.refuse(alice, own(3))
	k.refuse(alice, own(0))
	k.admit(alice, own(4))
	if c := k.admit(alice, charge(l, alice, 1)).Charges[0]; c.Max != 20 || c.Used != 5 {
		k.Errorf("without a cap: used %d of %d", c.Used, c.Max)
	}
}
