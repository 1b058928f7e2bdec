package contract

import (
	"net/http"

	"github.com/weirhq/weir/core"
)

// A Contract is how the decisions of one policy are told. It is immutable and
// safe for concurrent use.
type Contract struct {
	policy    string
	headers   headers
	limits    []*denial // by limit
	missing   *denial
	unknown   *denial
	usage     []*body
	challenge string // WWW-Authenticate of a 401, or empty
	possible  map[core.Outcome][]int
}

// An Answer is a response that Weir gives itself.
type Answer struct {
	Status      int
	ContentType string
	// Body is the caller's buffer with the body appended.
	Body []byte
}

// Headers returns the rate limit fields for the response to d's request,
// whoever answers it, and for a 401 its challenge. A response that the store
// could not decide has none.
func (c *Contract) Headers(d *core.Decision) Fields {
	switch {
	case tells(d):
		return c.headers.fields(d)
	case c.challenge != "" && c.challenged(d):
		return c.authenticate(d)
	default:
		return Fields{}
	}
}

// Owns returns the names of the fields that only the policy tells. A door
// removes an origin's own fields of these names, in whatever case, from every
// response. The caller must not change the slice.
func (c *Contract) Owns() []string { return c.headers.owned }

// Incomplete reports whether the answer to d names a limit that has no charge
// in d. A door calls Engine.Complete then, before Answer or Usage.
func (c *Contract) Incomplete(d *core.Decision) bool {
	b := c.body(d)
	return b != nil && b.incomplete(d)
}

// Answer returns the response to a request that is not let through. Its body is
// appended to buf. ok is false where the policy has no body of its own; the door
// then answers with an error of its own and Status, which is 0 where d lets the
// request through.
func (c *Contract) Answer(d *core.Decision, buf []byte) (a Answer, ok bool) {
	a.Status = c.status(d)
	b := c.body(d)
	if b == nil || d.Outcome == core.Usage {
		return a, false
	}
	a.ContentType, a.Body = b.contentType, b.append(buf, c, d)
	return a, true
}

// Usage returns the response to a request whose Outcome is Usage. Its body is
// appended to buf.
func (c *Contract) Usage(d *core.Decision, buf []byte) Answer {
	a := Answer{Status: http.StatusOK, Body: buf}
	if b := c.body(d); b != nil && d.Outcome == core.Usage {
		a.ContentType, a.Body = b.contentType, b.append(buf, c, d)
	}
	return a
}

// Placeholder returns the value of a placeholder such as weir.remaining or
// weir.limits.daily.used as text, for whatever a door lets refer to it. Without
// a prefix they speak of the refusing limit, on other requests of the one that
// the headers speak of. ok is false for names that there are none of.
func (c *Contract) Placeholder(d *core.Decision, name string) (text string, ok bool) {
	p, err := parsePlaceholder(name)
	if err != nil {
		return "", false
	}
	charge := d.Refuser()
	if charge == nil && tells(d) {
		charge = c.headers.speaker(d)
	}
	v := p.value(c, d, charge)
	return string(v.appendText(nil)), true
}

// denial returns how the policy words d's refusal, or nil.
func (c *Contract) denial(d *core.Decision) *denial {
	switch d.Outcome {
	case core.MissingCredential:
		return c.missing
	case core.UnknownCredential:
		return c.unknown
	case core.Denied:
		if r := d.Refuser(); r != nil && r.Limit.Index < len(c.limits) {
			return c.limits[r.Limit.Index]
		}
	}
	return nil
}

// body returns the body of the answer to d, or nil.
func (c *Contract) body(d *core.Decision) *body {
	if d.Outcome == core.Usage {
		if d.UsageIndex < len(c.usage) {
			return c.usage[d.UsageIndex]
		}
		return nil
	}
	if n := c.denial(d); n != nil {
		return n.body
	}
	return nil
}

// statuses of outcomes that no policy words.
var statuses = map[core.Outcome]int{
	core.Denied:            http.StatusTooManyRequests,
	core.MissingCredential: http.StatusUnauthorized,
	core.UnknownCredential: http.StatusUnauthorized,
	core.UnknownPlan:       http.StatusForbidden,
	core.BodyTooLarge:      http.StatusRequestEntityTooLarge,
	core.BodyEncoding:      http.StatusUnsupportedMediaType,
	core.BodyBroken:        http.StatusBadRequest,
	core.StoreFailed:       http.StatusServiceUnavailable,
	core.DirectoryFailed:   http.StatusServiceUnavailable,
	core.Usage:             http.StatusOK,
}

// status returns the status of the answer to d, 0 if Weir gives none.
func (c *Contract) status(d *core.Decision) int {
	if n := c.denial(d); n != nil {
		return n.status
	}
	return statuses[d.Outcome]
}
