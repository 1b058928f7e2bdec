package bootstrap_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// options is a Caddyfile with these policies and more of the option weir.
func options(more string) string {
	return "{\n\tadmin {$WEIR_ADMIN:off}\n\tweir {\n\t\tstore memory \"{$WEIR_STATE:state}\"\n\t\tenvoy {$WEIR_RLS_LISTEN:127.0.0.1:8081}\n" + more + "\n\t}\n}\n"
}

// one is a policy of one limit of 1 a minute.
func one(name, policy, limit string) string {
	return "policy " + name + " {\n" + policy + "\nlimit requests {\nrolling 1m\nmax 1\n" + limit + "\n}\nheaders x-ratelimit unix\n}\n"
}

// A step is a request, its fields in turns of name and value, and the status
// that it is answered with.
type step struct {
	line   string
	fields []string
	status int
}

func is(status int, line string, fields ...string) step { return step{line, fields, status} }

// policies read all sorts of facts.
var policies = []struct {
	name, text string
	flags      []string
	steps      []step
	// has and lacks are texts of the configuration.
	has, lacks []string
}{
	{
		name: "nothing", text: one("nothing", "per all", ""),
		steps: []step{is(200, "GET /a"), is(429, "POST /b")},
		lacks: []string{":path", "remote_address", "apply_on_stream_done", "header_to_metadata", "generic_key"},
	},
	{
		name: "cookie", text: one("cookie", "subject {cookie.sid}", ""),
		steps: []step{is(401, "GET /"), is(200, "GET /", "Cookie", "a=1; sid=x"), is(429, "GET /", "Cookie", "sid=x; a=2"), is(200, "GET /", "Cookie", "sid=y")},
		lacks: []string{":path"},
	},
	{
		name: "query", text: one("query", "subject {query.key}", ""),
		steps: []step{is(401, "GET /?x=key"), is(200, "GET /?a&key=%78"), is(429, "GET /b?key=x"), is(200, "GET /?key=y")},
	},
	{
		name: "client", text: one("client", "per {client_ip}", ""),
		steps: []step{is(200, "GET /"), is(429, "GET /", "X-Forwarded-For", "203.0.113.7")},
		has:   []string{"use_remote_address: true"},
		lacks: []string{":path"},
	},
	{
		name: "sources", text: one("sources", "subject {header.Authorization} bearer {\nor {header.X-Key}\nmissing ip\n}", ""),
		steps: []step{
			is(200, "GET /"), is(429, "GET /"), is(200, "GET /", "X-Key", "k"), is(429, "GET /", "x-key", "k"),
			is(200, "GET /", "Authorization", "bearer t"), is(429, "GET /", "Authorization", "Bearer t", "X-Key", "other"),
		},
	},
	{
		name: "host", text: one("host", "per {host}", ""),
		steps: []step{is(200, "GET /", "Host", "a.example"), is(429, "GET /", "Host", "A.example:80"), is(200, "GET /", "Host", "b.example")},
	},
	{
		name: "path", text: one("path", "per {path} {method}", ""),
		steps: []step{is(200, "GET /a?x"), is(429, "GET //%61"), is(200, "GET /b"), is(200, "POST /b")},
	},
	{
		name: "matched", text: one("matched", "per all", "match POST /jobs/*\ndeny 402 {\"m\":1}"),
		steps: []step{is(200, "GET /jobs/1"), is(200, "POST /jobs/1"), is(402, "POST /jobs/2"), is(200, "POST /job")},
		has:   []string{"exact: 402"},
	},
	{
		name: "preflight", text: one("preflight", "subject {header.X-Key}", ""),
		steps: []step{
			is(401, "OPTIONS /"), is(200, "OPTIONS /", "Access-Control-Request-Method", "POST"),
			is(200, "GET /", "X-Key", "k"), is(200, "OPTIONS /", "Access-Control-Request-Method", "POST", "X-Key", "k"), is(429, "GET /", "X-Key", "k"),
		},
	},
	{
		name: "cost", text: "policy cost {\nper all\nlimit units {\nrolling 1m\nmax 10\ncost {header.X-Units}\n}\n}\n",
		steps: []step{is(200, "GET /", "X-Units", "7"), is(429, "GET /", "X-Units", "4"), is(200, "GET /", "X-Units", "3")},
	},
	{
		name: "usage", text: one("usage", "subject {header.X-Key} {\nunknown 403\n}\nusage GET /usage {\"used\":{weir.limits.requests.used}}", ""),
		steps: []step{is(200, "GET /", "X-Key", "k"), is(200, "GET /usage", "X-Key", "k"), is(429, "GET /", "X-Key", "k"), is(401, "GET /usage")},
		has:   []string{"exact: 200"},
	},
	{
		name: "foreign", text: one("foreign", "per {tenant}", ""), // that nobody fills in
		steps: []step{is(200, "GET /"), is(429, "GET /")},
		has:   []string{`Envoy does not know "tenant"`, `descriptor_key: "tenant"`},
	},
	{
		name: "scheme", text: one("scheme", "per {http.request.scheme}", ""),
		steps: []step{is(200, "GET /"), is(429, "GET /")},
		lacks: []string{"Envoy does not know"},
	},
	{
		name: "shadowed", text: one("shadowed", "per all\nshadow", ""),
		steps: []step{is(200, "GET /"), is(200, "GET /")},
		lacks: []string{"local_reply_config"},
	},
}

func TestPolicies(t *testing.T) {
	all := ""
	for _, tc := range policies {
		all += tc.text
	}
	w := run(t, options(all), "{}", echo(new(atomic.Int64)))
	for _, tc := range policies {
		t.Run(tc.name, func(t *testing.T) {
			e := w.envoy(t, tc.name, tc.flags...)
			for _, s := range tc.steps {
				e.want(t, s.status, s.line, s.fields...)
			}
			for _, text := range tc.has {
				if !strings.Contains(e.yaml, text) {
					t.Errorf("the configuration lacks %q", text)
				}
			}
			for _, text := range tc.lacks {
				if strings.Contains(e.yaml, text) {
					t.Errorf("the configuration has %q", text)
				}
			}
		})
	}
	if len(policies) < 14 {
		t.Error("policies are missing")
	}
}

// TestRepeated: a credential that stands in a request twice is none, as with
// Caddy, for nobody knows which one the origin takes.
func TestRepeated(t *testing.T) {
	w := run(t, options(one("header", "subject {header.X-Key}", "")+one("scope", "per {header.X-Tenant}", "")+one("cookie", "subject {cookie.sid}", "")), "{}", echo(new(atomic.Int64)))
	e := w.envoy(t, "header")
	e.want(t, 200, "GET /", "X-Key", "a")
	e.want(t, 401, "GET /", "X-Key", "b", "X-Key", "a")
	e.want(t, 401, "GET /", "X-Key", "a", "x-key", "b")
	e = w.envoy(t, "cookie")
	e.want(t, 200, "GET /", "Cookie", "sid=a")
	e.want(t, 401, "GET /", "Cookie", "sid=b", "Cookie", "sid=a")
	e = w.envoy(t, "scope")
	e.want(t, 200, "GET /", "X-Tenant", "a", "X-Tenant", "b")
	e.want(t, 429, "GET /", "X-Tenant", "a,b")
	e.want(t, 200, "GET /", "X-Tenant", "a")
}

// TestHolds: a slot is taken from admission until the response has ended, or
// until its lease is released.
func TestHolds(t *testing.T) {
	gate, arrived := make(chan struct{}), make(chan struct{})
	w := run(t, options("policy api {\nper all\nlimit slow {\nmatch GET /slow\nhold response\nmax 1\n}\nlimit jobs {\nmatch POST /jobs\nhold released\nttl 1h\nmax 1\n}\n}"), "{}",
		func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" && r.Header.Get("X-Wait") != "" {
				close(arrived)
				<-gate
			}
			echo(new(atomic.Int64))(w, r)
		})
	open := sync.OnceFunc(func() { close(gate) })
	t.Cleanup(open)
	e := w.envoy(t, "api")
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, _ := http.NewRequest(http.MethodGet, "http://"+e.address+"/slow", http.NoBody)
		r.Header.Set("X-Wait", "1")
		if res, err := http.DefaultClient.Do(r); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("the request that holds the slot: %v, %v", res, err)
		}
	}()
	select {
	case <-arrived:
		e.want(t, 429, "GET /slow")
	case <-done:
	}
	open()
	<-done
	eventually(t, "the slot is not free", func() bool {
		res, _ := e.send(t, "GET /slow")
		return res.StatusCode == 200
	})
	e.want(t, 200, "POST /jobs", "X-Say", "Weir-Lease: j1")
	e.want(t, 429, "POST /jobs")
	e.want(t, 200, "GET /", "X-Say", "Weir-Release: j1")
	eventually(t, "the lease is not released", func() bool {
		res, _ := e.send(t, "POST /jobs")
		return res.StatusCode == 200
	})
}

// TestVoice: costs are charged and attributes set when responses have ended.
func TestVoice(t *testing.T) {
	w := run(t, options("policy api {\nsubject {header.X-Key}\nplans tokens {\ndefault 10\n}\nlimit tokens {\nfixed 366d\ncost settled\nmax {subject.tokens}\n}\n}"), "{}", echo(new(atomic.Int64)))
	e := w.envoy(t, "api")
	e.want(t, 200, "GET /", "X-Key", "k", "X-Say", "Weir-Cost: 10")
	eventually(t, "the cost is not charged", func() bool {
		res, _ := e.send(t, "GET /", "X-Key", "k")
		return res.StatusCode == 429
	})
	e.want(t, 200, "GET /", "X-Key", "other")
	e.want(t, 200, "GET /", "X-Key", "third", "X-Say", "Weir-Set: tokens=0")
	eventually(t, "the attribute is not set", func() bool {
		res, _ := e.send(t, "GET /", "X-Key", "third")
		return res.StatusCode == 429
	})
}

// TestInline has a policy that a handler defines, a Unix socket, and a Weir that
// cannot be reached.
func TestInline(t *testing.T) {
	socket := filepath.Join(shortDir(t), "weir.sock")
	site := "http://{$WEIR_SITE} {\n\tbind 127.0.0.1\n\troute /deep/* {\n\t\tweir inner {\n\t\t\tper all\n\t\t\tlimit requests {\n\t\t\t\trolling 1m\n\t\t\t\tmax 1\n\t\t\t}\n\t\t}\n\t}\n}\n"
	caddyfile := strings.Replace(options("on_store_error allow\n"), "{$WEIR_RLS_LISTEN:127.0.0.1:8081}", "unix/"+socket, 1) + site
	w := run(t, caddyfile, "{}", echo(new(atomic.Int64)))
	e := w.envoy(t, "inner")
	if !strings.Contains(e.yaml, `pipe: { path: "`+socket+`" }`) {
		t.Errorf("Weir is not asked at %s", socket)
	}
	e.want(t, 200, "GET /")
	e.want(t, 429, "GET /")
	unreachable := free(t)
	w.envoy(t, "inner", "--rls", unreachable).want(t, 200, "GET /")
	w.envoy(t, "inner", "--rls", unreachable, "--on-failure", "deny").want(t, 503, "GET /")
}

// shortDir returns a directory whose path is short enough for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// write writes a file and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCheck checks what the command says, and whether it fails.
func TestCheck(t *testing.T) {
	fine := one("fine", "per {host}", "")
	lost := one("lost", "per {tenant}", "")
	for _, tc := range []struct {
		caddyfile string
		args      []string
		want      string
		fails     bool
	}{
		{options(fine), nil, "fine: everything can be expressed\n", false},
		{options(fine + lost), []string{"fine"}, "fine: everything can be expressed\n", false},
		{
			options(fine + lost), nil,
			"fine: everything can be expressed\nlost: cannot: limit requests: Envoy does not know {tenant}; a filter before must put it into the dynamic metadata weir.attributes\n", true,
		},
		{options(""), nil, "", true},
		{options(fine), []string{"fone"}, "", true},
	} {
		out, err := command(append(tc.args, "--check", "--config", write(t, "Caddyfile", tc.caddyfile))...)
		if out != tc.want || (err != nil) != tc.fails {
			t.Errorf("%q: %v\n%s\nwant %v\n%s", tc.args, err, out, tc.fails, tc.want)
		}
	}
}

// TestMistakes: what is wrong is told, with its place.
func TestMistakes(t *testing.T) {
	good := write(t, "Caddyfile", options(one("api", "per all", "")))
	byIP := write(t, "Caddyfile", options(one("api", "per {client_ip}", "")))
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"apy", "--config", good}, `there is no policy "apy"; did you mean "api"?`},
		{[]string{"api", "api=x", "--config", good}, `api: of several policies each needs the domain`},
		{[]string{"--config", good}, `name a policy; expected one of api`},
		{[]string{"api", "--config", write(t, "Caddyfile", "{\n\tweir {\n\t\tpolicy api {\n\t\t\tlimitt x\n\t\t}\n\t}\n}\n")}, `Caddyfile:4: unknown directive "limitt" in a policy; did you mean "limit"?`},
		{[]string{"api", "--config", write(t, "weir.json", "{\n\t\"apps\": {\n\t\t\"weir\": }\n}")}, `weir.json:3: config is not valid JSON`},
		{[]string{"api", "--config", write(t, "weir.json", `{"apps": {"weir": {"policys": {}}}}`)}, `weir.json: apps.weir: policys: there is no such field; did you mean "policies"?`},
		{[]string{"api", "--config", write(t, "weir.json", `{"apps": {"weir": {"policies": {"api": {"limits": [{"name": "a"}]}}}}}`)}, `weir.json: policies.api.limits[0].kind: `},
		{[]string{"api", "--config", "/no/such/file"}, "no such file"},
		{[]string{"api", "--config", good, "--listen", "here"}, `--listen: "here" is no address`},
		{[]string{"api", "--config", good, "--part", "cluster"}, `there is no part "cluster"; did you mean "clusters"?`},
		{[]string{"api", "--config", good, "--on-failure", "denny"}, `--on-failure: unknown word "denny"; did you mean "deny"?`},
		{[]string{"api", "--config", byIP, "--listen", "unix//tmp/x.sock"}, `{client_ip} is read, and clients of a Unix socket have no address`},
	} {
		if out, err := command(tc.args...); err == nil || !strings.Contains(err.Error(), tc.want) || out != "" {
			t.Errorf("%q: %v, want %s\n%s", tc.args, err, tc.want, out)
		}
	}
	t.Chdir(t.TempDir())
	if _, err := command("api"); err == nil || !strings.Contains(err.Error(), "there is no Caddyfile in this directory") {
		t.Errorf("without a configuration: %v", err)
	}
}

// TestExample: examples/envoy has what the command prints for it.
func TestExample(t *testing.T) {
	t.Setenv("WEIR_RLS_LISTEN", "127.0.0.1:8081")
	args := []string{"--config", "../../examples/envoy/Caddyfile"}
	for _, page := range []string{"headshotpro", "predictions", "shelfforce", "magnetite", "outfit"} {
		args = append(args, page+"="+page+".localhost")
	}
	want, err := command(args...)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../examples/envoy/envoy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("examples/envoy/envoy.yaml is not what its second line prints:\n%s", want)
	}
}

// TestParts: the parts make up the whole.
func TestParts(t *testing.T) {
	path := write(t, "Caddyfile", options(one("api", "subject {header.X-Key}", "")))
	whole, err := command("api", "--config", path)
	if err != nil {
		t.Fatal(err)
	}
	for part, begins := range map[string]string{
		"local_reply": "# Refusals", "http_filters": "# Makes", "virtual_host": `- name: "api"`, "clusters": "# Weir speaks",
	} {
		text, err := command("api", "--config", path, "--part", part)
		if err != nil || !strings.HasPrefix(text, begins) {
			t.Errorf("%s: %v\n%s", part, err, text)
		}
		for line := range strings.Lines(text) {
			if !strings.Contains(whole, strings.TrimSpace(line)+"\n") {
				t.Errorf("%s: the whole lacks %s", part, line)
			}
		}
	}
}
