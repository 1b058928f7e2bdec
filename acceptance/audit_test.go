package acceptance

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	digits  = regexp.MustCompile(`^[0-9]+$`)
	isoTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
	number  = regexp.MustCompile(`[0-9]+`)
)

// The names of the rate headers in net/http's spelling.
const (
	limitHeader     = "X-Ratelimit-Limit"
	remainingHeader = "X-Ratelimit-Remaining"
	resetHeader     = "X-Ratelimit-Reset"
	windowHeader    = "X-Ratelimit-Window"
	retryHeader     = "Retry-After"
)

// iso reports whether the page's Reset is a timestamp rather than Unix seconds.
func (g *Gateway) iso() bool { return g.Page == "headshotpro" || g.Page == "outfit" }

// audit checks what holds for every answer of every page: C3 (the client sees
// no Weir header), C13 (each rate header once, in plain digits; Retry-After in
// whole seconds from 1 and only on 429), the form of Reset, and that a refusal
// is JSON.
func (g *Gateway) audit(t testing.TB, a *Answer) {
	t.Helper()
	for name, values := range a.Header {
		switch {
		case strings.HasPrefix(strings.ToLower(name), "weir-"):
			t.Errorf("C3: the client sees %s: %q\n%v", name, values, a)
		case strings.HasPrefix(name, "X-Ratelimit-") || name == retryHeader:
			g.auditRate(t, a, name, values)
		}
	}
	for name := range a.Trailer {
		if strings.HasPrefix(strings.ToLower(name), "weir-") {
			t.Errorf("C3: the client sees the trailer %s\n%v", name, a)
		}
	}
	if a.Status == 429 && a.Call.Method != "HEAD" && !json.Valid(a.Body) {
		t.Errorf("C12: the refusal is no JSON: %v", a)
	}
}

func (g *Gateway) auditRate(t testing.TB, a *Answer, name string, values []string) {
	t.Helper()
	if len(values) != 1 {
		t.Errorf("C13: %s occurs %d times: %q\n%v", name, len(values), values, a)
		return
	}
	form := digits
	if name == resetHeader && g.iso() {
		form = isoTime
	}
	if !form.MatchString(values[0]) {
		t.Errorf("C13: %s: %q\n%v", name, values[0], a)
	}
	if name != retryHeader {
		return
	}
	if a.Status != 429 {
		t.Errorf("C13: Retry-After on a %d\n%v", a.Status, a)
	}
	if values[0] == "0" {
		t.Errorf("C13: Retry-After is 0\n%v", a)
	}
}

// number is a header's value, which must be there.
func (a *Answer) number(t testing.TB, name string) int {
	t.Helper()
	n, err := strconv.Atoi(a.Header.Get(name))
	if err != nil {
		t.Fatalf("%s: %q is no number: %v", name, a.Header.Get(name), a)
	}
	return n
}

// rate requires Limit, Remaining and the presence of Reset.
func (a *Answer) rate(t testing.TB, limit, remaining int) *Answer {
	t.Helper()
	if a.quota(t, limit, remaining); a.Header.Get(resetHeader) == "" {
		t.Errorf("no X-RateLimit-Reset: %v", a)
	}
	return a
}

// quota requires Limit and Remaining.
func (a *Answer) quota(t testing.TB, limit, remaining int) *Answer {
	t.Helper()
	l, r := a.number(t, limitHeader), a.number(t, remainingHeader)
	if l != limit || r != remaining {
		t.Errorf("Limit %d, Remaining %d, want %d and %d: %v", l, r, limit, remaining, a)
	}
	return a
}

// lacks requires that none of the headers is there.
func (a *Answer) lacks(t testing.TB, names ...string) *Answer {
	t.Helper()
	for _, name := range names {
		if v := a.Header.Values(name); len(v) > 0 {
			t.Errorf("%s: %q is there: %v", name, v, a)
		}
	}
	return a
}

// unlimited requires that no rate header is there.
func (a *Answer) unlimited(t testing.TB) *Answer {
	t.Helper()
	return a.lacks(t, limitHeader, remainingHeader, resetHeader, windowHeader, retryHeader)
}

// reset is the moment that X-RateLimit-Reset announces.
func (a *Answer) reset(t testing.TB) time.Time {
	t.Helper()
	text := a.Header.Get(resetHeader)
	if isoTime.MatchString(text) {
		at, err := time.Parse("2006-01-02T15:04:05.000Z", text)
		if err != nil {
			t.Fatalf("X-RateLimit-Reset: %v", err)
		}
		return at
	}
	return time.Unix(int64(a.number(t, resetHeader)), 0)
}

// withinMinute requires Retry-After to be no longer than the rolling minute:
// nothing counts for more than that (C8).
func (a *Answer) withinMinute(t testing.TB) *Answer {
	t.Helper()
	if wait := a.retryAfter(t); wait > minute {
		t.Errorf("C8: Retry-After is %v: %v", wait, a)
	}
	return a
}

// retryAfter is the wait that Retry-After announces.
func (a *Answer) retryAfter(t testing.TB) time.Duration {
	t.Helper()
	return time.Duration(a.number(t, retryHeader)) * time.Second
}
