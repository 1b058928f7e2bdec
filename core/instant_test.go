package core

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestDefinitionClock: the steady reading starts at the wall clock's and moves
// as a monotonic clock does, in µs.
func TestDefinitionClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wall := time.Now().UnixMicro()
		c := NewClock()
		if now := c.Now(); now.Wall != wall || now.Steady != wall {
			t.Errorf("%+v, want %d", now, wall)
		}
		time.Sleep(1500 * time.Microsecond)
		if now := c.Now(); now.Wall != wall+1500 || now.Steady != wall+1500 {
			t.Errorf("%+v, want %d", now, wall+1500)
		}
	})
}
