package contract

import (
	"encoding/json"
	"net/http"

	"github.com/weirhq/weir/core"
)

const problemType = "application/problem+json"

// A problem's type and title. The URIs and titles of the first two are those of
// draft-ietf-httpapi-ratelimit-headers-11, sections 5 and 10.2. (Its third,
// abnormal-usage-detected, tells of something that Weir does not look for.)
type problem struct{ uri, title string }

var (
	quotaExceeded   = problem{"https://iana.org/assignments/http-problem-types#quota-exceeded", "Quota Exceeded"}
	reducedCapacity = problem{"https://iana.org/assignments/http-problem-types#temporary-reduced-capacity", "Temporary Reduced Capacity"}
)

// problemOf returns the problem that a status tells. One that is not about a
// quota is about:blank, with the status's own phrase (RFC 9457, section 4.2.1).
func problemOf(status int, s scope) problem {
	switch {
	case s == fallbackScope:
		return problem{"about:blank", http.StatusText(status)}
	case status == http.StatusServiceUnavailable:
		return reducedCapacity
	default:
		return quotaExceeded
	}
}

// problem checks what a problem leaves no choice of.
func (k *compiler) problem(path string, d *core.DenyConfig) {
	if d.Body != "" {
		k.fail(path+".body", "problem makes the body; leave out one of them")
	}
	if d.ContentType != "" && d.ContentType != problemType {
		k.fail(path+".content_type", "a problem is %s", problemType)
	}
}

// newProblem returns the body of a problem: RFC 9457, section 3.
func newProblem(status int, s scope) *body {
	p := problemOf(status, s)
	head, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
	}{p.uri, p.title, status})
	if err != nil { // strings and a number always are JSON
		return nil
	}
	b := &body{contentType: problemType}
	if s == fallbackScope {
		b.segments = []segment{{literal: string(head)}}
		return b
	}
	open := string(head[:len(head)-1]) + `,"violated-policies":`
	b.segments = []segment{{literal: open}, {place: placeholder{what: whatViolated}, as: asJSON}, {literal: "}"}}
	return b
}

// appendViolated writes the names of the limits that refuse d, in policy order,
// as a JSON array.
func appendViolated(b []byte, d *core.Decision) []byte {
	b = append(b, '[')
	start := len(b)
	for i := range d.Charges {
		c := &d.Charges[i]
		if !c.Denies() {
			continue
		}
		if len(b) > start {
			b = append(b, ',')
		}
		b = appendQuoted(b, c.Limit.Name)
	}
	return append(b, ']')
}
