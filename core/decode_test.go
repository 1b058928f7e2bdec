package core

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// TestDecodeErrors has JSON of the wrong form and all that is said of it.
func TestDecodeErrors(t *testing.T) {
	for _, tc := range []struct{ config, want string }{
		{`[]`, `expected an object, got a list`},
		{`{"policies":[]}`, `policies: expected an object, got a list`},
		{`{"polices":{}}`, `polices: there is no such field; did you mean "policies"?`},
		{`{"on_store_error":1}`, `on_store_error: expected a text, got a number`},
		{`{"policies":{"a":"x"}}`, `policies.a: expected an object, got a text`},
		{`{"policies":{"a":{"limits":{}}}}`, `policies.a.limits: expected a list, got an object`},
		{`{"policies":{"a":{"per":"key"}}}`, `policies.a.per: expected a list, got a text`},
		{`{"policies":{"a":{"limit":[]}}}`, `policies.a.limit: there is no such field; did you mean "limits"?`},
		{`{"policies":{"a":{"Shadow":true}}}`, `policies.a.Shadow: there is no such field; did you mean "shadow"?`},
		{`{"policies":{"a":{"shadow":1}}}`, `policies.a.shadow: expected true or false, got a number`},
		{`{"policies":{"a":{"body_limit":"1MiB"}}}`, `policies.a.body_limit: expected a whole number, got a text`},
		{`{"policies":{"a":{"body_limit":1.5}}}`, `policies.a.body_limit: expected a whole number, got 1.5`},
		{`{"policies":{"a":{"body_limit":1e99}}}`, `policies.a.body_limit: expected a whole number, got 1e99`},
		{`{"policies":{"a":{"oversize_cost":true}}}`, `policies.a.oversize_cost: expected a whole number, got true or false`},
		{`{"policies":{"a":{"plans":{"free":[1]}}}}`, `policies.a.plans.free: expected an object, got a list`},
		{`{"policies":{"a":{"limits":[{"window":"60s"},{"window":"60"}]}}}`, `policies.a.limits[1].window: "60" is not a duration such as 60s, 1m, 24h or 30d`},
		{`{"policies":{"a":{"limits":[{"window":["60s"]}]}}}`, `policies.a.limits[0].window: expected a duration such as "60s", got a list`},
		{`{"policies":{"a":{"limits":[{"max":"x"}]}}}`, `policies.a.limits[0].max: "x" is not a number from 0 to 9007199254740991, unlimited, or {subject.ATTRIBUTE}`},
		{`{"policies":{"a":{"limits":[{"cost":"x"}]}}}`, `policies.a.limits[0].cost: expected a whole number, or an object, got a text`},
		{`{"policies":{"a":{"limits":[{"cost":{"form":"x"}}]}}}`, `policies.a.limits[0].cost.form: there is no such field; did you mean "from"?`},
		{`{"policies":{"a":{"limits":[{"match":[{"paths":"/x"}]}]}}}`, `policies.a.limits[0].match[0].paths: expected a list, got a text`},
		{`{"policies":{"a":{"limits":[{"match":[{"cost":{"min":"x"}}]}]}}}`, `policies.a.limits[0].match[0].cost.min: expected a whole number, got a text`},
		{`{"policies":{"a":{"headers":{"when":{"limit":1}}}}}`, `policies.a.headers.when.limit: expected a text, got a number`},
		{`{"policies":{"a":{"subject":{"sources":[{"from":{}}]}}}}`, `policies.a.subject.sources[0].from: expected a text, got an object`},
		{`{"policies":{"a":{},"a":{}}}`, `policies.a: stands twice`},
		{`{"policies":{"a":{"shadow":true,"shadow":false}}}`, `policies.a.shadow: stands twice`},
		{`{"policies":{"a":{"xyzzy":1}}}`, `policies.a.xyzzy: there is no such field; expected one of subject, per, plans, limits, headers, deny, usage, shadow, body_limit, oversize_cost`},
		{`{"policies":{"a\nb\r":1}}`, `policies.a\nb\r: expected an object, got a number`},
		{
			`{"on_store_error":[],"policies":{"a":{"per":1,"limits":[{"nam":"x"}]}}}`,
			"on_store_error: expected a text, got a list\npolicies.a.per: expected a list, got a number\n" +
				`policies.a.limits[0].nam: there is no such field; did you mean "name"?`,
		},
	} {
		var c Config
		if err := json.Unmarshal([]byte(tc.config), &c); err == nil || err.Error() != tc.want {
			t.Errorf("%s:\ngot  %v\nwant %s", tc.config, err, tc.want)
		}
	}
}

// TestDecodeIsThatOfPackageJSON: what package json reads of a configuration
// without mistakes, DecodeConfig reads too.
func TestDecodeIsThatOfPackageJSON(t *testing.T) {
	const text = `{"on_store_error":"allow","policies":{"a":{"subject":{"sources":[{"from":"{header.X}","scheme":"bearer"}],"missing":null},
		"per":["key"],"plans":{"p":{"n":1.5,"t":"x","u":"unlimited","b":true,"z":null}},"limits":[{"name":"x","kind":"rolling","window":60000000000,
		"max":"{subject.n} * 2 else 3","cost":4,"match":[{"methods":["GET"],"cost":{"from":"{json.n}","min":0}}]},{"name":"y","cost":{"settled":true,"reserve":0.5}}],
		"headers":{"dialect":"none","names":{"limit":"L"}},"usage":[],"shadow":false,"body_limit":10,"oversize_cost":0}}}`
	type limit LimitConfig
	type policy struct {
		Subject      *SubjectConfig
		Per          []string
		Plans        map[string]map[string]Value
		Limits       []limit
		Headers      *HeadersConfig
		Deny         *DenyConfig
		Usage        []UsageConfig
		Shadow       bool
		BodyLimit    int64  `json:"body_limit"`
		OversizeCost *int64 `json:"oversize_cost"`
	}
	var want struct{ Policies map[string]policy }
	var got Config
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	g, w := reflect.ValueOf(got.Policies["a"]), reflect.ValueOf(want.Policies["a"])
	for i := range g.NumField() {
		if got, want := marshal(t, g.Field(i)), marshal(t, w.Field(i)); got != want {
			t.Errorf("%s: got %s, want %s", g.Type().Field(i).Name, got, want)
		}
	}
}

func marshal(t *testing.T, v reflect.Value) string {
	t.Helper()
	text, err := json.Marshal(v.Interface())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDecodePolicyAlone: a policy that stands elsewhere has paths from there.
func TestDecodePolicyAlone(t *testing.T) {
	var p PolicyConfig
	err := json.Unmarshal([]byte(`{"limits":[{"window":true}]}`), &p)
	if err == nil || !strings.HasPrefix(err.Error(), "limits[0].window: expected a duration") {
		t.Errorf("got %v", err)
	}
}
