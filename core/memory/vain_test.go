package memory

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirhq/weir/core"
)

// written makes a directory of files.
func written(t testing.TB, files map[string][]byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, b := range files {
		must(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	return dir
}

// tells opens a directory in every way, kills or ends what it has opened, and
// requires that each start finds what was there before.
func tells(t *testing.T, c *cast, files map[string][]byte, want string) {
	t.Helper()
	for _, first := range []Durability{Process, None} {
		dir := written(t, files)
		for _, next := range []struct {
			Durability
			end func(*Store)
		}{
			{first, kill},
			{first, func(s *Store) { must(t, s.Close()) }},
			{Process, kill},
			{Process, func(s *Store) { must(t, s.Close()) }},
		} {
			s := New(Options{Dir: dir, Durability: next.Durability})
			if err := s.Open(); err != nil {
				t.Fatalf("%s first: %v", first, err)
			}
			if got := c.tale(t, outlives(t, s), c.now); got != want {
				t.Fatalf("%s first: %s", first, differ(got, want))
			}
			next.end(s)
		}
		if left := read(t, dir); len(left) != 2 {
			t.Errorf("%s first: %d files are left", first, len(left))
		}
	}
}

// A journal that began anew in vain, however often, leaves segments that nobody
// relied on.
func TestSegmentsInVain(t *testing.T) {
	dir, c := directory(t, false)
	files := read(t, dir)
	s := newStore(t, Options{Dir: written(t, files), Durability: None})
	want := c.tale(t, outlives(t, s), c.now)
	sealed := written(t, files)
	must(t, s.sealSegment(segmentPath(sealed, 3), s.at.last))
	detached := func(number uint64) []byte {
		return segmentHead{number: number, first: s.at.last + 1, detached: true}.append(nil)
	}
	records := &journal{limits: &s.limits, last: s.at.last}
	records.beginSegment(segmentHead{number: 4, first: s.at.last + 1, detached: true})
	start := records.begin(at(0))
	reset := notes{on: true}
	for n := range s.limits.all() {
		reset.limit(noteReset, uint64(n), alice)
		reset.uint(99)
	}
	records.buf = append(records.buf, reset.b...)
	records.end(start)
	for name, next := range map[string][][]byte{
		"detached with records":       {records.buf},
		"empty":                       {{}},
		"two that are empty":          {{}, {}},
		"torn, and empty":             {detached(4)[:20], {}},
		"detached":                    {detached(4)},
		"detached, and empty":         {detached(4), {}},
		"empty, and detached":         {{}, detached(5)},
		"two that are detached":       {detached(4), detached(5)},
		"torn, empty, and detached":   {detached(4)[:35], {}, detached(6)},
		"detached with half a record": {append(detached(4), 1, 2, 3), {}},
	} {
		for end, base := range map[string]map[string][]byte{"open": files, "complete": read(t, sealed)} {
			t.Run(end+", "+name, func(t *testing.T) {
				all := base
				for i, b := range next {
					all = change(all, filepath.Base(segmentPath("", uint64(4+i))), b)
				}
				delete(all, LockName)
				tells(t, c, all, want)
			})
		}
	}
	base := change(files, LockName, nil)
	for name, next := range map[string][2][]byte{
		"records after none":        {{}, segmentHead{number: 5, first: s.at.last + 1}.append(nil)},
		"records after half a head": {detached(4)[:20], segmentHead{number: 5, first: s.at.last + 1}.append(nil)},
	} {
		refuse(t, name, change(change(base, "journal-0000000004", next[0]), "journal-0000000005", next[1]), "in the middle")
	}
	refuse(t, "a gap", change(base, "journal-0000000005", []byte{}), "missing")
}

// A journal that is lost while no snapshot can be written begins anew whenever it
// tries, and needs no more files for that; the process may be killed meanwhile.
func TestBeginningAnewInVain(t *testing.T) {
	for name, obstacle := range map[string]string{"no snapshot": SnapshotName + ".new", "no rename": SnapshotName} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := New(Options{Dir: dir})
			l := limitOf(1, core.Ever, "ever")
			take(t, s, 0, 1, alice, charges(alice, 1, l))
			obstacle := filepath.Join(dir, obstacle)
			must(t, os.RemoveAll(obstacle)) // the snapshot of the beginning
			must(t, os.MkdirAll(filepath.Join(obstacle, "in the way"), 0o700))
			_ = s.journal.fail(errors.New("a bad sector"), true)
			for range 3 {
				if err := s.compact(); err == nil {
					t.Fatal("the journal began anew")
				}
			}
			if files, err := segments(dir); err != nil || name == "no snapshot" && len(files) != 2 {
				t.Errorf("segments %v, %v", files, err)
			}
			must(t, os.RemoveAll(obstacle))
			kill(s)
			s = New(Options{Dir: dir})
			if n := usedOf(t, s, l); n != 1 {
				t.Errorf("%d used, want 1", n)
			}
			take(t, s, 0, 2, alice, charges(alice, 1, l))
			kill(s)
			s = newStore(t, Options{Dir: dir})
			if n := usedOf(t, s, l); n != 2 {
				t.Errorf("%d used, want 2", n)
			}
		})
	}
}

// A segment that a snapshot may name is left as it is, also where nobody knows
// whether the snapshot is there.
func TestBeginningAnewUnderASnapshot(t *testing.T) {
	dir := t.TempDir()
	s := New(Options{Dir: dir})
	l := limitOf(1, core.Ever, "ever")
	take(t, s, 0, 1, alice, charges(alice, 1, l))
	j := s.journal
	_ = j.fail(errors.New("a bad sector"), true)
	for range 2 {
		file, err := j.create()
		must(t, err)
		j.detach(file)
		must(t, s.save(origin{segment: j.number}, j.flushDetached)) // and then the directory fails
	}
	file, err := j.create()
	must(t, err)
	must(t, file.Close())
	kill(s)
	s = newStore(t, Options{Dir: dir})
	if n := usedOf(t, s, l); n != 1 {
		t.Errorf("%d used, want 1", n)
	}
}

// A start that ends at any step, with whatever of its last write to a segment on
// disk, is followed by one that finds the same.
func TestStartThatEndsInTheMiddle(t *testing.T) {
	dir, c := directory(t, true)
	killed := change(read(t, dir), LockName, nil)
	killed["journal-0000000004"] = append(killed["journal-0000000004"], 7, 0, 0)
	s := New(Options{Dir: dir})
	must(t, s.Open())
	must(t, s.Close())
	for name, files := range map[string]map[string][]byte{
		"after a kill": killed, "after an orderly stop": change(read(t, dir), LockName, nil), "the first": {},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t, Options{Dir: written(t, files), Durability: None})
			must(t, s.Open())
			want, steps := c.tale(t, outlives(t, s), c.now), 0
			for ; ; steps++ {
				left, last := startUntil(t, files, steps)
				if last == "" {
					break
				}
				tells(t, c, left, want)
				if !strings.HasPrefix(last, segmentPrefix) {
					continue
				}
				for cut := max(0, len(files[last])-3); cut < len(left[last]); cut += 3 {
					s := New(Options{Dir: written(t, change(left, last, left[last][:cut]))})
					must(t, s.Open())
					if got := c.tale(t, outlives(t, s), c.now); got != want {
						t.Fatalf("%s cut at %d: %s", last, cut, differ(got, want))
					}
					kill(s)
				}
			}
			if steps < 2 {
				t.Errorf("a start has %d steps", steps)
			}
		})
	}
}

// startUntil starts a store on files, until it has put some of them on disk, and
// returns what it leaves, and which file was the next; "" if none was.
func startUntil(t *testing.T, files map[string][]byte, steps int) (left map[string][]byte, last string) {
	t.Helper()
	dir := written(t, files)
	s := New(Options{Dir: dir})
	s.fsync = func(f *os.File) error {
		if steps--; steps < 0 {
			last = filepath.Base(f.Name())
			return errors.New("the machine ends")
		}
		return f.Sync()
	}
	if s.Open() == nil {
		kill(s)
		return nil, ""
	}
	return change(read(t, dir), LockName, nil), last
}

// A directory in whose place another process has made its own is left alone.
func TestReplacedDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := New(Options{Dir: dir})
	l := limitOf(1, core.Ever, "ever")
	take(t, s, 0, 1, alice, charges(alice, 1, l))
	must(t, os.Rename(dir, dir+".away"))
	other := New(Options{Dir: dir})
	take(t, other, 0, 1, alice, charges(alice, 5, l))
	await(t, "the journal fails", func() bool { return s.Stats().Journal.Failing })
	time.Sleep(2 * renewEvery)
	if !s.Stats().Journal.Failing || other.Stats().Journal.Failing {
		t.Error("two stores in one directory")
	}
	must(t, other.Close())
	other = New(Options{Dir: dir})
	if n := usedOf(t, other, l); n != 5 {
		t.Errorf("%d used, want 5", n)
	}
	must(t, other.Close())
	kill(s)
}

// Who removes the lock's file does not let another process in.
func TestRemovedLock(t *testing.T) {
	dir := t.TempDir()
	s := newStore(t, Options{Dir: dir})
	must(t, s.Open())
	must(t, os.Remove(filepath.Join(dir, LockName)))
	if err := New(Options{Dir: dir}).Open(); err == nil {
		t.Error("a second store opens the directory")
	}
}
