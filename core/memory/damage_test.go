package memory

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirhq/weir/core"
)

// directory makes a state directory of a store that was killed: three segments,
// with a snapshot before them or without.
func directory(t testing.TB, snapshot bool) (dir string, c *cast) {
	t.Helper()
	dir = t.TempDir()
	s := New(Options{Dir: dir})
	must(t, s.Open())
	c = newCast(7, s)
	some := func() {
		for range 20 {
			c.deed(t)
		}
		c.restart(t)
	}
	some()
	if snapshot {
		must(t, s.compact())
	}
	for range 2 {
		some()
		rotateOnly(t, s)
	}
	some()
	kill(s)
	return dir, c
}

func read(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	files := make(map[string][]byte)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		must(t, err)
		files[e.Name()] = b
	}
	return files
}

// refuse requires that no store opens with these files, and that they are left
// as they are.
func refuse(t testing.TB, what string, files map[string][]byte, says string) {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		must(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	for _, d := range []Durability{Process, None} {
		s := New(Options{Dir: dir, Durability: d})
		err := s.Open()
		switch {
		case err == nil:
			t.Errorf("%s: opened", what)
		case !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "away to start with empty ones"):
			t.Errorf("%s: says not how to go on: %v", what, err)
		case !strings.Contains(err.Error(), says):
			t.Errorf("%s: %v", what, err)
		}
		must(t, s.Close())
	}
	for name, b := range read(t, dir) {
		if !bytes.Equal(b, files[name]) {
			t.Errorf("%s: %s was changed", what, name)
		}
	}
}

// change returns the files with another content of one; nil removes it.
func change(files map[string][]byte, name string, b []byte) map[string][]byte {
	changed := make(map[string][]byte)
	for n, old := range files {
		changed[n] = old
	}
	if changed[name] = b; b == nil {
		delete(changed, name)
	}
	return changed
}

// Whatever is wrong with a directory of several files is found: one that lacks,
// ends early, is another one's, or has a wrong byte. Only the last segment may
// end early.
func TestDamagedDirectory(t *testing.T) {
	for _, snapshot := range []bool{false, true} {
		dir, _ := directory(t, snapshot)
		files := read(t, dir)
		var names []string
		first := uint64(1)
		if snapshot {
			first, names = 2, append(names, SnapshotName)
		}
		for n := range uint64(3) {
			names = append(names, filepath.Base(segmentPath("", first+n)))
		}
		last := names[len(names)-1]
		for _, name := range names {
			b := files[name]
			refuse(t, "without "+name, change(files, name, nil), "missing")
			step := max(1, len(b)/60)
			for i := 0; i < len(b); i += step {
				wrong := bytes.Clone(b)
				wrong[i] ^= 1 << (i % 8)
				refuse(t, "a wrong byte in "+name, change(files, name, wrong), name)
				if name != last {
					refuse(t, "an early end of "+name, change(files, name, b[:i]), "")
				}
			}
			if name != SnapshotName {
				refuse(t, "a longer "+name, change(files, name, append(bytes.Clone(b), "longer"...)), name)
				refuse(t, "another one's "+name, change(files, name, files[names[len(names)-2]][:segmentHeader+1]), "")
			}
		}
		refuse(t, "a gap", change(files, names[len(names)-2], nil), "missing")
	}
}

// The newest segment is missed whatever came before it: nothing, an orderly stop,
// a kill, or a snapshot. One that is empty, or has half a header, may be what a start
// has left that ended in the middle; but not the first that a snapshot needs.
func TestNewestSegmentIsMissed(t *testing.T) {
	histories := map[string]func(t *testing.T, s *Store){
		"the first start":         func(*testing.T, *Store) {},
		"after an orderly stop":   func(t *testing.T, s *Store) { must(t, s.Close()) },
		"after a kill":            func(_ *testing.T, s *Store) { kill(s) },
		"after a snapshot":        func(t *testing.T, s *Store) { must(t, s.compact()); kill(s) },
		"after a snapshot failed": func(t *testing.T, s *Store) { rotateOnly(t, s); kill(s) },
	}
	for name, history := range histories {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if name != "the first start" {
				s := New(Options{Dir: dir})
				take(t, s, 0, 1, alice, charges(alice, 1, snapshotLimits()[0]))
				history(t, s)
			}
			s := New(Options{Dir: dir})
			for n := range uint64(20) { // more than a sector
				take(t, s, 0, n+2, alice, charges(alice, 1, snapshotLimits()[0]))
			}
			newest := filepath.Base(segmentPath("", s.journal.number))
			kill(s)
			files := read(t, dir)
			b := files[newest]
			refuse(t, "without it", change(files, newest, nil), "missing")
			refuse(t, "zeros in its first sector", change(files, newest, append(make([]byte, sector), b[sector:]...)), newest)
			if len(files) > 3 { // a segment is before it
				return
			}
			for _, n := range []int{0, 1, segmentHeader - 1} {
				refuse(t, "what is left of its header", change(files, newest, b[:n:n]), "missing")
			}
			refuse(t, "zeros", change(files, newest, make([]byte, len(b))), "missing")
		})
	}
}

// rotateOnly begins another segment, as a snapshot does that fails then.
func rotateOnly(t testing.TB, s *Store) {
	t.Helper()
	file, err := s.journal.create()
	must(t, err)
	must(t, s.journal.rotate(file))
}

// A snapshot that was written while others went on needs the journal of that
// time: without it some parts of it would have what others lack.
func TestSnapshotNeedsItsJournal(t *testing.T) {
	dir := t.TempDir()
	s := New(Options{Dir: dir})
	must(t, s.Open())
	rotateOnly(t, s)
	l := limitOf(1, core.Ever, "ever")
	take(t, s, 0, 1, alice, charges(alice, 1, l))
	take(t, s, 0, 2, bob, charges(bob, 1, l))
	must(t, s.save(origin{segment: 2}, nil))
	kill(s)
	files := read(t, dir)
	name := filepath.Base(segmentPath("", 2))
	for i := segmentHeader; i < len(files[name]); i++ {
		refuse(t, "an early end", change(files, name, files[name][:i]), "needs it up to")
	}
	refuse(t, "no header", change(files, name, files[name][:segmentHeader-1]), "missing")
}

func TestJournalOfAnotherFormat(t *testing.T) {
	dir, _ := directory(t, false)
	files := read(t, dir)
	name := filepath.Base(segmentPath("", 3))
	b := bytes.Clone(files[name])
	b[len(segmentMagic)]++
	binary.LittleEndian.PutUint32(b[segmentHeader-4:], crc32.Checksum(b[:segmentHeader-4], castagnoli))
	refuse(t, "a newer one", change(files, name, b), "newer Weir")
	b[len(segmentMagic)] -= 2
	binary.LittleEndian.PutUint32(b[segmentHeader-4:], crc32.Checksum(b[:segmentHeader-4], castagnoli))
	refuse(t, "one of no release", change(files, name, b), "unreleased Weir")
	refuse(t, "another file", change(files, "journal-2", files[name]), "journal-2 is no name")
}

// reopen opens a store with the files, twice, and returns its tale.
func reopen(t testing.TB, files map[string][]byte, c *cast) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		must(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	var tale string
	for i := range 2 {
		s := New(Options{Dir: dir, Durability: []Durability{Process, None}[i]})
		must(t, s.Open())
		last := tale
		if tale = c.tale(t, s, c.now); i > 0 && tale != last {
			t.Errorf("opened again: %s", differ(tale, last))
		}
		kill(s)
	}
	return tale
}

// What a process leaves that ends in the middle of rotating, compacting or
// beginning anew is no damage.
func TestLeftovers(t *testing.T) {
	dir, c := directory(t, true)
	files := read(t, dir)
	want := reopen(t, files, c)
	next := filepath.Base(segmentPath("", 5))
	current := files[filepath.Base(segmentPath("", 4))]
	last := newestIn(t, current)
	head := func(h segmentHead) []byte { return h.append(nil) }
	for what, left := range map[string]map[string][]byte{
		"a snapshot half written": {SnapshotName + ".new": []byte("WEIR")},
		"an empty segment":        {next: {}},
		"half a header":           {next: head(segmentHead{number: 5, first: last + 1})[:7]},
		"a header":                {next: head(segmentHead{number: 5, first: last + 1})},
		"a new beginning":         {next: head(segmentHead{number: 5, first: last + 9, detached: true})},
		"two new beginnings": {
			next:                              head(segmentHead{number: 5, first: last + 9, detached: true}),
			filepath.Base(segmentPath("", 6)): head(segmentHead{number: 6, first: last + 9, detached: true}),
		},
		"a segment that the snapshot has": {filepath.Base(segmentPath("", 1)): []byte("anything")},
		"zeros":                           {filepath.Base(segmentPath("", 4)): append(bytes.Clone(current), make([]byte, 5000)...)},
		"a beginning of a record":         {filepath.Base(segmentPath("", 4)): append(bytes.Clone(current), current[segmentHeader:segmentHeader+9]...)},
		"that, and an empty segment": {
			filepath.Base(segmentPath("", 4)): append(bytes.Clone(current), current[segmentHeader:segmentHeader+9]...), next: {},
		},
	} {
		t.Run(what, func(t *testing.T) {
			all := files
			for name, b := range left {
				all = change(all, name, b)
			}
			if got := reopen(t, all, c); got != want {
				t.Error(differ(got, want))
			}
		})
	}
}

// newestIn returns the number of a segment's last record.
func newestIn(t testing.TB, segment []byte) uint64 {
	t.Helper()
	head, err := readSegmentHead(segment)
	must(t, err)
	r := &journalReader{last: head.first - 1, tail: tail{size: int64(len(segment)), valid: int64(segmentHeader)}}
	must(t, r.records(bytes.NewReader(segment[segmentHeader:])))
	return r.last
}

// The machine may have ended before the last sectors of the journal reached the
// disk: then they are zeros, and the journal ends before.
func TestJournalEndsInZeros(t *testing.T) {
	segment, tales, c := journalOf(t, 100)
	places := marks(t, segment)
	for boundary := sector; boundary < len(segment)-1; boundary += sector {
		b := append(bytes.Clone(segment[:boundary]), make([]byte, len(segment)-boundary)...)
		s, r, err := readBack(b, true)
		if want := places[boundary]; err != nil || r.last != want.last || r.tail.valid != int64(want.offset) {
			t.Fatalf("zeros from %d on: record %d, want %d: %v", boundary, r.last, want.last, err)
		}
		if got := c.tale(t, s, at(100*4*second)); got != tales[r.last] {
			t.Errorf("zeros from %d on: %s", boundary, differ(got, tales[r.last]))
		}
		must(t, s.Close())
		if next := boundary + sector; next < len(segment) {
			if _, _, err := readBack(append(b[:boundary:boundary], segment[next:]...), false); err == nil {
				t.Errorf("a sector at %d that lacks goes unnoticed", boundary)
			}
		}
		hole := bytes.Clone(segment)
		clear(hole[boundary : boundary+min(sector, len(segment)-boundary-1)])
		if _, _, err := readBack(hole, false); err == nil {
			t.Errorf("zeros before records at %d go unnoticed", boundary)
		}
	}
}

// Lengths that differ in one byte have different checks.
func TestLengthCheck(t *testing.T) {
	for i := range 4 {
		for wrong := 1; wrong < 256; wrong++ {
			var b [4]byte
			b[i] = byte(wrong)
			// The checksum is linear: it is enough to look at differences.
			if lengthCheck(b[:]) == lengthCheck(make([]byte, 4)) {
				t.Errorf("byte %d: %x is not noticed", i, wrong)
			}
		}
	}
}
