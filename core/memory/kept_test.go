package memory

import (
	"path/filepath"
	"testing"
)

// Segments that were begun and completed without a counter keep nothing, also
// where the process was killed.
func TestKept(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		s := New(Options{Dir: dir})
		must(t, s.Open())
		kill(s)
		if path, err := Kept(dir); path != "" || err != nil {
			t.Errorf("%s has counters, %v", path, err)
		}
	}
	s := New(Options{Dir: dir})
	take(t, s, 0, 1, alice, charges(alice, 1, snapshotLimits()[0]))
	kill(s)
	if path, err := Kept(dir); path == "" || err != nil {
		t.Errorf("nothing has counters, %v", err)
	}
	s = New(Options{Dir: dir})
	must(t, s.Open())
	must(t, s.Close())
	if path, err := Kept(dir); path != filepath.Join(dir, SnapshotName) || err != nil {
		t.Errorf("%q has counters, %v", path, err)
	}
}
