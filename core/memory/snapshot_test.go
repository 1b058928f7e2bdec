package memory

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weirhq/weir/core"
)

var (
	alice = core.Scope{Hi: 0xA11CE, Lo: 1}
	bob   = core.Scope{Hi: 0xB0B, Lo: 2}
)

// snapshotLimits are a limit of every kind that is in snapshots, and one that
// is not.
func snapshotLimits() []*core.Limit {
	limits := []*core.Limit{
		limitOf(1, core.Rolling, "rolling"),
		limitOf(2, core.Fixed, "fixed"),
		limitOf(3, core.Calendar, "calendar"),
		limitOf(4, core.Bucket, "bucket"),
		limitOf(5, core.Ever, "ever"),
		limitOf(6, core.Hold, "released"),
		limitOf(7, core.Calendar, "budget"),
		limitOf(8, core.Hold, "response"),
	}
	limits[5].Released = true
	limits[6].Settled = true
	return limits
}

func charges(scope core.Scope, cost int64, limits ...*core.Limit) []core.Charge {
	list := make([]core.Charge, len(limits))
	for i, l := range limits {
		list[i] = core.Charge{
			Limit: l, Scope: scope, Cost: cost, Max: 1000, Rate: 1, Refusable: true,
			Window: core.Window{Start: start, End: start + 1000*minute, Next: start + 2000*minute},
		}
	}
	return list
}

// snapshotCharges are of all snapshotLimits; jobs are counted per key.
func snapshotCharges(owner core.Scope) []core.Charge {
	list := charges(owner, 1, snapshotLimits()...)
	list[5].Scope.Lo += 7
	return list
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func take(t testing.TB, s *Store, now int64, id uint64, owner core.Scope, list []core.Charge) *core.Take {
	t.Helper()
	op := &core.Take{Now: at(now), ID: core.ID{Lo: id}, Policy: "p", Owner: owner, Charges: list}
	must(t, s.Take(context.Background(), op))
	return op
}

func settle(t testing.TB, s *Store, now int64, op core.Settle) *core.Settle {
	t.Helper()
	op.Now, op.Policy = at(now), "p"
	must(t, s.Settle(context.Background(), &op))
	return &op
}

// fill gives s something of everything.
func fill(t testing.TB, s *Store) {
	t.Helper()
	limits := snapshotLimits()
	for i, owner := range []core.Scope{alice, bob} {
		for j := range 3 + i {
			op := take(t, s, int64(j)*second, uint64(10*i+j+1), owner, snapshotCharges(owner))
			settle(t, s, int64(j)*second, core.Settle{
				ID: op.ID, Owner: owner, Charges: op.Charges,
				Lease: []string{fmt.Sprint("job-", j%2)}, HasCost: j == 1, Cost: 7, End: j < 2,
			})
		}
		settle(t, s, 5*second, core.Settle{Owner: owner, Set: core.Attributes{
			{Name: "credits", Value: core.Number(int64(50 + i))},
			{Name: "cap", Value: core.UnlimitedValue()},
			{Name: "note", Value: core.Text("a, \"b\"")},
			{Name: "rate", Value: core.ParseValue("0.25")},
		}})
	}
	settle(t, s, 6*second, core.Settle{Reset: true, Charges: charges(bob, 1, limits[0])})
}

// filled makes a directory with a snapshot of something of everything.
func filled(t testing.TB) (dir, path string, whole []byte) {
	t.Helper()
	dir = t.TempDir()
	s := New(Options{Dir: dir})
	fill(t, s)
	must(t, s.Close())
	path = filepath.Join(dir, SnapshotName)
	whole, err := os.ReadFile(path)
	must(t, err)
	return dir, path, whole
}

// account returns everything that s tells at a time.
func account(t testing.TB, s *Store, now int64) string {
	t.Helper()
	var b strings.Builder
	for _, owner := range []core.Scope{alice, bob} {
		op := &core.Take{Now: at(now), Policy: "p", Owner: owner, Charges: snapshotCharges(owner)}
		must(t, s.Read(context.Background(), op))
		for i := range op.Charges {
			fmt.Fprintln(&b, op.Charges[i].Limit.Name, op.Charges[i].State)
		}
		leases, err := s.Leases(at(now), "p", owner)
		must(t, err)
		fmt.Fprintln(&b, op.Overrides, leases)
	}
	st := s.Stats()
	st.Slots, st.Cells, st.Journal = 0, 0, JournalStats{} // slots in flight, and idle cells, are not kept
	fmt.Fprintf(&b, "%+v", st)
	return b.String()
}

// endAll ends what is in flight, as the process does that closes.
func endAll(t testing.TB, s *Store, now int64) {
	t.Helper()
	for id := range uint64(20) {
		settle(t, s, now, core.Settle{ID: core.ID{Lo: id}, End: true})
	}
	for _, owner := range []core.Scope{alice, bob} {
		settle(t, s, now, core.Settle{Reset: true, Charges: charges(owner, 1, snapshotLimits()[7])})
	}
}

func TestSnapshotKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	s := New(Options{Dir: dir})
	fill(t, s)
	endAll(t, s, 6*second)
	for _, now := range []int64{7 * second, 20 * second} {
		want := account(t, s, now)
		must(t, s.Close())
		s = New(Options{Dir: dir, Shards: 4})
		if got := account(t, s, now); got != want {
			t.Fatalf("at %d µs after a restart:\n%s\nbefore it:\n%s", now, got, want)
		}
	}
	defer s.Close()
	for id, wanted := range map[uint64]bool{1: false, 2: true, 12: true, 3: false} {
		op := settle(t, s, 20*second, core.Settle{ID: core.ID{Lo: id}, HasCost: true, Cost: 1})
		if op.Duplicate != wanted {
			t.Errorf("request %d: duplicate %v, want %v", id, op.Duplicate, wanted)
		}
	}
}

func TestReservationOutlivesTheProcess(t *testing.T) {
	dir := t.TempDir()
	budget := snapshotLimits()[6]
	s := New(Options{Dir: dir})
	op := take(t, s, 0, 1, alice, charges(alice, 5, budget))
	settle(t, s, 0, core.Settle{ID: op.ID, Owner: alice, Charges: op.Charges, End: true})
	must(t, s.Close())
	s = newStore(t, Options{Dir: dir})
	list := charges(alice, 0, budget)
	settle(t, s, second, core.Settle{ID: op.ID, Owner: alice, Charges: list, HasCost: true, Cost: 2})
	if op := take(t, s, second, 2, alice, charges(alice, 0, budget)); op.Charges[0].Used != 2 {
		t.Errorf("%d used, want 2", op.Charges[0].Used)
	}
}

// What was reserved before a reset is not given back after it, in another
// process either: of a request that had ended by then or not.
func TestResetOutlivesTheProcess(t *testing.T) {
	dir := t.TempDir()
	budget := snapshotLimits()[6]
	s := New(Options{Dir: dir})
	ended, running := take(t, s, 0, 1, alice, charges(alice, 5, budget)), take(t, s, 0, 2, alice, charges(alice, 5, budget))
	end := func(op *core.Take) {
		settle(t, s, 0, core.Settle{ID: op.ID, Owner: alice, Charges: op.Charges, End: true})
	}
	end(ended)
	settle(t, s, 0, core.Settle{Owner: alice, Charges: charges(alice, 0, budget), Reset: true})
	end(running)
	later := take(t, s, 0, 3, alice, charges(alice, 9, budget))
	end(later)
	for range 2 {
		must(t, s.Close())
		s = New(Options{Dir: dir, Shards: 4})
	}
	defer s.Close()
	for i, op := range []*core.Take{ended, running, later} {
		settle(t, s, second, core.Settle{ID: op.ID, Owner: alice, Charges: charges(alice, 0, budget), HasCost: true})
		if n, want := usedOf(t, s, budget), []int64{9, 9, 0}[i]; n != want {
			t.Errorf("%d used, want %d", n, want)
		}
	}
}

// A reservation's epoch is known again with it, though of the reset that began the
// epoch nothing may be kept: or another reset would begin the same.
func TestEpochOfAReservationIsKnown(t *testing.T) {
	dir := t.TempDir()
	budget := snapshotLimits()[6]
	s := New(Options{Dir: dir})
	must(t, s.Open())
	s.epoch.Store(7)
	op := take(t, s, 0, 1, alice, charges(alice, 5, budget))
	settle(t, s, 0, core.Settle{ID: op.ID, Owner: alice, Charges: op.Charges, End: true})
	kill(s)
	s = New(Options{Dir: dir})
	must(t, s.Open())
	defer s.Close()
	if n := s.epoch.Load(); n != 7 {
		t.Errorf("epoch %d, want 7", n)
	}
}

// A wall clock that was ahead for a moment ends no window that is live, however
// often the process is restarted, and moves none that begins later.
func TestSaveAfterClockAhead(t *testing.T) {
	for name, ahead := range clocksAhead {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := limitOf(1, core.Fixed, "fixed")
			s := New(Options{Dir: dir})
			takeAt(t, s, -1, 0, charges(alice, 0, l))
			takeAt(t, s, ahead, 0, charges(bob, 1, l))
			takeAt(t, s, 0, 1, charges(alice, 1000, l))
			for range 2 {
				must(t, s.Close())
				s = New(Options{Dir: dir})
				must(t, s.Open())
				s.sweep(s.present(), nil)
			}
			defer s.Close()
			if takeAt(t, s, 1, 2, charges(alice, 1, l)).Admitted {
				t.Error("an orderly restart has lost a live window")
			}
			later := 150*minute + 1 // less than maxStepBack before three hours
			carol := core.Scope{Hi: 3, Lo: 3}
			if c := takeAt(t, s, later, later, charges(carol, 1, l)).Charges[0]; c.Grow > minute {
				t.Errorf("a window of a minute ends in %d s", c.Grow/second)
			}
		})
	}
}

// A snapshot that is written while the wall clock is ahead has the windows that
// are live all the same.
func TestSaveWhileClockAhead(t *testing.T) {
	for name, ahead := range clocksAhead {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := limitOf(1, core.Fixed, "fixed")
			s := New(Options{Dir: dir})
			takeAt(t, s, 0, 0, charges(alice, 1000, l))
			takeAt(t, s, ahead, 1, charges(bob, 1, l))
			must(t, s.Close())
			s = newStore(t, Options{Dir: dir})
			if takeAt(t, s, 1, 2, charges(alice, 1, l)).Admitted {
				t.Error("a live window was lost")
			}
		})
	}
}

func TestOlderSnapshot(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, SnapshotName)
	must(t, os.WriteFile(path, header(oldestSnapshot-1), 0o600))
	err := New(Options{Dir: dir}).Open()
	if err == nil || !strings.Contains(err.Error(), "unreleased") || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}

// TestSnapshotOverWhatIsLeft: a snapshot that was begun may be no file of ours.
func TestSnapshotOverWhatIsLeft(t *testing.T) {
	dir := t.TempDir()
	s := New(Options{Dir: dir})
	takeAt(t, s, 0, 1, charges(alice, 1, limitOf(1, core.Rolling, "l")))
	must(t, os.Mkdir(filepath.Join(dir, SnapshotName+".new"), 0))
	must(t, s.Close())
}

// header returns a snapshot's header.
func header(version byte) []byte {
	head := append([]byte(snapshotMagic), version, 0, 0, 0)
	return binary.LittleEndian.AppendUint32(head, crc32.Checksum(head, castagnoli))
}

// What a snapshot says is what was, or it is refused: whichever bit of it is
// flipped, wherever it ends.
func TestCorruptSnapshot(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, SnapshotName)
	s := New(Options{Dir: dir})
	fill(t, s)
	endAll(t, s, 6*second)
	must(t, s.Close())
	whole, err := os.ReadFile(path)
	must(t, err)
	t.Logf("%d bytes", len(whole))
	try := func(what string, b []byte) {
		t.Helper()
		must(t, os.WriteFile(path, b, 0o600))
		s := New(Options{Dir: dir})
		err := s.Open()
		if err == nil {
			t.Errorf("%s: the snapshot was accepted", what)
		} else if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "away to start with empty ones") {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := s.Leases(at(0), "p", alice); err == nil {
			t.Errorf("%s: the store works", what)
		}
		must(t, s.Close())
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, b) {
			t.Errorf("%s: the snapshot was written over", what)
		}
	}
	for i := range whole {
		flipped := bytes.Clone(whole)
		flipped[i] ^= 1 << (i % 8)
		try(fmt.Sprint("byte ", i), flipped)
		try(fmt.Sprint("cut at ", i), whole[:i])
	}
	try("longer", append(bytes.Clone(whole), 0))
	try("twice", append(bytes.Clone(whole), whole...))
}

func TestNewerSnapshot(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, SnapshotName)
	must(t, os.WriteFile(path, header(snapshotVersion+1), 0o600))
	err := New(Options{Dir: dir}).Open()
	if err == nil || !strings.Contains(err.Error(), "newer") || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}

func TestOpenAgain(t *testing.T) {
	dir, path, whole := filled(t)
	must(t, os.WriteFile(path, whole[:len(whole)-1], 0o600))
	s := New(Options{Dir: dir})
	op := &core.Take{Now: at(0), Owner: alice, Charges: snapshotCharges(alice)}
	for range 2 {
		if err := s.Take(context.Background(), op); err == nil {
			t.Fatal("a store with a corrupt snapshot decides")
		}
	}
	must(t, os.Remove(path))
	must(t, s.Open())
	must(t, s.Take(context.Background(), op))
	for i := range op.Charges {
		if c := &op.Charges[i]; c.Used != 1 || op.Now != at(0) || op.Overrides != nil {
			t.Errorf("limit %s: something of the file was kept: %+v", c.Limit.Name, c.State)
		}
	}
	st := s.Stats()
	st.Journal = JournalStats{}
	if st != (Stats{Cells: 8, Slots: 1}) {
		t.Errorf("something of the file was kept: %+v", st)
	}
	must(t, s.Close())
}

// A snapshot that lacks a section, or has one twice, is refused though each is
// sound.
func TestSnapshotOfOtherSections(t *testing.T) {
	dir, path, whole := filled(t)
	for at := headerSize; at < len(whole); {
		next := at + frameSize + int(binary.LittleEndian.Uint32(whole[at+1:])) + 4
		without := append(bytes.Clone(whole[:at]), whole[next:]...)
		twice := append(bytes.Clone(whole[:next]), whole[at:]...)
		for _, b := range [][]byte{without, twice} {
			must(t, os.WriteFile(path, b, 0o600))
			if New(Options{Dir: dir}).Open() == nil {
				t.Errorf("accepted with another number of sections %s", sectionName(whole[at]))
			}
		}
		at = next
	}
}

// What was admitted before Close is in the snapshot; what came after it was
// not admitted.
func TestCloseAtOnce(t *testing.T) {
	dir := t.TempDir()
	l := limitOf(1, core.Ever, "ever")
	for range 20 {
		s := newStore(t, Options{Dir: dir})
		before := usedOf(t, s, l)
		var admitted atomic.Int64
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for {
					op := &core.Take{Now: at(0), Charges: charges(alice, 1, l)}
					op.Charges[0].Max = core.Unlimited
					if err := s.Take(context.Background(), op); err != nil {
						return
					}
					admitted.Add(1)
				}
			})
		}
		for admitted.Load() < 10 {
			runtime.Gosched()
		}
		must(t, s.Close())
		group.Wait()
		s = newStore(t, Options{Dir: dir})
		if n := usedOf(t, s, l) - before; n != admitted.Load() {
			t.Fatalf("%d were admitted, %d are counted", admitted.Load(), n)
		}
		must(t, s.Close())
	}
}

func usedOf(t *testing.T, s *Store, l *core.Limit) int64 {
	t.Helper()
	op := &core.Take{Now: at(0), Charges: charges(alice, 1, l)}
	must(t, s.Read(context.Background(), op))
	return op.Charges[0].Used
}

// A snapshot of more than one section of each sort.
func TestLargeSnapshot(t *testing.T) {
	dir := t.TempDir()
	s := New(Options{Dir: dir})
	l := limitOf(1, core.Ever, "ever")
	const keys = 80_000
	for key := range uint64(keys) {
		take(t, s, 0, key+1, alice, charges(core.Scope{Hi: key, Lo: key}, int64(key%7), l))
	}
	must(t, s.Close())
	info, err := os.Stat(filepath.Join(dir, SnapshotName))
	must(t, err)
	if info.Size() < sectionSize {
		t.Fatalf("%d bytes are no more than one section", info.Size())
	}
	s = newStore(t, Options{Dir: dir})
	for key := range uint64(keys) {
		op := &core.Take{Now: at(0), Charges: charges(core.Scope{Hi: key, Lo: key}, 1, l)}
		must(t, s.Read(context.Background(), op))
		if op.Charges[0].Used != int64(key%7) {
			t.Fatalf("key %d: %d used", key, op.Charges[0].Used)
		}
	}
}

func TestUnwritableSnapshot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := New(Options{Dir: dir})
	must(t, s.Open())
	must(t, os.RemoveAll(dir))
	if err := s.Close(); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
}
