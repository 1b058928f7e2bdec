package memory

import (
	"bufio"
	"errors"
	"fmt"
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
	_ = os.Remove(path) // what a process left that ended meanwhile may not be ours to write
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
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
	kept := all.kept()
	w.int(kept.Wall)
	w.int(kept.Steady)
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
	for key, ref := range sh.cells {
		cell := sh.pool.Cell(ref)
		l, number, _ := s.limits.get(key.limit)
		if l.Kind == core.Hold || cell.Idle(sh.past(now)) {
			continue
		}
		e := cells.next(w)
		e.uint(number)
		e.scope(key.scope)
		e.b = cell.Append(e.b)
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

// encodeReceipts writes both generations of receipts as they are now and, where
// others go on with them meanwhile, some of what comes of later records. These the
// journal has, too; to play them again changes nothing.
func (s *Store) encodeReceipts(w *snapshotWriter) {
	r := &s.receipts
	r.mu.Lock()
	newest, settled, reserved := s.newest(), r.settled, r.reserved
	r.mu.Unlock()
	s.encodeLimits(w)
	w.part(partReceipts, newest, 0)
	for age, ids := range [...]map[core.ID]bool{settled.recent, settled.old} {
		encodeIDs(s, w, sectionSettled, ids, func(e *encoder, id core.ID, dealt bool) {
			e.generation(age, settled.since, id)
			e.bool(dealt)
		})
	}
	for age, ids := range [...]map[core.ID][]reservation{reserved.recent, reserved.old} {
		encodeIDs(s, w, sectionReserved, ids, func(e *encoder, id core.ID, kept []reservation) {
			e.generation(age, reserved.since, id)
			e.uint(uint64(len(kept)))
			for i := range kept {
				_, number, _ := s.limits.get(kept[i].key.limit)
				e.reservation(number, &kept[i])
			}
		})
	}
}

// idsAtOnce is how many IDs are copied while others wait for the receipts.
const idsAtOnce = 4096

// encodeIDs writes a generation of receipts in sections of kind.
func encodeIDs[V any](s *Store, w *snapshotWriter, kind byte, ids map[core.ID]V, encode func(*encoder, core.ID, V)) {
	var e encoder
	n, mu := 0, &s.receipts.mu
	flush := func() {
		s.encodeLimits(w)
		w.section(kind, e.b)
		e.b = e.b[:0]
	}
	mu.Lock()
	for id, v := range ids {
		encode(&e, id, v)
		if n++; n%idsAtOnce == 0 {
			mu.Unlock()
			flush()
			mu.Lock()
		}
	}
	mu.Unlock()
	flush()
}

// generation writes the head of a receipt: its generation's age (0, recent; 1,
// old), when the recent one began, and the ID.
func (e *encoder) generation(age int, since int64, id core.ID) {
	e.uint(uint64(age))
	e.int(since)
	e.word(id.Hi)
	e.word(id.Lo)
}
