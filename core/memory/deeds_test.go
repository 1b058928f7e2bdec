package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/weirhq/weir/core"
)

// A cast does the same random deeds to several stores.
type cast struct {
	rng    *rand.Rand
	now    core.Instant
	stores []*Store
	taken  [][]*core.Take // by store: requests, the same place in each
	limits []*core.Limit
	owners []core.Scope
	serial uint64
	jumps  bool // the wall clock is set ahead now and then
	gives  bool // something is given back now and then
}

func newCast(seed uint64, stores ...*Store) *cast {
	c := &cast{rng: rand.New(rand.NewPCG(seed, seed)), now: at(0), stores: stores, taken: make([][]*core.Take, len(stores))}
	c.limits = snapshotLimits()
	c.limits[4].Count, c.limits[4].CountRefused = true, true
	c.owners = []core.Scope{alice, bob, {Hi: 3, Lo: 3}, {Hi: 1 << 40, Lo: 4}, {Hi: 5, Lo: 1 << 50}}
	return c
}

// deed does something at random, at a time that is no earlier than the last but
// for clocks that are set.
func (c *cast) deed(t testing.TB) {
	t.Helper()
	c.now = c.now.Add(c.rng.Int64N(int64(8 * second)))
	if c.jumps && c.rng.IntN(50) == 0 {
		c.now.Wall += 10 * minute
	}
	c.serial++
	switch n := c.rng.IntN(10); {
	case n < 5 || len(c.taken[0]) == 0:
		c.take(t)
	case n < 9:
		c.settle(t)
	default:
		c.outside(t)
	}
}

func (c *cast) owner() core.Scope { return c.owners[c.rng.IntN(len(c.owners))] }

// charges makes charges of some limits.
func (c *cast) charges(owner core.Scope) (list []core.Charge) {
	some, cost := c.rng.IntN(1<<len(c.limits)-1)+1, c.rng.Int64N(4)
	most := []int64{3, 20, 1000, core.Unlimited}[c.rng.IntN(4)]
	for i, l := range c.limits {
		if some>>i&1 == 0 {
			continue
		}
		one := charges(owner, cost, l)[0]
		if c.gives && !l.Settled && l.Kind != core.Hold && c.rng.IntN(5) == 0 {
			one.Cost = -one.Cost
		}
		one.Max, one.Always = most, c.rng.IntN(20) == 0
		one.Window.End = start + 100*minute
		if c.now.Wall >= one.Window.End {
			one.Window = core.Window{Start: start + 100*minute, End: start + 9000*minute, Next: start + 20_000*minute}
		}
		if l.Released {
			one.Scope.Lo += 7
		}
		list = append(list, one)
	}
	return list
}

func (c *cast) take(t testing.TB) {
	owner := c.owner()
	list := c.charges(owner)
	var more []core.Charge
	if c.rng.IntN(6) == 0 {
		more = c.charges(c.owner())
	}
	for i, s := range c.stores {
		op := &core.Take{Now: c.now, ID: core.ID{Hi: 1, Lo: c.serial}, Policy: "p", Owner: owner, Charges: bytesOf(list)}
		if more != nil {
			op.Next = &core.Take{ID: core.ID{Hi: 2, Lo: c.serial}, Policy: "p", Owner: owner, Charges: bytesOf(more)}
		}
		must(t, s.Take(context.Background(), op))
		c.taken[i] = append(c.taken[i], op)
	}
}

func bytesOf(list []core.Charge) []core.Charge { return append([]core.Charge(nil), list...) }

func (c *cast) names() (names []string) {
	for range c.rng.IntN(3) {
		names = append(names, fmt.Sprint("job-", c.rng.IntN(6)))
	}
	return names
}

// settle settles something of a request.
func (c *cast) settle(t testing.TB) {
	which := len(c.taken[0]) - 1 - c.rng.IntN(min(20, len(c.taken[0])))
	op := core.Settle{Now: c.now, Policy: "p"}
	op.HasCost, op.Cost = c.rng.IntN(3) == 0, c.rng.Int64N(6)
	op.Part = op.HasCost && op.Cost%2 == 1
	op.Lease, op.Release, op.Renew = c.names(), c.names(), c.names()
	op.Unleased, op.End = c.rng.IntN(10) == 0, c.rng.IntN(2) == 0
	c.apply(t, op, which)
}

// outside settles something outside any request.
func (c *cast) outside(t testing.TB) {
	op := core.Settle{Now: c.now, Policy: "p", ID: core.ID{Hi: 3, Lo: c.serial}, Owner: c.owner()}
	switch c.rng.IntN(3) {
	case 0:
		op.Reset, op.Charges = true, c.charges(op.Owner)
	case 1:
		op.Set = core.Attributes{{Name: "credits", Value: core.Number(c.rng.Int64N(50))}, {Name: "note", Value: core.Text("é \"")}}
		op.Set[c.rng.IntN(2)].Value = core.Value{}
	default:
		op.HasCost, op.Cost, op.Charges = true, c.rng.Int64N(9), c.charges(op.Owner)
	}
	c.apply(t, op, -1)
}

// apply settles op in all stores, as a settlement of a request unless that is
// −1.
func (c *cast) apply(t testing.TB, op core.Settle, which int) {
	t.Helper()
	for i, s := range c.stores {
		one := op
		one.Charges = bytesOf(op.Charges)
		if which >= 0 {
			request := c.taken[i][which]
			one.ID, one.Owner = request.ID, request.Owner
			for _, charge := range request.Charges {
				if charge.Taken && (charge.Limit.Settled || charge.Limit.Kind == core.Hold) || one.Unleased {
					one.Charges = append(one.Charges, charge)
				}
			}
		}
		must(t, s.Settle(context.Background(), &one))
		if which >= 0 {
			for _, charge := range one.Charges {
				for k := range c.taken[i][which].Charges {
					if mine := &c.taken[i][which].Charges[k]; mine.Limit == charge.Limit {
						mine.Entry = charge.Entry
					}
				}
			}
		}
	}
}

// restart forgets the requests in flight, which end with their process, and
// starts the door's clock anew. Of the time since the last record a store that
// is killed knows only what the next process tells it, so that has one.
func (c *cast) restart(t testing.TB) {
	t.Helper()
	c.serial++
	c.apply(t, core.Settle{Now: c.now, Policy: "p", ID: core.ID{Hi: 3, Lo: c.serial}, HasCost: true}, -1)
	for i := range c.taken {
		c.taken[i] = nil
	}
	c.now.Steady = c.now.Wall
}

// outlives returns a store with what of s outlives the process, through a
// snapshot in memory.
func outlives(t testing.TB, s *Store) *Store {
	t.Helper()
	var b bytes.Buffer
	must(t, s.encode(newSnapshotWriter(&b), origin{segment: 1, complete: true}))
	loaded := New(Options{Shards: 1})
	must(t, newLoader(loaded).snapshot(&b, int64(b.Len())))
	loaded.inherit()
	must(t, loaded.Open())
	t.Cleanup(func() { _ = loaded.Close() })
	return loaded
}

// tale is all that s tells of what c did, at a time and later: who used what,
// who set and leased what, and what is remembered of whom.
func (c *cast) tale(t testing.TB, s *Store, now core.Instant) string {
	t.Helper()
	var b bytes.Buffer
	for _, d := range []int64{0, second, 20 * second, 50 * second, 70 * second} {
		for _, owner := range c.owners {
			op := &core.Take{Now: now.Add(d), Policy: "p", Owner: owner, Charges: charges(owner, 1, c.limits...)}
			for i := range op.Charges {
				if op.Charges[i].Limit.Released {
					op.Charges[i].Scope.Lo += 7
				}
				op.Charges[i].Window = core.Window{Start: start, End: start + 100*minute, Next: start + 9000*minute}
			}
			must(t, s.Read(context.Background(), op))
			for i := range op.Charges {
				fmt.Fprintln(&b, d, owner.Lo, op.Charges[i].Limit.Name, op.Charges[i].State)
			}
			leases, err := s.Leases(now.Add(d), "p", owner)
			must(t, err)
			fmt.Fprintln(&b, op.Overrides, leases)
		}
	}
	st := s.Stats()
	st.Cells, st.Slots, st.Tombstones, st.Journal = 0, 0, 0, JournalStats{}
	fmt.Fprintf(&b, "%+v %d", st, s.epoch.Load())
	r := &s.receipts
	for _, id := range sorted(r.settled.recent, r.settled.old) {
		dealt, _ := r.settled.get(id)
		fmt.Fprint(&b, " ", id, dealt)
	}
	for _, id := range sorted(r.reserved.recent, r.reserved.old) {
		kept, _ := r.reserved.get(id)
		fmt.Fprint(&b, " ", id, kept)
	}
	return b.String()
}

// sorted returns the IDs of two generations.
func sorted[V any](generations ...map[core.ID]V) []core.ID {
	all := make(map[core.ID]V)
	for _, g := range generations {
		maps.Copy(all, g)
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b core.ID) int {
		return cmp.Or(cmp.Compare(a.Hi, b.Hi), cmp.Compare(a.Lo, b.Lo))
	})
}

// differ returns the lines in which two tales differ.
func differ(got, want string) string {
	var b strings.Builder
	theirs := strings.Split(want, "\n")
	for i, line := range strings.Split(got, "\n") {
		if i < len(theirs) && line != theirs[i] {
			fmt.Fprintf(&b, "%s\n   want %s\n", line, theirs[i])
		}
	}
	return b.String()
}
