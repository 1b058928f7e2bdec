package memory

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/weirhq/weir/core"
)

// save writes the snapshot: to another file, which then takes its place, so
// that there is a whole one at any time. It requires that mu and all locks are
// held.
func (s *Store) save() error {
	if s.dir == "" {
		return nil
	}
	path := filepath.Join(s.dir, SnapshotName)
	err := s.write(path + ".new")
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = SyncDir(s.dir)
	}
	if err != nil {
		return fmt.Errorf("snapshot %s: %w", path, err)
	}
	return nil
}

// write writes the snapshot to a file and waits until it is on disk.
func (s *Store) write(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(f, 1<<16)
	err = s.encode(newSnapshotWriter(buffered))
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// encode writes everything that outlives the process.
func (s *Store) encode(w *snapshotWriter) error {
	now := s.ledger.seen
	for i := range s.shards {
		now.join(s.shards[i].seen)
	}
	w.int(now.last.Wall)
	w.int(now.last.Steady)
	w.int(now.wall)
	w.uint(s.epoch.Load())
	w.flush(sectionClock)
	s.encodeLimits(w)
	for i := range s.shards {
		s.encodeCells(w, &s.shards[i], now.last)
	}
	w.flush(sectionCells)
	for i := range s.shards {
		encodeResets(w, s.shards[i].resets)
	}
	w.flush(sectionResets)
	s.ledger.encode(w)
	for i := range s.shards {
		if err := encodeOverrides(w, s.shards[i].overrides); err != nil {
			return err
		}
	}
	w.flush(sectionOverrides)
	s.receipts.encode(w)
	return w.end()
}

func (s *Store) encodeLimits(w *snapshotWriter) {
	used := make(map[uint64]bool)
	for i := range s.shards {
		for key := range s.shards[i].cells {
			used[key.limit] = true
		}
	}
	for _, l := range s.ledger.expiring {
		used[l.key.limit] = true
	}
	for _, id := range slices.Sorted(maps.Keys(used)) {
		l, _ := s.limits.get(id)
		w.word(id)
		w.string(l.Policy)
		w.string(l.Name)
		w.uint(uint64(l.Kind))
		w.filled(sectionLimits)
	}
	w.flush(sectionLimits)
}

// encodeCells writes the cells that count something at now. Slots that end
// with their response ended with the process.
func (s *Store) encodeCells(w *snapshotWriter, sh *shard, now core.Instant) {
	for key, cell := range sh.cells {
		if l, _ := s.limits.get(key.limit); l.Kind == core.Hold || cell.Idle(sh.past(now)) {
			continue
		}
		w.key(key)
		w.b = core.AppendCell(w.b, cell)
		w.filled(sectionCells)
	}
}

func encodeResets(w *snapshotWriter, resets map[cellKey]uint64) {
	for key, epoch := range resets {
		w.key(key)
		w.uint(epoch)
		w.filled(sectionResets)
	}
}

func (g *ledger) encode(w *snapshotWriter) {
	leases := slices.Clone(g.expiring)
	slices.SortFunc(leases, byOrder)
	for _, l := range leases {
		w.string(l.name)
		w.string(l.book.policy)
		w.key(l.key)
		w.scope(l.owner)
		w.int(l.expiry)
		w.int(l.ttl)
		w.filled(sectionLeases)
	}
	w.flush(sectionLeases)
}

func encodeOverrides(w *snapshotWriter, overrides map[core.Scope]core.Attributes) error {
	for owner, attributes := range overrides {
		w.scope(owner)
		w.uint(uint64(len(attributes)))
		for _, a := range attributes {
			value, err := json.Marshal(a.Value)
			if err != nil {
				return err
			}
			w.string(a.Name)
			w.string(string(value))
		}
		w.filled(sectionOverrides)
	}
	return nil
}

// encode writes both generations of receipts.
func (r *receipts) encode(w *snapshotWriter) {
	for age, ids := range []map[core.ID]bool{r.settled.recent, r.settled.old} {
		for id, dealt := range ids {
			w.generation(age, r.settled.since, id)
			if dealt {
				w.uint(1)
			} else {
				w.uint(0)
			}
			w.filled(sectionSettled)
		}
	}
	w.flush(sectionSettled)
	for age, kept := range []map[core.ID][]reservation{r.reserved.recent, r.reserved.old} {
		for id, all := range kept {
			w.generation(age, r.reserved.since, id)
			w.uint(uint64(len(all)))
			for _, one := range all {
				w.key(one.key)
				w.int(one.cost)
				w.int(one.entry.Stamp)
				w.word(one.entry.Slot)
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
