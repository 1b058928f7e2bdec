package memory

import "container/heap"

// A leaseHeap has all leases, the one that expires first at its root; each
// knows its place.
type leaseHeap []*lease

func (h *leaseHeap) push(l *lease)   { heap.Push(h, l) }
func (h *leaseHeap) remove(l *lease) { heap.Remove(h, l.index) }
func (h *leaseHeap) fix(l *lease)    { heap.Fix(h, l.index) }

// of returns the leases of a cell.
func (h leaseHeap) of(key cellKey) (found []*lease) {
	for _, l := range h {
		if l.key == key {
			found = append(found, l)
		}
	}
	return found
}

// Len, Less, Swap, Push and Pop are heap.Interface's.
func (h leaseHeap) Len() int { return len(h) }

func (h leaseHeap) Less(i, j int) bool { return h[i].expiry < h[j].expiry }

func (h leaseHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push appends x.
func (h *leaseHeap) Push(x any) {
	l := x.(*lease)
	l.index = len(*h)
	*h = append(*h, l)
}

// Pop removes the last.
func (h *leaseHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return l
}
