package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirhq/weir/core"
)

func TestAttributes(t *testing.T) {
	r := httptest.NewRequest("GET", "http://Example.COM:8080/a%2Fb?q=1&q=2&empty=&plus=a%20b", nil)
	r.RemoteAddr = "[2001:db8::1]:1234"
	r.Header = http.Header{
		"X-Api-Key": {"alice"}, "X-Many": {"a", "b"}, "X-Empty": {""},
		"Cookie": {"session=s3; other=x"},
	}
	repl := caddy.NewReplacer()
	r = caddyhttp.PrepareRequest(r, repl, httptest.NewRecorder(), &caddyhttp.Server{})
	repl.Set("http.auth.user.id", "carol")
	caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, "2001:db8::1%eth0")
	caddyhttp.SetVar(r.Context(), "tenant", 7)
	r.URL.RawQuery, r.URL.Path, r.Method = "q=rewritten", "/rewritten", "POST"
	tests := []struct {
		attribute, want string
		ok              bool
	}{
		{"{host}", "example.com", true},
		{"{client_ip}", "2001:db8::1", true},
		{"{header.X-API-Key}", "alice", true},
		{"{header.x-api-key}", "alice", true},
		{"{header.X-Many}", "a,b", true},
		{"{header.X-Empty}", "", true},
		{"{header.X-None}", "", false},
		{"{header.Host}", "Example.COM:8080", true},
		{"{query.q}", "1", true},
		{"{query.empty}", "", true},
		{"{query.plus}", "a b", true},
		{"{query.none}", "", false},
		{"{cookie.session}", "s3", true},
		{"{cookie.none}", "", false},
		{"{http.auth.user.id}", "carol", true},
		{"{http.auth.user.name}", "", false},
		{"{http.vars.tenant}", "7", true},
	}
	v := newVisit(r)
	for _, test := range tests {
		ref, err := core.ParseRef(test.attribute)
		if err != nil {
			t.Errorf("%s: %v", test.attribute, err)
			continue
		}
		if got, ok := v.source.Attribute(&ref); got != test.want || ok != test.ok {
			t.Errorf("%s is %q, %v; want %q, %v", test.attribute, got, ok, test.want, test.ok)
		}
	}
	if v.request.Method != "GET" || v.request.Path != "/a/b" {
		t.Errorf("%s %s, want the request as the client sent it", v.request.Method, v.request.Path)
	}
}

func TestClientAddressWithoutCaddysServer(t *testing.T) {
	for address, want := range map[string]string{"192.0.2.1:80": "192.0.2.1", "[::1]:80": "::1", "@": "@", "": ""} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = address
		s := source{request: r}
		if got := s.clientIP(); got != want {
			t.Errorf("%q is %q, want %q", address, got, want)
		}
	}
}
