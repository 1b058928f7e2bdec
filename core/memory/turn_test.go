package memory

import (
	"testing"

	"github.com/weirhq/weir/core"
)

// TestSettledOnceAfterAFullStart: a start that sweeps, for there are more cells than may
// be, begins no generation of ids that no record tells of: the next turn would drop, at
// the start after, ids of less than a day.
func TestSettledOnceAfterAFullStart(t *testing.T) {
	const hour = 60 * minute
	dir := t.TempDir()
	budget := snapshotLimits()[6]
	ever := limitOf(5, core.Ever, "ever")
	s := New(Options{Dir: dir})
	settleOf := func(now int64, id uint64) *core.Settle {
		return settle(t, s, now, core.Settle{ID: core.ID{Lo: id}, Owner: alice, HasCost: true, Cost: 5, Charges: charges(alice, 0, budget)})
	}
	settleOf(0, 1)
	take(t, s, 24*hour+second, 2, alice, charges(alice, 1, ever)) // the last before the crash
	take(t, s, 24*hour+second, 3, bob, charges(bob, 1, ever))
	kill(s)
	s = New(Options{Dir: dir, MaxCells: 1})
	settleOf(47*hour, 7)
	settleOf(48*hour+2*second, 8) // turns
	if op := settleOf(48*hour+3*second, 7); !op.Duplicate {
		t.Fatal("not remembered in the same process")
	}
	kill(s)
	s = New(Options{Dir: dir, MaxCells: 1})
	defer kill(s)
	if op := settleOf(48*hour+4*second, 7); !op.Duplicate {
		t.Error("settled twice within an hour and some")
	}
}
