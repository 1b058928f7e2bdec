package memory

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/weirhq/weir/core"
)

// load locks the state directory, reads what is in it, and begins the journal.
// It requires that mu is held and that nobody uses the store. After a failure
// the store is empty, and nothing of what the directory's files tell is lost.
func (s *Store) load() error {
	if s.dir == "" {
		return s.sign()
	}
	if err := makeDir(s.dir); err != nil {
		return fmt.Errorf("state directory: %w", explain(err))
	}
	lock, err := lockDir(s.dir)
	if err != nil {
		return explain(err)
	}
	l := newLoader(s)
	if err = s.sign(); err != nil {
		err = fmt.Errorf("state directory: %w", explain(err))
	} else if err = l.read(); err != nil {
		err = distrust(s.dir, err)
	} else if s.inherit(); s.options.Durability != None {
		err = s.startJournal(l)
	}
	if err != nil {
		s.clear()
		lock.unlock()
		return err
	}
	s.lock = lock
	return nil
}

// sign learns the mark of the store's counters.
func (s *Store) sign() (err error) {
	if s.options.Mark != nil {
		s.mark, err = s.options.Mark()
	}
	return err
}

// relock locks the directory that is in the place of the one that was locked, if
// that was removed or moved away. It fails if that is another process's, or has
// counters: nobody but who reads them first may write there.
func (s *Store) relock() error {
	if s.lock.holds(s.dir) {
		return nil
	}
	lock, err := lockDir(s.dir)
	if err != nil {
		return explain(err)
	}
	if path, err := Kept(s.dir); path != "" || err != nil {
		lock.unlock()
		if err == nil {
			err = fmt.Errorf("the state directory %s is another one than it was, and has counters (%s): what was counted since is not kept; restart Weir to go on with those, or put the old directory back", s.dir, path)
		}
		return err
	}
	s.lock.unlock()
	s.lock = lock
	return nil
}

// inherit gives all parts of the store the time that was read.
func (s *Store) inherit() {
	for i := range s.shards {
		s.shards[i].seen = s.saved
	}
	s.ledger.seen = s.saved
	if s.cells.Load() > s.maxCells { // many of them were dropped before
		s.sweepCells(s.saved.last, nil)
	}
}

// read reads the snapshot, and the journal that follows it.
func (l *loader) read() error {
	path := filepath.Join(l.store.dir, SnapshotName)
	err := l.file(path)
	if err == nil {
		err = l.match()
	}
	if err != nil {
		return fmt.Errorf("snapshot %s: %w", path, err)
	}
	if err := l.replay(l.store.dir); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// file reads the snapshot at path, if there is one.
func (l *loader) file(path string) error {
	f, size, err := openFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	l.snapshotSize = size
	return l.snapshot(bufio.NewReaderSize(f, 1<<16), l.snapshotSize)
}

// startJournal begins a segment after those that l has read.
func (s *Store) startJournal(l *loader) error {
	j := &journal{
		dir: s.dir, limits: &s.limits, mode: s.options.Durability, every: s.options.every(), report: s.options.Report,
		fsync: s.fsync,
		last:  s.at.last, number: s.at.segment + 1,
		due: make(chan struct{}, 1), wake: make(chan struct{}, 1),
	}
	j.upTo, j.offset = j.last, s.saved.last.Wall-s.saved.last.Steady
	j.written.Store(j.last)
	j.threshold.Store(max(minJournal, l.snapshotSize))
	j.size.Store(s.at.size)
	if err := s.beginJournal(l, j); err != nil {
		return fmt.Errorf("state directory: %w", explain(err))
	}
	s.journal, s.limits.journal = j, j
	s.note(true)
	return nil
}

// beginJournal makes the files such that j goes on from where the journal was
// read to. If that ends in the middle, the next start does the same: a segment
// has a header only once the one before is complete.
func (s *Store) beginJournal(l *loader, j *journal) (err error) {
	for _, n := range slices.Backward(s.at.stale) {
		if err := os.Remove(segmentPath(s.dir, n)); err != nil {
			return err
		}
	}
	t := &s.at.tail
	if t.path != "" && t.valid < t.size {
		if err := s.truncate(t.path, t.valid); err != nil {
			return err
		}
	}
	if j.file, err = os.OpenFile(segmentPath(j.dir, j.number), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600); err != nil {
		return err
	}
	err = SyncDir(j.dir)
	if err == nil && t.path != "" && !t.sealed {
		err = s.sealSegment(t.path, s.at.last)
	}
	if err == nil {
		j.mu.Lock()
		j.beginSegment(segmentHead{number: j.number, first: j.last + 1})
		j.mu.Unlock()
		err = j.writeHead()
	}
	if err == nil {
		err = l.anchor(j.number)
	}
	if err != nil {
		return errors.Join(err, j.file.Close())
	}
	return nil
}

// anchor has the snapshot say that the journal follows it, so that one that is
// missing is missed. It requires that the newest segment, number, is on disk.
// Only the head is written anew, in its place: that is a part of a sector.
func (l *loader) anchor(number uint64) error {
	switch {
	case l.version < snapshotVersion, l.mark != l.store.mark:
		return l.store.save(origin{segment: number}, nil)
	case !l.origin.complete:
		return nil
	}
	var head bytes.Buffer
	w := newSnapshotWriter(&head)
	if w.head(l.shards, origin{segment: l.origin.segment}); w.err != nil {
		return w.err
	}
	f, err := os.OpenFile(filepath.Join(l.store.dir, SnapshotName), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(head.Bytes(), 0)
	return errors.Join(err, l.store.fsync(f), f.Close())
}

// truncate cuts off what follows the first size bytes of a file.
func (s *Store) truncate(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), s.fsync(f), f.Close())
}

// sealSegment appends to a segment, whose newest record is last, that it is
// complete.
func (s *Store) sealSegment(path string, last uint64) error {
	j := journal{last: last}
	j.seal()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(j.buf)
	return errors.Join(err, s.fsync(f), f.Close())
}

// note turns the notes of all parts on or off.
func (s *Store) note(on bool) {
	for i := range s.shards {
		s.shards[i].notes = notes{on: on}
	}
	s.ledger.notes, s.receipts.notes = notes{on: on}, notes{on: on}
}

// clear empties a store that nobody uses.
func (s *Store) clear() {
	s.saved, s.at, s.mark = seen{}, position{}, 0
	for i := range s.shards {
		sh := &s.shards[i]
		sh.cells, sh.pool, sh.overrides, sh.resets, sh.seen, sh.peak = nil, core.Pool{}, nil, nil, seen{}, 0
	}
	s.overrides.Store(0)
	s.cells.Store(0)
	s.commons.Store(0)
	s.epoch.Store(0)
	s.ledger.init(&s.limits)
	s.receipts.settled = generations[bool]{}
	s.receipts.reserved = generations[[]reservation]{}
}

// distrust says what to do about files in dir that cannot be read.
func distrust(dir string, err error) error {
	remedy := fmt.Sprintf("restore what is in %s from a backup, or move %s and %s* away to start with empty ones", dir, SnapshotName, segmentPrefix)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: the user that Weir runs as must own what is in %s", err, dir)
	case errors.Is(err, errMark):
		return fmt.Errorf("%w: nobody would find theirs; go back to that secret, or %s", err, remedy)
	case errors.Is(err, errNewer):
		return fmt.Errorf("%w; start that version to go on with its counters, or %s", err, remedy)
	}
	return fmt.Errorf("%w; Weir does not start with counters that it cannot trust: %s", err, remedy)
}

// explain says what to do about an error of the state directory.
func explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: the user that Weir runs as must be able to write there", err)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: counters must be kept where one can write; choose another directory, or a volatile store", err)
	case full(err):
		return fmt.Errorf("%w: make room there", err)
	}
	return err
}
