package caddymodule

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/weirhq/weir/core"
)

// known is minute with a directory, whose credentials nobody must ever see.
var known = strings.Replace(minute, "policy api", `directory inline {
			secret-key id alice
		}
		policy api`, 1)

// lines returns the objects in a log file.
func lines(t *testing.T, path string) (all []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "secret-key") {
		t.Error("the log tells a key")
	}
	for line := range strings.Lines(string(text)) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all = append(all, object)
	}
	return all
}

func TestLogsTellTheDecision(t *testing.T) {
	access, common := filepath.Join(t.TempDir(), "access"), filepath.Join(t.TempDir(), "common")
	g := start(t, "log {\noutput file "+common+"\nformat json\nexclude http.log.access.log0\n}\n"+known,
		"log {\noutput file "+access+"\nformat filter {\nrequest>headers>X-Api-Key delete\n}\n}\nlog_append left {weir.limits.requests.remaining}\nweir api\nrespond ok")
	for range 3 {
		g.do("GET", "/", "X-API-Key: secret-key")
	}
	g.do("GET", "/", "X-API-Key: nobody")
	if err := caddy.Stop(); err != nil { // which writes the logs
		t.Fatal(err)
	}
	wants := []map[string]any{
		{"weir_policy": "api", "weir_limit": "requests", "weir_outcome": "admitted", "weir_subject": "alice", "left": "1"},
		{"weir_policy": "api", "weir_limit": "requests", "weir_outcome": "admitted", "weir_subject": "alice", "left": "0"},
		{"weir_policy": "api", "weir_limit": "requests", "weir_outcome": "denied", "weir_subject": "alice", "left": "0"},
		{"weir_policy": "api", "weir_limit": "", "weir_outcome": "unknown_credential", "weir_subject": "", "left": ""},
	}
	got := lines(t, access)
	if len(got) != len(wants) {
		t.Fatalf("%d lines", len(got))
	}
	for i, want := range wants {
		for name, value := range want {
			if got[i][name] != value {
				t.Errorf("line %d: %s is %v, want %v", i, name, got[i][name], value)
			}
		}
	}
	refusals := 0
	for _, line := range lines(t, common) {
		if line["logger"] != "weir" || line["msg"] != "request refused" {
			continue
		}
		refusals++
		if line["policy"] != "api" || line["limit"] != "requests" || line["subject"] != "alice" || line["used"] != "2" || line["max"] != "2" {
			t.Errorf("refusal %v", line)
		}
	}
	if refusals != 1 {
		t.Errorf("%d refusals were logged, want 1", refusals)
	}
}

// A still clock does not move.
type still struct{ time.Time }

func (s still) Now() time.Time                       { return s.Time }
func (still) NewTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }

func TestFrequentMessagesAreSampled(t *testing.T) {
	kept, logs := observer.New(zap.InfoLevel)
	l := Sampled(zap.New(kept, zap.WithClock(still{time.Unix(1, 0)})))
	for range 1010 {
		l.Info("request refused")
	}
	if n := logs.Len(); n != 11 {
		t.Errorf("%d of 1010 messages in one second were kept, want 11", n)
	}
}

func TestPlaceholders(t *testing.T) {
	const all = "{weir.policy} {weir.outcome} {weir.limit} {weir.used}/{weir.max} {weir.remaining} {weir.window} {weir.subject.id} {weir.subject.plan} {weir.subject.credits} {weir.limits.requests.used}"
	options := strings.Replace(known, "id alice", "id alice plan pro credits 7", 1)
	options = strings.Replace(options, "limit requests", "plans credits {\npro 1\n}\nlimit requests", 1)
	g := start(t, options, "header >X-Late \""+all+"\"\nweir api\nrespond \""+all+"\"")
	const want = "api admitted requests 1/2 1 60 alice pro 7 1"
	e := g.do("GET", "/", "X-API-Key: secret-key")
	if e.body != want || e.header.Get("X-Late") != want {
		t.Errorf("body %q, header %q; want %q", e.body, e.header.Get("X-Late"), want)
	}
	e = g.do("OPTIONS", "/", "Access-Control-Request-Method: POST")
	if want := "api passed  /      "; e.body != want {
		t.Errorf("a preflight is told %q, want %q", e.body, want)
	}
}

// TestPlaceholdersAreNobodyElses has a request ask for its placeholders after
// its handler returned, when its visit is another request's.
func TestPlaceholdersAreNobodyElses(t *testing.T) {
	var mine *caddy.Replacer
	setProbe(t, "keep", func(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
		mine = r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
		return next.ServeHTTP(w, r)
	})
	others := 0
	setProbe(t, "ask", func(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
		if r.Header.Get("X-API-Key") != "a" {
			if id := mine.ReplaceAll("{weir.id}{weir.subject.id}{weir.used}", ""); id != "" {
				t.Errorf("a finished request sees %s", id)
			}
			others++
		}
		w.WriteHeader(204)
		return nil
	})
	g := start(t, minute, "route {\n@a header X-API-Key a\nroute @a {\nprobe keep\n}\nweir api\nprobe ask\n}")
	g.wantStatus(g.do("GET", "/", "X-API-Key: a"), 204)
	for range 2 {
		g.wantStatus(g.do("GET", "/", "X-API-Key: b"), 204)
	}
	if others != 2 {
		t.Errorf("%d other requests", others)
	}
}

func TestRefusalsAreEvents(t *testing.T) {
	caught.events = nil
	g := start(t, known+"\nevents {\non weir.denied catch\n}", "weir api\nrespond ok")
	for range 3 {
		g.do("GET", "/", "X-API-Key: secret-key")
	}
	caught.Lock()
	defer caught.Unlock()
	if len(caught.events) != 1 {
		t.Fatalf("%d events", len(caught.events))
	}
	e := caught.events[0]
	want := map[string]any{"policy": "api", "limit": "requests", "outcome": "denied", "subject": "alice"}
	for name, value := range want {
		if e.Data[name] != value {
			t.Errorf("%s is %v, want %v", name, e.Data[name], value)
		}
	}
	if len(e.Data) != len(want) || e.Origin().CaddyModule().ID != "http.handlers.weir" {
		t.Errorf("event %v of %v", e.Data, e.Origin())
	}
}

func TestTheLogNamesTheOriginsHeader(t *testing.T) {
	for header, want := range map[string]string{"Weir-Costs": "Weir-Costs", "Weir-Cost": "Weir-Cost", "Weir_Set": "Weir_Set"} {
		kept, logs := observer.New(zap.InfoLevel)
		a := &App{frequent: zap.New(kept)}
		v, ok := voiceOf(http.Header{header: {"a lot"}})
		if !ok || v.Invalid != 1 {
			t.Fatalf("%s: %v, %d invalid", header, ok, v.Invalid)
		}
		a.logHeard(&core.Decision{Policy: &core.Policy{Name: "api"}}, &core.Heard{Invalid: v.Invalid, Wrong: v.Wrong})
		if got := logs.All()[0].ContextMap()["header"]; got != want {
			t.Errorf("%s: the log names %v", header, got)
		}
	}
}
