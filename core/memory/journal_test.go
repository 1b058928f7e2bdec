package memory

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
)

// kill ends a store as the end of its process does: nothing more is written.
func kill(s *Store) {
	s.phase.Store(closed)
	s.sweeper.close()
	if s.journal != nil {
		s.keeper.close()
		s.journal.close()
	}
	s.lock.unlock()
}

// What a process has acknowledged is what the next one finds, however often it
// is killed, with whatever number of shards.
func TestKilledStoreKeepsEverything(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			dir := t.TempDir()
			c := newCast(seed, New(Options{Dir: dir}), newStore(t, Options{Shards: 1}))
			c.jumps, c.gives = true, true
			for life := range 8 {
				for range c.rng.IntN(200) {
					c.deed(t)
				}
				must(t, c.stores[0].Open())
				if life == 3 {
					must(t, c.stores[0].compact())
				}
				c.restart(t)
				if life%4 == 2 {
					must(t, c.stores[0].Close())
				} else {
					kill(c.stores[0])
				}
				c.stores[0] = New(Options{Dir: dir, Shards: []int{64, 4, 1}[life%3]})
				must(t, c.stores[0].Open())
				c.stores[1] = outlives(t, c.stores[1])
				got, want := c.tale(t, outlives(t, c.stores[0]), c.now), c.tale(t, outlives(t, c.stores[1]), c.now)
				if got != want {
					t.Fatalf("life %d: %s", life, differ(got, want))
				}
			}
			must(t, c.stores[0].Close())
		})
	}
}

// journalOf does n deeds and returns the journal's only segment, and what there
// is to tell after each of its records.
func journalOf(t testing.TB, n int) (segment []byte, tales []string, c *cast) {
	t.Helper()
	dir := t.TempDir()
	s, model := New(Options{Dir: dir, Shards: 1}), newStore(t, Options{Shards: 1})
	must(t, s.Open())
	c = newCast(1, s, model)
	end := at(int64(n) * 4 * second)
	tales = []string{c.tale(t, outlives(t, model), end)}
	for range n {
		c.deed(t)
		last := int(s.journal.newest())
		for len(tales) < last { // records that say what numbers mean
			tales = append(tales, tales[len(tales)-1])
		}
		if tale := c.tale(t, outlives(t, model), end); len(tales) == last {
			tales = append(tales, tale)
		}
	}
	kill(s)
	segment, err := os.ReadFile(segmentPath(dir, 1))
	must(t, err)
	return segment, tales, c
}

// readBack reads a segment alone; with nobody to play it nothing is done.
func readBack(b []byte, play bool) (*Store, *journalReader, error) {
	s := New(Options{Shards: 1})
	r := newJournalReader(newLoader(s), 0)
	if !play {
		r.players = nil
	}
	err := r.segment(bytes.NewReader(b), "journal", 1, int64(len(b)))
	if e := r.finish(); err == nil {
		err = e
	}
	s.inherit()
	return s, r, err
}

// readRest reads a segment from one of its records on. A reader knows nothing of
// what is before but how many records there are, so it finds what readBack does.
func readRest(b []byte, from mark) (*journalReader, error) {
	r := &journalReader{last: from.last, tail: tail{path: "journal", valid: int64(from.offset), size: int64(len(b))}}
	return r, r.records(bytes.NewReader(b[from.offset:]))
}

// A mark is where a record begins, and the number of the one before.
type mark struct {
	offset int
	last   uint64
}

// marks returns for each byte of a segment the mark of its record.
func marks(t testing.TB, segment []byte) []mark {
	t.Helper()
	list := make([]mark, len(segment)+1)
	m := mark{offset: segmentHeader}
	for m.offset < len(segment) {
		_, size, err := readRecord(segment[m.offset:], m.last+1)
		must(t, err)
		for i := range size {
			list[m.offset+i] = m
		}
		m = mark{m.offset + size, m.last + 1}
	}
	list[len(segment)] = m
	return list
}

// A journal that ends anywhere says exactly what was after one of its records:
// the reader stops at the last whole one, and those before make the same state
// whatever comes after them.
func TestJournalCutAnywhere(t *testing.T) {
	segment, tales, c := journalOf(t, deeds(t))
	end := at(int64(deeds(t)) * 4 * second)
	t.Logf("%d bytes, %d records", len(segment), len(tales)-1)
	at := marks(t, segment)
	if n := at[len(segment)].last; n != uint64(len(tales)-1) {
		t.Fatalf("%d records read of %d", n, len(tales)-1)
	}
	forAll(t, len(segment)+1, func(cut int) error {
		m := at[cut]
		r, err := readRest(segment[:cut], m)
		if cut < segmentHeader || cut%101 == 0 {
			_, r, err = readBack(segment[:cut], false)
		}
		if err != nil || r.tail.valid != int64(m.offset) || r.last != m.last || r.ended != (cut > m.offset || cut == 0) {
			return fmt.Errorf("cut at %d: record %d, %d bytes: %w", cut, r.last, r.tail.valid, err)
		}
		return nil
	})
	forAll(t, len(segment)+1, func(cut int) error {
		if m := at[cut]; m.offset != cut && cut%211 != 0 {
			return nil
		}
		s, r, err := readBack(segment[:cut], true)
		if err != nil || r.last != at[cut].last {
			return fmt.Errorf("cut at %d: record %d: %w", cut, r.last, err)
		}
		if got := c.tale(t, s, end); got != tales[r.last] {
			return fmt.Errorf("cut at %d, after record %d: %s", cut, r.last, differ(got, tales[r.last]))
		}
		return s.Close()
	})
}

// deeds is how many there are in the tests that break a journal everywhere.
func deeds(t testing.TB) int {
	if testing.Short() || raceEnabled {
		return 500
	}
	return 6000
}

// forAll tries 0 … n−1 on all processors.
func forAll(t testing.TB, n int, try func(i int) error) {
	t.Helper()
	workers := runtime.GOMAXPROCS(0)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := w; i < n; i += workers {
				if err := try(i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

// A journal in which one byte is wrong is refused: the byte is one of the
// header, or of a record.
func TestJournalWithAWrongByte(t *testing.T) {
	segment, _, _ := journalOf(t, deeds(t))
	at := marks(t, segment)
	spare := sync.Pool{New: func() any { b := bytes.Clone(segment); return &b }}
	forAll(t, len(segment), func(i int) error {
		mine := spare.Get().(*[]byte)
		defer spare.Put(mine)
		b := *mine
		defer func() { b[i] = segment[i] }()
		for _, wrong := range []byte{b[i] ^ 1<<(i%8), ^b[i], 0} {
			if wrong == segment[i] {
				continue
			}
			b[i] = wrong
			r, err := readRest(b, at[i])
			if i < segmentHeader || i%101 == 0 {
				_, r, err = readBack(b, false)
			}
			var m *mistake
			if !errors.As(err, &m) || m.offset != int64(at[i].offset) {
				return fmt.Errorf("byte %d of %d made %x: read up to record %d, %d bytes: %w", i, len(segment), wrong, r.last, r.tail.valid, err)
			}
		}
		return nil
	})
}
