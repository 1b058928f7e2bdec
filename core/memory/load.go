package memory

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/weirhq/weir/core"
)

// load locks the state directory and reads its snapshot, if there is one. It
// requires that mu is held and that nobody uses the store. After a failure the
// store is empty and the directory as it was.
func (s *Store) load() error {
	if s.dir == "" {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	lock, err := lockDir(s.dir)
	if err != nil {
		return err
	}
	path := filepath.Join(s.dir, SnapshotName)
	if err := s.read(path); err != nil {
		s.clear()
		lock.unlock()
		return fmt.Errorf("snapshot %s: %w; Weir does not start with counters that it cannot trust: restore the file, or move it away to start with empty ones", path, err)
	}
	for i := range s.shards {
		s.shards[i].seen = s.saved
	}
	s.ledger.seen = s.saved
	s.lock = lock
	return nil
}

// clear empties a store that nobody uses.
func (s *Store) clear() {
	s.saved = seen{}
	for i := range s.shards {
		s.shards[i].cells, s.shards[i].overrides, s.shards[i].resets = nil, nil, nil
	}
	s.overrides.Store(0)
	s.cells.Store(0)
	s.commons.Store(0)
	s.ledger.init(&s.limits)
	s.receipts.settled = generations[bool]{}
	s.receipts.reserved = generations[[]reservation]{}
}

func (s *Store) read(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return readSnapshot(bufio.NewReaderSize(f, 1<<16), info.Size(), s.section)
}

// section takes up what one section says.
func (s *Store) section(kind byte, d *decoder) error {
	var one func(*decoder) error
	switch kind {
	case sectionClock:
		one = s.decodeClock
	case sectionLimits:
		one = s.decodeLimit
	case sectionCells:
		one = s.decodeCell
	case sectionResets:
		one = s.decodeReset
	case sectionLeases:
		one = s.decodeLease
	case sectionOverrides:
		one = s.decodeOverrides
	case sectionSettled:
		one = s.decodeSettled
	case sectionReserved:
		one = s.decodeReserved
	default:
		return errors.New("nobody knows this kind")
	}
	for d.more() {
		if err := one(d); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) decodeClock(d *decoder) error {
	s.saved = seen{core.Instant{Wall: d.int(), Steady: d.int()}, d.int()}
	s.epoch.Store(d.uint())
	return nil
}

func (s *Store) decodeLimit(d *decoder) error {
	id := d.word()
	s.limits.add(id, limitIdentity{d.string(), d.string(), core.Kind(d.uint())})
	return nil
}

func (s *Store) decodeCell(d *decoder) error {
	key := d.key()
	l, ok := s.limits.get(key.limit)
	if d.err == nil && !ok {
		return fmt.Errorf("a cell belongs to limit %x, which is not described", key.limit)
	}
	cell, rest, err := core.DecodeCell(l.Kind, d.b)
	if err != nil {
		return fmt.Errorf("limit %q of policy %q: %w", l.Name, l.Policy, err)
	}
	d.b = rest
	sh := &s.shards[s.shardOf(key.scope)]
	sh.remove(key)
	sh.put(key, cell)
	return nil
}

func (s *Store) decodeReset(d *decoder) error {
	key := d.key()
	s.shards[s.shardOf(key.scope)].emptied(key, d.uint())
	return nil
}

func (s *Store) decodeLease(d *decoder) error {
	l := &lease{name: d.string()}
	l.book = s.ledger.book(d.string())
	l.key, l.owner = d.key(), d.scope()
	l.expiry, l.ttl = d.int(), d.int()
	if d.err != nil {
		return d.err
	}
	s.ledger.order++
	l.order = s.ledger.order
	s.ledger.add(l.key, 1)
	s.ledger.restore(l)
	return nil
}

func (s *Store) decodeOverrides(d *decoder) error {
	owner, n := d.scope(), d.uint()
	var set core.Attributes
	for range n {
		a := core.Attribute{Name: d.string()}
		text := d.string()
		if d.err != nil {
			return d.err
		}
		if err := json.Unmarshal([]byte(text), &a.Value); err != nil {
			return err
		}
		set = append(set, a)
	}
	s.overrides.Add(s.shards[s.shardOf(owner)].set(owner, set))
	return nil
}

func (s *Store) decodeSettled(d *decoder) error {
	age, since, id := d.uint(), d.int(), d.id()
	s.receipts.settled.restore(age, since, id, d.uint() != 0)
	return nil
}

func (s *Store) decodeReserved(d *decoder) error {
	age, since, id := d.uint(), d.int(), d.id()
	var all []reservation
	for range d.uint() {
		if d.err != nil {
			return d.err
		}
		one := reservation{key: d.key(), cost: d.int()}
		one.entry = core.Entry{Stamp: d.int(), Slot: d.word()}
		all = append(all, one)
	}
	s.receipts.reserved.restore(age, since, id, all)
	return nil
}
