package memory

import (
	"strconv"
	"testing"
)

// TestTombstonesOfOneName: a name that is released again and again takes the place of one
// tombstone, and pushes no other out; of as many as there may be the one goes that was
// released the longest ago.
func TestTombstonesOfOneName(t *testing.T) {
	var tombs tombstones
	tombs.add("job", 1)
	for n := range uint64(2 * maxTombstones) {
		tombs.add("poll", 2+n)
	}
	if !tombs.concerns("job", 1) || len(tombs.queue) != 2 {
		t.Fatalf("%d tombstones of 2 names; that of the first: %d", len(tombs.queue), tombs.last["job"])
	}
	now := uint64(3 * maxTombstones)
	for n := range uint64(maxTombstones - 1) {
		tombs.add(strconv.FormatUint(n, 10), now+n)
	}
	if tombs.concerns("job", 1) || !tombs.concerns("poll", now-maxTombstones) || len(tombs.queue) != maxTombstones || len(tombs.last) != maxTombstones {
		t.Fatalf("%d tombstones of %d names; the first: %d, the second: %d", len(tombs.queue), len(tombs.last), tombs.last["job"], tombs.last["poll"])
	}
	tombs.forget(2 + 2*maxTombstones)
	if tombs.concerns("poll", 1) || !tombs.concerns("0", now) {
		t.Errorf("the second: %d, the third: %d", tombs.last["poll"], tombs.last["0"])
	}
	if tombs.forget(2 * now); len(tombs.last) != 0 || tombs.queue != nil {
		t.Errorf("%d tombstones, %d queued", len(tombs.last), len(tombs.queue))
	}
}
