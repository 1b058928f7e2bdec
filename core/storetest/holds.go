package storetest

import (
	"strings"

	"github.com/weirhq/weir/core"
)

var holdCases = []testCase{
	{
		"EndOnce",
		"ending a request twice is ending it once, also if another has its slot by then",
		func(k *kit) {
			for _, l := range refusing(2)[4:] {
				first := k.admit(alice, charge(l, alice, 1))
				k.end(first)
				second, third := k.admit(alice, charge(l, alice, 1)), k.admit(alice, charge(l, alice, 1))
				k.end(first)
				k.wantUsed(l, alice, 2)
				k.end(third)
				k.end(second)
				k.end(third)
				k.wantUsed(l, alice, 0)
			}
		},
	},
	{
		"EndAfterReset",
		"the end of a request from before a reset frees nothing that was taken after it",
		func(k *kit) {
			for _, l := range refusing(3)[4:] {
				old := k.admit(alice, charge(l, alice, 2))
				k.outside(alice, core.Settle{Reset: true, Charges: []core.Charge{charge(l, alice, 0)}})
				k.admit(alice, charge(l, alice, 1))
				k.end(old)
				k.wantUsed(l, alice, 1)
			}
		},
	},
	{
		"EndFreesAll",
		"a request's end frees as many slots as its cost took",
		func(k *kit) {
			for _, l := range refusing(5)[4:] {
				op := k.admit(alice, charge(l, alice, 3))
				k.refuse(alice, charge(l, alice, 3))
				k.end(op)
				k.admit(alice, charge(l, alice, 5))
			}
		},
	},
	{
		"HugeSlots",
		"what a cell's slots add up to is MaxAmount at most; a request's end frees what its slots added",
		func(k *kit) {
			for _, l := range refusing(5)[4:] {
				free := charge(l, alice, core.MaxAmount)
				free.Refusable = false
				one := k.admit(alice, charge(l, alice, 1))
				var open []*core.Take
				for range 1100 {
					op := k.admit(alice, free)
					if n := op.Charges[0].Used; n != core.MaxAmount {
						k.Fatalf("%d used", n)
					}
					open = append(open, op)
				}
				k.refuse(alice, charge(l, alice, 1))
				k.wantUsed(l, alice, core.MaxAmount)
				k.end(one)
				k.wantUsed(l, alice, core.MaxAmount-1)
				for _, op := range open {
					k.end(op)
				}
				k.wantUsed(l, alice, 0)
			}
		},
	},
	{
		"EndOfTheRefused",
		"a refused request has no slot to end",
		func(k *kit) {
			for _, l := range refusing(1)[4:] {
				k.admit(alice, charge(l, alice, 1))
				k.end(k.refuse(alice, charge(l, alice, 1)))
				k.wantUsed(l, alice, 1)
			}
		},
	},
}

// jobs is the limit that the cases of leases share.
func jobs(most int64) *core.Limit { return limit("jobs", core.Hold, most, released) }

// job admits a request of alice that takes n slots.
func (k *kit) job(l *core.Limit, n int64) *core.Take {
	k.Helper()
	return k.admit(alice, charge(l, alice, n))
}

var leaseCases = []testCase{
	{
		"DefinitionLease",
		"a lease keeps its slot after the response; without one the slot is free",
		func(k *kit) {
			l := jobs(2)
			leased, plain := k.job(l, 1), k.job(l, 1)
			k.wantTold(k.lease(leased, "a"), 1, 0, 0, 0)
			k.end(leased)
			k.end(plain)
			k.wantUsed(l, alice, 1)
			k.wantTold(k.release(alice, "a"), 0, 1, 0, 0)
			k.wantUsed(l, alice, 0)
		},
	},
	{
		"DefinitionLeaseOfAllLimits",
		"one name stands for the request's slots in all limits",
		func(k *kit) {
			a, b := jobs(5), limit("other", core.Hold, 5, released)
			op := k.admit(alice, charge(a, alice, 1), charge(b, bob, 1))
			k.wantTold(k.lease(op, "x"), 1, 0, 0, 0)
			k.end(op)
			k.wantUsed(a, alice, 1)
			k.wantUsed(b, bob, 1)
			k.wantTold(k.release(alice, "x"), 0, 1, 0, 0)
			k.wantUsed(a, alice, 0)
			k.wantUsed(b, bob, 0)
		},
	},
	{
		"DefinitionSeveralIDs",
		"several names get a slot each; slots left over end with the response",
		func(k *kit) {
			l := jobs(5)
			op := k.job(l, 3)
			k.wantTold(k.lease(op, "a", "b"), 2, 0, 0, 0)
			k.end(op)
			k.wantUsed(l, alice, 2)
			k.wantTold(k.release(alice, "b", "a"), 0, 2, 0, 0)
			k.wantUsed(l, alice, 0)
		},
	},
	{
		"DefinitionIDsLeftOver",
		"names without a slot are ignored and counted",
		func(k *kit) {
			l := jobs(5)
			op := k.job(l, 1)
			k.wantTold(k.lease(op, "a", "b", "c"), 1, 0, 0, 2)
			k.end(op)
			k.wantTold(k.lease(op, "d"), 0, 0, 0, 1)
			k.wantUsed(l, alice, 1)
		},
	},
	{
		"DefinitionMerge",
		"a name that is live for its owner in the cell is merged: the slot is freed, the TTL starts anew",
		func(k *kit) {
			l := jobs(5)
			k.lease(k.job(l, 1), "a")
			k.wait(40 * second)
			again := k.job(l, 1)
			k.wantUsed(l, alice, 2)
			k.wantTold(k.lease(again, "a"), 1, 0, 0, 0)
			k.wantUsed(l, alice, 1)
			k.end(again)
			k.wait(minute - 1)
			k.wantUsed(l, alice, 1)
			k.wantTold(k.release(alice, "a"), 0, 1, 0, 0)
			k.wantTold(k.release(alice, "a"), 0, 0, 0, 1)
			k.wantUsed(l, alice, 0)
		},
	},
	{
		"DefinitionMergeInCell",
		"a name that is live in another cell, of another key say, is no reason to free a slot; a release ends it in all",
		func(k *kit) {
			l, key := jobs(1), core.Scope{Hi: alice.Hi, Lo: 2}
			for _, scope := range []core.Scope{alice, key} {
				op := k.admit(alice, charge(l, scope, 1))
				k.wantTold(k.lease(op, "a"), 1, 0, 0, 0)
				k.end(op)
			}
			k.refuse(alice, charge(l, alice, 1))
			k.refuse(alice, charge(l, key, 1))
			failed := core.Scope{Hi: alice.Hi, Lo: 3}
			s := core.Settle{Lease: []string{"a"}, Unleased: true, Charges: []core.Charge{charge(l, failed, 1)}}
			k.wantTold(k.outside(alice, s), 1, 0, 0, 0)
			k.refuse(alice, charge(l, failed, 1))
			k.wantTold(k.release(alice, "a"), 0, 1, 0, 0)
			for _, scope := range []core.Scope{alice, key, failed} {
				k.wantUsed(l, scope, 0)
			}
		},
	},
	{
		"DefinitionMergeWithoutSlot",
		"a name that is live for its owner is renewed also by a request without slots",
		func(k *kit) {
			l := jobs(5)
			op := k.job(l, 1)
			k.lease(op, "a")
			k.end(op)
			k.wait(40 * second)
			k.wantTold(k.outside(alice, core.Settle{Lease: []string{"a"}}), 1, 0, 0, 0)
			k.wantTold(k.outside(bob, core.Settle{Lease: []string{"a"}}), 0, 0, 0, 1)
			k.wait(40 * second)
			k.wantUsed(l, alice, 1)
		},
	},
	{
		"DefinitionTTL",
		"a lease is gone when its TTL is over, to the microsecond",
		func(k *kit) {
			l := jobs(1)
			op := k.job(l, 1)
			k.wait(10 * second)
			k.lease(op, "a")
			k.end(op)
			k.wait(minute - 1)
			k.refuse(alice, charge(l, alice, 1))
			k.wait(1)
			k.wantUsed(l, alice, 0)
			k.wantTold(k.release(alice, "a"), 0, 0, 0, 1)
			k.admit(alice, charge(l, alice, 1))
		},
	},
	{
		"DefinitionRenew",
		"a heartbeat starts the TTL anew; of a name that nobody holds it is ignored",
		func(k *kit) {
			l := jobs(1)
			k.lease(k.job(l, 1), "a")
			k.wait(50 * second)
			k.wantTold(k.outside(bob, core.Settle{Renew: []string{"a", "b"}}), 0, 0, 1, 1)
			k.wait(minute - 1)
			k.refuse(alice, charge(l, alice, 1))
			k.wait(1)
			k.admit(alice, charge(l, alice, 1))
		},
	},
	{
		"DefinitionRenewOne",
		"each lease has its own end: renewing the older one does not keep the other",
		func(k *kit) {
			l := jobs(5)
			for _, name := range []string{"a", "b", "c"} {
				op := k.job(l, 1)
				k.lease(op, name)
				k.end(op)
				k.wait(10 * second)
			}
			k.outside(alice, core.Settle{Renew: []string{"a"}})
			k.wait(40 * second)
			k.wantUsed(l, alice, 2)
			k.admit(alice, charge(l, alice, 3))
			k.wait(10 * second)
			k.wantUsed(l, alice, 4)
			k.wait(10 * second)
			k.wantUsed(l, alice, 3)
		},
	},
	{
		"DefinitionReleaseTwice",
		"releasing twice frees one place",
		func(k *kit) {
			l := jobs(5)
			op := k.job(l, 2)
			k.lease(op, "a", "b")
			k.end(op)
			k.wantTold(k.release(alice, "a", "a"), 0, 1, 0, 1)
			k.wantTold(k.release(alice, "a"), 0, 0, 0, 1)
			k.wantUsed(l, alice, 1)
		},
	},
	{
		"DefinitionReleaseOwnFirst",
		"a release means the owner's lease first, else whoever leased the name first",
		func(k *kit) {
			l, carol := jobs(5), core.Scope{Hi: 3, Lo: 3}
			for _, owner := range []core.Scope{bob, alice, carol} {
				op := k.admit(owner, charge(l, owner, 1))
				k.lease(op, "a")
				k.end(op)
			}
			k.release(alice, "a")
			k.wantUsed(l, alice, 0)
			k.wantUsed(l, bob, 1)
			k.release(alice, "a")
			k.wantUsed(l, bob, 0)
			k.wantUsed(l, carol, 1)
			k.release(core.Scope{}, "a")
			k.wantUsed(l, carol, 0)
		},
	},
	{
		"DefinitionReleaseInPolicy",
		"names are a policy's: another one's release does not mean them",
		func(k *kit) {
			l := jobs(5)
			op := k.job(l, 1)
			k.lease(op, "a")
			k.end(op)
			other := *op
			other.Policy, other.ID, other.Charges = "other", k.newID(), nil
			s := k.settle(&other, func(s *core.Settle) { s.Release = []string{"a"} })
			k.wantTold(s, 0, 0, 0, 1)
			k.wantUsed(l, alice, 1)
		},
	},
	{
		"DefinitionOvertaking",
		"a release that overtakes its lease is remembered until the requests admitted before it have ended",
		func(k *kit) {
			l := jobs(5)
			early, other := k.job(l, 1), k.job(l, 1)
			k.wantTold(k.release(bob, "a"), 0, 0, 0, 1)
			late := k.job(l, 1)
			k.wantTold(k.lease(early, "a"), 1, 0, 0, 0)
			k.end(early)
			k.wantUsed(l, alice, 2)
			k.lease(other, "a")
			k.end(other)
			k.wantUsed(l, alice, 1)
			k.lease(late, "a")
			k.end(late)
			k.wantUsed(l, alice, 1)
			k.wantTold(k.release(alice, "a"), 0, 1, 0, 0)
		},
	},
	{
		"DefinitionOvertakingAnew",
		"while the release is remembered, a request admitted after it leases the same name anew",
		func(k *kit) {
			l := jobs(5)
			early := k.job(l, 1)
			k.release(alice, "a")
			late := k.job(l, 1)
			k.lease(late, "a")
			k.end(late)
			k.lease(early, "a")
			k.end(early)
			k.wantUsed(l, alice, 1)
		},
	},
	{
		"DefinitionOvertakingForgotten",
		"nothing is remembered of a release when no request is in flight",
		func(k *kit) {
			l := jobs(5)
			k.end(k.job(l, 1))
			k.release(alice, "a")
			op := k.job(l, 1)
			k.lease(op, "a")
			k.end(op)
			k.wantUsed(l, alice, 1)
		},
	},
	{
		"DefinitionUnleased",
		"a slot that was taken after the store failed counts, even above the maximum",
		func(k *kit) {
			l := jobs(1)
			k.lease(k.job(l, 1), "a")
			s := core.Settle{Lease: []string{"b", "a", "c"}, Unleased: true, Charges: []core.Charge{charge(l, alice, 2)}}
			k.wantTold(k.outside(alice, s), 2, 0, 0, 1)
			k.wantUsed(l, alice, 2)
			k.wantTold(k.release(alice, "a", "b"), 0, 2, 0, 0)
			k.wantUsed(l, alice, 0)
		},
	},
	{
		"DefinitionUnleasedAgain",
		"such a request has no more slots in its trailers than it had in its headers",
		func(k *kit) {
			l, id := jobs(1), k.newID()
			for i, name := range []string{"a", "b", "c"} {
				s := core.Settle{ID: id, Lease: []string{name}, Unleased: true, Charges: []core.Charge{charge(l, alice, 2)}}
				k.wantTold(k.outside(alice, s), 1-i/2, 0, 0, i/2)
			}
			k.wantUsed(l, alice, 2)
			s := core.Settle{Lease: []string{"c"}, Unleased: true, Charges: []core.Charge{charge(l, alice, 1)}}
			k.wantTold(k.outside(alice, s), 1, 0, 0, 0)
		},
	},
	{
		"HugeSlotsLeased",
		"leases count in that sum: there are none above it",
		func(k *kit) {
			l := jobs(5)
			free := charge(l, alice, core.MaxAmount)
			free.Refusable = false
			most, none := k.admit(alice, free), k.admit(alice, free)
			k.wantTold(k.lease(most, "a", "b"), 2, 0, 0, 0)
			k.wantTold(k.lease(none, "c"), 0, 0, 0, 1)
			failed := core.Settle{Lease: []string{"d", "a"}, Unleased: true, Charges: []core.Charge{charge(l, alice, 2)}}
			k.wantTold(k.outside(alice, failed), 1, 0, 0, 1)
			k.wantUsed(l, alice, core.MaxAmount)
			k.end(none)
			k.wantUsed(l, alice, core.MaxAmount)
			k.end(most)
			k.wantUsed(l, alice, 2)
			k.wantTold(k.outside(alice, failed), 2, 0, 0, 0)
			k.wantUsed(l, alice, 3)
			k.wait(minute)
			k.wantUsed(l, alice, 0)
		},
	},
	{
		"DefinitionNames",
		"empty names and those above 256 bytes are ignored and counted",
		func(k *kit) {
			l := jobs(5)
			long, most := strings.Repeat("x", 257), strings.Repeat("x", 256)
			op := k.job(l, 3)
			k.wantTold(k.lease(op, "", long, most), 1, 0, 0, 2)
			k.end(op)
			k.wantUsed(l, alice, 1)
			names := []string{"", long, most}
			k.wantTold(k.outside(alice, core.Settle{Renew: names, Release: names}), 0, 1, 0, 5)
		},
	},
	{
		"DefinitionTogether",
		"leased and released in one response, a slot is free at once",
		func(k *kit) {
			l := jobs(1)
			op := k.job(l, 1)
			s := k.settle(op, func(s *core.Settle) { s.Lease, s.Release, s.End = []string{"a"}, []string{"a"}, true })
			k.wantTold(s, 1, 1, 0, 0)
			k.wantUsed(l, alice, 0)
		},
	},
	{
		"LeaseAfterReset",
		"a reset ends leases; a request from before it has no slot to lease",
		func(k *kit) {
			l := jobs(5)
			leased, running := k.job(l, 1), k.job(l, 1)
			k.lease(leased, "a")
			k.outside(alice, core.Settle{Reset: true, Charges: []core.Charge{charge(l, alice, 0)}})
			k.wantTold(k.lease(running, "b"), 0, 0, 0, 1)
			k.wantTold(k.release(alice, "a"), 0, 0, 0, 1)
			k.end(running)
			k.wantUsed(l, alice, 0)
		},
	},
}
