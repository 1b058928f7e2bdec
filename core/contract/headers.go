package contract

import (
	"strconv"

	"github.com/weirhq/weir/core"
)

// A when says on which answers a field appears.
type when uint8

const (
	always when = iota
	onDenial
	never
)

var whens = []string{"always", "on_denial", "never"}

// A dialect is a family of header fields.
type dialect uint8

const (
	noDialect dialect = iota
	xRateLimit
	ietf
)

var dialects = []string{"none", "x-ratelimit", "ratelimit"}

// The parts of a rate limit that headers tell.
const (
	partLimit = iota
	partRemaining
	partReset
	partWindow
	partRetryAfter
	partKey
	parts
)

var partNames = []string{"limit", "remaining", "reset", "window", "retry_after", "pk"}

// headers are a compiled HeadersConfig.
type headers struct {
	dialect  dialect
	form     form
	limit    string // the limit that speaks; "" for the policy's own choice
	tightest bool
	when     [parts]when
	names    [parts]string
	items    []item   // of the IETF's dialect, by limit
	owned    []string // see Contract.Owns
}

// field names of the two dialects, RateLimit and RateLimit-Policy being those of
// draft-ietf-httpapi-ratelimit-headers-11, sections 3 and 4. Retry-After is RFC
// 9110's, section 10.2.3.
var (
	xNames = [parts]string{
		partLimit: "X-RateLimit-Limit", partRemaining: "X-RateLimit-Remaining", partReset: "X-RateLimit-Reset",
		partWindow: "X-RateLimit-Window", partRetryAfter: "Retry-After",
	}
	ietfNames = [parts]string{partLimit: "RateLimit-Policy", partRemaining: "RateLimit", partRetryAfter: "Retry-After"}
)

// shows reports whether the part appears on an answer.
func (h *headers) shows(part int, denied bool) bool {
	return h.when[part] == always || h.when[part] == onDenial && denied
}

// fields returns the headers of an admitted or denied request.
func (h *headers) fields(d *core.Decision) Fields {
	var w writer
	var buf [160]byte
	b := buf[:0]
	denied := d.Outcome == core.Denied
	switch h.dialect {
	case xRateLimit:
		if c := h.speaker(d); c != nil {
			b = h.speak(&w, b, c, d.Now.Wall, denied)
		}
	case ietf:
		b = h.list(&w, b, d, denied)
	}
	if seconds, ok := h.retry(d); ok {
		b = strconv.AppendInt(b, seconds, 10)
		w.add(h.names[partRetryAfter], b)
	}
	return w.done(b)
}

// retry returns the seconds of Retry-After, which is the refusing limit's
// whichever limit speaks.
func (h *headers) retry(d *core.Decision) (seconds int64, ok bool) {
	c := d.Refuser()
	if c == nil || h.when[partRetryAfter] == never {
		return 0, false
	}
	return retryAfter(c)
}

// speak appends the x-ratelimit dialect to b.
func (h *headers) speak(w *writer, b []byte, c *core.Charge, now int64, denied bool) []byte {
	scale := c.Limit.Scale()
	if h.shows(partLimit, denied) {
		b = appendAmount(b, c.Max, scale)
		w.add(h.names[partLimit], b)
	}
	if h.shows(partRemaining, denied) {
		b = appendAmount(b, c.Remaining(), scale)
		w.add(h.names[partRemaining], b)
	}
	if µs, ok := reset(c, now); ok && h.shows(partReset, denied) {
		b = h.form.append(b, c, now, µs)
		w.add(h.names[partReset], b)
	}
	if seconds := window(c, now); seconds > 0 && h.shows(partWindow, denied) {
		b = strconv.AppendInt(b, seconds, 10)
		w.add(h.names[partWindow], b)
	}
	return b
}

// appendAmount writes n/scale as a decimal number.
func appendAmount(b []byte, n, scale int64) []byte {
	if scale == 1 && n != core.Unlimited {
		return strconv.AppendInt(b, n, 10)
	}
	return append(b, core.FormatAmount(n, scale)...)
}

// owns returns the names of the fields that tell of limits. Retry-After is not
// among them: on an admitted request it is the origin's to say.
func (h *headers) owns() []string {
	var names []string
	for part, name := range h.names {
		if name != "" && part != partRetryAfter {
			names = append(names, name)
		}
	}
	return names
}
