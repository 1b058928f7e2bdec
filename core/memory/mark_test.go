package memory

import (
	"errors"
	"strings"
	"testing"

	"github.com/weirhq/weir/core"
)

func marked(dir string, mark uint64, d Durability) Options {
	return Options{Dir: dir, Durability: d, Mark: func() (uint64, error) { return mark, nil }}
}

// Counters of another secret are nobody's: a store does not open with them, and
// leaves them as they are.
func TestMark(t *testing.T) {
	l := limitOf(1, core.Fixed, "l")
	for _, d := range []Durability{Process, None} {
		for name, end := range map[string]func(s *Store){
			"closed": func(s *Store) { must(t, s.Close()) },
			"killed": kill,
		} {
			if d == None && name == "killed" {
				continue // nothing is kept
			}
			t.Run(d.String()+" "+name, func(t *testing.T) {
				dir := t.TempDir()
				s := New(marked(dir, 7, d))
				takeAt(t, s, 0, 0, charges(alice, 3, l))
				end(s)
				files := read(t, dir)
				err := New(marked(dir, 8, d)).Open()
				if !errors.Is(err, errMark) || !strings.Contains(err.Error(), "away to start with empty ones") {
					t.Errorf("with another mark: %v", err)
				}
				for name, b := range read(t, dir) {
					if string(b) != string(files[name]) {
						t.Errorf("%s was changed", name)
					}
				}
				for _, o := range []Options{marked(dir, 7, d), {Dir: dir, Durability: d}, marked(dir, 7, d)} {
					s = New(o)
					if op := takeAt(t, s, 1, 1, charges(alice, 0, l)); op.Charges[0].Used != 3 {
						t.Errorf("%d were counted, want 3", op.Charges[0].Used)
					}
					end(s)
				}
				if err := New(marked(dir, 8, d)).Open(); !errors.Is(err, errMark) {
					t.Errorf("a store without a mark has lost that of its counters: %v", err)
				}
			})
		}
	}
}

// Counters without a mark become those of the first who has one.
func TestMarkOfOldCounters(t *testing.T) {
	dir := t.TempDir()
	kill(newStore(t, Options{Dir: dir}))
	s := newStore(t, marked(dir, 7, Process))
	kill(s)
	if err := New(marked(dir, 8, Process)).Open(); !errors.Is(err, errMark) {
		t.Errorf("got %v", err)
	}
}

// Where the mark cannot be told, nothing in the directory changes.
func TestNoMark(t *testing.T) {
	dir := t.TempDir()
	kill(newStore(t, Options{Dir: dir}))
	files, wrong := read(t, dir), errors.New("no secret")
	err := New(Options{Dir: dir, Mark: func() (uint64, error) { return 0, wrong }}).Open()
	if !errors.Is(err, wrong) {
		t.Errorf("got %v", err)
	}
	for name, b := range read(t, dir) {
		if string(b) != string(files[name]) {
			t.Errorf("%s was changed", name)
		}
	}
}
