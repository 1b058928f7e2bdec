package memory

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/weirhq/weir/core"
)

// A limitTable knows the identities of the limits whose cells are in the store,
// and numbers them, for the notes. Reading takes no lock; its lock is taken
// after those of the store's parts.
type limitTable struct {
	known atomic.Pointer[knownLimits]

	mu      sync.Mutex // held while a limit is added
	journal *journal   // is told of limits that are added; may be nil
}

// knownLimits never change: another one takes their place.
type knownLimits struct {
	list   []limitIdentity // by number
	number map[uint64]uint64
}

// A limitIdentity names a limit, and says how its cells are encoded.
type limitIdentity struct {
	ID           uint64
	Policy, Name string
	Kind         core.Kind
	// Length of the limit's window in µs; 0 if nobody knows, or there is none.
	Length int64
}

func identityOf(l *core.Limit) limitIdentity {
	return limitIdentity{l.ID, l.Policy, l.Name, l.Kind, l.Length}
}

// note returns l's number; the first time it gives it one.
func (t *limitTable) note(l *core.Limit) uint64 {
	k := t.known.Load()
	if k != nil {
		if n, ok := k.number[l.ID]; ok && k.list[n].Length == l.Length {
			return n
		}
	}
	return t.add(identityOf(l))
}

// add gives a limit a number, or makes its identity known better.
func (t *limitTable) add(l limitIdentity) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := &knownLimits{number: make(map[uint64]uint64)}
	if old := t.known.Load(); old != nil {
		k.list, k.number = slices.Clone(old.list), maps.Clone(old.number)
	}
	n, ok := k.number[l.ID]
	switch {
	case !ok:
		n = uint64(len(k.list))
		k.list = append(k.list, l)
		k.number[l.ID] = n
	case k.list[n] == l:
		return n
	default:
		k.list[n] = l
	}
	publish := func() { t.known.Store(k) }
	if t.journal == nil {
		publish()
	} else {
		t.journal.introduce(n, l, publish)
	}
	return n
}

// all returns the limits by number. Nobody changes the list.
func (t *limitTable) all() []limitIdentity {
	if k := t.known.Load(); k != nil {
		return k.list
	}
	return nil
}

// get returns the identity of a limit and its number, and whether it is known.
func (t *limitTable) get(id uint64) (l limitIdentity, number uint64, ok bool) {
	k := t.known.Load()
	if k == nil {
		return limitIdentity{}, 0, false
	}
	if number, ok = k.number[id]; !ok {
		return limitIdentity{}, 0, false
	}
	return k.list[number], number, true
}

// identity appends a limit and its number.
func (e *encoder) identity(number uint64, l limitIdentity) {
	e.uint(number)
	e.word(l.ID)
	e.string(l.Policy)
	e.string(l.Name)
	e.uint(uint64(l.Kind))
	e.int(l.Length)
}

func (d *decoder) identity() (number uint64, l limitIdentity) {
	number = d.uint()
	l.ID, l.Policy, l.Name = d.word(), d.string(), d.string()
	l.Kind, l.Length = core.Kind(d.uint()), d.int()
	return number, l
}
