package memory

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/weirhq/weir/core"
)

// TestHoldersAsAList compares holders with a plain list, while crowds come together
// and part again.
func TestHoldersAsAList(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	var h holders
	var list []*lease
	for i := range 20_000 {
		name := fmt.Sprint("n", random.IntN(3))
		if rising := i/1000%2 == 0; len(list) == 0 || random.IntN(10) < 5+4*map[bool]int{true: 1, false: -1}[rising] {
			l := &lease{name: strings.Clone(name), owner: stranger(random.Uint64N(40)), order: uint64(i)}
			h.add(l)
			list = append(list, l)
		} else {
			n := random.IntN(len(list))
			h.remove(list[n])
			list = slices.Delete(list, n, n+1)
		}
		owner := stranger(random.Uint64N(40))
		var own []*lease
		var first *lease
		for _, l := range list {
			if l.name == name && first == nil {
				first = l
			}
			if l.name == name && l.owner == owner {
				own = append(own, l)
			}
		}
		got := slices.SortedFunc(h.of(name, owner), byOrder)
		if !slices.Equal(got, own) {
			t.Fatalf("step %d: %d leases of the owner, want %d", i, len(got), len(own))
		}
		who, held := h.meant(name, owner)
		switch {
		case held != (first != nil), held && len(own) > 0 && who != owner, held && len(own) == 0 && who != first.owner:
			t.Fatalf("step %d: %v, %v is meant", i, who, held)
		}
	}
	for _, l := range list {
		h.remove(l)
	}
	if len(h.oldest)+len(h.crowds) > 0 {
		t.Errorf("%d lists and %d crowds are left of nothing", len(h.oldest), len(h.crowds))
	}
}

// leaseEach has n subjects lease a name each, and renew it.
func leaseEach(t *testing.T, o Options, n int, name func(i int) string) *Store {
	t.Helper()
	l := limitOf(6, core.Hold, "released")
	l.Released, l.TTL = true, 1000*minute
	s := newStore(t, o)
	for i := range n {
		owner := stranger(uint64(i))
		list := charges(owner, 1, l)
		op := core.Take{Policy: "p", Charges: list, Owner: owner, ID: core.ID{Hi: 1, Lo: uint64(i) + 1}, Now: at(0)}
		must(t, s.Take(context.Background(), &op))
		names := []string{name(i)}
		set := core.Settle{Policy: "p", ID: op.ID, Owner: owner, Charges: op.Charges, Lease: names, Renew: names, End: true, Now: at(0)}
		must(t, s.Settle(context.Background(), &set))
		if set.Leased != 1 || set.Renewed != 1 {
			t.Fatalf("leased %d, renewed %d", set.Leased, set.Renewed)
		}
	}
	return s
}

// TestAttackLeasesOfOneName: however many subjects have leases of one name, each is
// found through an index of its owner's, also after a restart: nobody looks through
// those of all others.
func TestAttackLeasesOfOneName(t *testing.T) {
	const subjects = 3000
	indexed := func(s *Store) {
		t.Helper()
		h := &s.ledger.book("p").holders
		if n := len(h.crowds["job"]); n != subjects {
			t.Fatalf("the leases of %d owners are indexed, want %d", n, subjects)
		}
		for owner, own := range h.crowds["job"] {
			if len(own) != 1 || own[0].owner != owner {
				t.Fatalf("%d leases are indexed as those of %v", len(own), owner)
			}
		}
	}
	o := Options{Dir: t.TempDir()}
	s := leaseEach(t, o, subjects, func(int) string { return "job" })
	indexed(s)
	kill(s)
	indexed(newStore(t, o))
}

// TestBytesPerLease compares what leases take with what docs/operations.md says,
// where maps have just grown: those of the shards, and the one of all owners.
func TestBytesPerLease(t *testing.T) {
	for name, id := range map[string]func(i int) string{
		"short ids": func(i int) string { return fmt.Sprint(i) },
		"UUIDs":     func(i int) string { return fmt.Sprintf("%036x", i) },
		"long ids":  func(i int) string { return fmt.Sprintf("%0256x", i) },
		"one id":    func(int) string { return "job" },
	} {
		worst := int64(0)
		for _, subjects := range []int{64 * 230, 15_000} {
			worst = max(worst, bytesPerLease(t, subjects, id))
		}
		t.Logf("%s: %d bytes", name, worst)
		if most := int64(330 + len(id(0))); worst > most {
			t.Errorf("%s: %d bytes a lease, want at most %d", name, worst, most)
		}
	}
}

func bytesPerLease(t *testing.T, subjects int, id func(i int) string) int64 {
	before := liveBytes()
	s := leaseEach(t, Options{}, subjects, id)
	each := (liveBytes() - before) / int64(subjects)
	runtime.KeepAlive(s)
	return each
}
