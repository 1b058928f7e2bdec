package memory

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/weirhq/weir/core"
)

// save writes the snapshot: to another file, which takes the place of the old
// one once ready is done, so that there is a whole one at any time. Others may
// go on with the store.
func (s *Store) save(from origin, ready func() error) error {
	path := filepath.Join(s.dir, SnapshotName)
	size, err := s.write(path+".new", from)
	if err == nil && ready != nil {
		err = ready()
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = SyncDir(s.dir)
	}
	if err != nil {
		_ = os.Remove(path + ".new") // it may take the room that others need
		return fmt.Errorf("snapshot %s: %w", path, err)
	}
	if s.journal != nil {
		s.journal.threshold.Store(max(minJournal, size))
	}
	return nil
}

// write writes the snapshot to a file, waits until it is on disk, and returns
// its size.
func (s *Store) write(path string, from origin) (size int64, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	buffered := bufio.NewWriterSize(f, 1<<16)
	err = s.encode(newSnapshotWriter(buffered), from)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = s.fsync(f)
	}
	if info, statErr := f.Stat(); statErr == nil {
		size = info.Size()
	}
	return size, errors.Join(err, f.Close())
}

// newest returns the number of the newest record. Under a part's lock that is
// up to where the part has all records about it.
func (s *Store) newest() uint64 {
	if s.journal == nil {
		return s.at.last
	}
	return s.journal.newest()
}

// encode writes everything that outlives the process, one part of the store
// after another. Each is locked only while it is copied.
func (s *Store) encode(w *snapshotWriter, from origin) error {
	now := s.present()
	w.head(len(s.shards), from)
	w.mark(s.mark)
	var all seen
	for i := range s.shards {
		all.join(s.encodeShard(w, i, now))
	}
	all.join(s.encodeLedger(w))
	s.encodeReceipts(w)
	w.int(all.last.Wall)
	w.int(all.last.Steady)
	w.int(all.wall)
	w.uint(s.epoch.Load())
	w.uint(s.newest())
	w.flush(sectionClock)
	return w.end()
}

// encodeLimits writes the limits that were added since it was last called.
func (s *Store) encodeLimits(w *snapshotWriter) {
	all := s.limits.all()
	var e encoder
	for n := w.limits; n < len(all); n++ {
		e.identity(uint64(n), all[n])
	}
	w.limits = len(all)
	w.section(sectionLimits, e.b)
}

// encodeShard writes a shard, and returns what it has seen. Slots that end with
// their response are left out: they end with the process.
func (s *Store) encodeShard(w *snapshotWriter, i int, now core.Instant) seen {
	sh := &s.shards[i]
	var cells chunks
	var resets, overrides encoder
	sh.mu.Lock()
	newest, seen := s.newest(), sh.seen
	for key, cell := range sh.cells {
		l, number, _ := s.limits.get(key.limit)
		if l.Kind == core.Hold || cell.Idle(sh.past(now)) {
			continue
		}
		e := cells.next(w)
		e.uint(number)
		e.scope(key.scope)
		e.b = core.AppendCell(e.b, cell)
	}
	for key, epoch := range sh.resets {
		_, number, _ := s.limits.get(key.limit)
		resets.uint(number)
		resets.scope(key.scope)
		resets.uint(epoch)
	}
	for owner, attributes := range sh.overrides {
		overrides.set(owner, attributes)
	}
	sh.mu.Unlock()
	s.encodeLimits(w)
	w.part(uint64(i), newest, uint64(cells.values))
	for _, b := range cells.all {
		w.section(sectionCells, b.b)
	}
	w.keep(cells.all)
	w.section(sectionResets, resets.b)
	w.section(sectionOverrides, overrides.b)
	return seen
}

// encodeLedger writes the leases, oldest first, and returns what the ledger has
// seen.
func (s *Store) encodeLedger(w *snapshotWriter) seen {
	g := &s.ledger
	g.mu.Lock()
	newest, seen, order := s.newest(), g.seen, g.order
	leases := make([]lease, len(g.expiring))
	for i, l := range g.expiring {
		leases[i] = *l
	}
	g.mu.Unlock()
	slices.SortFunc(leases, func(a, b lease) int { return byOrder(&a, &b) })
	s.encodeLimits(w)
	w.part(partLedger, newest, order)
	for i := range leases {
		_, number, _ := s.limits.get(leases[i].key.limit)
		w.lease(number, &leases[i])
		w.filled(sectionLeases)
	}
	w.flush(sectionLeases)
	return seen
}

// encodeReceipts writes both generations of receipts.
func (s *Store) encodeReceipts(w *snapshotWriter) {
	r := &s.receipts
	r.mu.Lock()
	newest := s.newest()
	settled := [2]map[core.ID]bool{maps.Clone(r.settled.recent), maps.Clone(r.settled.old)}
	reserved := [2]map[core.ID][]reservation{maps.Clone(r.reserved.recent), maps.Clone(r.reserved.old)}
	since, sinceKept := r.settled.since, r.reserved.since
	r.mu.Unlock()
	s.encodeLimits(w)
	w.part(partReceipts, newest, 0)
	for age, ids := range settled {
		for id, dealt := range ids {
			w.generation(age, since, id)
			w.bool(dealt)
			w.filled(sectionSettled)
		}
	}
	w.flush(sectionSettled)
	for age, kept := range reserved {
		for id, all := range kept {
			w.generation(age, sinceKept, id)
			w.uint(uint64(len(all)))
			for i := range all {
				_, number, _ := s.limits.get(all[i].key.limit)
				w.reservation(number, &all[i])
			}
			w.filled(sectionReserved)
		}
	}
	w.flush(sectionReserved)
}

// generation writes the head of a receipt: its generation's age (0, recent; 1,
// old), when the recent one began, and the ID.
func (w *snapshotWriter) generation(age int, since int64, id core.ID) {
	w.uint(uint64(age))
	w.int(since)
	w.word(id.Hi)
	w.word(id.Lo)
}
