package memory

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/weirhq/weir/core"
)

// A directory that is moved away fails within a turn of the keeper, for nothing
// that is written to it would be found again. Put back, or made anew, it has all
// that was acknowledged.
func TestRemovedDirectory(t *testing.T) {
	rolling := snapshotLimits()[0]
	for name, restore := range map[string]func(dir string) error{
		"put back": func(dir string) error { return os.Rename(dir+".away", dir) },
		"anew":     func(dir string) error { return os.Mkdir(dir, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			s := New(Options{Dir: dir})
			take(t, s, 0, 1, alice, charges(alice, 1, rolling))
			must(t, os.Rename(dir, dir+".away"))
			await(t, "the journal fails", func() bool { return s.Stats().Journal.Failing })
			op := &core.Take{Now: at(0), ID: core.ID{Lo: 2}, Policy: "p", Owner: alice, Charges: charges(alice, 1, rolling)}
			if err := s.Take(context.Background(), op); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a Take without a directory: %v", err)
			}
			must(t, restore(dir))
			await(t, "the journal works again", func() bool { return !s.Stats().Journal.Failing })
			take(t, s, 0, 3, alice, charges(alice, 1, rolling))
			kill(s)
			s = newStore(t, Options{Dir: dir})
			if n := usedOf(t, s, rolling); n != 2 {
				t.Errorf("%d used after a restart, want 2", n)
			}
		})
	}
}
