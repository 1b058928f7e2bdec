package bootstrap

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/contract"
)

// needOf returns the need of a policy given as JSON.
func needOf(t *testing.T, text string) *need {
	t.Helper()
	var config core.PolicyConfig
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	p, err := core.CompilePolicy("policies.api", "api", &config)
	if err != nil {
		t.Fatal(err)
	}
	c, err := contract.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNeed(p, c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// limited is a policy with a limit that has these fields too.
func limited(fields string) string {
	return `{"subject":{"sources":[{"from":"{header.X-Key}"}]},"limits":[{"name":"a","kind":"rolling","window":"1m","max":1,` + fields + `}]}`
}

// keys returns the keys of the entries that actions make.
func keys(t *testing.T, actions []action) (all []string) {
	t.Helper()
	for _, a := range actions {
		_, rest, found := strings.Cut(a.text, `descriptor_key: "`)
		key, _, _ := strings.Cut(rest, `"`)
		if !found {
			key, _, _ = strings.Cut(a.text, ":")
		}
		if value, found := strings.CutPrefix(rest, `weir", descriptor_value: "`); found {
			key = "weir=" + strings.Trim(value, `" }`)
		}
		all = append(all, key)
	}
	return all
}

// TestEntries: a policy's descriptors have what it reads, and nothing else.
func TestEntries(t *testing.T) {
	const preflight = "method header.access-control-request-method"
	for _, tc := range []struct{ name, policy, request, done string }{
		{"nothing", `{"per":["all"],"limits":[{"name":"a","kind":"rolling","window":"1m","max":1}]}`, preflight, ""},
		{"any path", `{"per":["all"],"limits":[{"name":"a","kind":"rolling","window":"1m","max":1,"match":[{"paths":["*"]}]}]}`, preflight, ""},
		{"a key", limited(`"match":[{"methods":["GET"]}]`), preflight + " header.x-key", ""},
		{"a path", limited(`"match":[{"paths":["/x"]}]`), preflight + " header.x-key path", ""},
		{"what may be refused", limited(`"refuse":[{"paths":["/x"]}]`), preflight + " header.x-key path", ""},
		{"scope", limited(`"per":["{host}","{client_ip}","{method}","{header.Host}"]`), preflight + " header.x-key host remote_address", ""},
		{"query", limited(`"per":["{query.q}"]`), preflight + " header.x-key path", ""},
		{"cookie", limited(`"per":["{cookie.a}","{cookie.b}","{header.Cookie}"]`), preflight + " header.x-key header.cookie", ""},
		{"others", limited(`"per":["{tenant}","{http.request.scheme}"]`), preflight + " header.x-key tenant http.request.scheme", ""},
		{
			"strangers by address", `{"subject":{"sources":[{"from":"{header.K}"}],"missing":{"count_by":"client_ip"}},"limits":[{"name":"a","kind":"rolling","window":"1m","max":1}]}`,
			preflight + " header.k remote_address", "",
		},
		{"cost", limited(`"cost":{"from":"{header.Cost}"}`), preflight + " header.x-key header.cost", ""},
		{"cost in the body", limited(`"cost":{"from":"{json.n}"}`), preflight + " header.x-key", ""},
		{"settled", limited(`"cost":{"settled":true}`), "weir=stream " + preflight + " header.x-key", "weir=done weir.id weir.cost " + preflight + " header.x-key"},
		{
			"attribute", `{"subject":{"sources":[{"from":"{header.K}"}]},"limits":[{"name":"a","kind":"rolling","window":"1m","max":"{subject.n} else 1"}]}`,
			"weir=stream " + preflight + " header.k", "weir=done weir.id weir.set " + preflight + " header.k",
		},
		{"hold", `{"per":["all"],"limits":[{"name":"a","kind":"hold","until":"response","max":1}]}`, "weir=stream " + preflight, "weir=done weir.id " + preflight},
		{
			"lease", `{"per":["all"],"limits":[{"name":"a","kind":"hold","until":"released","ttl":"1h","max":1}]}`,
			"weir=stream " + preflight, "weir=done weir.id weir.lease weir.release " + preflight,
		},
		{
			"told attribute", `{"subject":{"sources":[{"from":"{header.K}"}]},"deny":{"body":"{\"n\":{weir.subject.n}}"},"limits":[{"name":"a","kind":"rolling","window":"1m","max":1}]}`,
			"weir=stream " + preflight + " header.k", "weir=done weir.id weir.set " + preflight + " header.k",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := needOf(t, tc.policy)
			if got := strings.Join(keys(t, n.Request), " "); got != tc.request {
				t.Errorf("asks with %s, want %s", got, tc.request)
			}
			if got := strings.Join(keys(t, n.Done), " "); got != tc.done {
				t.Errorf("ends with %s, want %s", got, tc.done)
			}
		})
	}
}

// TestEveryKindOfFact: each kind of attribute that core has is provided for.
func TestEveryKindOfFact(t *testing.T) {
	kinds := constants(t, "../../core/ref.go", "RefKind")
	if len(kinds) < 9 {
		t.Fatalf("only %d kinds of attribute found: %v", len(kinds), kinds)
	}
	for i, name := range kinds {
		ref := core.Ref{Kind: core.RefKind(i + 1), Name: "x", Text: "x"}
		a, sent, err := actionFor(&ref)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if sent == (a.text == "") {
			t.Errorf("%s: sent %v by %q", name, sent, a.text)
		}
	}
	next := core.Ref{Kind: core.RefKind(len(kinds) + 1), Text: "new"}
	if _, _, err := actionFor(&next); err == nil {
		t.Error("a kind that nobody knows is no error")
	}
	if f, found := findUse(&core.Use{Ref: next}); !found || !f.Lost {
		t.Error("a kind that nobody knows is not found")
	}
}

// constants returns the names of a file's constants of a type that counts from 1.
func constants(t *testing.T, path, typ string) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		g, ok := decl.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		if first, ok := g.Specs[0].(*ast.ValueSpec); ok && first.Type != nil {
			if id, ok := first.Type.(*ast.Ident); ok && id.Name == typ {
				for _, s := range g.Specs {
					names = append(names, s.(*ast.ValueSpec).Names[0].Name)
				}
			}
		}
	}
	return names
}

// considered are the fields of policies, each with where this package deals with
// it: uses (what is read of requests, by core.Policy.Uses), done (what depends
// on the end of streams), contract (statuses and header fields), or weir (decided
// by Weir alone, whoever asks).
var considered = map[string]string{
	"PolicyConfig":   "Subject uses, Per uses, Plans done, Limits uses, Headers contract, Deny contract, Usage uses, Shadow contract, BodyLimit weir, OversizeCost weir",
	"SubjectConfig":  "Sources uses, Missing uses, Unknown uses",
	"SourceConfig":   "From uses, Scheme weir",
	"FallbackConfig": "Deny contract, CountBy uses, Plan weir",
	"LimitConfig": "Name weir, Match uses, Except weir, Refuse uses, Per uses, Kind done, Window weir, Unit weir, Zone weir, Anchor weir, Rate done, " +
		"Until done, TTL weir, Max done, Cost uses, Retry weir, Shadow contract, Count contract, Refused weir, Deny contract",
	"MatchConfig":   "Methods uses, Paths uses, Limits weir, Cost uses",
	"CostConfig":    "Amount weir, From uses, Min uses, Settled done, Reserve weir",
	"HeadersConfig": "Dialect contract, Reset weir, For weir, When weir, Names contract",
	"DenyConfig":    "Status contract, Body done, ContentType weir, Problem weir",
	"UsageConfig":   "Methods uses, Paths uses, Body done, ContentType weir",
}

// TestEveryField: whoever adds a field to a policy must consider it here.
func TestEveryField(t *testing.T) {
	seen := map[string]bool{}
	var visit func(typ reflect.Type)
	visit = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			visit(typ.Elem())
		case reflect.Struct:
			if !strings.HasSuffix(typ.Name(), "Config") || seen[typ.Name()] {
				return
			}
			seen[typ.Name()] = true
			var names []string
			for field := range strings.SplitSeq(considered[typ.Name()], ", ") {
				name, _, _ := strings.Cut(field, " ")
				names = append(names, name)
			}
			for i := range typ.NumField() {
				if !slices.Contains(names, typ.Field(i).Name) {
					t.Errorf("%s.%s: what does Envoy need for it?", typ.Name(), typ.Field(i).Name)
				}
				visit(typ.Field(i).Type)
			}
		}
	}
	visit(reflect.TypeFor[core.PolicyConfig]())
	for name := range considered {
		if !seen[name] {
			t.Errorf("there is no %s", name)
		}
	}
}

// TestFindings has limits and what is found of them.
func TestFindings(t *testing.T) {
	for _, tc := range []struct{ policy, want string }{
		{limited(`"per":["{host}"]`), ""},
		{limited(`"cost":{"from":"{json.n}","min":3}`), "cannot: limit a: its cost {json.n} is in the request's body, which Envoy does not send; every such request costs its min, 3"},
		{limited(`"match":[{"cost":{"from":"{json.n}"}}]`), "cannot: limit a: its cost {json.n} is in the request's body, which Envoy does not send; every such request costs its min, 1"},
		{limited(`"per":["{tenant}"]`), "cannot: limit a: Envoy does not know {tenant}; a filter before must put it into the dynamic metadata weir.attributes"},
		{
			`{"subject":{"sources":[{"from":"{http.auth.user.id}"}]},"limits":[{"name":"a","kind":"hold","until":"response","max":1}]}`,
			"cannot: Envoy does not know {http.auth.user.id}; a filter before must put it into the dynamic metadata weir.attributes\n" +
				"differs: limit a: a slot is free a moment after the response's last byte, when Envoy tells that its stream has ended; who sends the next request at once may be refused",
		},
		{
			limited(`"cost":{"settled":true}`),
			"differs: limit a: costs are charged a moment after the response's last byte, when Envoy tells that its stream has ended, and heard in headers only, not in trailers",
		},
	} {
		n := needOf(t, tc.policy)
		var lines []string
		for _, f := range findings(n.policy, n) {
			lines = append(lines, f.String())
		}
		if got := strings.Join(lines, "\n"); got != tc.want {
			t.Errorf("%s\nfound\n%s\nwant\n%s", tc.policy, got, tc.want)
		}
	}
}

// TestNeeds checks what else Envoy must be told.
func TestNeeds(t *testing.T) {
	n := needOf(t, `{"subject":{"sources":[{"from":"{header.K}"}],"missing":{"deny":{"status":403}}},"deny":{"status":402},
		"headers":{"dialect":"x-ratelimit","names":{"limit":"X-Max"}},"usage":[{"paths":["/u"],"body":"{}"}],
		"limits":[{"name":"a","kind":"rolling","window":"1m","max":1,"cost":{"from":"{json.n}"}}]}`)
	if !slices.Equal(n.Statuses, []int{200, 401, 402, 403, 503}) {
		t.Errorf("statuses %v", n.Statuses)
	}
	if !slices.Contains(n.Owned, "x-max") || slices.Contains(n.Owned, "x-ratelimit-limit") {
		t.Errorf("owned %v", n.Owned)
	}
}

// TestAddresses has addresses as users spell them, and in YAML.
func TestAddresses(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"127.0.0.1:8081", `{ socket_address: { address: "127.0.0.1", port_value: 8081 } }`},
		{":8081", `{ socket_address: { address: "127.0.0.1", port_value: 8081 } }`},
		{"0.0.0.0:1", `{ socket_address: { address: "127.0.0.1", port_value: 1 } }`},
		{"[::]:1", `{ socket_address: { address: "::1", port_value: 1 } }`},
		{"tcp/weir.local:1", `{ socket_address: { address: "weir.local", port_value: 1 } }`},
		{"unix//run/we\"ir.sock", `{ pipe: { path: "/run/we\"ir.sock" } }`},
		{"nowhere", ""},
		{":0", ""},
		{":1-2", ""},
		{"udp/:1", ""},
		{":99999", ""},
	} {
		a, err := parseAddress(tc.text, "127.0.0.1", 0)
		got := ""
		if err == nil {
			got = a.reached().String()
		}
		if got != tc.want || a.Named() != (tc.text == "tcp/weir.local:1") && err == nil {
			t.Errorf("%s: %s (%v), want %s", tc.text, got, err, tc.want)
		}
	}
}
