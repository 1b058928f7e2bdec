package caddymodule

import (
	"net/http"
	"strings"
	"testing"
)

// minute is a policy of 2 requests a rolling minute per key.
const minute = `weir {
		store memory volatile
		policy api {
			subject {header.X-API-Key}
			limit requests {
				rolling 60s
				max 2
			}
			headers x-ratelimit unix
			deny 429 ` + "`" + `{"error":"slow down","limit":{weir.max}}` + "`" + `
		}
	}`

func TestRefusesWhatThePageRefuses(t *testing.T) {
	hits := 0
	up := origin(t, func(w http.ResponseWriter, _ *http.Request) { hits++ })
	g := start(t, minute, "weir api\nreverse_proxy "+up)
	for _, remaining := range []string{"1", "0"} {
		e := g.do("GET", "/", "X-API-Key: alice")
		g.wantStatus(e, 200)
		if got := e.header.Get("X-RateLimit-Remaining"); got != remaining {
			t.Errorf("remaining %q, want %s", got, remaining)
		}
	}
	e := g.do("GET", "/", "X-API-Key: alice")
	g.wantStatus(e, 429)
	if e.body != `{"error":"slow down","limit":2}` || e.header.Get("Content-Type") != "application/json" {
		t.Errorf("answered %q %v", e.body, e.header)
	}
	if e.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	g.wantStatus(g.do("GET", "/", "X-API-Key: bob"), 200)
	g.wantStatus(g.do("GET", "/"), 401)
	if hits != 3 {
		t.Errorf("the origin got %d requests, want 3", hits)
	}
}

func TestHeaderNamesOnTheWire(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Ratelimit-Limit", "7")
		w.Header().Add("X-RateLimit-Remaining", "7")
		w.Header().Add("X-RateLimit-Reset", "7")
	})
	g := start(t, minute, "weir api\nreverse_proxy "+up)
	wire := g.raw("GET / HTTP/1.1\nHost: " + g.site + "\nX-API-Key: alice\nConnection: close\n\n")
	for _, name := range []string{"X-RateLimit-Limit: 2\n", "X-RateLimit-Remaining: 1\n", "X-RateLimit-Reset: "} {
		if n := strings.Count(wire, name); n != 1 {
			t.Errorf("%q occurs %d times", name, n)
		}
	}
	if n := strings.Count(strings.ToLower(wire), "x-ratelimit-"); n != 3 {
		t.Errorf("%d rate limit fields, want 3:\n%s", n, wire)
	}
}
