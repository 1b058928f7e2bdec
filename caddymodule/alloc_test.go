package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TestAllocations pins what a decided request allocates beyond what Caddy does:
// its writer, the placeholders' function, the place for the latter in the
// replacer, the text of the headers, and the map of headers as it grows.
func TestAllocations(t *testing.T) {
	h := provisioned(t, one, "weir api")
	next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(204)
		return nil
	})
	w := &discard{http.Header{}}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-API-Key", "alice")
	prepare := func() *http.Request {
		clear(w.header)
		return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, &caddyhttp.Server{})
	}
	caddys := testing.AllocsPerRun(1000, func() { prepare() })
	all := testing.AllocsPerRun(1000, func() {
		if err := h.ServeHTTP(w, prepare(), next); err != nil {
			t.Fatal(err)
		}
	})
	if ours := all - caddys; ours > 5 {
		t.Errorf("%v allocations, want at most 5", ours)
	}
}
