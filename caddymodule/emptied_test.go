package caddymodule

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/weirhq/weir/core/memory"
)

// A directory is emptied once all files with counters were taken away, wherever the
// secret is; not before its first start, nor while there is a journal, which tells
// what the first snapshot told.
func TestEmptied(t *testing.T) {
	for name, configured := range map[string]*[16]byte{"own secret": nil, "configured secret": {1}} {
		t.Run(name, func(t *testing.T) {
			m := &MemoryStore{Dir: filepath.Join(t.TempDir(), "state")}
			snapshot, journal := filepath.Join(m.Dir, memory.SnapshotName), filepath.Join(m.Dir, "journal-0000000001")
			want := func(emptied bool, when string) {
				t.Helper()
				if m.emptied() != emptied {
					t.Errorf("%s: emptied is %v", when, !emptied)
				}
			}
			do := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			want(false, "before the first start")
			s, _, err := m.Open(configured)
			do(err)
			do(s.Close())
			want(false, "after a stop")
			do(os.Rename(snapshot, journal))
			want(false, "with a journal alone")
			do(os.Remove(journal))
			want(true, "with nothing")
		})
	}
}
