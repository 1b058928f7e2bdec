package core

import (
	"encoding/json"
	"strings"
	"testing"
)

// compileJSON compiles a configuration given as JSON with one policy, api.
func compileJSON(t *testing.T, policy string) (*Policy, error) {
	t.Helper()
	var c Config
	if err := json.Unmarshal([]byte(`{"policies":{"api":`+policy+`}}`), &c); err != nil {
		return nil, err
	}
	policies, err := Compile(&c)
	return policies["api"], err
}

// mustCompile is compileJSON of a policy that has no mistake.
func mustCompile(t *testing.T, policy string) *Policy {
	t.Helper()
	p, err := compileJSON(t, policy)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// limitJSON is a policy with a subject and one limit.
func limitJSON(limit string) string {
	return `{"subject":{"sources":[{"from":"{header.X-API-Key}"}]},
		"plans":{"default":{"requests":10,"label":"x"}},
		"limits":[` + limit + `]}`
}

// TestCompileErrors has a wrong configuration and all that is said of it.
func TestCompileErrors(t *testing.T) {
	const at = "policies.api.limits[0]"
	for _, tc := range []struct{ name, policy, want string }{
		{"no kind", limitJSON(`{"name":"a","max":1}`), at + `.kind: a limit needs a kind: one of rolling, fixed, calendar, bucket, hold`},
		{"mistyped kind", limitJSON(`{"name":"a","kind":"roling","window":"1m","max":1}`), at + `.kind: unknown word "roling"; did you mean "rolling"?`},
		{"ever is for counts", limitJSON(`{"name":"a","kind":"ever","max":1}`), at + `.kind: unknown word "ever"; expected one of rolling, fixed, calendar, bucket, hold`},
		{"no window", limitJSON(`{"name":"a","kind":"rolling","max":1}`), at + `.window: a rolling limit needs a length, such as 60s`},
		{"window too short", limitJSON(`{"name":"a","kind":"fixed","window":"1us","max":1}`), at + `.window: 1µs is not from 1ms to 366d`},
		{"window too long", limitJSON(`{"name":"a","kind":"fixed","window":"400d","max":1}`), at + `.window: 400d is not from 1ms to 366d`},
		{"odd rolling window", limitJSON(`{"name":"a","kind":"rolling","window":"1500us","max":1}`), at + `.window: 1.5ms is not a whole number of milliseconds`},
		{"option of another kind", limitJSON(`{"name":"a","kind":"rolling","window":"1m","unit":"day","max":1}`), at + `.unit: a rolling limit has no unit`},
		{"no max", limitJSON(`{"name":"a","kind":"rolling","window":"1m"}`), at + `.max: a limit needs a max: a number, unlimited, or {subject.ATTRIBUTE}`},
		{"attribute without default", limitJSON(`{"name":"a","kind":"rolling","window":"1m","max":"{subject.request}"}`), at + `.max: plan "default" has no attribute "request", and there is neither a default row with it nor an ` + "`else`"},
		{"text as maximum", limitJSON(`{"name":"a","kind":"rolling","window":"1m","max":"{subject.label}"}`), at + `.max: plan "default" has the text "x" for "label", which must be a number or unlimited`},
		{"max of a count", limitJSON(`{"name":"a","kind":"ever","count":true,"max":5}`), at + `.max: a count never refuses, so it has no max`},
		{"refused of a limit", limitJSON(`{"name":"a","kind":"rolling","window":"1m","max":5,"refused":true}`), at + `.refused: only a count counts refused requests`},
		{"bad name", limitJSON(`{"name":"A b","kind":"rolling","window":"1m","max":5}`), at + `.name: invalid limit name "A b": ` + nameHint},
		{"same name", limitJSON(`{"name":"a","kind":"rolling","window":"1m","max":5},{"name":"a","kind":"fixed","window":"1m","max":5}`), `policies.api.limits[1].name: a limit named "a" exists already`},
		{"bucket without rate", limitJSON(`{"name":"a","kind":"bucket","window":"1s","max":5}`), at + `.rate: a bucket needs a rate from 1, such as 10/1s`},
		{"bucket with rate 0", limitJSON(`{"name":"a","kind":"bucket","window":"1s","rate":0,"max":5}`), at + `.rate: a bucket needs a rate from 1, such as 10/1s`},
		{"hold without end", limitJSON(`{"name":"a","kind":"hold","max":5}`), at + ".until: a hold lasts until the `response` ends, or until it is `released`"},
		{"mistyped until", limitJSON(`{"name":"a","kind":"hold","until":"responce","max":5}`), at + `.until: unknown word "responce"; did you mean "response"?`},
		{"released without ttl", limitJSON(`{"name":"a","kind":"hold","until":"released","max":5}`), at + `.ttl: a slot that is released needs a ttl, such as 24h, for those that nobody releases`},
		{"response with ttl", limitJSON(`{"name":"a","kind":"hold","until":"response","ttl":"1h","max":5}`), at + `.ttl: a slot that ends with the response has no ttl`},
		{"settled hold", limitJSON(`{"name":"a","kind":"hold","until":"response","max":5,"cost":{"settled":true}}`), at + `.cost.settled: a settled cost is for limits that count amounts, not for a hold or a count`},
		{"settled and constant", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":5,"cost":{"settled":true,"amount":2}}`), at + `.cost: a cost is settled, or known in advance, not both`},
		{"reserve without settled", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":5,"cost":{"amount":2,"reserve":1}}`), at + `.cost.reserve: only a settled cost is reserved`},
		{"negative cost", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":5,"cost":{"amount":-2}}`), at + `.cost: -2 is not from 0 to 9007199254740991`},
		{"cost of nothing", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":5,"cost":{"from":"json.n"}}`), at + `.cost.from: "json.n" is not an attribute such as {header.X-API-Key} or {client_ip}`},
		{"unknown per", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":5,"per":["kye"]}`), at + `.per: unknown word "kye"; did you mean "key"?`},
		{"per key and more", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":5,"per":["key","{client_ip}"]}`), at + `.per: "key" stands alone`},
		{"per body", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":5,"per":["{json.user}"]}`), at + `.per[0]: {json.user}: a limit cannot count by what is in the body`},
		{"match of no limit", limitJSON(`{"name":"reads","kind":"fixed","window":"1m","max":5,"match":[{"limits":["read"]}]}`), at + `.match[0].limits[0]: there is no limit "read"; did you mean "reads"?`},
		{"except itself", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":5,"except":["a"]}`), at + `.except: a limit cannot leave out its own requests`},
		{"retry of what is known", limitJSON(`{"name":"a","kind":"rolling","window":"1m","max":1,"retry":"5s"}`), at + `.retry: a rolling limit has no retry`},
		{"mistyped method", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":5,"match":[{"methods":["GTE"]}]}`), at + `.match[0].methods[0]: unknown method "GTE"; did you mean "GET"?`},
		{"method as a limit", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":5,"match":[{"limits":["get"]}]}`), at + `.match[0].limits[0]: there is no limit "get"; did you mean the method "GET"?`},
		{"mistyped attribute", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":5,"per":["{client_i}"]}`), at + `.per[0]: unknown attribute "{client_i}"; did you mean {client_ip}?`},
		{"mistyped header", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":5,"per":["{headr.X}"]}`), at + `.per[0]: unknown attribute "{headr.X}"; did you mean {header.X}?`},
		{"huge spending", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":10000000000,"cost":{"settled":true}}`), at + `.max: 10000000000 is larger than 9007199254, the most that settled costs can add up to`},
		{"unknown field of a cost", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":5,"cost":{"amout":1}}`), at + `.cost.amout: there is no such field; did you mean "amount"?`},
		{"circle", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":5,"match":[{"limits":["b"]}]},{"name":"b","kind":"fixed","window":"1m","max":5,"match":[{"limits":["a"]}]}`), `policies.api.limits: limits match each other's requests in a circle: a, b`},
		{"lower-case method", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":5,"match":[{"methods":["get"]}]}`), at + `.match[0].methods[0]: "get" is not a method in upper case`},
		{"path without slash", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":5,"match":[{"paths":["v1/x"]}]}`), at + `.match[0].paths[0]: "v1/x" is not a path: it starts with a slash, or is *`},
		{"path with query", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":5,"match":[{"paths":["/v1?x"]}]}`), at + `.match[0].paths[0]: "/v1?x": a path pattern is decoded, and has no query, fragment or placeholder`},
		{"path with a name", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":5,"match":[{"paths":["/v1/:id"]}]}`), at + `.match[0].paths[0]: "/v1/:id": a * is any part of a segment, as in /users/*/files; there are no names for it`},
		{"path that matches nothing", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":5,"match":[{"paths":["/v1//x"]}]}`), at + `.match[0].paths[0]: "/v1//x" can match nothing: paths are matched without doubled slashes and dot segments, as "/v1/x"`},
		{"unknown unit", limitJSON(`{"name":"a","kind":"calendar","unit":"dya","zone":"UTC","max":5}`), at + `.unit: "dya" is not a unit; did you mean "day"?`},
		{"unknown zone", limitJSON(`{"name":"a","kind":"calendar","unit":"day","zone":"Mars/Base","max":5}`), at + `.zone: "Mars/Base" is not an IANA time zone such as UTC or Europe/Berlin`},
		{"wrong anchor", limitJSON(`{"name":"a","kind":"calendar","unit":"week","zone":"UTC","anchor":"mondya","max":5}`), at + `.anchor: "mondya" is not a weekday; did you mean "monday"?`},
		{"broken max", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":2.5}`), at + `.max: 2.5 is not a whole number; only settled costs have decimals`},
		{"broken rate", limitJSON(`{"name":"a","kind":"bucket","window":"1s","rate":2.5,"max":5}`), at + `.rate: 2.5 is not a whole number; only settled costs have decimals`},
		{"nobody to count", `{"limits":[{"name":"a","kind":"fixed","window":"1m","max":5}]}`, at + `.per: ` + errNobody.Error()},
		{"no attribute at all", `{"limits":[{"name":"a","kind":"fixed","window":"1m","per":["all"],"max":"{subject.n}"}]}`, at + ".max: attribute \"n\" has no default: give it a column in `plans`, or add `else N`"},
		{"no source", `{"subject":{"sources":[]}}`, `policies.api.subject.sources: a subject needs a source, such as {header.Authorization}`},
		{"credential in the body", `{"subject":{"sources":[{"from":"{json.key}"}]}}`, `policies.api.subject.sources[0].from: a credential cannot come from the body`},
		{"mistyped scheme", `{"subject":{"sources":[{"from":"{header.Authorization}","scheme":"baerer"}]}}`, `policies.api.subject.sources[0].scheme: unknown word "baerer"; did you mean "bearer"?`},
		{"count by key though missing", `{"subject":{"sources":[{"from":"{header.K}"}],"missing":{"count_by":"key"}}}`, `policies.api.subject.missing.count_by: unknown word "key"; expected one of client_ip, all`},
		{"plan of nobody", `{"subject":{"sources":[{"from":"{header.K}"}],"missing":{"plan":"free"}}}`, `policies.api.subject.missing.count_by: a plan needs to know who is counted: key, client_ip or all`},
		{"unknown plan", `{"plans":{"free":{"n":1}},"subject":{"sources":[{"from":"{header.K}"}],"missing":{"count_by":"all","plan":"fre"}}}`, `policies.api.subject.missing.plan: there is no plan "fre"; did you mean "free"?`},
		{"negative plan value", `{"plans":{"default":{"n":-1}}}`, `policies.api.plans.default.n: -1 is below 0`},
		{"reserved attribute", `{"plans":{"default":{"plan":1}}}`, `policies.api.plans.default.plan: "plan" is what a subject has anyway; an attribute needs another name`},
		{"usage twice", `{"usage":[{"paths":["/u"],"body":"{}"},{"paths":["/u"],"body":"{}"}]}`, `policies.api.usage[1]: another usage answers these requests already`},
		{"usage without path", `{"usage":[{"body":"{}"}]}`, `policies.api.usage[0].paths: a usage answer needs a path, such as /usage`},
		{"body limit", `{"body_limit":-1}`, `policies.api.body_limit: must be from 1 byte to 1 GiB`},
		{"amount", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":"many"}`), at + `.max: "many" is not a number from 0 to 9007199254740991, unlimited, or {subject.ATTRIBUTE}`},
		{"factor", limitJSON(`{"name":"a","kind":"fixed","window":"1m","max":"{subject.requests} * 0"}`), at + `.max: factor "0" must be above 0 and at most 1000000000`},
		{"duration", limitJSON(`{"name":"a","kind":"fixed","window":"1 minute","max":1}`), at + `.window: "1 minute" is not a duration such as 60s, 1m, 24h or 30d`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := compileJSON(t, tc.policy)
			if err == nil {
				t.Fatal("no error")
			}
			if tc.want != "" && err.Error() != tc.want {
				t.Errorf("got  %s\nwant %s", err, tc.want)
			}
		})
	}
}

// TestCompileReportsEverything has several mistakes in one configuration.
func TestCompileReportsEverything(t *testing.T) {
	var c Config
	err := json.Unmarshal([]byte(`{"on_store_error":"alow","policies":{"a":{"limits":[{"name":"x"}]},"B":{}}}`), &c)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Compile(&c)
	var paths []string
	for _, e := range ConfigErrors(err) {
		paths = append(paths, e.Path)
	}
	want := "on_store_error policies.B policies.a.limits[0].kind policies.a.limits[0].max policies.a.limits[0].per"
	if got := strings.Join(paths, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestIdentity: only kind and window change a limit's cells.
func TestIdentity(t *testing.T) {
	id := func(limit string) uint64 { return mustCompile(t, limitJSON(limit)).Limits[0].ID }
	base := id(`{"name":"a","kind":"rolling","window":"1m","max":5}`)
	for _, same := range []string{
		`{"name":"a","kind":"rolling","window":"60s","max":7}`,
		`{"name":"a","kind":"rolling","window":"1m","max":"unlimited","cost":{"amount":3},"match":[{"methods":["GET"]}]}`,
	} {
		if id(same) != base {
			t.Errorf("%s has other cells", same)
		}
	}
	for _, other := range []string{
		`{"name":"b","kind":"rolling","window":"1m","max":5}`,
		`{"name":"a","kind":"rolling","window":"2m","max":5}`,
		`{"name":"a","kind":"fixed","window":"1m","max":5}`,
	} {
		if id(other) == base {
			t.Errorf("%s has the same cells", other)
		}
	}
}
