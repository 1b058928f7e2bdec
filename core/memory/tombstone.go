package memory

// maxTombstones is how many releases a policy remembers that overtook their
// leases; of more, the oldest is forgotten.
const maxTombstones = 1 << 14

// tombstones are the releases of names that nobody held. One concerns the
// requests that were admitted before it, which may still lease the name.
type tombstones struct {
	last  map[string]uint64 // name → the last request that it concerns
	queue []tombstone       // each name once, oldest first but for what was released again
}

type tombstone struct {
	name string
	last uint64
}

// add remembers that name was released when last was the newest request.
func (t *tombstones) add(name string, last uint64) {
	if _, again := t.last[name]; again {
		t.last[name] = last
		return
	}
	if t.last == nil {
		t.last = make(map[string]uint64)
	}
	for len(t.queue) == maxTombstones {
		t.pop(0)
	}
	t.last[name] = last
	t.queue = append(t.queue, tombstone{name, last})
}

// concerns reports whether name was released after the request was admitted.
func (t *tombstones) concerns(name string, request uint64) bool {
	return t.last[name] >= request
}

// forget drops what concerns only requests before oldest.
func (t *tombstones) forget(oldest uint64) {
	for len(t.queue) > 0 && t.queue[0].last < oldest {
		t.pop(oldest)
	}
	if len(t.queue) == 0 {
		t.queue = nil
	}
}

// pop drops the oldest. One whose name was released again since, and that concerns
// requests from oldest on, becomes the newest.
func (t *tombstones) pop(oldest uint64) {
	first := t.queue[0]
	t.queue = t.queue[1:]
	if last := t.last[first.name]; last != first.last && last >= oldest {
		t.queue = append(t.queue, tombstone{first.name, last})
	} else {
		delete(t.last, first.name)
	}
}
