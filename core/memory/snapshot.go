package memory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A snapshot is a file: a header of magic, version and their checksum, then
// sections of kind, length of the payload, payload, and the checksum of these
// three; the last section is the end and counts those before it. Integers of
// the frame are little-endian with 32 bits; checksums are CRC-32C (RFC 3720,
// appendix B.4).
const (
	snapshotMagic   = "WEIRSNAP"
	snapshotVersion = 6
	oldestSnapshot  = 6
	headerSize      = len(snapshotMagic) + 8
	frameSize       = 5
	// sectionSize is the length of a payload at which another section begins.
	sectionSize = 1 << 20
)

// The kinds of section.
const (
	sectionEnd byte = iota + 1
	sectionClock
	sectionLimits
	sectionCells
	sectionLeases
	sectionOverrides
	sectionSettled
	sectionReserved
	sectionResets
	sectionJournal
	sectionPart
	sectionMark
)

// The parts of the store that are no shards.
const (
	partLedger   = 1 << 16
	partReceipts = partLedger + 1
)

var sectionNames = [...]string{
	"none", "end", "clock", "limits", "cells", "leases", "overrides", "settled", "reserved", "resets", "journal", "part", "mark",
}

func sectionName(kind byte) string {
	if int(kind) < len(sectionNames) {
		return sectionNames[kind]
	}
	return fmt.Sprintf("of unknown kind %d", kind)
}

// An origin is where the journal goes on from a snapshot.
type origin struct {
	segment  uint64 // the first segment with records that are needed
	complete bool   // none are needed
}

// A snapshotWriter writes sections. Values are appended to the encoder and
// become a section with flush.
type snapshotWriter struct {
	encoder
	out    io.Writer
	count  uint64
	limits int      // how many were written
	spare  [][]byte // buffers for cells
	err    error
}

func newSnapshotWriter(out io.Writer) *snapshotWriter {
	w := &snapshotWriter{out: out}
	head := binary.LittleEndian.AppendUint32([]byte(snapshotMagic), snapshotVersion)
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(head, castagnoli))
	_, w.err = out.Write(head)
	return w
}

// head says of how many shards the store is, and where the journal goes on.
func (w *snapshotWriter) head(shards int, from origin) {
	w.uint(uint64(shards))
	w.uint(from.segment)
	w.bool(from.complete)
	w.flush(sectionJournal)
}

// mark says whose the counters are.
func (w *snapshotWriter) mark(m uint64) {
	if m != 0 {
		w.word(m)
		w.flush(sectionMark)
	}
}

// part begins a part of the store, which has all records about it up to newest.
// values is how many cells a shard has, or the number of the newest lease.
func (w *snapshotWriter) part(n, newest, values uint64) {
	w.uint(n)
	w.uint(newest)
	w.uint(values)
	w.flush(sectionPart)
}

// section writes a section, unless it is empty.
func (w *snapshotWriter) section(kind byte, payload []byte) {
	w.b = append(w.b, payload...)
	w.flush(kind)
}

// chunks are the payloads of sections of cells.
type chunks struct {
	all    []encoder
	values int
}

// next returns where to append the next cell.
func (c *chunks) next(w *snapshotWriter) *encoder {
	c.values++
	if n := len(c.all); n > 0 && len(c.all[n-1].b) < sectionSize {
		return &c.all[n-1]
	}
	var e encoder
	if n := len(w.spare); n > 0 {
		e.b, w.spare = w.spare[n-1][:0], w.spare[:n-1]
	}
	c.all = append(c.all, e)
	return &c.all[len(c.all)-1]
}

// keep keeps the buffers of chunks that were written.
func (w *snapshotWriter) keep(used []encoder) {
	for _, e := range used {
		w.spare = append(w.spare, e.b)
	}
}

// filled writes a section if there is enough for one.
func (w *snapshotWriter) filled(kind byte) {
	if len(w.b) >= sectionSize {
		w.flush(kind)
	}
}

// flush writes a section of what was encoded, unless that is nothing.
func (w *snapshotWriter) flush(kind byte) {
	if len(w.b) == 0 || w.err != nil {
		return
	}
	frame := binary.LittleEndian.AppendUint32([]byte{kind}, uint32(len(w.b)))
	sum := crc32.Update(crc32.Checksum(frame, castagnoli), castagnoli, w.b)
	for _, part := range [][]byte{frame, w.b, binary.LittleEndian.AppendUint32(nil, sum)} {
		if w.err == nil {
			_, w.err = w.out.Write(part)
		}
	}
	w.b = w.b[:0]
	w.count++
}

// end writes the last section.
func (w *snapshotWriter) end() error {
	w.uint(w.count)
	w.flush(sectionEnd)
	return w.err
}

// readSnapshot hands every section of a snapshot to section, in order. An error
// says what is wrong with the file.
// version is told first.
func readSnapshot(in io.Reader, size int64, begin func(version uint32), section func(kind byte, d *decoder) error) error {
	version, err := readHeader(in)
	if err != nil {
		return err
	}
	begin(version)
	size -= int64(headerSize)
	for count := uint64(0); ; count++ {
		kind, payload, err := readSection(in, size)
		if err != nil {
			return fmt.Errorf("section %d: %w", count+1, err)
		}
		size -= int64(frameSize + len(payload) + 4)
		d := &decoder{b: payload}
		if kind == sectionEnd {
			return readEnd(d, count, size)
		}
		if err = section(kind, d); err == nil {
			err = d.err
		}
		if err == nil && len(d.b) > 0 {
			err = errors.New("more values than expected")
		}
		if err != nil {
			return fmt.Errorf("section %d (%s): %w", count+1, sectionName(kind), err)
		}
	}
}

func readHeader(in io.Reader) (version uint32, err error) {
	head := make([]byte, headerSize)
	if _, err := io.ReadFull(in, head); err != nil {
		return 0, cut(err)
	}
	body, sum := head[:headerSize-4], binary.LittleEndian.Uint32(head[headerSize-4:])
	version = binary.LittleEndian.Uint32(body[len(snapshotMagic):])
	switch {
	case string(body[:len(snapshotMagic)]) != snapshotMagic:
		return 0, errors.New("it is not a snapshot of Weir")
	case crc32.Checksum(body, castagnoli) != sum:
		return 0, errors.New("the checksum of its header is wrong")
	case version > snapshotVersion:
		return 0, fmt.Errorf("%w (format %d; this one reads %d)", errNewer, version, snapshotVersion)
	case version < oldestSnapshot:
		return 0, fmt.Errorf("an unreleased Weir wrote it (format %d; this one reads %d)", version, snapshotVersion)
	}
	return version, nil
}

// readSection reads one section of at most size bytes.
func readSection(in io.Reader, size int64) (kind byte, payload []byte, err error) {
	frame := make([]byte, frameSize)
	if _, err := io.ReadFull(in, frame); err != nil {
		return 0, nil, cut(err)
	}
	n := int64(binary.LittleEndian.Uint32(frame[1:]))
	if n > size-int64(frameSize+4) {
		return 0, nil, errors.New("the file is cut short, or a length in it is wrong")
	}
	payload = make([]byte, n+4)
	if _, err := io.ReadFull(in, payload); err != nil {
		return 0, nil, cut(err)
	}
	payload, rest := payload[:n], payload[n:]
	sum := crc32.Update(crc32.Checksum(frame, castagnoli), castagnoli, payload)
	if sum != binary.LittleEndian.Uint32(rest) {
		return 0, nil, errors.New("the checksum is wrong")
	}
	return frame[0], payload, nil
}

// readEnd checks the last section, behind which size bytes are left.
func readEnd(d *decoder, count uint64, size int64) error {
	switch n := d.uint(); {
	case d.err != nil:
		return d.err
	case n != count:
		return fmt.Errorf("it has %d sections where %d were written", count, n)
	case size != 0:
		return fmt.Errorf("%d bytes follow its end", size)
	}
	return nil
}

// cut names the error of a file that ends too early.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file is cut short")
	}
	return err
}
