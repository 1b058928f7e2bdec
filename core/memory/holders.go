package memory

import (
	"iter"
	"slices"

	"github.com/weirhq/weir/core"
)

// manyHolders is how many leases of a name are looked through one by one.
const manyHolders = 16

// holders are the leases of one policy by name. Those of a name form a list,
// oldest first; the prev of the oldest is the newest. Origins may give thousands of
// subjects the same name: of such a list the leases of one owner are found without
// going through it.
type holders struct {
	oldest map[string]*lease
	crowds map[string]map[core.Scope][]*lease // of lists that were long
}

// add puts a lease behind the others of its name, whose text it shares.
func (h *holders) add(l *lease) {
	first := h.oldest[l.name]
	if first == nil {
		if h.oldest == nil {
			h.oldest = make(map[string]*lease)
		}
		l.prev = l
		h.oldest[l.name] = l
		return
	}
	l.name = first.name
	l.prev, first.prev.next, first.prev = first.prev, l, l
	if crowd := h.crowds[l.name]; crowd != nil {
		crowd[l.owner] = append(crowd[l.owner], l)
	} else {
		h.crowd(first)
	}
}

// crowd indexes the list that first begins, if it is long.
func (h *holders) crowd(first *lease) {
	n := 0
	for l := first; l != nil && n <= manyHolders; l = l.next {
		n++
	}
	if n <= manyHolders {
		return
	}
	crowd := make(map[core.Scope][]*lease)
	for l := first; l != nil; l = l.next {
		crowd[l.owner] = append(crowd[l.owner], l)
	}
	if h.crowds == nil {
		h.crowds = make(map[string]map[core.Scope][]*lease)
	}
	h.crowds[first.name] = crowd
}

// remove takes a lease out, which is there.
func (h *holders) remove(l *lease) {
	first := h.oldest[l.name]
	switch {
	case first != l:
		l.prev.next = l.next
		if l.next != nil {
			l.next.prev = l.prev
		} else {
			first.prev = l.prev
		}
	case l.next != nil:
		l.next.prev = l.prev
		h.oldest[l.name] = l.next
	default:
		delete(h.oldest, l.name)
	}
	if crowd := h.crowds[l.name]; crowd != nil {
		h.leave(crowd, l)
	}
	l.prev, l.next = nil, nil
}

// leave takes a lease out of its crowd, and gives that up where few are left.
func (h *holders) leave(crowd map[core.Scope][]*lease, l *lease) {
	own := slices.DeleteFunc(crowd[l.owner], func(other *lease) bool { return other == l })
	if len(own) > 0 {
		crowd[l.owner] = own
		return
	}
	delete(crowd, l.owner)
	if len(crowd) <= manyHolders/4 {
		delete(h.crowds, l.name)
	}
}

// of yields owner's leases of name, of which none may be removed meanwhile.
func (h *holders) of(name string, owner core.Scope) iter.Seq[*lease] {
	return func(yield func(*lease) bool) {
		if crowd := h.crowds[name]; crowd != nil {
			for _, l := range crowd[owner] {
				if !yield(l) {
					return
				}
			}
			return
		}
		for l := h.oldest[name]; l != nil; l = l.next {
			if l.owner == owner && !yield(l) {
				return
			}
		}
	}
}

// meant returns whose lease is meant by name: owner's, or the oldest.
func (h *holders) meant(name string, owner core.Scope) (core.Scope, bool) {
	first := h.oldest[name]
	if first == nil {
		return core.Scope{}, false
	}
	for range h.of(name, owner) {
		return owner, true
	}
	return first.owner, true
}
