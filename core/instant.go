package core

import "time"

// An Instant is one reading of the clock. A door takes it once per request.
type Instant struct {
	// Wall is the machine's wall clock in µs since the Unix epoch. It steps
	// when the machine's clock is set. Fixed and calendar windows use it, and
	// so do the moments that headers tell.
	Wall int64
	// Steady is in µs since the Unix epoch too, but only ever moves as a
	// monotonic clock does. Rolling windows, buckets and holds use it.
	Steady int64
}

// Add returns the instant that is d µs later.
func (i Instant) Add(d int64) Instant {
	return Instant{Wall: i.Wall + d, Steady: i.Steady + d}
}

// A Clock reads the time. Its steady readings start at the wall clock's value
// of the moment the Clock was made.
type Clock struct {
	start     time.Time
	startNano int64
}

// NewClock returns a Clock that starts now.
func NewClock() *Clock {
	now := time.Now()
	return &Clock{start: now, startNano: now.UnixNano()}
}

// Now reads the clock, once.
func (c *Clock) Now() Instant {
	now := time.Now()
	return Instant{
		Wall:   now.UnixMicro(),
		Steady: (c.startNano + now.Sub(c.start).Nanoseconds()) / 1000,
	}
}
