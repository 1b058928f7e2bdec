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

// maxResets is how many resets a shard remembers; of more, none before. What is
// forgotten is that a reservation from before the reset is not to be refunded.
const maxResets = 1 << 10

// A shard has the cells of some scopes.
type shard struct {
	total   *atomic.Int64                 // subjects' cells in all shards
	commons *atomic.Int64                 // cells that subjects share
	first   *atomic.Pointer[core.Instant] // the store's first reading

	mu        sync.Mutex               // guards what follows
	cells     map[cellKey]core.CellRef // in pool
	pool      core.Pool
	overrides map[core.Scope]core.Attributes
	belief    belief
	resets    map[cellKey]uint64 // cells that were reset, and when by the store's epoch
	seen      seen
	peak      int // the most cells since the map was made
	notes     notes

	_ [64]byte // keeps neighbours off this cache line
}

// put names a cell of pool, where none has the name. It requires that mu is held.
func (sh *shard) put(key cellKey, ref core.CellRef) {
	if sh.cells == nil {
		sh.cells = make(map[cellKey]core.CellRef)
	}
	sh.cells[key] = ref
	sh.peak = max(sh.peak, len(sh.cells))
	sh.count(key, 1)
}

// count counts cells that are made or dropped.
func (sh *shard) count(key cellKey, n int64) {
	if key.common() {
		sh.commons.Add(n)
	} else {
		sh.total.Add(n)
	}
}

// replace names a cell of pool, in the place of one that may have the name. It
// requires that mu is held.
func (sh *shard) replace(key cellKey, ref core.CellRef) {
	sh.remove(key)
	sh.put(key, ref)
}

// remove drops a cell that may be there. It requires that mu is held.
func (sh *shard) remove(key cellKey) {
	if ref, ok := sh.cells[key]; ok {
		delete(sh.cells, key)
		sh.pool.Drop(ref)
		sh.count(key, -1)
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

// see notes that it has been now. It requires that mu is held.
func (sh *shard) see(now core.Instant) {
	b := &sh.belief
	first := sh.first.Load()
	switch {
	case first == nil: // now is from before a restart
		sh.seen.see(now)
		return
	case b.mistaken(now):
		b.begin(now)
		sh.seen.wall = min(sh.seen.wall, now.Wall)
	case !b.begun:
		b.begin(*first)
		if sh.seen.wall-first.Wall > maxStepBack {
			sh.seen.wall = first.Wall
		}
	}
	sh.seen.join(sighting(now, b.see(now)))
}

// past returns the time by which cells are dropped that are idle then.
func (sh *shard) past(now core.Instant) core.Instant {
	return core.Instant{Wall: sh.seen.wall, Steady: now.Steady}
}

// fresh returns a new cell of pool for c. Where the wall clock was set back to
// before windows that may have been dropped, the cell has seen the time of those,
// so that it does not count in one anew. It requires that mu is held.
func (sh *shard) fresh(now core.Instant, c *core.Charge) core.CellRef {
	ref := sh.pool.New(c.Limit)
	if sh.seen.wall <= now.Wall || c.Limit.Kind != core.Fixed && c.Limit.Kind != core.Calendar {
		return ref
	}
	before := *c
	if c.Limit.Schedule != nil {
		before.Window = c.Limit.Schedule.At(sh.seen.wall)
	}
	now.Wall = sh.seen.wall
	sh.pool.Cell(ref).Check(now, &before)
	return ref
}

// try does something with a cell for c that is dropped again. It requires that mu
// is held.
func (sh *shard) try(now core.Instant, c *core.Charge, do func(core.PoolCell, core.Instant, *core.Charge)) {
	ref := sh.fresh(now, c)
	do(sh.pool.Cell(ref), now, c)
	sh.pool.Drop(ref)
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
