package storetest

import "github.com/weirhq/weir/core"

func always(c core.Charge) core.Charge { c.Always = true; return c }
func quota(c core.Charge) core.Charge  { c.Quota = true; return c }

// mannerCases are the manners in which a door may charge that knows no
// all-or-nothing: envoyproxy/ratelimit's.
var mannerCases = []testCase{
	{
		"Always",
		"what is always charged is taken beside one that refuses, and one that fits beside it is not",
		func(k *kit) {
			for _, l := range refusing(5) {
				full, plain := limit("full", core.Fixed, 0), limit("plain", core.Fixed, 5)
				op := k.refuse(alice, always(charge(l, alice, 2)), charge(full, alice, 1), charge(plain, alice, 1))
				if c := op.Charges[0]; !c.Taken || c.Refused || c.Used != 2 {
					k.Errorf("limit %s: %+v", l.Name, c.State)
				}
				k.wantUsed(l, alice, 2)
				k.wantUsed(full, alice, 0)
				k.wantUsed(plain, alice, 0)
			}
		},
	},
	{
		"AlwaysAboveMaximum",
		"what is always charged is taken above the maximum too, refuses all the same, and tells how the cell stands then",
		func(k *kit) {
			for _, l := range refusing(2) {
				k.admit(alice, always(charge(l, alice, 2)))
				op := k.refuse(alice, always(charge(l, alice, 1)))
				if c := op.Charges[0]; !c.Taken || !c.Refused || c.NeverFits || c.Used != 3 || c.Wait == 0 {
					k.Errorf("limit %s: %+v", l.Name, c.State)
				}
				if c := k.refuse(alice, always(charge(l, alice, 9))).Charges[0]; !c.NeverFits || c.Used != 12 {
					k.Errorf("limit %s: %+v", l.Name, c.State)
				}
				k.wantUsed(l, alice, 12)
			}
		},
	},
	{
		"AlwaysWait",
		"the wait of what was charged above the maximum is until its cost fits once more",
		func(k *kit) {
			l := limit("rolling", core.Rolling, 2)
			k.admit(alice, always(charge(l, alice, 2)))
			k.wait(10 * second)
			op := k.refuse(alice, always(charge(l, alice, 2)))
			if c := op.Charges[0]; c.Wait != minute {
				k.Errorf("%+v", c.State)
			}
		},
	},
	{
		"AlwaysShadow",
		"a shadow that is always charged counts above its maximum and refuses nobody",
		func(k *kit) {
			l := limit("shadow", core.Fixed, 1, shadow)
			for want := int64(1); want < 4; want++ {
				c := k.admit(alice, always(charge(l, alice, 1))).Charges[0]
				if !c.Taken || c.Used != want || c.Refused != (want > 1) {
					k.Errorf("%+v", c.State)
				}
			}
		},
	},
	{
		"AlwaysInBatch",
		"of several requests for one cell each is charged, also those after one that did not fit",
		func(k *kit) {
			for _, l := range refusing(2) {
				one := func() *core.Take { return k.ask(alice, always(charge(l, alice, 2))) }
				ops := k.batch(one(), one(), one())
				for i, op := range ops {
					if c := op.Charges[0]; op.Admitted || !c.Taken || c.Refused != (i > 0) {
						k.Errorf("limit %s, request %d: %+v", l.Name, i, c.State)
					}
				}
				k.wantUsed(l, alice, 6)
			}
		},
	},
	{
		"Quota",
		"quotas refuse only if none of them fits; beside one that fits the others take nothing",
		func(k *kit) {
			one, two, other := limit("one", core.Fixed, 1), limit("two", core.Fixed, 2), limit("other", core.Fixed, 9)
			ask := func() []core.Charge {
				return []core.Charge{quota(charge(one, alice, 1)), quota(charge(two, alice, 1)), charge(other, alice, 1)}
			}
			k.admit(alice, ask()...)
			if c := k.admit(alice, ask()...).Charges[0]; !c.Refused || c.Taken {
				k.Errorf("%+v", c.State)
			}
			k.refuse(alice, ask()...)
			k.refuse(alice, quota(charge(one, alice, 1)))
			k.wantUsed(one, alice, 1)
			k.wantUsed(two, alice, 2)
			k.wantUsed(other, alice, 2)
		},
	},
	{
		"QuotaBesideRefusal",
		"a quota that fits saves nobody whom another limit refuses",
		func(k *kit) {
			full, spare := limit("full", core.Fixed, 0), limit("spare", core.Fixed, 9)
			k.refuse(alice, quota(charge(spare, alice, 1)), charge(full, alice, 1))
			k.wantUsed(spare, alice, 0)
		},
	},
	{
		"QuotaInBatch",
		"the quotas of requests that are decided in one step are quotas together",
		func(k *kit) {
			full, spare := limit("full", core.Fixed, 0), limit("spare", core.Fixed, 1)
			two := func() []*core.Take {
				return k.batch(k.ask(alice, quota(charge(full, alice, 1))), k.ask(alice, quota(charge(spare, alice, 1))))
			}
			if ops := two(); !ops[0].Admitted || !ops[1].Admitted {
				k.Errorf("refused though one quota fits")
			}
			if ops := two(); ops[0].Admitted || ops[1].Admitted {
				k.Errorf("admitted though no quota fits")
			}
		},
	},
	{
		"TwoScopesOfALimit",
		"one request may charge a limit's cells of several scopes",
		func(k *kit) {
			for _, l := range refusing(2) {
				k.admit(alice, charge(l, alice, 1), charge(l, bob, 2))
				k.wantUsed(l, alice, 1)
				k.wantUsed(l, bob, 2)
				k.refuse(alice, charge(l, alice, 1), charge(l, bob, 1))
				k.wantUsed(l, alice, 1)
			}
		},
	},
	{
		"GiveBack",
		"a negative cost gives back, to 0 at least, also to a cell that there is none of, and refuses nobody",
		func(k *kit) {
			for _, l := range givingBack(5) {
				k.admit(alice, charge(l, alice, -2))
				k.wantUsed(l, alice, 0)
				k.admit(alice, charge(l, alice, 5))
				if c := k.admit(alice, charge(l, alice, -2)).Charges[0]; !c.Taken || c.Used != 3 {
					k.Errorf("limit %s: %+v", l.Name, c.State)
				}
				k.admit(alice, charge(l, alice, 2))
				k.refuse(alice, charge(l, alice, 1))
				k.admit(alice, charge(l, alice, -9))
				k.wantUsed(l, alice, 0)
			}
		},
	},
	{
		"GiveBackAboveMaximum",
		"who gives back is admitted although the cell counts more than its maximum",
		func(k *kit) {
			for _, l := range givingBack(1) {
				k.refuse(alice, always(charge(l, alice, 4)))
				k.admit(alice, charge(l, alice, -1))
				k.wantUsed(l, alice, 3)
			}
		},
	},
	{
		"GiveBackWithheld",
		"a refused request gives nothing back, unless always",
		func(k *kit) {
			full := limit("full", core.Fixed, 0)
			for _, l := range givingBack(5) {
				k.admit(alice, charge(l, alice, 5))
				k.refuse(alice, charge(l, alice, -2), charge(full, alice, 1))
				k.wantUsed(l, alice, 5)
				k.refuse(alice, always(charge(l, alice, -2)), charge(full, alice, 1))
				k.wantUsed(l, alice, 3)
			}
		},
	},
	{
		"GiveBackNewest",
		"of what a rolling window counts the newest is given back first",
		func(k *kit) {
			l := limit("rolling", core.Rolling, 9)
			k.admit(alice, charge(l, alice, 3))
			k.wait(10 * second)
			k.admit(alice, charge(l, alice, 2))
			k.wait(10 * second)
			k.admit(alice, charge(l, alice, 1))
			k.admit(alice, charge(l, alice, -2))
			k.wantUsed(l, alice, 4)
			k.wait(40 * second) // the oldest leave
			k.wantUsed(l, alice, 1)
			k.wait(10 * second)
			k.wantUsed(l, alice, 0)
		},
	},
	{
		"GiveBackWindow",
		"what an earlier window counted is not given back to the current one",
		func(k *kit) {
			for _, l := range []*core.Limit{limit("fixed", core.Fixed, 5), limit("calendar", core.Calendar, 5)} {
				k.admit(alice, charge(l, alice, 5))
				k.wait(day)
				k.admit(alice, charge(l, alice, 3))
				k.admit(alice, charge(l, alice, -1))
				k.wantUsed(l, alice, 2)
			}
		},
	},
	{
		"GiveBackInBatch",
		"a request has room for what one before it gives back, and no more",
		func(k *kit) {
			for _, l := range givingBack(5) {
				k.admit(alice, charge(l, alice, 2))
				back := func() *core.Take { return k.ask(alice, charge(l, alice, -4)) }
				if ops := k.batch(back(), k.ask(alice, charge(l, alice, 6))); ops[0].Admitted {
					k.Errorf("limit %s: admitted above its maximum", l.Name)
				}
				k.wantUsed(l, alice, 2)
				if ops := k.batch(back(), k.ask(alice, charge(l, alice, 5))); !ops[0].Admitted {
					k.Errorf("limit %s: no room for what is given back", l.Name)
				}
				k.wantUsed(l, alice, 5)
			}
		},
	},
}

// givingBack are limits of every kind that has negative costs, with one maximum.
func givingBack(most int64) []*core.Limit {
	return append(refusing(most)[:4], limit("slow bucket", core.Bucket, most, func(l *core.Limit) { l.Length = hour }))
}
