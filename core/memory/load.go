package memory

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"sync"

	"github.com/weirhq/weir/core"
)

// A position is up to where the state of a store is known, and where its
// journal goes on.
type position struct {
	last    uint64   // the newest record
	segment uint64   // the newest segment that counts
	newest  uint64   // the newest that there is
	size    int64    // bytes of the segments that the snapshot needs
	tail    tail     // of the newest segment; zero if there is none
	stale   []uint64 // segments that nobody needs
}

// A loader fills a store that nobody uses from a snapshot and from the records
// that follow it.
type loader struct {
	store   *Store
	version uint32 // of the snapshot; 0 if there is none
	shards  int    // that the store had which wrote it
	mark    uint64 // 0 is none
	origin  origin
	numbers []uint64 // the limits' IDs by the snapshot's numbers
	parts   partNumbers
	part    uint64 // being read
	crew    *crew

	snapshotSize int64 // bytes
}

// partNumbers say which records the parts of a snapshot have.
type partNumbers struct {
	shards           []uint64
	ledger, receipts uint64
	newest           uint64 // of all
}

// noPart is the part of a snapshot before any has begun.
const noPart = math.MaxUint64

func newLoader(s *Store) *loader {
	return &loader{
		store: s, shards: len(s.shards), part: noPart,
		origin: origin{segment: 1, complete: true},
		parts:  partNumbers{shards: make([]uint64, len(s.shards))},
	}
}

// snapshot reads a snapshot of size bytes.
func (l *loader) snapshot(in io.Reader, size int64) error {
	l.crew = newCrew()
	err := readSnapshot(in, size, func(version uint32) { l.version = version }, l.section)
	return errors.Join(err, l.crew.wait())
}

// section takes up what one section says.
func (l *loader) section(kind byte, d *decoder) error {
	if kind == sectionCells && l.shards == len(l.store.shards) && l.part < partLedger {
		return l.cells(d)
	}
	one := l.reader(kind)
	if one == nil {
		return errors.New("nobody knows this kind")
	}
	for d.more() {
		if err := one(d); err != nil {
			return err
		}
	}
	return nil
}

// reader returns what reads one value of a section.
func (l *loader) reader(kind byte) func(*decoder) error {
	switch kind {
	case sectionJournal:
		return l.head
	case sectionMark:
		return l.owner
	case sectionPart:
		return l.begin
	case sectionClock:
		return l.clock
	case sectionLimits:
		return l.limit
	case sectionCells:
		return func(d *decoder) error { return l.cell(d, l.numbers, -1) }
	case sectionResets:
		return l.reset
	case sectionLeases:
		return l.lease
	case sectionOverrides:
		return func(d *decoder) error { return l.store.decodeSet(d) }
	case sectionSettled:
		return l.settled
	case sectionReserved:
		return l.reserved
	}
	return nil
}

func (l *loader) head(d *decoder) error {
	shards := d.uint()
	l.origin = origin{d.uint(), d.uint() != 0}
	switch {
	case d.err != nil:
		return d.err
	case shards == 0 || shards > 64 || shards&(shards-1) != 0:
		return fmt.Errorf("a store of %d shards", shards)
	}
	l.shards = int(shards)
	l.parts.shards = make([]uint64, l.shards)
	return nil
}

// errMark is a snapshot of another Options.Mark.
var errMark = errors.New("its counters were made with another secret")

func (l *loader) owner(d *decoder) error {
	l.mark = d.word()
	return nil
}

// match checks that the counters were made with the store's secret. Without a mark
// they may be anybody's.
func (l *loader) match() error {
	own := &l.store.mark
	if l.mark != 0 && *own != 0 && l.mark != *own {
		return errMark
	}
	*own = cmp.Or(*own, l.mark)
	return nil
}

// begin begins a part of the store.
func (l *loader) begin(d *decoder) error {
	part, newest, values := d.uint(), d.uint(), d.uint()
	if d.err != nil {
		return d.err
	}
	if part <= l.part && l.part != noPart {
		return fmt.Errorf("part %d comes after part %d", part, l.part)
	}
	l.part = part
	l.parts.newest = max(l.parts.newest, newest)
	switch {
	case l.part == partLedger:
		l.parts.ledger, l.store.ledger.order = newest, values
	case l.part == partReceipts:
		l.parts.receipts = newest
	case l.part >= uint64(len(l.parts.shards)):
		return fmt.Errorf("part %d of %d shards", l.part, l.shards)
	default:
		l.parts.shards[l.part] = newest
		if sh := l.own(l.part); sh != nil && sh.cells == nil {
			sh.cells = make(map[cellKey]core.CellRef, min(values, 1<<17))
		}
	}
	return nil
}

// own returns the shard that has exactly the scopes which shard n had in the
// store that wrote the snapshot, nil if there is none.
func (l *loader) own(n uint64) *shard {
	if l.shards != len(l.store.shards) {
		return nil
	}
	return &l.store.shards[n]
}

// cells has a section of cells, all of one shard, read by the crew.
func (l *loader) cells(d *decoder) error {
	b, numbers, part := d.b, l.numbers, l.part
	d.b = nil
	l.crew.do(int(part), func() error {
		d := &decoder{b: b}
		for d.more() {
			if err := l.cell(d, numbers, int(part)); err != nil {
				return err
			}
		}
		return d.err
	})
	return nil
}

func (l *loader) clock(d *decoder) error {
	s := l.store
	s.saved = sighting(core.Instant{Wall: d.int(), Steady: d.int()}, d.int())
	s.epoch.Store(d.uint())
	s.at.last = d.uint()
	l.parts.newest = max(l.parts.newest, s.at.last)
	if w := s.saved; outside(w.last) || outside(core.Instant{Wall: w.wall}) {
		return errClock
	}
	return nil
}

var errClock = errors.New("a time that no clock shows")

// outside reports whether no clock shows now.
func outside(now core.Instant) bool {
	const most = 1 << 57
	return now.Wall > most || now.Wall < -most || now.Steady > most || now.Steady < -most
}

func (l *loader) limit(d *decoder) error {
	number, identity := d.identity()
	if d.err == nil && number != uint64(len(l.numbers)) {
		return fmt.Errorf("limit %d comes after %d others", number, len(l.numbers))
	}
	if d.err == nil {
		l.numbers = append(l.numbers, identity.ID)
		l.store.limits.add(identity)
	}
	return nil
}

// key reads a cell's key. numbers are the limits' IDs.
func (l *loader) key(d *decoder, numbers []uint64) (key cellKey, identity limitIdentity, err error) {
	if n := d.uint(); n < uint64(len(numbers)) {
		key.limit = numbers[n]
	} else if d.err == nil {
		return key, identity, errNumber
	}
	key.scope = d.scope()
	identity, _, _ = l.store.limits.get(key.limit)
	return key, identity, d.err
}

var errNumber = errors.New("a number that stands for no limit")

// cell reads a cell; it must be in the shard part, unless that is −1.
func (l *loader) cell(d *decoder, numbers []uint64, part int) error {
	key, identity, err := l.key(d, numbers)
	if err != nil {
		return err
	}
	n := l.store.shardOf(key.scope)
	if part >= 0 && n != part {
		return errors.New("a cell is in the wrong shard")
	}
	sh := &l.store.shards[n]
	ref, rest, err := sh.pool.Decode(identity.Kind, d.b)
	if err != nil {
		return fmt.Errorf("limit %q of policy %q: %w", identity.Name, identity.Policy, err)
	}
	d.b = rest
	sh.replace(key, ref)
	return nil
}

func (l *loader) reset(d *decoder) error {
	key, _, err := l.key(d, l.numbers)
	if err != nil {
		return err
	}
	l.store.shards[l.store.shardOf(key.scope)].emptied(key, d.uint())
	return nil
}

func (l *loader) lease(d *decoder) error {
	one := &lease{order: d.uint(), name: d.string()}
	one.book = l.store.ledger.book(d.string())
	var err error
	if one.key, _, err = l.key(d, l.numbers); err != nil {
		return err
	}
	one.owner, one.expiry, one.ttl = d.scope(), d.int(), d.int()
	if d.err != nil {
		return d.err
	}
	l.store.ledger.add(one.key, 1)
	l.store.ledger.restore(one)
	return nil
}

// decodeSet reads what is set on an owner, and sets it.
func (s *Store) decodeSet(d *decoder) error {
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
	if d.err == nil {
		s.overrides.Add(s.shards[s.shardOf(owner)].set(owner, set))
	}
	return d.err
}

func (l *loader) settled(d *decoder) error {
	age, since, id := d.uint(), d.int(), d.id()
	l.store.receipts.settled.restore(age, since, id, d.uint() != 0)
	return nil
}

func (l *loader) reserved(d *decoder) error {
	age, since, id := d.uint(), d.int(), d.id()
	var all []reservation
	for range d.uint() {
		one, err := l.reservation(d)
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	l.store.receipts.reserved.restore(age, since, id, all)
	return nil
}

func (l *loader) reservation(d *decoder) (one reservation, err error) {
	if one.key, _, err = l.key(d, l.numbers); err != nil {
		return one, err
	}
	return d.reservation(one.key)
}

// reservation reads the rest of a reservation in key.
func (d *decoder) reservation(key cellKey) (reservation, error) {
	one := reservation{key: key, cost: d.int()}
	one.entry = core.Entry{Stamp: d.int(), Slot: d.word(), Place: d.int()}
	if d.err == nil && (one.cost < 0 || one.cost > core.MaxAmount) {
		return one, errors.New("a reservation that nobody makes")
	}
	return one, d.err
}

// A crew does jobs in several goroutines: those of one place one after another.
type crew struct {
	jobs []chan func() error
	done sync.WaitGroup
	mu   sync.Mutex
	err  error // of the first job that failed
}

func newCrew() *crew {
	c := &crew{jobs: make([]chan func() error, runtime.GOMAXPROCS(0))}
	for i := range c.jobs {
		jobs := make(chan func() error, 8)
		c.jobs[i] = jobs
		c.done.Go(func() { c.work(jobs) })
	}
	return c
}

func (c *crew) work(jobs <-chan func() error) {
	for job := range jobs {
		if err := job(); err != nil {
			c.mu.Lock()
			if c.err == nil {
				c.err = err
			}
			c.mu.Unlock()
		}
	}
}

// do has a job done.
func (c *crew) do(place int, job func() error) { c.jobs[place%len(c.jobs)] <- job }

// wait waits for all jobs, ends the crew, and returns the first error.
func (c *crew) wait() error {
	for _, jobs := range c.jobs {
		close(jobs)
	}
	c.done.Wait()
	return c.err
}
