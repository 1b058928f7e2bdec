package memory

import (
	"slices"
	"sync"

	"github.com/weirhq/weir/core"
)

// A cellKey names a cell.
type cellKey struct {
	limit uint64
	scope core.Scope
}

func keyOf(c *core.Charge) cellKey { return cellKey{c.Limit.ID, c.Scope} }

// A shard has the cells of some scopes.
type shard struct {
	mu        sync.Mutex // guards what follows
	cells     map[cellKey]core.Cell
	overrides map[core.Scope]core.Attributes
	newest    core.Instant
	peak      int // the most cells since the map was made

	_ [64]byte // keeps neighbours off this cache line
}

// see notes that it has been now. It requires that mu is held.
func (sh *shard) see(now core.Instant) { sh.newest = latest(sh.newest, now) }

// put adds a cell. It requires that mu is held.
func (sh *shard) put(key cellKey, cell core.Cell) {
	if sh.cells == nil {
		sh.cells = make(map[cellKey]core.Cell)
	}
	sh.cells[key] = cell
	sh.peak = max(sh.peak, len(sh.cells))
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
