package memory

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirhq/weir/core"
)

// stranger returns the scope of a made-up key.
func stranger(n uint64) core.Scope { return core.Scope{Hi: n * 0x9E3779B97F4A7C15, Lo: n} }

// dropCell drops a cell.
func dropCell(s *Store, key cellKey) {
	sh := &s.shards[s.shardOf(key.scope)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.remove(key)
}

// Those who find no room share one subject's maximum; who has a cell keeps its
// count; and once the shared cell counts nothing, there are cells for newcomers.
func TestShare(t *testing.T) {
	for _, kind := range []core.Kind{core.Rolling, core.Fixed, core.Bucket} {
		t.Run(kind.String(), func(t *testing.T) {
			s := newStore(t, Options{MaxCells: 2, Overflow: Share})
			l := limitOf(1, kind, "l")
			ask := func(now int64, scope core.Scope) *core.Charge {
				list := charges(scope, 1, l)
				list[0].Max, list[0].Rate = 10, 10
				return &take(t, s, now, 1, scope, list).Charges[0]
			}
			ask(0, alice)
			ask(0, bob)
			admitted := 0
			for n := range uint64(1000) {
				if ask(0, stranger(n)).Taken {
					admitted++
				}
			}
			if admitted != 10 {
				t.Errorf("%d strangers were admitted, want one subject's 10", admitted)
			}
			if c := ask(0, alice); c.Used != 2 || !c.Taken {
				t.Errorf("the flood changed the count to %d", c.Used)
			}
			s.sweep(at(30*second), nil)
			dropCell(s, cellKey{1, bob}) // there is room again
			switch c := ask(30*second, stranger(1)); {
			case kind == core.Bucket: // half of the debt is left
				if c.Used != 6 {
					t.Errorf("%d used, want that of the shared cell", c.Used)
				}
			case c.Taken:
				t.Error("admitted beside the shared cell, which is live")
			}
			if c := ask(3*minute, stranger(1)); c.Used != 1 || c.Scope != stranger(1) {
				t.Errorf("no cell of one's own: %+v", c)
			}
			if st := s.Stats(); st.Shared < 10 || st.Refused != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// A wall clock that is wrongly ahead, and believed where many ask, ends no
// window of a shared cell for those who have not asked meanwhile.
func TestSharedWindowOfWrongClock(t *testing.T) {
	s := newStore(t, Options{MaxCells: 1, Overflow: Share})
	l := limitOf(1, core.Fixed, "l")
	l.Length = 600 * minute
	takeAt(t, s, 0, 0, charges(alice, 1, l))
	takeAt(t, s, 0, 0, charges(bob, 1000, l))
	for _, now := range []int64{0, 61 * minute} {
		takeAt(t, s, now+601*minute, now, charges(alice, 1, l))
	}
	s.sweep(s.present(), nil)
	dropCell(s, cellKey{1, alice}) // there is room
	if takeAt(t, s, 62*minute, 62*minute, charges(bob, 1, l)).Admitted {
		t.Error("admitted above the maximum of one window")
	}
}

// Cells that subjects share are kept with the others. They are in force under
// whatever options the store is opened again.
func TestShareOutlivesProcess(t *testing.T) {
	dir := t.TempDir()
	s := newStore(t, Options{Dir: dir, MaxCells: 1, Overflow: Share})
	l := limitOf(1, core.Fixed, "l")
	take(t, s, 0, 1, alice, charges(alice, 1, l))
	take(t, s, 0, 2, bob, charges(bob, 1000, l))
	must(t, s.Close())
	for _, o := range []Options{{Dir: dir, MaxCells: 1}, {Dir: dir, MaxCells: 100, Overflow: Share}, {Dir: dir}} {
		s := newStore(t, o)
		if take(t, s, 1, 3, bob, charges(bob, 1, l)).Admitted {
			t.Errorf("%+v: admitted above the maximum", o)
		}
		if c := take(t, s, 1, 4, alice, charges(alice, 0, l)).Charges[0]; c.Used != 1 {
			t.Errorf("%+v: %d used, want 1", o, c.Used)
		}
		if n := s.commons.Load(); n != 1 {
			t.Errorf("%+v: %d shared cells", o, n)
		}
		must(t, s.Close())
	}
}

// A directory with more cells than a store may have opens; nobody loses a cell.
func TestMaxCellsLowered(t *testing.T) {
	dir := t.TempDir()
	s := newStore(t, Options{Dir: dir})
	l := limitOf(1, core.Fixed, "l")
	for n := range uint64(10) {
		take(t, s, 0, n+1, stranger(n), charges(stranger(n), 1, l))
	}
	must(t, s.Close())
	s = newStore(t, Options{Dir: dir, MaxCells: 5})
	for n := range uint64(10) {
		if c := take(t, s, 1, n+1, stranger(n), charges(stranger(n), 1, l)).Charges[0]; c.Used != 2 {
			t.Errorf("%d used, want 2", c.Used)
		}
	}
	if err := s.Take(context.Background(), &core.Take{Now: at(1), Charges: charges(alice, 1, l)}); !errors.Is(err, ErrFull) {
		t.Errorf("another cell: %v", err)
	}
}

// A store that is full of idle cells makes room at once in the shards that are
// locked, and soon in all.
func TestPressure(t *testing.T) {
	for _, overflow := range []Overflow{Deny, Share} {
		synctest.Test(t, func(t *testing.T) {
			s := New(Options{MaxCells: 100, Shards: 1, Overflow: overflow})
			l := limitOf(1, core.Rolling, "l")
			for n := range uint64(100) {
				take(t, s, 0, n+1, alice, charges(stranger(n), 1, l))
			}
			if op := take(t, s, 2*minute, 101, bob, charges(bob, 1, l)); op.Charges[0].Scope != bob {
				t.Error("no room in the shard's idle cells")
			}
			must(t, s.Close())

			s = New(Options{MaxCells: 100, Overflow: overflow})
			for n := range uint64(100) {
				take(t, s, 0, n+1, alice, charges(stranger(n), 1, l))
			}
			free := uint64(1000) // of a shard without cells
			for len(s.shards[s.shardOf(stranger(free))].cells) > 0 {
				free++
			}
			op := &core.Take{Now: at(2 * minute), Charges: charges(stranger(free), 1, l)}
			if err := s.Take(context.Background(), op); errors.Is(err, ErrFull) != (overflow == Deny) {
				t.Errorf("the first: %v", err)
			}
			synctest.Wait() // no time passes
			if n := s.Stats().Cells; n > 1 {
				t.Errorf("%d cells are left", n)
			}
			must(t, s.Close())
		})
	}
}

// A full store refuses nobody for want of a slot's cell, and no slots are shared:
// they need no room, and leave none taken.
func TestSlotsNeedNoRoom(t *testing.T) {
	for _, overflow := range []Overflow{Deny, Share} {
		s := newStore(t, Options{MaxCells: 1, Overflow: overflow})
		l, slots := limitOf(1, core.Fixed, "l"), limitOf(2, core.Hold, "slots")
		ask := func(who core.Scope, limits ...*core.Limit) *core.Take {
			list := charges(who, 1, limits...)
			list[len(list)-1].Max = 2 // slots
			return take(t, s, 0, who.Lo, who, list)
		}
		end := func(op *core.Take) { settle(t, s, 0, core.Settle{ID: op.ID, Charges: op.Charges, End: true}) }
		var open []*core.Take
		for n := range uint64(100) {
			for range 2 {
				open = append(open, ask(stranger(n), slots))
			}
			if op := ask(stranger(n), slots); op.Admitted {
				t.Errorf("%v: stranger %d has three slots", overflow, n)
			}
		}
		for i, op := range open {
			if !op.Admitted {
				t.Errorf("%v: request %d has no slot", overflow, i)
			}
			end(op)
		}
		if n := s.Stats().Cells; n != 0 {
			t.Errorf("%v: %d cells without slots", overflow, n)
		}
		for n := range int64(3) {
			op := ask(alice, l, slots)
			if !op.Admitted || op.Charges[0].Used != n+1 || op.Charges[1].Used != 1 {
				t.Errorf("%v: who has a counter: %+v", overflow, op.Charges)
			}
			ask(stranger(1), slots)
			end(op)
		}
	}
}

// Counts never refuse, so there is nothing to share: they are left out.
func TestShareLeavesCountsOut(t *testing.T) {
	s := newStore(t, Options{MaxCells: 1, Overflow: Share})
	l, count := limitOf(1, core.Fixed, "l"), limitOf(2, core.Ever, "count")
	count.Count = true
	take(t, s, 0, 1, alice, charges(alice, 1, l))
	op := take(t, s, 0, 2, bob, charges(bob, 1, l, count))
	if !op.Admitted || !op.Charges[0].Taken || op.Charges[1].Taken {
		t.Errorf("%+v", op.Charges)
	}
	if op = take(t, s, 0, 3, bob, charges(bob, -1, l)); op.Charges[0].Taken {
		t.Error("gave back what others may have taken")
	}
}

// What is settled in a shared cell stays there.
func TestShareSettled(t *testing.T) {
	s := newStore(t, Options{MaxCells: 1, Overflow: Share})
	l := limitOf(1, core.Calendar, "budget")
	l.Settled = true
	take(t, s, 0, 1, alice, charges(alice, 1, l))
	open := take(t, s, 0, 3, bob, charges(bob, 0, l))
	used := func() int64 { return take(t, s, 0, 9, stranger(1), charges(stranger(1), 0, l)).Charges[0].Used }
	settle(t, s, 1, core.Settle{ID: open.ID, Charges: open.Charges, HasCost: true, Cost: 5, End: true})
	if n := used(); n != 5 {
		t.Errorf("%d used, want 5", n)
	}
	reserved := take(t, s, 0, 2, bob, charges(bob, 100, l))
	settle(t, s, 1, core.Settle{ID: reserved.ID, Charges: reserved.Charges, HasCost: true, Cost: 30, End: true})
	if n := used(); n != 35 {
		t.Errorf("%d used, want 35", n)
	}
	byID := take(t, s, 0, 4, bob, charges(bob, 100, l))
	settle(t, s, 1, core.Settle{ID: byID.ID, Charges: byID.Charges, End: true})
	settle(t, s, 1, core.Settle{ID: byID.ID, Charges: charges(bob, 0, l), HasCost: true, Cost: 1})
	if n := used(); n != 36 {
		t.Errorf("%d used, want 36", n)
	}
	if n := s.Stats().Cells; n != 2 {
		t.Errorf("%d cells, want 2", n)
	}
}

// What is settled in a bucket that subjects share stays there, at its rate, whatever
// rate is set meanwhile.
func TestShareSettledAtAnotherRate(t *testing.T) {
	s := newStore(t, Options{MaxCells: 1, Overflow: Share})
	l := limitOf(1, core.Bucket, "budget")
	l.Settled, l.Max, l.Rate = true, core.Amount{Value: core.Number(1000)}, core.Amount{Attribute: "rate", Value: core.ParseValue("0.00006")}
	shared := func(scope core.Scope, cost int64) []core.Charge {
		list := charges(scope, cost, l)
		list[0].Rate = 60
		return list
	}
	take(t, s, 0, 1, alice, shared(alice, 1))
	told, byID := take(t, s, 0, 2, bob, shared(bob, 100)), take(t, s, 0, 3, bob, shared(bob, 100))
	settle(t, s, 0, core.Settle{ID: byID.ID, Owner: bob, Charges: bytesOf(byID.Charges), End: true})
	settle(t, s, 0, core.Settle{Owner: bob, Set: core.Attributes{{Name: "rate", Value: core.Number(1000)}}})
	settle(t, s, second, core.Settle{ID: told.ID, Owner: bob, Charges: bytesOf(told.Charges), HasCost: true, Cost: 130, End: true})
	settle(t, s, second, core.Settle{ID: byID.ID, Owner: bob, Charges: charges(bob, 0, l), HasCost: true, Cost: 140})
	if c := take(t, s, second, 9, stranger(1), shared(stranger(1), 0)).Charges[0]; c.Used != 269 {
		t.Errorf("%d used, want 270 and one drained", c.Used)
	}
}

// Slots that can be leased, leases, and owners with attributes are as many as
// cells may be.
func TestMaxSlotsAndOwners(t *testing.T) {
	for _, overflow := range []Overflow{Deny, Share} {
		s := newStore(t, Options{MaxCells: 3, Overflow: overflow})
		jobs := snapshotLimits()[5]
		for n := range uint64(3) {
			op := take(t, s, 0, n+1, stranger(n), charges(stranger(n), 1, jobs))
			settle(t, s, 0, core.Settle{ID: op.ID, Owner: stranger(n), Charges: op.Charges, Lease: []string{"x"}, End: true})
		}
		full := &core.Take{Now: at(0), ID: core.ID{Lo: 4}, Policy: "p", Charges: charges(bob, 1, jobs)}
		if err := s.Take(context.Background(), full); !errors.Is(err, ErrFull) {
			t.Errorf("a slot too many: %v", err)
		}
		full.Next = &core.Take{ID: core.ID{Lo: 5}, Policy: "p", Charges: charges(alice, 1, jobs)}
		if err := s.Take(context.Background(), full); !errors.Is(err, ErrFull) {
			t.Errorf("two slots too many: %v", err)
		}
		op := settle(t, s, 0, core.Settle{ID: core.ID{Lo: 6}, Owner: bob, Charges: charges(bob, 1, jobs), Lease: []string{"y"}, Unleased: true})
		if op.Leased != 0 || op.Ignored != 1 || s.Stats().Leases != 3 {
			t.Errorf("a lease too many: %+v", op)
		}
		for n := range uint64(5) {
			settle(t, s, 0, core.Settle{Owner: stranger(n), Set: core.Attributes{{Name: "a", Value: core.Number(1)}}})
			settle(t, s, 0, core.Settle{Owner: stranger(0), Set: core.Attributes{{Name: "a", Value: core.Number(int64(n))}}})
		}
		if n := s.Stats().Owners; n != 3 {
			t.Errorf("%d owners", n)
		}
	}
}

// crowdedTrace is a random history of a store that is too small beside one that
// is not, which is charged what the small one admits, and must admit it too: so
// no subject gets more than its own cell would have let through.
type crowdedTrace struct {
	*testing.T
	*rand.Rand
	small, large *Store
	options      Options
	limits       []*core.Limit
	now          int64
	id           uint64
	open         [2][]*core.Take // admitted by small and large, not ended
	shared, own  int
	quick        int // charges at another rate than their subject's
}

func TestSharedCellsAdmitNobodyAbove(t *testing.T) {
	seeds := uint64(40)
	if raceEnabled {
		seeds = 5 // the detector is slow
	}
	shared, own, quick := 0, 0, 0
	for seed := range seeds {
		c := &crowdedTrace{T: t, Rand: rand.New(rand.NewPCG(seed, 1)), limits: snapshotLimits()[:4]}
		c.limits = append(c.limits, snapshotLimits()[7], snapshotLimits()[5], snapshotLimits()[6])
		c.options = Options{Dir: t.TempDir(), MaxCells: int64(3 + c.IntN(20)), Overflow: Share, Shards: 1 << c.IntN(7)}
		c.small, c.large = newStore(t, c.options), newStore(t, Options{})
		for range 2000 {
			c.step()
		}
		shared, own, quick = shared+c.shared, own+c.own, quick+c.quick
		must(t, c.small.Close())
		must(t, c.large.Close())
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if shared < 1000 || own < 1000 || quick < 5*int(seeds) {
		t.Errorf("only %d charges in shared cells, %d in others, %d at another rate", shared, own, quick)
	}
}

func (c *crowdedTrace) step() {
	c.now += c.Int64N(4 * second)
	switch n := c.IntN(100); {
	case n < 3:
		c.now += c.Int64N(2 * minute)
	case n < 8:
		c.small.sweep(c.small.present(), nil)
	case n < 9 && c.IntN(5) == 0:
		c.reopen()
	case n < 30:
		c.end()
	default:
		c.take()
	}
}

// reopen opens the small store with other options. Slots end with the process.
func (c *crowdedTrace) reopen() {
	for len(c.open[0]) > 0 {
		c.end()
	}
	must(c.T, c.small.Close())
	c.options.Overflow, c.options.MaxCells = Overflow(c.IntN(2)), int64(3+c.IntN(20))
	c.small = newStore(c.T, c.options)
}

// request returns requests of strangers that are decided together.
func (c *crowdedTrace) request(n int) *core.Take {
	c.id++
	who := stranger(c.Uint64N(12))
	op := &core.Take{Now: at(c.now), ID: core.ID{Lo: c.id}, Policy: "p", Owner: who}
	for _, l := range c.limits {
		if c.IntN(3) > 0 {
			continue
		}
		one := charges(who, c.Int64N(4), l)[0]
		one.Max = 3 + int64(who.Lo%3)*4
		one.Rate = 1 + int64(who.Lo%2)*9
		one.Window = core.Window{Start: start - start%(5*minute) + c.now/(5*minute)*5*minute}
		one.Window.End, one.Window.Next = one.Window.Start+5*minute, one.Window.Start+10*minute
		op.Charges = append(op.Charges, one)
	}
	if n > 1 {
		op.Next = c.request(n - 1)
	}
	return op
}

// quicken gives charges of a bucket higher rates where the last of it in a batch
// has its subject's.
func (c *crowdedTrace) quicken(op *core.Take) {
	last := map[core.Scope]*core.Charge{}
	for ; op != nil; op = op.Next {
		for i := range op.Charges {
			if one := &op.Charges[i]; one.Limit.Kind == core.Bucket {
				if before := last[one.Scope]; before != nil {
					before.Rate += c.Int64N(1000)
					c.quick++
				}
				last[one.Scope] = one
			}
		}
	}
}

func clone(op *core.Take) *core.Take {
	if op == nil {
		return nil
	}
	same := *op
	same.Charges = append([]core.Charge(nil), op.Charges...)
	same.Next = clone(op.Next)
	return &same
}

func (c *crowdedTrace) take() {
	small := c.request(1 + c.IntN(3)/2*c.IntN(4))
	c.quicken(small)
	large := clone(small)
	switch err := c.small.Take(context.Background(), small); {
	case errors.Is(err, ErrFull):
		return
	case err != nil:
		c.Fatal(err)
	case !small.Admitted:
		return
	}
	must(c.T, c.large.Take(context.Background(), large))
	if !large.Admitted {
		c.Errorf("a small store admits what a large one refuses: %+v", large.Charges)
	}
	for s, l := small, large; s != nil; s, l = s.Next, l.Next {
		c.compare(s, l)
		c.open[0], c.open[1] = append(c.open[0], s), append(c.open[1], l)
	}
}

func (c *crowdedTrace) compare(small, large *core.Take) {
	for i := range small.Charges {
		s, l := &small.Charges[i], &large.Charges[i]
		switch {
		case s.Used < l.Used:
			c.Errorf("a small store counts %d, a large one %d of %s", s.Used, l.Used, s.Limit.Name)
		case s.Scope != l.Scope:
			c.shared++
		case s.Cost > 0 && s.Limit != c.limits[5]:
			c.own++
		}
	}
}

// end ends a request in both stores, with what it cost. What costs more than was
// reserved when that counts no more is left out: who has a cell again by then
// has it counted in the shared one.
func (c *crowdedTrace) end() {
	if len(c.open[0]) == 0 {
		return
	}
	n, cost, settled := c.IntN(len(c.open[0])), c.Int64N(5), c.IntN(2) == 0
	if c.open[0][n].Now.Wall < start+c.now/(5*minute)*5*minute {
		cost = 0
	}
	for i, s := range []*Store{c.small, c.large} {
		op := c.open[i][n]
		c.open[i] = append(c.open[i][:n], c.open[i][n+1:]...)
		settle(c.T, s, c.now, core.Settle{ID: op.ID, Owner: op.Owner, Charges: op.Charges, HasCost: settled, Cost: cost, End: true})
	}
}

// A cell that was dropped before its subject was charged in the one that
// subjects share is not there again after a crash.
func TestSharedCellOutlivesTheProcess(t *testing.T) {
	for _, kind := range []core.Kind{core.Rolling, core.Fixed, core.Bucket} {
		o := Options{Dir: t.TempDir(), MaxCells: 1, Overflow: Share}
		s := New(o)
		l := limitOf(1, kind, "l")
		if !take(t, s, 0, 1, alice, charges(alice, 1000, l)).Admitted {
			t.Fatal("refused")
		}
		take(t, s, 2000*minute, 2, alice, charges(alice, 0, limitOf(2, core.Ever, "time")))
		s.sweep(s.present(), nil)
		take(t, s, 2000*minute, 3, bob, charges(bob, 1, l))
		if op := take(t, s, 2000*minute, 4, alice, charges(alice, 1000, l)); !op.Admitted || s.Stats().Shared != 1 {
			t.Fatalf("%s: %+v", kind, op.Charges[0].State)
		}
		for range 2 {
			kill(s)
			s = New(o)
			if take(t, s, 2000*minute+second/100, 5, alice, charges(alice, 1, l)).Admitted {
				t.Errorf("%s: admitted above the maximum after a crash", kind)
			}
		}
		must(t, s.Close())
	}
}

// Subjects who have cells do not wait for those who share one.
func TestOwnCellsWaitForNobody(t *testing.T) {
	s := newStore(t, Options{MaxCells: 1, Overflow: Share})
	l := limitOf(1, core.Fixed, "l")
	owner := alice
	for n := uint64(0); s.bit(owner) == s.bit(commons); n++ {
		owner = stranger(n)
	}
	take(t, s, 0, 1, owner, charges(owner, 1, l))
	take(t, s, 0, 2, bob, charges(bob, 1, l))
	shared := locks{shards: s.bit(commons)}
	s.acquire(shared)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c := take(t, s, 1, 3, owner, charges(owner, 1, l)).Charges[0]; c.Used != 2 {
			t.Errorf("%d used, want 2", c.Used)
		}
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Error("waits for the cell of others")
	}
	s.release(shared)
	<-done
}
