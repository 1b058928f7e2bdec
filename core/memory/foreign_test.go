package memory

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirhq/weir/core"
)

func markedOptions(dir string, mark uint64, d Durability) Options {
	return Options{Dir: dir, Durability: d, Mark: func() (uint64, error) { return mark, nil }}
}

// TestCloseInAnothersDirectory: A's directory was moved away, and B made another in its
// place. A is stopped in order, then B is killed: B's counters are there.
func TestCloseInAnothersDirectory(t *testing.T) {
	for name, d := range map[string]Durability{"process": Process, "none": None} {
		for secret, mark := range map[string]uint64{"same secret": 1, "own secret": 2} {
			t.Run(name+" "+secret, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "state")
				l := limitOf(1, core.Ever, "ever")
				a := New(markedOptions(dir, 1, d))
				take(t, a, 0, 1, alice, charges(alice, 1, l))
				must(t, os.Rename(dir, dir+".away"))
				b := New(markedOptions(dir, mark, Process))
				for i := range 5 {
					take(t, b, 0, uint64(10+i), alice, charges(alice, 1, l))
				}
				if err := a.Close(); err == nil {
					t.Error("A was closed without an error")
				}
				kill(b)
				b = New(markedOptions(dir, mark, Process))
				if err := b.Open(); err != nil {
					t.Fatalf("B's good directory is refused: %v", err)
				}
				defer kill(b)
				if n := usedOf(t, b, l); n != 5 {
					t.Errorf("%d used, want the 5 that B acknowledged", n)
				}
			})
		}
	}
}

// TestFailingLeavesWhatAnotherCounted: B has ended, in order or not; what it counted is
// not A's to write over, who has not read it, neither while it runs nor when it is stopped.
func TestFailingLeavesWhatAnotherCounted(t *testing.T) {
	for name, end := range map[string]func(*Store){"stopped": func(s *Store) { _ = s.Close() }, "killed": kill} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			l := limitOf(1, core.Ever, "ever")
			a := New(markedOptions(dir, 1, Process))
			take(t, a, 0, 1, alice, charges(alice, 1, l))
			must(t, os.Rename(dir, dir+".away"))
			for i := range 5 { // it begins more segments than A
				b := New(markedOptions(dir, 1, Process))
				take(t, b, 0, uint64(10+i), alice, charges(alice, 1, l))
				end(b)
			}
			await(t, "A fails", func() bool { return a.Stats().Journal.Failing })
			for _, err := range []error{a.compact(), a.Close()} {
				if err == nil || !strings.Contains(err.Error(), "has counters") {
					t.Errorf("got %v", err)
				}
			}
			if n := usedOf(t, newStore(t, markedOptions(dir, 1, Process)), l); n != 5 {
				t.Errorf("%d used, want the 5 that B acknowledged", n)
			}
			if n := usedOf(t, newStore(t, markedOptions(dir+".away", 1, Process)), l); n != 1 {
				t.Errorf("%d used in A's own, want 1", n)
			}
		})
	}
}

// TestCloseAfterALinkWasTurned: `current` is pointed at the next release, whose Weir starts, then the
// old one is stopped in order.
func TestCloseAfterALinkWasTurned(t *testing.T) {
	root := t.TempDir()
	current := filepath.Join(root, "current")
	for _, name := range []string{"1", "2"} {
		must(t, os.Mkdir(filepath.Join(root, name), 0o700))
	}
	must(t, os.Symlink("1", current))
	l := limitOf(1, core.Ever, "ever")
	o := markedOptions(filepath.Join(current, "state"), 1, Process)
	a := New(o)
	take(t, a, 0, 1, alice, charges(alice, 1, l))
	must(t, os.Symlink("2", current+".new"))
	must(t, os.Rename(current+".new", current))
	b := New(o)
	for i := range 5 {
		take(t, b, 0, uint64(10+i), alice, charges(alice, 1, l))
	}
	if err := a.Close(); err == nil {
		t.Error("A was closed without an error")
	}
	kill(b)
	b = newStore(t, o)
	if n := usedOf(t, b, l); n != 5 {
		t.Errorf("%d used, want the 5 that B acknowledged", n)
	}
	a = newStore(t, markedOptions(filepath.Join(root, "1", "state"), 1, Process))
	if n := usedOf(t, a, l); n != 1 {
		t.Errorf("%d used in A's own, want 1", n)
	}
}

// TestCompactInAnothersDirectory: a snapshot that is due before anybody has looked, which
// with an interval of hours is seldom, does not go to the directory in which B counts.
func TestCompactInAnothersDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	l := limitOf(1, core.Ever, "ever")
	o := markedOptions(dir, 1, Process)
	o.Durability, o.Interval = Interval, 2*60*60*1e9
	a := New(o)
	take(t, a, 0, 1, alice, charges(alice, 1, l))
	must(t, os.Rename(dir, dir+".away"))
	kill(newStore(t, o)) // B starts twice: it writes to segment 2
	b := New(o)
	for i := range 5 {
		take(t, b, 0, uint64(10+i), alice, charges(alice, 1, l))
	}
	must(t, b.journal.sync())
	if err := a.compact(); err == nil {
		t.Error("A has made its snapshot")
	}
	kill(a)
	kill(b)
	b = New(o)
	if err := b.Open(); err != nil {
		t.Fatalf("B's good directory is refused: %v", err)
	}
	defer kill(b)
	if n := usedOf(t, b, l); n != 5 {
		t.Errorf("%d used, want the 5 that are on disk", n)
	}
}
