package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// administered is jobs with a directory, a limit per key and a count.
const administered = `weir {
		store memory volatile
		directory inline {
			key-1 id alice budget 3
			key-2 id alice budget 3
			key-3 id "bob/2" budget unlimited
		}
		policy api {
			subject {header.X-API-Key}
			limit running {
				match POST /jobs
				hold released
				ttl 1h
				max 2
			}
			limit spending {
				calendar day UTC
				cost settled
				max {subject.budget} else 1
			}
			limit minute {
				per key
				rolling 1m
				max 60
			}
			count all ever
		}
	}`

// call calls the admin API.
func (g *gateway) call(method, path, body string) exchange {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), method, "http://"+g.admin+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	return g.send(fresh, r)
}

// wantJSON checks an answer of the admin API, but for the members named.
func (g *gateway) wantJSON(e exchange, want string, without ...string) {
	g.t.Helper()
	g.wantStatus(e, 200)
	var got, expected any
	if err := json.Unmarshal([]byte(e.body), &got); err != nil {
		g.t.Fatalf("%v in %s", err, e.body)
	}
	if err := json.Unmarshal([]byte(want), &expected); err != nil {
		g.t.Fatalf("%v in %s", err, want)
	}
	for _, name := range without {
		drop(got, name)
	}
	if !reflect.DeepEqual(got, expected) {
		g.t.Errorf("answered %s, want %s", e.body, want)
	}
}

// drop removes the member of a name from all objects.
func drop(v any, name string) {
	switch v := v.(type) {
	case map[string]any:
		delete(v, name)
		for _, member := range v {
			drop(member, name)
		}
	case []any:
		for _, member := range v {
			drop(member, name)
		}
	}
}

func TestAdministratorsSeePolicies(t *testing.T) {
	g := start(t, administered, "weir api\nrespond ok")
	g.wantJSON(g.call("GET", "/weir/policies", ""), `{"policies":[{"name":"api","limits":[
		{"name":"running","kind":"hold"},
		{"name":"spending","kind":"calendar"},
		{"name":"minute","kind":"rolling","per":["key"]},
		{"name":"all","kind":"ever","count":true}]}]}`)
}

func TestAdministratorsActForSubjects(t *testing.T) {
	g := start(t, administered, "weir api\nreverse_proxy "+origin(t, says))
	job := func(key string, said string) int {
		return g.do("POST", "/jobs?header="+said, "X-API-Key: "+key).status
	}
	if job("key-1", "Weir-Lease%3Da") != 200 || job("key-2", "Weir-Lease%3Db") != 200 || job("key-1", "") != 429 {
		t.Fatal("two of three jobs run")
	}
	const alice = "/weir/policies/api/subjects/alice"
	g.wantJSON(g.call("GET", alice, ""), `{"policy":"api","subject":"alice","limits":[
		{"name":"running","kind":"hold","used":2,"max":2,"remaining":0},
		{"name":"spending","kind":"calendar","used":0,"max":3,"remaining":3},
		{"name":"all","kind":"ever","count":true,"used":2}],
		"leases":[{"id":"a","limit":"running"},{"id":"b","limit":"running"}]}`, "reset", "expires")
	g.wantJSON(g.call("POST", "/weir/policies/api/keys/usage", `{"key":"key-1"}`), `{"policy":"api","subject":"alice","limits":[
		{"name":"running","kind":"hold","used":2,"max":2,"remaining":0},
		{"name":"spending","kind":"calendar","used":0,"max":3,"remaining":3},
		{"name":"minute","kind":"rolling","per":["key"],"used":1,"max":60,"remaining":59},
		{"name":"all","kind":"ever","count":true,"used":2}],
		"leases":[{"id":"a","limit":"running"},{"id":"b","limit":"running"}]}`, "reset", "expires")

	g.wantJSON(g.call("POST", alice+"/heartbeat", `{"leases":["a","nobody"]}`), `{"renewed":1,"ignored":1}`)
	g.wantJSON(g.call("POST", alice+"/release", `{"leases":["a"]}`), `{"released":1}`)
	if job("key-1", "Weir-Lease%3Dc") != 200 {
		t.Error("the place is not free after the release")
	}
	g.wantJSON(g.call("POST", alice+"/settle", `{"id":"job-1","cost":"1.000001"}`), `{}`)
	g.wantJSON(g.call("POST", alice+"/settle", `{"id":"job-1","cost":1.000001}`), `{"duplicate":true}`)
	g.wantJSON(g.call("POST", alice+"/settle", `{"id":"job-2","cost":2.5,"limits":["spending"]}`), `{}`)
	if e := g.do("GET", "/", "X-API-Key: key-2"); e.status != 429 {
		t.Errorf("3.500001 of 3 are spent, and the answer is %d", e.status)
	}
	g.wantJSON(g.call("POST", alice+"/set", `{"attributes":{"budget":10}}`), `{}`)
	if e := g.do("GET", "/", "X-API-Key: key-2"); e.status != 200 {
		t.Errorf("3.500001 of 10 are spent, and the answer is %d", e.status)
	}
	g.wantJSON(g.call("POST", alice+"/set", `{"attributes":{"budget":null}}`), `{}`)
	if e := g.do("GET", "/", "X-API-Key: key-2"); e.status != 429 {
		t.Errorf("the attribute was taken back, and the answer is %d", e.status)
	}
	g.wantJSON(g.call("POST", alice+"/reset", `{"limits":["spending"]}`), `{}`)
	if e := g.do("GET", "/", "X-API-Key: key-2"); e.status != 200 {
		t.Errorf("nothing is spent, and the answer is %d", e.status)
	}
	if job("key-1", "") != 429 {
		t.Error("a reset of one limit reset another")
	}
	g.wantJSON(g.call("POST", "/weir/policies/api/keys/release", `{"key":"key-2","leases":["b","c"]}`), `{"released":2}`)
	g.wantJSON(g.call("POST", "/weir/policies/api/subjects/bob%2F2/set", `{"attributes":{"budget":"unlimited","plan":"pro"}}`), `{}`)
	g.wantJSON(g.call("GET", "/weir/policies/api/subjects/bob%2F2", ""), `{"policy":"api","subject":"bob/2","attributes":{"budget":"unlimited","plan":"pro"},"limits":[
		{"name":"running","kind":"hold","used":0,"max":2,"remaining":2},
		{"name":"spending","kind":"calendar","used":0,"max":"unlimited","remaining":"unlimited"},
		{"name":"all","kind":"ever","count":true,"used":0}]}`)
}

func TestRequestsAreSettledLater(t *testing.T) {
	g := start(t, administered, "header >X-ID {weir.id}\nweir api\nrespond ok")
	id := g.do("GET", "/", "X-API-Key: key-1").header.Get("X-ID")
	if len(id) != 32 {
		t.Fatalf("id %q", id)
	}
	for _, want := range []string{`{}`, `{"duplicate":true}`} {
		g.wantJSON(g.call("POST", "/weir/policies/api/subjects/alice/settle", fmt.Sprintf(`{"id":%q,"cost":5}`, id)), want)
	}
	g.wantStatus(g.do("GET", "/", "X-API-Key: key-1"), 429)
}

func TestAdministratorsMistakes(t *testing.T) {
	g := start(t, administered, "weir api\nrespond ok")
	tests := []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/weir/", "", 404, "nothing at /weir/"},
		{"GET", "/weir/policy", "", 404, "nothing at"},
		{"POST", "/weir/policies", "{}", 405, "use GET"},
		{"DELETE", "/weir/policies/api/subjects/alice", "", 405, "use GET"},
		{"GET", "/weir/policies/api/subjects/alice/release", "", 405, "use POST"},
		{"GET", "/weir/policies/apo/subjects/alice", "", 404, `did you mean \"api\"?`},
		{"POST", "/weir/policies/api/subjects/alice/free", "{}", 404, `no action \"free\"`},
		{"POST", "/weir/policies/api/subjects/alice/usage", "{}", 404, `no action \"usage\"`},
		{"POST", "/weir/policies/api/subjects/alice/release", "", 400, "body is missing"},
		{"POST", "/weir/policies/api/subjects/alice/release", "{", 400, "not as expected"},
		{"POST", "/weir/policies/api/subjects/alice/release", `{"lease":["a"]}`, 400, `lease: there is no such field; did you mean \"leases\"?`},
		{"POST", "/weir/policies/api/subjects/alice/release", `{}`, 400, "leases is missing"},
		{"POST", "/weir/policies/api/subjects/alice/release", `{"leases":[""]}`, 400, "empty"},
		{"POST", "/weir/policies/api/subjects/alice/release", `{"leases":["a"],"cost":1}`, 400, "cost means nothing here"},
		{"POST", "/weir/policies/api/subjects/alice/release", `{"leases":["` + strings.Repeat("a", maxAdminBody) + `"]}`, 413, "larger than"},
		{"POST", "/weir/policies/api/subjects/alice/settle", `{"cost":1}`, 400, "id is missing"},
		{"POST", "/weir/policies/api/subjects/alice/settle", `{"id":"a"}`, 400, "cost is missing"},
		{"POST", "/weir/policies/api/subjects/alice/settle", `{"id":"a","cost":-1}`, 400, "no decimal number"},
		{"POST", "/weir/policies/api/subjects/alice/settle", `{"id":"a","cost":"free"}`, 400, "not as expected: cost: expected a number"},
		{"POST", "/weir/policies/api/subjects/alice/settle", `{"id":"a","costs":1}`, 400, `not as expected: costs: there is no such field; did you mean \"cost\"?`},
		{"POST", "/weir/policies/api/subjects/alice/release", `{"leases":"job-7"}`, 400, "not as expected: leases: expected a list, got a text"},
		{"POST", "/weir/policies/api/subjects/alice/release", `{"leases":["a"]} {}`, 400, "after top-level value"},
		{"POST", "/weir/policies/api/subjects/alice/settle", `{"id":"a","cost":1,"limits":["minut"]}`, 400, `did you mean \"minute\"?`},
		{"POST", "/weir/policies/api/subjects/alice/settle", `{"id":"a","cost":1,"limits":["minute"]}`, 400, "settled cost"},
		{"POST", "/weir/policies/api/subjects/alice/reset", `{"limits":["minute"]}`, 400, "needs the key"},
		{"POST", "/weir/policies/api/subjects/alice/set", `{"attributes":{"id":"bob"}}`, 400, `attribute \"id\"`},
		{"POST", "/weir/policies/api/subjects/alice/set", `{"attributes":{"budget":"large"}}`, 400, "must be a number"},
		{"POST", "/weir/policies/api/subjects/alice/set", `{"attributes":{"a b":1}}`, 400, `attribute \"a b\"`},
		{"POST", "/weir/policies/api/subjects/alice/set", `{"attributes":{"a":"x,b=1"}}`, 400, `attribute \"a\"`},
		{"POST", "/weir/policies/api/subjects/alice/set", `{"attributes":{"a":-1}}`, 400, `attribute \"a\"`},
		{"POST", "/weir/policies/api/subjects/alice/set", `{"key":"key-1","attributes":{"a":1}}`, 400, "the path names the subject"},
		{"POST", "/weir/policies/api/keys/usage", `{}`, 400, "key is missing"},
		{"POST", "/weir/policies/api/keys/usage", `{"key":"key-1","leases":["a"]}`, 400, "leases means nothing here"},
		{"POST", "/weir/policies/api/keys/usage", `{"key":"key-secret"}`, 404, "unknown credential"},
	}
	for _, test := range tests {
		t.Run(test.method+" "+test.path+" "+test.body[:min(len(test.body), 30)], func(t *testing.T) {
			g := g.in(t)
			e := g.call(test.method, test.path, test.body)
			g.wantStatus(e, test.status)
			var answer struct{ Error string }
			if err := json.Unmarshal([]byte(e.body), &answer); err != nil || !strings.Contains(e.body, test.says) {
				t.Errorf("answered %s, want %s", e.body, test.says)
			}
			if strings.Contains(e.body, "key-") {
				t.Errorf("the answer tells a key: %s", e.body)
			}
			if test.status == 405 && e.header.Get("Allow") == "" {
				t.Error("no Allow")
			}
		})
	}
	g.load("", "respond ok")
	e := g.call("GET", "/weir/policies", "")
	if g.wantStatus(e, 503); !strings.Contains(e.body, "does not use weir") {
		t.Errorf("answered %s", e.body)
	}
}

func TestMetricsSurviveReloads(t *testing.T) {
	site := "weir api\nreverse_proxy " + origin(t, says)
	g := start(t, administered, site)
	for range 4 {
		g.wantStatus(g.do("POST", "/jobs?header=Weir-Lease%3Da", "X-API-Key: key-1"), 200) // merges
		g.wantStatus(g.do("GET", "/", "X-API-Key: nobody"), 401)
		g.load(administered, site+"\nheader X-Load 1")
	}
	g.wantStatus(g.do("POST", "/jobs?header=Weir-Lease%3Db&header=Weir-Foo%3D1", "X-API-Key: key-1"), 200)
	g.wantStatus(g.do("POST", "/jobs", "X-API-Key: key-1"), 429)
	g.wantStatus(g.do("GET", "/?header=Weir-Lease%3Dx&header=Weir-Cost%3Dx", "X-API-Key: key-1"), 200)
	r, err := http.Get("http://" + g.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`weir_decisions_total{limit="",outcome="admitted",policy="api"} 6`,
		`weir_decisions_total{limit="",outcome="unknown_credential",policy="api"} 4`,
		`weir_decisions_total{limit="running",outcome="denied",policy="api"} 1`,
		`weir_decisions_total{limit="running",outcome="never_fits",policy="api"} 0`,
		`weir_shadow_refusals_total{limit="running",outcome="denied",policy="api"} 0`,
		`weir_origin_errors_total{policy="api"} 3`,
		`weir_store_errors_total{policy="api"} 0`,
		`weir_directory_errors_total{policy="api"} 0`,
		`weir_leases 2`,
		`weir_holds 0`,
	} {
		if !strings.Contains(string(body), "\n"+line+"\n") {
			t.Errorf("no %s", line)
		}
	}
	for _, name := range []string{"weir_cells ", "weir_journal_failing ", "weir_snapshots_total ", "weir_decision_duration_seconds_bucket"} {
		if !strings.Contains(string(body), "\n"+name) {
			t.Errorf("no %s", name)
		}
	}
	for _, never := range []string{`{limit="all",`, `weir_shadow_refusals_total{limit="",outcome="admitted"`} { // a count refuses nothing
		if strings.Contains(string(body), never) {
			t.Errorf("a metric of what never happens: %s", never)
		}
	}
	if strings.Contains(string(body), "key-1") || strings.Contains(string(body), "alice") {
		t.Error("the metrics tell who was counted")
	}
	if t.Failed() {
		for _, line := range strings.Split(string(body), "\n") {
			if strings.HasPrefix(line, "weir_") {
				t.Log(line)
			}
		}
	}
}
