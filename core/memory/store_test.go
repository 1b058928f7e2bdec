package memory

import (
	"sync"
	"testing"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t testing.TB) core.Store { return newStore(t, Options{}) })
}

func TestStoreOfOneShard(t *testing.T) {
	storetest.Run(t, func(t testing.TB) core.Store { return newStore(t, Options{Shards: 1}) })
}

func TestStoreSwept(t *testing.T) {
	storetest.Run(t, func(t testing.TB) core.Store { return &swept{Store: newStore(t, Options{}), every: 2} })
}

func TestStoreKept(t *testing.T) {
	storetest.Run(t, func(t testing.TB) core.Store { return newStore(t, Options{Dir: t.TempDir()}) })
}

// A lease ends on the store's steady clock, which may be ahead of the door's
// after a restart; people are told when that is on theirs.
func TestLeaseExpiresOnWallClock(t *testing.T) {
	dir := t.TempDir()
	s := New(Options{Dir: dir})
	take(t, s, 60*minute, 1, bob, charges(bob, 1, limitOf(1, core.Fixed, "fixed")))
	must(t, s.Close())
	s = newStore(t, Options{Dir: dir})
	jobs := snapshotLimits()[5]
	op := take(t, s, 0, 2, alice, charges(alice, 1, jobs)) // the clock was set back by an hour
	settle(t, s, 0, core.Settle{ID: op.ID, Owner: alice, Charges: op.Charges, Lease: []string{"a"}, End: true})
	for _, now := range []int64{0, second} {
		leases, err := s.Leases(at(now), "p", alice)
		must(t, err)
		if len(leases) != 1 || leases[0].Expires != start+jobs.TTL {
			t.Errorf("%+v, want one that expires in a minute", leases)
		}
	}
}

// The first override of all comes between others' decisions: those either see
// it whole or not at all.
func TestFirstOverrideAtOnce(t *testing.T) {
	s := newStore(t, Options{})
	l := limitOf(1, core.Ever, "ever")
	var group sync.WaitGroup
	group.Go(func() {
		for i := range 5000 {
			set := core.Attributes{{Name: "a"}, {Name: "b"}}
			if i%2 == 0 {
				set[0].Value, set[1].Value = core.Number(int64(i)), core.Number(int64(i))
			}
			settle(t, s, 0, core.Settle{Owner: alice, Set: set})
		}
	})
	for i := range uint64(2) {
		group.Go(func() {
			for j := range uint64(5000) {
				op := take(t, s, 0, j, alice, charges(core.Scope{Hi: i, Lo: j % 50}, 1, l))
				if op.Overrides.Get("a") != op.Overrides.Get("b") {
					t.Errorf("half of a change is seen: %v", op.Overrides)
				}
			}
		})
	}
	group.Wait()
	if n := s.Stats().Owners; n != 0 {
		t.Errorf("%d owners have overrides in the end", n)
	}
}
