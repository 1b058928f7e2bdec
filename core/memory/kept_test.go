package memory

import (
	"os"
	"path/filepath"
	"testing"
)

func TestKept(t *testing.T) {
	dir := t.TempDir()
	want := func(name string) {
		t.Helper()
		if name != "" {
			name = filepath.Join(dir, name)
		}
		if path, err := Kept(dir); path != name || err != nil {
			t.Errorf("%q may have counters, %v; want %q", path, err, name)
		}
	}
	want("")
	kill(newStore(t, Options{Dir: dir}))
	want(SnapshotName)
	must(t, os.Remove(filepath.Join(dir, SnapshotName)))
	want("journal-0000000001")
	must(t, os.Remove(filepath.Join(dir, "journal-0000000001")))
	want("")
}

// A snapshot is missed also if it is the first and was written without a journal.
func TestFirstSnapshotIsMissed(t *testing.T) {
	dir, l := t.TempDir(), snapshotLimits()[0]
	s := New(Options{Dir: dir, Durability: None})
	take(t, s, 0, 1, alice, charges(alice, 5, l))
	must(t, s.Close())
	s = New(Options{Dir: dir})
	take(t, s, 0, 2, alice, charges(alice, 1, l))
	kill(s)
	refuse(t, "without the snapshot", change(read(t, dir), SnapshotName, nil), "journal-0000000001 is missing")
}
