package memory

import (
	"encoding/binary"
	"errors"

	"github.com/weirhq/weir/core"
)

// errShort is a value that ends too early, or a length that is too large.
var errShort = errors.New("a value is cut short")

// An encoder appends values to b.
type encoder struct{ b []byte }

func (e *encoder) int(n int64)   { e.b = binary.AppendVarint(e.b, n) }
func (e *encoder) uint(n uint64) { e.b = binary.AppendUvarint(e.b, n) }
func (e *encoder) word(n uint64) { e.b = binary.LittleEndian.AppendUint64(e.b, n) }

func (e *encoder) string(s string) {
	e.uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) scope(s core.Scope) {
	e.word(s.Hi)
	e.word(s.Lo)
}

// A decoder takes values from b. After a mistake it answers zeros, and err says
// which it was.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) more() bool { return d.err == nil && len(d.b) > 0 }

func (d *decoder) fail() {
	if d.err == nil {
		d.err = errShort
	}
	d.b = nil
}

func (d *decoder) int() int64 {
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) uint() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[size:]
	return n
}

// bytes returns the next n bytes, which alias the input.
func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) word() uint64 {
	if b := d.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) string() string { return string(d.bytes(d.uint())) }

func (d *decoder) scope() core.Scope { return core.Scope{Hi: d.word(), Lo: d.word()} }
func (d *decoder) id() core.ID       { return core.ID{Hi: d.word(), Lo: d.word()} }
