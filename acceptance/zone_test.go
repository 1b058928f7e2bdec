package acceptance

import (
	"encoding/binary"
	"time"
)

// zoned moves a page's calendar from UTC to a zone that is this much ahead of
// it, so that a day or month can end while a test waits. The offset need not
// be one that any country has.
func zoned(calendar string, ahead time.Duration) edit {
	const name = "Shifted"
	return edit{from: calendar + " UTC", to: calendar + " " + name, file: name, content: tzif(ahead)}
}

// tzif is a zone with one constant offset (RFC 9636, version 1).
func tzif(ahead time.Duration) []byte {
	text := append([]byte("TZif"), make([]byte, 16)...)
	for _, count := range []uint32{0, 0, 0, 0, 1, 4} { // one type, four bytes of names
		text = binary.BigEndian.AppendUint32(text, count)
	}
	text = binary.BigEndian.AppendUint32(text, uint32(int32(ahead/time.Second)))
	text = append(text, 0, 0) // not daylight saving, the name at 0
	return append(text, "SHF\x00"...)
}
