package memory

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirhq/weir/core"
)

func TestNewTouchesNoDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := New(Options{Dir: dir})
	must(t, s.Close())
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("New and Close have made %s: %v", dir, err)
	}
}

func TestFirstOperationOpens(t *testing.T) {
	for name, use := range map[string]func(*Store) error{
		"Take":   func(s *Store) error { return s.Take(context.Background(), &core.Take{Now: at(0)}) },
		"Read":   func(s *Store) error { return s.Read(context.Background(), &core.Take{Now: at(0)}) },
		"Settle": func(s *Store) error { return s.Settle(context.Background(), &core.Settle{Now: at(0)}) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			s := New(Options{Dir: dir})
			must(t, use(s))
			if _, err := os.Stat(filepath.Join(dir, LockName)); err != nil {
				t.Error(err)
			}
			must(t, s.Close())
			if _, err := os.Stat(filepath.Join(dir, SnapshotName)); err != nil {
				t.Error(err)
			}
			for range 2 {
				if err := use(s); !errors.Is(err, core.ErrClosed) {
					t.Errorf("after Close: %v", err)
				}
			}
			if err := s.Open(); !errors.Is(err, core.ErrClosed) {
				t.Errorf("Open after Close: %v", err)
			}
		})
	}
}

func TestOneStorePerDirectory(t *testing.T) {
	dir := t.TempDir()
	first, second := New(Options{Dir: dir}), New(Options{Dir: dir})
	must(t, first.Open())
	err := second.Open()
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v", err)
	}
	must(t, first.Close())
	must(t, second.Open())
	must(t, second.Close())
}

func TestStateIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := New(Options{Dir: dir})
	must(t, s.Open())
	must(t, s.Close())
	for _, path := range []string{dir, filepath.Join(dir, SnapshotName), filepath.Join(dir, LockName)} {
		info, err := os.Stat(path)
		must(t, err)
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
	}
}

// What was charged before a restart is in no future after it, also if the wall
// clock was set back in between: steady time goes on.
func TestSteadyTimeContinues(t *testing.T) {
	dir := t.TempDir()
	l := limitOf(1, core.Rolling, "rolling")
	s := New(Options{Dir: dir})
	take(t, s, 10*minute, 1, alice, charges(alice, 1000, l))
	must(t, s.Close())
	s = newStore(t, Options{Dir: dir})
	op := take(t, s, 0, 2, alice, charges(alice, 1, l))
	if c := op.Charges[0]; op.Admitted || c.Wait != minute || op.Now.Steady != at(10*minute).Steady || op.Now.Wall != at(0).Wall {
		t.Errorf("at %+v: %+v", op.Now, c.State)
	}
	if op := take(t, s, minute-1, 3, alice, charges(alice, 1, l)); op.Admitted {
		t.Error("admitted before the window is over")
	}
	if op := take(t, s, minute, 4, alice, charges(alice, 1, l)); !op.Admitted {
		t.Error("refused after the window was over")
	}
}
