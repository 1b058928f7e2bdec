package caddymodule

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirhq/weir/core"
)

// readsFiles are words of Caddyfiles that make Caddy read files while adapting.
var readsFiles = regexp.MustCompile(`import|file|pem|\{\$`)

// place begins every mistake of ours in a Caddyfile.
var place = regexp.MustCompile(`^Caddyfile:[0-9]+: ..`)

// FuzzCaddyfile adapts whole Caddyfiles. Whatever they hold, it ends without a
// panic; each mistake of ours says its file and line; the same text gives the
// same JSON; and that can be read by those whom it is for.
func FuzzCaddyfile(f *testing.F) {
	for _, pattern := range []string{"testdata/adapt/*.caddyfiletest", "../examples/*/Caddyfile"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) < 5 {
			f.Fatal(files, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			config, _, _ := strings.Cut(string(data), separator)
			f.Add(config)
		}
	}
	for _, w := range append(wrongOptions, wrongSites...) {
		f.Add(w.config)
	}
	f.Fuzz(func(t *testing.T, config string) {
		if readsFiles.MatchString(config) {
			t.Skip("reads files")
		}
		result, err := adapt(config)
		if err != nil {
			checkPlaces(t, config, err)
			return
		}
		if again, err := adapt(config); err != nil || string(again) != string(result) {
			t.Errorf("%s\nadapts to %s and then to %s, %v", config, result, again, err)
		}
		var c struct {
			Apps struct{ Weir json.RawMessage }
		}
		if err := json.Unmarshal(result, &c); err != nil {
			t.Fatalf("%s: %v", result, err)
		}
		if c.Apps.Weir == nil {
			return
		}
		var app App
		if err := caddy.StrictUnmarshalJSON(c.Apps.Weir, &app); err != nil {
			t.Fatalf("%s: %v", c.Apps.Weir, err)
		}
		if _, err := core.Compile(&app.Config); err != nil {
			t.Errorf("%s\nadapts to %s: %v", config, c.Apps.Weir, err)
		}
	})
}

// checkPlaces checks that our mistakes in a Caddyfile say where they are. Those
// of Caddy itself are its own.
func checkPlaces(t *testing.T, config string, err error) {
	t.Helper()
	_, ours, found := strings.Cut(err.Error(), "parsing caddyfile tokens for 'weir': ")
	if !found {
		return
	}
	for line := range strings.SplitSeq(ours, "\n") {
		if !place.MatchString(line) {
			t.Errorf("%s\nhas a mistake without a place: %q", config, line)
		}
	}
}

// FuzzConfiguration validates the app's configuration in JSON: it is accepted or
// refused, each time in the same way, and leaves nothing behind.
func FuzzConfiguration(f *testing.F) {
	files, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil || len(files) < 5 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		_, result, _ := strings.Cut(string(data), separator)
		var c struct {
			Apps struct{ Weir json.RawMessage }
		}
		if err := json.Unmarshal([]byte(result), &c); err != nil {
			f.Fatal(err)
		}
		f.Add(string(c.Apps.Weir))
	}
	f.Add(`{"store":{"store":"memory","volatile":true},"directory":{"directory":"http","url":"http://localhost","ttl":"5s"},"secret":"s"}`)
	f.Add(`{"store":{"store":"memory","volatile":true},"directory":{"directory":"inline","subjects":{"k":{"id":"a"}}},"on_store_error":"allow"}`)
	f.Add(`{"store":{"store":7},"doors":[{"door":"envoy"}],"policies":{"api":null}}`)
	f.Fuzz(func(t *testing.T, app string) {
		if !json.Valid([]byte(app)) || strings.Contains(app, "{file") || strings.Contains(app, `\u`) {
			return
		}
		first := validate(t, app)
		second := validate(t, app)
		if (first == nil) != (second == nil) {
			t.Errorf("%s: %v, and then %v", app, first, second)
		}
		if name := storeName(t); name != "" {
			t.Errorf("%s leaves the store %s", app, name)
		}
	})
}

// FuzzAmendment reads the bodies of the admin API: each is refused with a reason
// and a status, or says what its action needs.
func FuzzAmendment(f *testing.F) {
	for name := range actions {
		f.Add(name, `{"leases":["a","b"]}`, true)
		f.Add(name, `{"key":"k","id":"1","cost":0.042,"limits":["minute"]}`, true)
		f.Add(name, `{"attributes":{"credits":5,"plan":null,"a b":1,"x":{}}}`, false)
		f.Add(name, `{"cost":1e400,"id":"x"}{}`, false)
	}
	var config core.PolicyConfig
	if err := json.Unmarshal([]byte(`{"per":["all"],"limits":[{"name":"minute","kind":"fixed","window":"1m","max":3,"cost":{"settled":true}}]}`), &config); err != nil {
		f.Fatal(err)
	}
	policy, err := core.CompilePolicy("p", "api", &config)
	if err != nil {
		f.Fatal(err)
	}
	engine := core.NewEngine(core.Options{Policies: map[string]*core.Policy{"api": policy}, Hasher: core.NewHasher([16]byte{1})})
	f.Cleanup(func() { _ = engine.Close() })
	f.Fuzz(func(t *testing.T, name, body string, byKey bool) {
		act, ok := actions[name]
		if !ok {
			return
		}
		var a amendment
		r := httptest.NewRequest(http.MethodPost, "/weir/policies/api/keys/settle", strings.NewReader(body))
		err := readJSON(httptest.NewRecorder(), r, &a)
		if err == nil {
			err = a.check(policy, act, byKey)
		}
		var op core.Settle
		if err == nil {
			err = act.make(&a, engine, policy, &op)
		}
		if err != nil {
			var e caddy.APIError
			if !errors.As(err, &e) || e.HTTPStatus < 400 || e.HTTPStatus > 499 || e.Err == nil {
				t.Errorf("%s %s: %#v", name, body, err)
			}
			return
		}
		if op.Cost < 0 || op.HasCost && op.ID == (core.ID{}) || byKey && a.Key == "" {
			t.Errorf("%s %s: %+v", name, body, op)
		}
		for _, attribute := range op.Set {
			if !core.ValidAttributeName(attribute.Name) || !policy.Sensible(attribute) {
				t.Errorf("%s sets %+v", body, attribute)
			}
		}
	})
}
