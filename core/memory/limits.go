package memory

import (
	"sync"

	"github.com/weirhq/weir/core"
)

// A limitTable knows the identities of the limits whose cells are in the store.
// Its lock is taken last.
type limitTable struct {
	mu   sync.RWMutex
	byID map[uint64]limitIdentity
}

// A limitIdentity names a limit, and says how its cells are encoded.
type limitIdentity struct {
	Policy, Name string
	Kind         core.Kind
}

// note remembers l's identity.
func (t *limitTable) note(l *core.Limit) {
	if _, ok := t.get(l.ID); !ok {
		t.add(l.ID, limitIdentity{l.Policy, l.Name, l.Kind})
	}
}

func (t *limitTable) add(id uint64, l limitIdentity) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID == nil {
		t.byID = make(map[uint64]limitIdentity)
	}
	t.byID[id] = l
}

// get returns the identity of a limit, and whether it was noted.
func (t *limitTable) get(id uint64) (limitIdentity, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	l, ok := t.byID[id]
	return l, ok
}
