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
