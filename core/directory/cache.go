package directory

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirhq/weir/core"
)

// An entry is what is known of one credential. It is immutable but for its
// atomic fields.
type entry struct {
	key     core.Scope
	subject *core.Subject // nil: the credential is unknown
	fetched time.Time
	// retry is when, in UnixNano, to ask again after a failure to.
	retry atomic.Int64
	used  atomic.Bool // since the hand passed
}

// A cache is a bounded set of entries. When it is full, a new entry replaces
// the next one that was not used of late: the CLOCK algorithm (Corbató, 1968).
// It is safe for concurrent use, and a hit changes nothing but the entry.
type cache struct {
	mu   sync.RWMutex
	at   map[core.Scope]int // in ring
	ring []*entry
	size int
	hand int
}

func newCache(size int) *cache {
	return &cache{at: make(map[core.Scope]int), size: size}
}

// get returns the key's entry, or nil.
func (c *cache) get(key core.Scope) *entry {
	c.mu.RLock()
	defer c.mu.RUnlock()
	i, ok := c.at[key]
	if !ok {
		return nil
	}
	e := c.ring[i]
	if !e.used.Load() {
		e.used.Store(true)
	}
	return e
}

// put adds an entry, or replaces the one of its key.
func (c *cache) put(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, ok := c.at[e.key]
	if !ok {
		i = c.slot()
	}
	c.ring[i], c.at[e.key] = e, i
}

// slot returns a free place in the ring. It requires that c.mu is held.
func (c *cache) slot() int {
	if len(c.ring) < c.size {
		c.ring = append(c.ring, nil)
		return len(c.ring) - 1
	}
	for c.ring[c.hand] != nil && c.ring[c.hand].used.Swap(false) {
		c.hand = (c.hand + 1) % c.size
	}
	i := c.hand
	c.hand = (c.hand + 1) % c.size
	if old := c.ring[i]; old != nil {
		delete(c.at, old.key)
	}
	return i
}

// drop removes the key's entry. Its place stays in the ring, as one that is
// not used, until the hand comes by.
func (c *cache) drop(key core.Scope) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i, ok := c.at[key]; ok {
		c.ring[i] = nil
		delete(c.at, key)
	}
}
