package core

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// byteOrderMarks tell how a text is encoded; longer ones come before those that
// they begin with.
var byteOrderMarks = []struct {
	mark   string
	decode func([]byte) []byte
}{
	{"\xef\xbb\xbf", func(b []byte) []byte { return b }},
	{"\x00\x00\xfe\xff", func(b []byte) []byte { return fromUTF32(b, binary.BigEndian) }},
	{"\xff\xfe\x00\x00", func(b []byte) []byte { return fromUTF32(b, binary.LittleEndian) }},
	{"\xfe\xff", func(b []byte) []byte { return fromUTF16(b, binary.BigEndian) }},
	{"\xff\xfe", func(b []byte) []byte { return fromUTF16(b, binary.LittleEndian) }},
}

// toUTF8 returns a JSON text in UTF-8, which it most often is: decoders tell
// others by a byte order mark, or by the zeros among the first four bytes (RFC
// 4627, section 3), for a JSON text begins with ASCII and has no zeros.
func toUTF8(b []byte) []byte {
	for _, m := range byteOrderMarks {
		if rest, ok := bytes.CutPrefix(b, []byte(m.mark)); ok {
			return m.decode(rest)
		}
	}
	switch {
	case len(b) < 4 || b[0] != 0 && b[1] != 0:
		return b
	case b[0] == 0 && b[1] == 0:
		return fromUTF32(b, binary.BigEndian)
	case b[0] == 0:
		return fromUTF16(b, binary.BigEndian)
	case b[2] == 0 && b[3] == 0:
		return fromUTF32(b, binary.LittleEndian)
	}
	return fromUTF16(b, binary.LittleEndian)
}

func fromUTF16(b []byte, order binary.ByteOrder) []byte {
	out := make([]byte, 0, len(b)/2+len(b)/8)
	for ; len(b) >= 2; b = b[2:] {
		r := rune(order.Uint16(b))
		if utf16.IsSurrogate(r) && len(b) >= 4 {
			if pair := utf16.DecodeRune(r, rune(order.Uint16(b[2:]))); pair != utf8.RuneError {
				r, b = pair, b[2:]
			}
		}
		out = utf8.AppendRune(out, r) // U+FFFD for half a pair
	}
	return out
}

func fromUTF32(b []byte, order binary.ByteOrder) []byte {
	out := make([]byte, 0, len(b)/4+len(b)/16)
	for ; len(b) >= 4; b = b[4:] {
		out = utf8.AppendRune(out, rune(min(order.Uint32(b), utf8.MaxRune+1)))
	}
	return out
}
