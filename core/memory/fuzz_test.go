package memory

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/weirhq/weir/core"
)

// useAll uses everything that may be in a store.
func useAll(t testing.TB, s *Store) {
	t.Helper()
	for _, owner := range []core.Scope{alice, bob} {
		for i := range int64(3) {
			op := take(t, s, i*second, uint64(i), owner, charges(owner, 1, snapshotLimits()...))
			settle(t, s, i*second, core.Settle{
				ID: op.ID, Owner: owner, Charges: op.Charges, Lease: []string{"job-0"},
				Release: []string{"job-1"}, HasCost: true, Cost: 3, End: true,
			})
			must(t, s.Read(context.Background(), op))
		}
	}
}

// FuzzSection reads sections whose checksums are right but whose values need
// not be: they make an error, or a store that works.
func FuzzSection(f *testing.F) {
	dir := f.TempDir()
	s := New(Options{Dir: dir})
	fill(f, s)
	must(f, s.Close())
	b, err := os.ReadFile(filepath.Join(dir, SnapshotName))
	must(f, err)
	must(f, readSnapshot(bytes.NewReader(b), int64(len(b)), func(uint32) {}, func(kind byte, d *decoder) error {
		f.Add(uint32(snapshotVersion), kind, d.b)
		d.b = nil
		return nil
	}))
	f.Fuzz(func(t *testing.T, version uint32, kind byte, payload []byte) {
		s := New(Options{})
		defer s.Close()
		load := newLoader(s)
		load.version, load.crew = version, newCrew()
		for _, l := range snapshotLimits() {
			s.limits.note(l)
			load.numbers = append(load.numbers, l.ID)
		}
		d := &decoder{b: payload}
		err := load.section(kind, d)
		if load.crew.wait() != nil || err != nil || d.err != nil {
			return
		}
		useAll(t, s)
		must(t, s.encode(newSnapshotWriter(&bytes.Buffer{}), origin{}))
	})
}

// FuzzRecords plays records whose checksums are right but which nobody has
// written, one after the other, each with its length before it: they make an
// error, or a store that works.
func FuzzRecords(f *testing.F) {
	segment, _, _ := journalOf(f, 60)
	var all []byte
	for b, n := segment[segmentHeader:], uint64(1); len(b) > 0; n++ {
		payload, size, err := readRecord(b, n)
		must(f, err)
		one := append(binary.LittleEndian.AppendUint16(nil, uint16(len(payload))), payload...)
		if n > 8 { // the first ones say what the numbers mean
			f.Add(append(bytes.Clone(all[:min(len(all), 800)]), one...))
		}
		all, b = append(all, one...), b[size:]
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, b []byte) {
		file := segmentHead{number: 1, first: 1}.append(nil)
		for n := uint64(1); len(b) > 2; n++ {
			size := min(int(binary.LittleEndian.Uint16(b)), len(b)-2)
			start := len(file)
			file = endRecord(append(beginRecord(file), b[2:2+size]...), start, n)
			b = b[2+size:]
		}
		s, _, err := readBack(file, true)
		if err != nil {
			return
		}
		defer s.Close()
		useAll(t, s)
		must(t, s.encode(newSnapshotWriter(&bytes.Buffer{}), origin{}))
	})
}

// FuzzSegment reads any bytes: they are refused, or some of them are records
// that can be read alone.
func FuzzSegment(f *testing.F) {
	segment, _, _ := journalOf(f, 10)
	f.Add(segment)
	f.Add(segment[:len(segment)-1])
	f.Add(append(bytes.Clone(segment), make([]byte, 2*sector)...))
	f.Add(segment[:segmentHeader])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, r, err := readBack(b, true)
		if err != nil {
			return
		}
		if r.tail.valid > int64(len(b)) || r.tail.valid < int64(len(b)) && !r.ended {
			t.Fatalf("%d of %d bytes are valid", r.tail.valid, len(b))
		}
		_, again, err := readBack(b[:r.tail.valid], true)
		if err != nil || again.last != r.last || again.tail.valid != r.tail.valid {
			t.Fatalf("%d records, then %d: %v", r.last, again.last, err)
		}
	})
}
