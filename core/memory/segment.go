package memory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A segment is a file of the journal: a header of magic, version, flags, the
// segment's number, that of its first record, and their checksum, then records.
// Integers are little-endian.
const (
	segmentMagic   = "WEIRJRNL"
	segmentVersion = 2
	segmentHeader  = len(segmentMagic) + 4 + 4 + 8 + 8 + 4
	segmentPrefix  = "journal-"
	segmentSuffix  = ".new" // of one that is being made
)

// flagDetached says that the segment before lacks records which the snapshot
// has: without that snapshot nobody has relied on this one.
const flagDetached = 1

// A segmentHead is what a segment's header says.
type segmentHead struct {
	number, first uint64
	detached      bool
}

func segmentPath(dir string, number uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%s%010d", segmentPrefix, number))
}

// segments returns the numbers of the segments in a directory, ascending.
func segments(dir string) (numbers []uint64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), segmentPrefix)
		if !ok || strings.HasSuffix(digits, segmentSuffix) {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || segmentPath(dir, n) != filepath.Join(dir, e.Name()) {
			return nil, fmt.Errorf("%s is no name of a segment", e.Name())
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	return numbers, nil
}

// append appends the header.
func (h segmentHead) append(b []byte) []byte {
	start := len(b)
	b = append(b, segmentMagic...)
	b = binary.LittleEndian.AppendUint32(b, segmentVersion)
	flags := uint32(0)
	if h.detached {
		flags = flagDetached
	}
	b = binary.LittleEndian.AppendUint32(b, flags)
	b = binary.LittleEndian.AppendUint64(b, h.number)
	b = binary.LittleEndian.AppendUint64(b, h.first)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// readSegmentHead reads the header at the beginning of b; errTorn if it is not
// whole.
func readSegmentHead(b []byte) (h segmentHead, err error) {
	if len(b) < segmentHeader {
		return h, errTorn
	}
	body, sum := b[:segmentHeader-4], binary.LittleEndian.Uint32(b[segmentHeader-4:])
	rest := body[len(segmentMagic):]
	version, flags := binary.LittleEndian.Uint32(rest), binary.LittleEndian.Uint32(rest[4:])
	h.number, h.first = binary.LittleEndian.Uint64(rest[8:]), binary.LittleEndian.Uint64(rest[16:])
	h.detached = flags&flagDetached != 0
	switch {
	case string(body[:len(segmentMagic)]) != segmentMagic:
		return h, errors.New("it is not a journal of Weir")
	case crc32.Checksum(body, castagnoli) != sum:
		return h, errors.New("the checksum of its header is wrong")
	case version > segmentVersion || flags&^flagDetached != 0:
		return h, fmt.Errorf("%w (format %d; this one reads %d)", errNewer, version, segmentVersion)
	case version < segmentVersion:
		return h, fmt.Errorf("an unreleased Weir wrote it (format %d; this one reads %d)", version, segmentVersion)
	}
	return h, nil
}

// look fails if the segment is not where the next start would read it: records
// in a file that was removed, or moved away with its directory, are lost.
func (j *journal) look() {
	j.writing.Lock()
	defer j.writing.Unlock()
	if j.next != nil || j.err() != nil {
		return
	}
	path := segmentPath(j.dir, j.number)
	there, err := os.Stat(path)
	if err != nil {
		_ = j.fail(err, true) // it is noted
		return
	}
	if written, err := j.file.Stat(); err == nil && !os.SameFile(there, written) {
		_ = j.fail(fmt.Errorf("%s was replaced by another file", path), true)
	}
}
