package acceptance

import (
	"encoding/binary"
	"strings"
	"time"
)

// zoned moves a page's calendar from UTC to a zone that is this much ahead of
// it, so that a day can end while a test waits, and a month with that day if
// the day is its anchor. The offset need not be one that any country has.
func zoned(calendar string, ahead time.Duration, anchor string) edit {
	const name = "Shifted"
	to := strings.TrimSpace(calendar + " " + name + " " + anchor)
	return edit{from: calendar + " UTC", to: to, file: name, content: tzif(ahead)}
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
