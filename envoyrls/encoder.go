package envoyrls

import (
	"math"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// An encoder writes a message in protobuf's wire format, field after field.
type encoder struct{ out []byte }

// tag writes a field's number, up to 15, and wire type.
func (e *encoder) tag(field protowire.Number, wire protowire.Type) {
	e.out = append(e.out, byte(field)<<3|byte(wire))
}

// varint writes a number. Most take one byte.
func (e *encoder) varint(n uint64) {
	if n < 0x80 {
		e.out = append(e.out, byte(n))
		return
	}
	e.out = protowire.AppendVarint(e.out, n)
}

// name writes a string field whose value is UTF-8 for sure.
func (e *encoder) name(field protowire.Number, value string) {
	e.tag(field, protowire.BytesType)
	e.varint(uint64(len(value)))
	e.out = append(e.out, value...)
}

// text writes a string field. Bytes that are no UTF-8, which no string may have,
// are written as U+FFFD.
func (e *encoder) text(field protowire.Number, value string) {
	if !utf8.ValidString(value) {
		value = strings.ToValidUTF8(value, "\uFFFD")
	}
	e.name(field, value)
}

// bytes writes a bytes field, unless it is empty.
func (e *encoder) bytes(field protowire.Number, value []byte) {
	if len(value) > 0 {
		e.tag(field, protowire.BytesType)
		e.out = protowire.AppendBytes(e.out, value)
	}
}

// number writes a field of a whole number, unless that is 0.
func (e *encoder) number(field protowire.Number, value uint64) {
	if value != 0 {
		e.tag(field, protowire.VarintType)
		e.varint(value)
	}
}

// double writes a field of type double.
func (e *encoder) double(field protowire.Number, value float64) {
	e.tag(field, protowire.Fixed64Type)
	e.out = protowire.AppendFixed64(e.out, math.Float64bits(value))
}

// open begins a field that is a message, and returns what close wants.
func (e *encoder) open(field protowire.Number) (start int) {
	e.tag(field, protowire.BytesType)
	e.out = append(e.out, 0) // enough for most
	return len(e.out)
}

// close ends the field that open began.
func (e *encoder) close(start int) {
	n := len(e.out) - start
	if n < 0x80 {
		e.out[start-1] = byte(n)
		return
	}
	more := (bits.Len(uint(n))+6)/7 - 1 // bytes of the length behind the first
	e.out = slices.Grow(e.out, more)[:len(e.out)+more]
	copy(e.out[start+more:], e.out[start:len(e.out)-more])
	protowire.AppendVarint(e.out[:start-1], uint64(n))
}
