package contract

import (
	"math/bits"
	"strconv"
	"time"

	"github.com/weirhq/weir/core"
)

const (
	second      = 1_000_000 // µs
	millisecond = 1_000
)

// A form is how a moment is written.
type form uint8

const (
	unix  form = iota // seconds since the epoch
	delta             // seconds from now
	iso               // ISO 8601 with milliseconds, in UTC
)

var forms = []string{"unix", "delta", "iso"}

// isoLayout is RFC 3339's profile of ISO 8601, with exactly three decimals.
const isoLayout = "2006-01-02T15:04:05.000Z07:00"

// append writes the moment that is wait µs after now, as reset gave it for c,
// rounded up.
func (f form) append(b []byte, c *core.Charge, now, wait int64) []byte {
	switch f {
	case delta:
		return strconv.AppendInt(b, seconds(c, wait), 10)
	case iso:
		t := time.UnixMicro(ceil(now+wait, millisecond) * millisecond)
		return t.UTC().AppendFormat(b, isoLayout)
	default:
		return strconv.AppendInt(b, ceil(now+wait, second), 10)
	}
}

// ceil returns n/unit rounded up, for n ≥ 0.
func ceil(n, unit int64) int64 { return (n + unit - 1) / unit }

// wait returns after how many µs the cost of c fits; where nobody can know,
// what the limit announces instead. ok is false where it announces nothing.
func wait(c *core.Charge) (µs int64, ok bool) {
	if c.Wait != core.Unknown {
		return c.Wait, true
	}
	return c.Limit.Retry, c.Limit.Retry > 0
}

// retryAfter returns how many whole seconds to wait before c's request is worth
// another try: from 1 where c refuses it, 0 where it fits now.
func retryAfter(c *core.Charge) (seconds int64, ok bool) {
	µs, ok := wait(c)
	if c.Refused {
		return max(1, ceil(µs, second)), ok
	}
	return ceil(µs, second), ok
}

// reset returns after how many µs c resets: when its cost fits, if c refuses
// its request, else when Remaining next grows. Windows that the clock or the
// calendar sets end whether or not anything was used.
func reset(c *core.Charge, now int64) (µs int64, ok bool) {
	if c.Denies() {
		return wait(c)
	}
	if c.Used > 0 {
		return c.Grow, c.Grow != core.Unknown
	}
	switch c.Limit.Kind {
	case core.Hold: // whose slots end when they end
		return 0, false
	case core.Fixed:
		return c.Limit.Length - now%c.Limit.Length, true
	case core.Calendar:
		return calendarEnd(c, now) - now, true
	default:
		return c.Grow, c.Grow != core.Unknown
	}
}

// calendarEnd returns when c's window ends. The store's clock may have been
// ahead of the door's.
func calendarEnd(c *core.Charge, now int64) int64 {
	if now >= c.Window.End {
		return c.Window.Next
	}
	return c.Window.End
}

// seconds returns the whole seconds of a wait that reset gave for c. That of an
// admitted request's rolling limit is told from the end of the millisecond in
// which it was charged, so that it never exceeds the window.
func seconds(c *core.Charge, µs int64) int64 {
	if c.Limit.Kind == core.Rolling && !c.Denies() {
		µs = min(µs, c.Limit.Length)
	}
	return ceil(µs, second)
}

// window returns the whole seconds in which Max is available anew: the length
// of a window, of the current calendar window, or the time in which a full
// burst drains; 0 where there is no such time.
func window(c *core.Charge, now int64) int64 {
	switch c.Limit.Kind {
	case core.Rolling, core.Fixed:
		return ceil(c.Limit.Length, second)
	case core.Calendar:
		if now >= c.Window.End { // the store's clock was ahead of the door's
			return ceil(c.Window.Next-c.Window.End, second)
		}
		return ceil(c.Window.End-c.Window.Start, second)
	case core.Bucket:
		return ceil(drain(c), second)
	default:
		return 0
	}
}

// drain returns the µs in which a full bucket drains, saturating.
func drain(c *core.Charge) int64 {
	if c.Max == core.Unlimited {
		return 0
	}
	hi, lo := bits.Mul64(uint64(c.Max), uint64(c.Limit.Length))
	rate := uint64(max(1, c.Rate))
	if hi >= rate {
		return core.MaxAmount
	}
	µs, _ := bits.Div64(hi, lo, rate)
	return int64(min(µs, uint64(core.MaxAmount)))
}
