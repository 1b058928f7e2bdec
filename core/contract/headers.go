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
	var buf [160]byte
	w := writer{text: buf[:0]}
	denied := d.Outcome == core.Denied
	switch h.dialect {
	case xRateLimit:
		if c := h.speaker(d); c != nil && c.Max != core.Unlimited {
			h.speak(&w, c, d.Now.Wall, denied)
		}
	case ietf:
		h.list(&w, d, denied)
	}
	if denied && h.when[partRetryAfter] != never {
		if c := d.Refuser(); c != nil {
			if seconds, ok := retryAfter(c); ok {
				w.text = strconv.AppendInt(w.text, seconds, 10)
				w.add(h.names[partRetryAfter])
			}
		}
	}
	return w.done()
}

// speak writes the x-ratelimit dialect.
func (h *headers) speak(w *writer, c *core.Charge, now int64, denied bool) {
	scale := c.Limit.Scale()
	if h.shows(partLimit, denied) {
		w.text = appendAmount(w.text, c.Max, scale)
		w.add(h.names[partLimit])
	}
	if h.shows(partRemaining, denied) {
		w.text = appendAmount(w.text, c.Remaining(), scale)
		w.add(h.names[partRemaining])
	}
	if µs, ok := reset(c); ok && h.shows(partReset, denied) {
		w.text = h.form.append(w.text, now, µs)
		w.add(h.names[partReset])
	}
	if seconds := window(c, now); seconds > 0 && h.shows(partWindow, denied) {
		w.text = strconv.AppendInt(w.text, seconds, 10)
		w.add(h.names[partWindow])
	}
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
