package core_test

import (
	"testing"

	"github.com/weirhq/weir/core"
)

// TestDefinitionShadowNeverDenies: a policy in shadow lets pass whatever it
// would have denied, and says what that was.
func TestDefinitionShadowNeverDenies(t *testing.T) {
	d := directory{"k": {ID: "u", Plan: "free"}, "odd": {ID: "v", Plan: "odd"}}
	w := newWorld(t, `{"shadow":true,`+keyed+`"body_limit":4,"plans":{"free":{"n":1}},"limits":[
		{"name":"r","kind":"rolling","window":"1m","max":"{subject.n}"},
		{"name":"b","kind":"rolling","window":"1m","max":9,"match":[{"paths":["/body"]}],"cost":{"from":"{json.n}"}}]}`, d)
	for _, tc := range []struct {
		key  string
		want core.Outcome
	}{{"", core.MissingCredential}, {"nobody", core.UnknownCredential}, {"odd", core.UnknownPlan}} {
		if got := w.want(w.do("GET /", tc.key), core.Passed); got.Shadowed != tc.want {
			t.Errorf("%q: would have been %s, want %s", tc.key, got.Shadowed, tc.want)
		}
	}
	for i := range 3 {
		if r := w.admit("POST /body", "k", "body", `{"n":1234}`).Charge("r"); r.Refused != (i > 0) {
			t.Errorf("request %d: refused %v", i, r.Refused)
		}
	}
}

// TestDefinitionShadowLimitReadsNoBody: of a body that is too large a limit in
// shadow, or a count, is charged nothing, and the request goes on.
func TestDefinitionShadowLimitReadsNoBody(t *testing.T) {
	w := newWorld(t, `{`+keyed+`"body_limit":4,"limits":[
		{"name":"shadow","shadow":true,"kind":"rolling","window":"1m","max":9,"cost":{"from":"{json.n}"}},
		{"name":"count","count":true,"kind":"ever","cost":{"from":"{json.n}"}},
		{"name":"real","kind":"rolling","window":"1m","max":9}]}`, nil)
	d := w.admit("POST /", "k", "body", `{"n":1234}`)
	if d.Charge("shadow") != nil || d.Charge("count") != nil {
		t.Error("charged for a body that was not read")
	}
	w.used(d, "real", 1, 8)
}

// TestDefinitionPreflightRefused: what refuses may name OPTIONS too.
func TestDefinitionPreflightRefused(t *testing.T) {
	w := newWorld(t, `{"per":["all"],"limits":[{"name":"r","kind":"fixed","window":"1h","max":1,
		"match":[{"methods":["GET"]}],"refuse":[{"methods":["OPTIONS"]}]}]}`, nil)
	w.admit("OPTIONS /", "", "header.Access-Control-Request-Method", "POST")
	w.admit("GET /", "")
	w.deny("OPTIONS /", "", "header.Access-Control-Request-Method", "POST")
}
