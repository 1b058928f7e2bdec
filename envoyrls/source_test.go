package envoyrls

import (
	"testing"

	limit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"

	"github.com/weirhq/weir/core"
)

// sourceOf returns the source of key, value pairs.
func sourceOf(pairs ...string) *source {
	s := new(source)
	for i := 0; i+1 < len(pairs); i += 2 {
		s.entries = append(s.entries, &limit.RateLimitDescriptor_Entry{Key: pairs[i], Value: pairs[i+1]})
	}
	return s
}

func TestAttributes(t *testing.T) {
	s := sourceOf(
		"method", "GET", "path", "/a/%62//C?q=1&q=2&e=%20#f?q=3", "host", "API.Example.com:8080",
		"remote_address", "[2001:db8::1%eth0]:443", "header.X-Api-KEY", "k", "header.x-api-key", "other",
		"header.cookie", "a=1; b=2; a=3", "cookie.b", "own", "tenant", "acme", "query.own", "v", "empty", "",
	)
	if s.method() != "GET" || s.path() != "/a/b/c" {
		t.Errorf("%s %s", s.method(), s.path())
	}
	for _, tc := range []struct {
		ref, want string
		missing   bool
	}{
		{"{host}", "api.example.com", false},
		{"{client_ip}", "2001:db8::1", false},
		{"{header.x-API-key}", "k", false},
		{"{header.Host}", "API.Example.com:8080", false},
		{"{header.x-api}", "", true},
		{"{query.q}", "1", false},
		{"{query.e}", " ", false},
		{"{query.own}", "v", false},
		{"{query.none}", "", true},
		{"{cookie.a}", "1", false},
		{"{cookie.b}", "own", false},
		{"{cookie.c}", "", true},
		{"{tenant}", "acme", false},
		{"{empty}", "", false},
		{"{Tenant}", "", true},
		{"{json.n}", "", true},
	} {
		ref, err := core.ParseRef(tc.ref)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := s.Attribute(&ref); got != tc.want || ok == tc.missing {
			t.Errorf("%s: %q, %v", tc.ref, got, ok)
		}
	}
}

// TestSpellings: the names that Envoy's own actions and pseudo-headers give, and
// nothing at all.
func TestSpellings(t *testing.T) {
	s := sourceOf(":method", "POST", ":path", "/x?y", ":authority", "[::1]:80", "client_ip", "192.0.2.1:5")
	host, _ := s.host()
	ip, _ := s.clientIP()
	if s.method() != "POST" || s.path() != "/x" || host != "::1" || ip != "192.0.2.1" {
		t.Errorf("%s %s %s %s", s.method(), s.path(), host, ip)
	}
	none := sourceOf()
	if _, ok := none.clientIP(); ok || none.method() != "" || none.path() != "/" {
		t.Error("nothing is something")
	}
	if p := sourceOf("path", "/%zz/A").path(); p != "/%zz/a" {
		t.Errorf("path %s", p)
	}
}

// TestLeading: which of several decisions the answer tells.
func TestLeading(t *testing.T) {
	decision := func(o core.Outcome, wait int64) *core.Decision {
		d := &core.Decision{Outcome: o}
		if o == core.Denied {
			d.Charges = []core.Charge{{Limit: new(core.Limit), State: core.State{Refused: true, Wait: wait}}}
		}
		return d
	}
	passed, admitted, withheld := decision(core.Passed, 0), decision(core.Admitted, 0), decision(core.Withheld, 0)
	short, long, unknown := decision(core.Denied, 1), decision(core.Denied, 2), decision(core.Denied, core.Unknown)
	missing := decision(core.MissingCredential, 0)
	for i, tc := range []struct {
		all  []*core.Decision
		want *core.Decision
	}{
		{[]*core.Decision{passed}, passed},
		{[]*core.Decision{passed, admitted}, admitted},
		{[]*core.Decision{admitted, decision(core.Admitted, 0)}, admitted},
		{[]*core.Decision{withheld, short, long, unknown}, long},
		{[]*core.Decision{unknown, short}, short},
		{[]*core.Decision{long, decision(core.Denied, 2)}, long},
		{[]*core.Decision{long, missing, withheld}, missing},
	} {
		if got := leading(tc.all); got != tc.want {
			t.Errorf("row %d: %s", i, got.Outcome)
		}
	}
}
