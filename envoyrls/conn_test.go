package envoyrls

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// frame returns a frame's bytes.
func frame(kind byte, stream uint32, payload string) string {
	n := len(payload)
	return string([]byte{byte(n >> 16), byte(n >> 8), byte(n), kind, 0xff, byte(stream >> 24), byte(stream >> 16), byte(stream >> 8), byte(stream)}) + payload
}

// TestScan: resets are found however their bytes arrive, and nothing else is one.
func TestScan(t *testing.T) {
	reset := frame(typeRSTStream, 5, "\x00\x00\x00\x08")
	wire := strings.Repeat("\x03", preface) + // the client's preface, of whatever bytes
		frame(4, 0, "") + frame(1, 1, reset) + frame(0, 3, strings.Repeat(reset, 100)) +
		reset + frame(typeRSTStream, 1<<31|7, "\x00\x00\x00\x00") + frame(6, 0, "12345678") + frame(typeRSTStream, 9, "\x00\x00\x00\x01")
	for _, size := range []int{1, 2, 8, 9, 10, 13, 1000, len(wire)} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			c := newConn(nil)
			var ended []uint32
			for _, stream := range []uint32{1, 3, 5, 7} {
				if !c.hold(stream, func() { ended = append(ended, stream) }) {
					t.Fatalf("stream %d is reset", stream)
				}
			}
			for part := range slices.Chunk([]byte(wire), size) {
				c.scan(part)
			}
			if !slices.Equal(ended, []uint32{5, 7}) {
				t.Errorf("ended %v", ended)
			}
			if c.hold(9, nil) {
				t.Error("a stream is held that was reset before")
			}
			c.forget(3)
			if len(c.held) != 1 {
				t.Errorf("%d held", len(c.held))
			}
		})
	}
}

// TestVoices: a cost that was told counts, and hits only of what Weir admitted.
func TestVoices(t *testing.T) {
	e := done{hits: 3}
	if e.voice() != nil {
		t.Error("hits without an id are heard")
	}
	e.id.Lo = 1
	if v := e.voice(); v == nil || v.Cost != 3_000_000 {
		t.Errorf("%+v", v)
	}
	e.cost = []string{"0"}
	if v := e.voice(); v == nil || !v.HasCost || v.Cost != 0 {
		t.Errorf("%+v", v)
	}
}
