package memory

import (
	"math"
	"strings"
	"sync"

	"github.com/weirhq/weir/core"
)

// maxName is the longest name of a lease, in bytes.
const maxName = 256

// maxGiven bounds one of two generations of requests whose Take failed.
const maxGiven = 1 << 14

// A ledger has the slots of holds whose slots can outlive their response: those
// in flight, by request, and leases, by name. A cell's count is its slots in
// flight and its live leases.
type ledger struct {
	mu    sync.Mutex // guards what follows
	seen  seen
	used  map[cellKey]int64 // at most core.MaxAmount
	books map[string]*book

	slots    []slot // number 0 is none
	inFlight int    // how many of them are not free
	free     uint32
	requests map[core.ID]uint32 // the first slot of each request
	sequence uint64             // of the newest request with slots

	expiring leaseHeap
	order    uint64 // of the newest lease
	most     int64  // slots in flight and leases
	limits   *limitTable
	notes    notes

	// given is how many names each request was given whose Take failed.
	given generations[int64]
}

// A book has the slots and leases of one policy.
type book struct {
	policy      string
	first, last uint32 // slots in the order in which they were admitted
	holders     holders
	tombs       tombstones
}

// init makes the ledger empty.
func (g *ledger) init(limits *limitTable) {
	g.limits, g.seen = limits, seen{}
	g.used = make(map[cellKey]int64)
	g.books = make(map[string]*book)
	g.requests = make(map[core.ID]uint32)
	g.slots, g.inFlight = make([]slot, 1, 64), 0
	g.expiring = nil
	g.given = generations[int64]{}
}

// see notes that it has been now, and ends the leases whose time has come.
func (g *ledger) see(now core.Instant) {
	g.seen.see(now)
	g.expire(math.MaxInt)
}

// expire ends at most n leases whose time has come and returns how many.
func (g *ledger) expire(n int) int {
	ended := 0
	for ; ended < n && len(g.expiring) > 0 && g.expiring[0].expiry <= g.seen.last.Steady; ended++ {
		g.drop(g.expiring[0])
	}
	return ended
}

// book returns the policy's book.
func (g *ledger) book(policy string) *book {
	b := g.books[policy]
	if b == nil {
		b = &book{policy: strings.Clone(policy)}
		g.books[b.policy] = b
	}
	return b
}

// size returns how many slots in flight and leases there are.
func (g *ledger) size() int64 { return int64(g.inFlight + len(g.expiring)) }

// room reports whether op's slots, and those of op.Next and so on, may be added
// those that there are.
func (g *ledger) room(op *core.Take) bool {
	size := g.size()
	for ; op != nil; op = op.Next {
		for i := range op.Charges {
			if c := &op.Charges[i]; c.Limit.Leasable() && takes(true, c) && c.Cost > 0 {
				size++
			}
		}
	}
	return size <= g.most
}

// add changes the count of a cell.
func (g *ledger) add(key cellKey, delta int64) {
	if n := g.used[key] + delta; n != 0 {
		g.used[key] = n
	} else {
		delete(g.used, key)
	}
}

// take takes c's slots for op's request, as many as the cell can count.
func (g *ledger) take(op *core.Take, c *core.Charge) {
	if c.Cost > 0 {
		n := min(c.Cost, core.MaxAmount-g.used[keyOf(c)])
		g.add(keyOf(c), n)
		g.admit(op, c, n)
	}
	core.CheckHold(g.used[keyOf(c)], c)
	c.Wait, c.Refused, c.NeverFits, c.Taken = 0, false, false, true
}

// reset empties the cell: its leases end, its slots in flight are slots of
// nothing.
func (g *ledger) reset(key cellKey) {
	for i := range g.slots {
		if g.slots[i].key == key {
			g.slots[i].count = 0
		}
	}
	for _, l := range g.expiring.of(key) {
		g.discard(l)
	}
	delete(g.used, key)
}
