package memory

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
)

// chunkSize is how many bytes of records players are given at once.
const chunkSize = 1 << 20

// recordSize returns the size of the record, which is whole, at the beginning
// of b.
func recordSize(b []byte) int { return recordFrame + int(binary.LittleEndian.Uint32(b)) }

// A mistake says what is wrong with a file, and where.
type mistake struct {
	path   string
	offset int64
	err    error
}

func (m *mistake) Error() string { return fmt.Sprintf("%s: at byte %d: %v", m.path, m.offset, m.err) }
func (m *mistake) Unwrap() error { return m.err }

// A journalReader reads the segments that follow a snapshot, one after another,
// and has players play them.
type journalReader struct {
	loader  *loader
	players []*player
	crew    *crew

	last  uint64 // the newest record
	ended bool   // by a record that is not whole: nothing may follow
	empty bool   // what follows the last segment that counts has nothing
	tail  tail   // of the last segment that has one
}

// A tail is how a segment ends.
type tail struct {
	path   string
	number uint64
	valid  int64 // bytes that are whole
	size   int64
	sealed bool
}

func newJournalReader(l *loader, last uint64) *journalReader {
	r := &journalReader{loader: l, crew: newCrew(), last: last}
	for n := range r.crew.jobs {
		r.players = append(r.players, &player{loader: l, nth: n, of: len(r.crew.jobs)})
	}
	leases := make(map[uint64]*lease)
	for _, one := range l.store.ledger.expiring {
		leases[one.order] = one
	}
	r.players[0].leases = leases
	return r
}

// each has every player do something.
func (r *journalReader) each(do func(*player) error) {
	for n, p := range r.players {
		r.crew.do(n, func() error { return do(p) })
	}
}

// finish waits for the players, and gives the store what they have seen.
func (r *journalReader) finish() error {
	if err := r.crew.wait(); err != nil {
		return err
	}
	s := r.loader.store
	for _, p := range r.players {
		if p.seen != (seen{}) {
			s.saved.join(p.seen)
		}
		s.epoch.Store(max(s.epoch.Load(), p.epoch))
	}
	s.at.last = r.last
	return nil
}

// errDetached is a segment whose snapshot was never finished.
var errDetached = errors.New("its snapshot was never finished")

// segment reads the segment number, of size bytes.
func (r *journalReader) segment(in io.Reader, path string, number uint64, size int64) error {
	buf := make([]byte, segmentHeader)
	n, err := io.ReadFull(in, buf)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return &mistake{path, 0, err}
	}
	head, err := readSegmentHead(buf[:n])
	if err != nil && unwritten(buf[:n], in) {
		r.ended, r.empty = true, true
		return nil
	}
	if err == nil {
		err = r.follows(head, number)
	}
	if err != nil {
		return &mistake{path, 0, err}
	}
	r.tail = tail{path: path, number: number, valid: int64(segmentHeader), size: size}
	r.each(func(p *player) error {
		p.begin(head.first)
		return nil
	})
	return r.records(in)
}

// unwritten reports whether head and what follows it in in are what is left of a
// segment whose header was never written whole: less than that, or zeros.
func unwritten(head []byte, in io.Reader) bool {
	if len(head) < segmentHeader {
		return true
	}
	buf := make([]byte, 1<<16)
	for len(bytes.Trim(head, "\x00")) == 0 {
		n, err := in.Read(buf)
		if n == 0 {
			return errors.Is(err, io.EOF)
		}
		head = buf[:n]
	}
	return false
}

// follows checks that a segment is the one that goes on.
func (r *journalReader) follows(head segmentHead, number uint64) error {
	l, first := r.loader, number == r.loader.origin.segment
	switch {
	case head.number != number:
		return fmt.Errorf("it is segment %d under another one's name", head.number)
	case head.detached && !first:
		return errDetached
	case r.ended:
		return fmt.Errorf("it has records, but the segment before ends after record %d in the middle of one", r.last)
	case first && !l.origin.complete && head.first <= l.parts.least()+1:
		r.last = head.first - 1 // the snapshot has what comes before, and more
	case head.first != r.last+1:
		return fmt.Errorf("records are missing: it begins with %d, after %d", head.first, r.last)
	}
	return nil
}

// least returns up to where all parts have all records.
func (n *partNumbers) least() uint64 {
	least := min(n.ledger, n.receipts)
	for _, one := range n.shards {
		least = min(least, one)
	}
	return least
}

// records reads the rest of a segment, its records.
func (r *journalReader) records(in io.Reader) error {
	t := &r.tail
	var rest []byte // of the chunk before: a record that is not whole yet
	for {
		chunk, end, err := readChunk(in, rest, t.size-t.valid)
		if err != nil {
			return &mistake{t.path, t.valid, err}
		}
		n, err := r.whole(chunk)
		r.play(chunk[:n], t.path, t.valid)
		t.valid += int64(n)
		rest = chunk[n:]
		switch {
		case t.sealed && (len(rest) > 0 || !end):
			return &mistake{t.path, t.valid, errors.New("something follows the end of the segment")}
		case t.sealed || end && len(rest) == 0:
			return nil
		case err == nil, errors.Is(err, errTorn) && !end:
			continue
		}
		if more, e := io.ReadAll(in); e == nil {
			return r.bad(append(rest, more...), err)
		}
		return &mistake{t.path, t.valid, err}
	}
}

// play has the players play records of the segment at path from offset on.
func (r *journalReader) play(records []byte, path string, offset int64) {
	r.each(func(p *player) error {
		if err := p.play(records); err != nil {
			return &mistake{path, offset, err}
		}
		return nil
	})
}

// bad ends a segment at a record that cannot be read: the process, or the
// machine, may have ended in the middle of it. Everything else is damage.
func (r *journalReader) bad(rest []byte, err error) error {
	t := &r.tail
	_, size, _ := readRecord(rest, r.last+1)
	if !errors.Is(err, errTorn) && !zeroed(rest, size, t.valid) {
		return &mistake{t.path, t.valid, err}
	}
	r.ended = true
	return nil
}

// whole returns how many bytes of b are whole records, and what is wrong with
// what follows them.
func (r *journalReader) whole(b []byte) (n int, err error) {
	for n < len(b) {
		payload, size, err := readRecord(b[n:], r.last+1)
		if err != nil {
			return n, err
		}
		n += size
		if isSeal(payload) {
			r.tail.sealed = true
			return n, nil
		}
		r.last++
	}
	return n, nil
}

// isSeal reports whether a payload says that the segment is complete.
func isSeal(payload []byte) bool {
	d := decoder{b: payload}
	_, _ = d.int(), d.int()
	return len(d.b) == 1 && d.b[0] == noteSeal
}

// readChunk returns rest and what follows it, as much as is worth a chunk, or
// as its first record needs if that is more, and whether it is the last. left
// is the number of bytes in all, rest included.
func readChunk(in io.Reader, rest []byte, left int64) (chunk []byte, end bool, err error) {
	want := int64(chunkSize)
	if len(rest) >= recordHead {
		want = max(want, int64(recordSize(rest)))
	}
	want = min(want, left)
	chunk = make([]byte, want)
	n := copy(chunk, rest)
	if _, err := io.ReadFull(in, chunk[n:]); err != nil {
		return nil, false, cut(err)
	}
	return chunk, want == left, nil
}

// replay reads the segments in the state directory.
func (l *loader) replay(dir string) error {
	s := l.store
	all, err := segments(dir)
	if err != nil {
		return err
	}
	for len(all) > 0 && all[0] < l.origin.segment {
		s.at.stale = append(s.at.stale, all[0])
		all = all[1:]
	}
	s.at.segment, s.at.newest = l.origin.segment-1, l.origin.segment-1
	if len(all) == 0 && l.origin.complete {
		return nil
	}
	r := newJournalReader(l, s.at.last)
	if !l.origin.complete {
		r.last = 0
	}
	err = r.read(s, dir, all)
	if e := r.finish(); err == nil {
		err = e
	}
	if err == nil {
		err = r.complete(dir)
	}
	s.at.tail = r.tail
	return err
}

// read reads the segments with these numbers, which must have no gap. A journal
// that begins anew in vain leaves some that nobody needs: without a header, or
// detached. The journal goes on in the place of the first of those.
func (r *journalReader) read(s *Store, dir string, numbers []uint64) error {
	for i, number := range numbers {
		path := segmentPath(dir, number)
		if next := r.loader.origin.segment + uint64(i); number != next {
			return fmt.Errorf("%s is missing, which comes before %s", segmentPath(dir, next), filepath.Base(path))
		}
		err := r.file(s, path, number)
		if errors.Is(err, errDetached) {
			r.empty = true
			break
		}
		if err != nil {
			return err
		}
		if r.tail.number == number {
			s.at.segment = number
		}
	}
	for _, number := range numbers {
		s.at.newest = number
		if number > s.at.segment+1 {
			s.at.stale = append(s.at.stale, number)
		}
	}
	return nil
}

// file reads one segment.
func (r *journalReader) file(s *Store, path string, number uint64) error {
	f, size, err := openFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	s.at.size += size
	return r.segment(f, path, number, size)
}

// complete checks that nothing is missing at the end.
func (r *journalReader) complete(dir string) error {
	l := r.loader
	next := segmentPath(dir, l.store.at.segment+1)
	switch {
	case r.tail.sealed && !r.empty:
		return fmt.Errorf("%s is missing: the segment before says that it follows", next)
	case !l.origin.complete && r.tail.path == "":
		return fmt.Errorf("%s is missing: the snapshot says that it follows", next)
	case r.last < l.parts.newest:
		return fmt.Errorf("the journal ends after record %d, but the snapshot needs it up to %d", r.last, l.parts.newest)
	}
	return nil
}
