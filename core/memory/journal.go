package memory

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/weirhq/weir/core"
)

// maxBuffer is how many bytes of records wait for the next flush at most, where
// operations do not.
const maxBuffer = 1 << 20

// A journal takes records of what operations change, one after another, and
// writes them to the newest segment. Operations that wait share a write: the
// first to come writes for all that have appended by then.
//
// An operation appends its record while it holds the locks of the parts that
// it changed, so that records about one part are in the order of its changes,
// and waits for the write without them. What others have seen meanwhile, and
// changed upon it, is in later records.
type journal struct {
	dir    string
	limits *limitTable
	mode   Durability
	every  time.Duration // how often records are put on disk
	report func(err error, failing bool)
	fsync  func(*os.File) error

	mu   sync.Mutex // guards what follows; taken after all other locks
	buf  []byte     // records that nobody writes yet
	last uint64     // the newest record
	now  core.Instant
	// offset of the wall clock from the steady one, in the newest record that
	// tells the time.
	offset int64

	writing sync.Mutex // guards what follows; taken before mu
	out     []byte     // what is left to write of the records up to upTo
	upTo    uint64
	spare   []byte // the buffer that out is in
	file    *os.File
	number  uint64   // of the segment
	next    *os.File // the segment that goes on when out is written
	covert  bool     // nothing counts as written: a snapshot must come first
	named   bool     // that snapshot may be there, and name the segment

	syncing sync.Mutex // held while file is synced or closed; taken after writing

	full      atomic.Bool   // buf is too large to wait
	late      atomic.Bool   // the disk is too slow for operations not to wait for it
	written   atomic.Uint64 // the newest record that the system has
	synced    atomic.Uint64 // the newest that is on disk
	size      atomic.Int64  // bytes of the segments that the snapshot needs
	threshold atomic.Int64  // of size, at which the next snapshot is due
	failure   atomic.Pointer[failure]

	due  chan struct{} // a snapshot is due
	wake chan struct{} // the journal has begun to fail

	errors, syncs atomic.Int64
}

// A failure is why the journal takes no records.
type failure struct {
	err error
	// lost: nobody knows what of the segment is on disk. Only a new snapshot
	// helps.
	lost bool
}

// err returns why the journal takes no records; nil if it does.
func (j *journal) err() error {
	if f := j.failure.Load(); f != nil {
		return fmt.Errorf("journal: %w", f.err)
	}
	return nil
}

// fail notes that the journal takes no records, and returns err.
func (j *journal) fail(err error, lost bool) error {
	j.errors.Add(1)
	before := j.failure.Load()
	for !j.failure.CompareAndSwap(before, &failure{err, lost || before != nil && before.lost}) {
		before = j.failure.Load()
	}
	if before == nil {
		j.tell(err, true)
		select {
		case j.wake <- struct{}{}:
		default:
		}
	}
	return fmt.Errorf("journal: %w", err)
}

// mend notes that the journal takes records again, unless it has failed
// otherwise than by f.
func (j *journal) mend(f *failure) {
	if j.failure.CompareAndSwap(f, nil) {
		j.tell(nil, false)
	}
}

func (j *journal) tell(err error, failing bool) {
	if j.report != nil {
		j.report(err, failing)
	}
}

// begin begins a record of what is changed at now, and returns where in buf it
// is. It requires that mu is held. Times are relative to those of the record
// before in the segment.
func (j *journal) begin(now core.Instant) (start int) {
	start = len(j.buf)
	e := encoder{beginRecord(j.buf)}
	e.int(now.Steady - j.now.Steady)
	e.int(now.Wall - j.now.Wall - (now.Steady - j.now.Steady))
	j.buf, j.now = e.b, now
	return start
}

// end ends the record that begins at start, and returns its number. It requires
// that mu is held.
func (j *journal) end(start int) uint64 {
	j.last++
	j.buf = endRecord(j.buf, start, j.last)
	if len(j.buf) > maxBuffer {
		j.full.Store(true)
	}
	return j.last
}

// newest returns the number of the newest record.
func (j *journal) newest() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

// introduce tells what a number means from now on. Only then others may use it:
// publish lets them know it, while no record and no segment can come between.
func (j *journal) introduce(number uint64, l limitIdentity, publish func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	publish()
	start := j.begin(j.now)
	e := encoder{append(j.buf, noteLimit)}
	e.identity(number, l)
	j.buf = e.b
	j.end(start)
}

// beginSegment appends a segment's header to buf, and what all numbers mean. It
// requires that mu is held.
func (j *journal) beginSegment(h segmentHead) {
	j.buf = h.append(j.buf)
	j.now = core.Instant{}
	limits := j.limits.all()
	if len(limits) == 0 {
		return
	}
	start := j.begin(j.now)
	e := encoder{j.buf}
	for n, l := range limits {
		e.b = append(e.b, noteLimit)
		e.identity(uint64(n), l)
	}
	j.buf = e.b
	j.end(start)
}

// commit waits until the record n, and all before it, will outlive the process
// as far as the journal promises.
func (j *journal) commit(n uint64) error {
	if j.mode == Interval && !j.full.Load() {
		if j.late.Load() {
			return j.sync()
		}
		return nil
	}
	if j.written.Load() >= n || j.await(n) {
		return nil
	}
	defer j.writing.Unlock()
	if j.written.Load() >= n {
		return nil
	}
	if err := j.err(); err != nil {
		return err
	}
	return j.flush(n)
}

// patience is how often others may go first until a goroutine sleeps to write.
// Most writes take less time than waking it would.
const patience = 20

// await locks writing, unless somebody else has written the record n.
func (j *journal) await(n uint64) bool {
	for range patience {
		if j.writing.TryLock() {
			return false
		}
		runtime.Gosched()
		if j.written.Load() >= n {
			return true
		}
	}
	j.writing.Lock()
	return false
}

// flush writes the records up to n, and what was appended with them. It
// requires that writing is held.
func (j *journal) flush(n uint64) error {
	for j.written.Load() < n || j.next != nil {
		if len(j.out) == 0 && j.next == nil {
			j.mu.Lock()
			j.swap()
			j.mu.Unlock()
		}
		if err := j.write(); err != nil {
			return j.fail(err, !full(err))
		}
		if j.next == nil {
			continue
		}
		if err := j.turn(); err != nil {
			return j.fail(err, true)
		}
	}
	if f := j.failure.Load(); f != nil && !f.lost {
		j.mend(f)
	}
	return nil
}

// full reports whether a write has failed for want of room.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// swap makes what was appended what is to be written. It requires that writing
// and mu are held and out is written.
func (j *journal) swap() {
	if cap(j.spare) > 4*maxBuffer {
		j.spare = nil
	}
	j.out, j.upTo = j.buf, j.last
	j.buf, j.spare = j.spare[:0], j.buf
	j.full.Store(false)
}

// write writes out. What is written of it when it fails is not written again.
func (j *journal) write() error {
	n, err := j.file.Write(j.out)
	j.out = j.out[n:]
	if j.size.Add(int64(n)) >= j.threshold.Load() {
		select {
		case j.due <- struct{}{}:
		default:
		}
	}
	if err == nil && !j.covert {
		j.written.Store(j.upTo)
	}
	return err
}

// turn goes on to the next segment. It requires that writing is held and that
// out, the end of the segment, is written.
func (j *journal) turn() error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	if err := j.fsync(j.file); err != nil {
		return err
	}
	j.synced.Store(j.written.Load())
	_ = j.file.Close() // all of it is on disk
	j.file, j.next = j.next, nil
	j.number++
	return nil
}

// sync waits until all records so far are on disk.
func (j *journal) sync() error {
	j.writing.Lock()
	if err := j.err(); err != nil {
		j.writing.Unlock()
		return err
	}
	err := j.flush(j.newest())
	j.syncing.Lock()
	n, file := j.written.Load(), j.file
	j.writing.Unlock()
	defer j.syncing.Unlock()
	if err != nil || j.synced.Load() >= n {
		return err
	}
	if err := j.fsync(file); err != nil {
		return j.fail(err, true)
	}
	j.syncs.Add(1)
	j.synced.Store(n)
	return nil
}

// retry tries again to write what could not be written.
func (j *journal) retry() {
	j.writing.Lock()
	defer j.writing.Unlock()
	if !j.lost() {
		_ = j.flush(j.newest()) // whether it worked is noted
	}
}

// close closes the files: what is not written is lost.
func (j *journal) close() {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.closeFiles()
}

// closeFiles requires that writing is held.
func (j *journal) closeFiles() {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	_ = j.file.Close()
	if j.next != nil {
		_ = j.next.Close()
	}
}
