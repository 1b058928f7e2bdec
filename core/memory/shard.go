package memory

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/weirhq/weir/core"
)

// A cellKey names a cell.
type cellKey struct {
	limit uint64
	scope core.Scope
}

func keyOf(c *core.Charge) cellKey { return cellKey{c.Limit.ID, c.Scope} }

// maxStepBack in µs is how far the wall clock may be set back without giving
// new cells an earlier window than the shard has seen. If it was further ahead
// than this it was wrong, and windows that nobody is in yet had better be right.
const maxStepBack = 60 * 60 * 1_000_000

// maxResets is how many resets a shard remembers; of more, none before. What is
// forgotten is that a reservation from before the reset is not to be refunded.
const maxResets = 1 << 10

// A shard has the cells of some scopes.
type shard struct {
	total *atomic.Int64 // cells of all shards

	mu        sync.Mutex // guards what follows
	cells     map[cellKey]core.Cell
	overrides map[core.Scope]core.Attributes
	resets    map[cellKey]uint64 // cells that were reset, and when by the store's epoch
	seen      seen
	peak      int // the most cells since the map was made

	_ [64]byte // keeps neighbours off this cache line
}

// put adds a cell that is not there. It requires that mu is held.
func (sh *shard) put(key cellKey, cell core.Cell) {
	if sh.cells == nil {
		sh.cells = make(map[cellKey]core.Cell)
	}
	sh.cells[key] = cell
	sh.peak = max(sh.peak, len(sh.cells))
	sh.total.Add(1)
}

// remove drops a cell that may be there. It requires that mu is held.
func (sh *shard) remove(key cellKey) {
	if _, ok := sh.cells[key]; ok {
		delete(sh.cells, key)
		sh.total.Add(-1)
	}
}

// reset drops a cell. It requires that mu is held.
func (sh *shard) reset(key cellKey, epoch uint64) {
	sh.remove(key)
	sh.emptied(key, epoch)
}

// emptied remembers that entries from before epoch have nothing to give back to
// the cell. It requires that mu is held.
func (sh *shard) emptied(key cellKey, epoch uint64) {
	if sh.resets == nil || len(sh.resets) >= maxResets {
		sh.resets = make(map[cellKey]uint64)
	}
	sh.resets[key] = epoch
}

// fresh returns a cell for c that is not there yet, and is not put there. Where
// the wall clock was set back by at most maxStepBack, it has seen the time
// before, so that a cell that was dropped is not counted anew in an earlier
// window. It requires that mu is held.
func (sh *shard) fresh(now core.Instant, c *core.Charge) core.Cell {
	cell := core.NewCell(c.Limit)
	back := sh.seen.wall - now.Wall
	if back <= 0 || back > maxStepBack || c.Limit.Kind != core.Fixed && c.Limit.Kind != core.Calendar {
		return cell
	}
	before := *c
	if c.Limit.Schedule != nil {
		before.Window = c.Limit.Schedule.At(sh.seen.wall)
	}
	now.Wall = sh.seen.wall
	cell.Check(now, &before)
	return cell
}

// set changes the attributes of owner and returns by how much the number of
// owners with attributes changed. A zero Value removes one. It requires that mu
// is held; the slices that it stores are never written again.
func (sh *shard) set(owner core.Scope, change core.Attributes) int64 {
	old, had := sh.overrides[owner]
	attributes := slices.Clone(old)
	for _, a := range change {
		i := slices.IndexFunc(attributes, func(b core.Attribute) bool { return b.Name == a.Name })
		switch {
		case i >= 0 && a.Value.IsZero():
			attributes = slices.Delete(attributes, i, i+1)
		case i >= 0:
			attributes[i] = a
		case !a.Value.IsZero():
			attributes = append(attributes, a)
		}
	}
	switch {
	case len(attributes) > 0:
		if sh.overrides == nil {
			sh.overrides = make(map[core.Scope]core.Attributes)
		}
		sh.overrides[owner] = attributes
		if !had {
			return 1
		}
	case had:
		delete(sh.overrides, owner)
		return -1
	}
	return 0
}
