package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// directed is minute with this directory.
func directed(directory string) string {
	return strings.Replace(minute, "policy api", "directory "+directory+"\npolicy api", 1)
}

func TestFileDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "subjects.json")
	write := func(key string) {
		t.Helper()
		next := path + ".next"
		if err := os.WriteFile(next, fmt.Appendf(nil, `{"subjects":{%q:{"id":"alice"}}}`, key), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, path); err != nil {
			t.Fatal(err)
		}
	}
	write("key-1")
	t.Setenv("SUBJECTS", path)
	g := start(t, directed("file {env.SUBJECTS}"), "weir api\nrespond ok")
	g.wantStatus(g.do("GET", "/", "X-API-Key: key-1"), 200)
	g.wantStatus(g.do("GET", "/", "X-API-Key: key-2"), 401)
	write("key-2")
	eventually(t, "the changed file is read", func() bool {
		return g.do("GET", "/", "X-API-Key: key-1").status == 401
	})
	e := g.do("GET", "/", "X-API-Key: key-2")
	if e.header.Get("X-RateLimit-Limit") != "2" { // what was counted for key-1 is alice's
		t.Errorf("answered %d %v", e.status, e.header)
	}
	if err := g.tryLoad(directed("file /nowhere/at/all"), "weir api"); err == nil {
		t.Error("a missing file is accepted")
	}
}

func TestHTTPDirectory(t *testing.T) {
	var broken atomic.Bool
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case broken.Load():
			w.WriteHeader(500)
		case r.Header.Get("X-Credential") == "key-1":
			_, _ = w.Write([]byte(`{"id":"alice"}`))
		default:
			w.WriteHeader(404)
		}
	}))
	defer service.Close()
	g := start(t, directed("http "+service.URL+" {\nheader X-Credential\n}"), "weir api\nrespond ok")
	g.wantStatus(g.do("GET", "/", "X-API-Key: key-1"), 200)
	g.wantStatus(g.do("GET", "/", "X-API-Key: key-2"), 401)
	broken.Store(true)
	g.wantStatus(g.do("GET", "/", "X-API-Key: key-1"), 200)
	g.wantStatus(g.do("GET", "/", "X-API-Key: key-3"), 503)
}

func TestNoDirectory(t *testing.T) {
	g := start(t, minute, "header >X-Subject {weir.subject.id}\nweir api\nrespond ok")
	for _, key := range []string{"made-up", "also made up"} {
		e := g.do("GET", "/", "X-API-Key: "+key)
		g.wantStatus(e, 200)
		if id := e.header.Get("X-Subject"); len(id) != 32 || e.header.Get("X-RateLimit-Remaining") != "1" {
			t.Errorf("subject %q, %v", id, e.header)
		}
	}
}
