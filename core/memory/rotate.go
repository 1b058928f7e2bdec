package memory

import (
	"errors"
	"os"
)

// following returns the number of the next segment. One that was begun anew in
// vain is begun again, if no snapshot can name it. It requires that writing is
// held.
func (j *journal) following() uint64 {
	if j.covert && !j.named {
		return j.number
	}
	return j.number + 1
}

// create makes the file of the next segment.
func (j *journal) create() (*os.File, error) {
	j.writing.Lock()
	number, pending := j.following(), j.next != nil
	j.writing.Unlock()
	if pending && !j.lost() {
		return nil, errors.New("the segment before is not written yet")
	}
	f, err := os.OpenFile(segmentPath(j.dir, number), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := SyncDir(j.dir); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// writeHead writes what was appended, and waits until it is on disk. It
// requires that writing is held, or nobody uses the journal, and that out is
// written.
func (j *journal) writeHead() error {
	j.mu.Lock()
	j.swap()
	j.mu.Unlock()
	if err := j.write(); err != nil {
		return err
	}
	return j.fsync(j.file)
}

// rotate goes on in file, the next segment.
func (j *journal) rotate(file *os.File) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	if j.lost() { // since this was decided
		return errors.Join(j.err(), file.Close())
	}
	if err := j.flush(j.newest()); err != nil {
		return errors.Join(err, file.Close())
	}
	j.mu.Lock()
	j.seal()
	j.swap()
	j.beginSegment(segmentHead{number: j.number + 1, first: j.last + 1})
	j.mu.Unlock()
	j.next = file
	if err := j.flush(j.upTo); err != nil {
		return err
	}
	if err := j.writeHead(); err != nil {
		return j.fail(err, true)
	}
	return nil
}

// seal appends that the segment is complete. It requires that mu is held. The
// seal has the number of the record that comes next.
func (j *journal) seal() {
	start := j.begin(j.now)
	j.buf = append(j.buf, noteSeal)
	j.buf = endRecord(j.buf, start, j.last+1)
}

// lost reports whether only a new snapshot helps.
func (j *journal) lost() bool {
	f := j.failure.Load()
	return f != nil && f.lost
}

// detach goes on in file, without what was not written to the segment before.
// Nothing counts as written until attach.
func (j *journal) detach(file *os.File) {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.closeFiles()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.number = j.following()
	j.file, j.next, j.covert, j.named = file, nil, true, false
	j.out, j.buf = nil, j.buf[:0]
	j.beginSegment(segmentHead{number: j.number, first: j.last + 1, detached: true})
}

// flushDetached puts on disk what was appended since detach, for the snapshot
// that is about to be there.
func (j *journal) flushDetached() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	err := j.writeHead()
	j.named = err == nil
	return err
}

// attach ends what detach began: the snapshot has everything before.
func (j *journal) attach() {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.covert = false
	j.written.Store(j.upTo)
	j.synced.Store(j.upTo)
	j.mend(j.failure.Load())
}
