package memory

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weirhq/weir/core"
)

// A settler reserves, and settles what was reserved in any order.
type settler struct {
	store *Store
	limit *core.Limit
	rng   *rand.Rand
	now   core.Instant
	ids   uint64
}

// charges are those of a request: room is no question.
func (r *settler) charges() []core.Charge {
	list := charges(alice, 1, r.limit)
	list[0].Max, list[0].Window.End = 1<<40, start+365*24*60*minute
	return list
}

// reserve has a request end that has not told its cost.
func (r *settler) reserve(t testing.TB) {
	t.Helper()
	r.ids++
	op := &core.Take{Now: r.now, Policy: "p", ID: core.ID{Hi: 1, Lo: r.ids}, Charges: r.charges()}
	must(t, r.store.Take(context.Background(), op))
	r.settle(t, core.Settle{ID: op.ID, End: true, Charges: op.Charges})
}

func (r *settler) settle(t testing.TB, op core.Settle) {
	t.Helper()
	op.Now, op.Policy = r.now, "p"
	must(t, r.store.Settle(context.Background(), &op))
}

// step reserves, or tells the cost of some request.
func (r *settler) step(t testing.TB) {
	t.Helper()
	if r.rng.IntN(8000) == 0 {
		r.now = r.now.Add(13 * 60 * minute) // a generation ends
	}
	if r.rng.IntN(3) == 0 {
		r.reserve(t)
	} else {
		r.settle(t, core.Settle{ID: core.ID{Hi: 1, Lo: 1 + r.rng.Uint64N(r.ids)}, HasCost: true, Cost: r.rng.Int64N(3)})
	}
}

// tell writes all receipts, and how much is counted.
func (r *settler) tell(t testing.TB, s *Store) string {
	t.Helper()
	var b strings.Builder
	op := &core.Take{Now: r.now, Policy: "p", Charges: r.charges()}
	must(t, s.Read(context.Background(), op))
	fmt.Fprintln(&b, "used", op.Charges[0].Used)
	settled, reserved := &s.receipts.settled, &s.receipts.reserved
	for _, g := range [...]map[core.ID]bool{settled.recent, settled.old} {
		for _, id := range sorted(g) {
			fmt.Fprintln(&b, "settled", id, g[id])
		}
		fmt.Fprintln(&b, "since", settled.since)
	}
	for _, g := range [...]map[core.ID][]reservation{reserved.recent, reserved.old} {
		for _, id := range sorted(g) {
			fmt.Fprintln(&b, "reserved", id, g[id])
		}
	}
	return b.String()
}

// newSettler returns a settler that has done much.
func newSettler(t testing.TB, dir string, seed uint64) *settler {
	t.Helper()
	l := limitOf(1, core.Calendar, "year")
	l.Settled = true
	r := &settler{store: newStore(t, Options{Dir: dir}), limit: l, rng: rand.New(rand.NewPCG(seed, 1)), now: at(0)}
	for range 3 * idsAtOnce {
		r.reserve(t)
	}
	r.steps(t, 3*idsAtOnce)
	return r
}

func (r *settler) steps(t testing.TB, n int) {
	t.Helper()
	for range n {
		r.step(t)
	}
}

// check requires that the next process finds what this one tells.
func (r *settler) check(t testing.TB) {
	t.Helper()
	want := r.tell(t, r.store)
	if n := r.store.Stats(); n.Settled == 0 || n.Reserved == 0 {
		t.Fatalf("%+v", n)
	}
	kill(r.store)
	if got := r.tell(t, newStore(t, r.store.options)); got != want {
		t.Error(differ(got, want))
	}
}

// A meanwhile is where a snapshot is written to, while something happens, until it
// has all that changes.
type meanwhile struct {
	bytes.Buffer
	writes int
	do     func()
}

func (m *meanwhile) Write(b []byte) (int, error) {
	if m.writes++; m.writes%3 == 2 && b[0] == sectionClock { // after the header each section takes three
		m.do = func() {}
	}
	m.do()
	return m.Buffer.Write(b)
}

// snapshot writes a snapshot while requests are settled.
func (r *settler) snapshot(t testing.TB) {
	t.Helper()
	s := r.store
	rotateOnly(t, s)
	file := &meanwhile{do: func() { r.steps(t, 20) }}
	must(t, s.encode(newSnapshotWriter(file), origin{segment: s.journal.number}))
	must(t, s.journal.sync())
	must(t, os.WriteFile(filepath.Join(s.dir, SnapshotName), file.Bytes(), 0o600))
}

// A snapshot that is written while requests are settled, and generations of them
// end, has with the journal exactly what was settled.
func TestSnapshotWhileSettling(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := newSettler(t, t.TempDir(), seed)
			r.snapshot(t)
			r.steps(t, 500)
			r.check(t)
		})
	}
}

// What a snapshot has of requests that were settled while it was written, the
// journal must have, too: it is a part of what they changed.
func TestSnapshotNeedsTheRecordsOfItsTime(t *testing.T) {
	r := newSettler(t, t.TempDir(), 1)
	r.snapshot(t)
	segment, end := segmentPath(r.store.dir, r.store.journal.number), r.store.journal.newest()
	kill(r.store)
	info, err := os.Stat(segment)
	must(t, err)
	must(t, os.Truncate(segment, info.Size()-1))
	err = New(r.store.options).Open()
	if want := fmt.Sprintf("ends after record %d, but the snapshot needs it up to", end-1); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestCompactWhileSettling(t *testing.T) {
	r := newSettler(t, t.TempDir(), 1)
	var done atomic.Bool
	var compacting sync.WaitGroup
	compacting.Go(func() {
		for !done.Load() {
			if err := r.store.compact(); err != nil {
				t.Error(err)
			}
		}
	})
	r.steps(t, 3*idsAtOnce)
	done.Store(true)
	compacting.Wait()
	r.check(t)
}
