package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// plainMinute has no answer of its own.
var plainMinute = minute[:strings.Index(minute, "deny 429")] + "}\n}"

func TestErrorRoutesAnswer(t *testing.T) {
	up := origin(t, func(http.ResponseWriter, *http.Request) {})
	g := start(t, plainMinute, "weir api\nreverse_proxy "+up+`
	handle_errors {
		respond "{err.status_code} {weir.outcome} {weir.limit} {weir.used}/{weir.max} {weir.subject.plan} {weir.limits.requests.remaining} {err.message}"
	}`)
	g.do("GET", "/", "X-API-Key: alice")
	g.do("GET", "/", "X-API-Key: alice")
	e := g.do("GET", "/", "X-API-Key: alice")
	g.wantStatus(e, 429)
	if want := "429 denied requests 2/2 default 0 policy api: refused by limit requests"; e.body != want {
		t.Errorf("answered %q, want %q", e.body, want)
	}
	for _, name := range []string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After"} {
		if len(e.header.Values(name)) != 1 {
			t.Errorf("%s: %q", name, e.header.Values(name))
		}
	}
	e = g.do("GET", "/")
	g.wantStatus(e, 401)
	if !strings.HasPrefix(e.body, "401 missing_credential  /  ") {
		t.Errorf("answered %q", e.body)
	}
}

func TestCaddysOwnErrorsTellTheLimits(t *testing.T) {
	nobody := freeAddresses(t, 1)[0]
	g := start(t, plainMinute, "weir api\nreverse_proxy "+nobody)
	for _, remaining := range []string{"1", "0"} {
		e := g.do("GET", "/", "X-API-Key: alice")
		g.wantStatus(e, 502)
		if got := e.header.Values("X-RateLimit-Remaining"); len(got) != 1 || got[0] != remaining {
			t.Errorf("remaining %q, want %s", got, remaining)
		}
	}
	g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), 429)
}

func TestOneRequestIsChargedOnce(t *testing.T) {
	hits := 0
	up := origin(t, func(w http.ResponseWriter, _ *http.Request) {
		hits++
		w.Header().Set("X-RateLimit-Limit", "7")
	})
	setProbe(t, "twice", func(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
		_ = next.ServeHTTP(discard{http.Header{}}, r)
		return next.ServeHTTP(w, r)
	})
	setProbe(t, "again", func(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
		if err := next.ServeHTTP(w, r); err == nil {
			return nil
		}
		return next.ServeHTTP(w, r)
	})
	sites := map[string]struct {
		site string
		hits int // of the origin, of 3 requests
	}{
		"one after the other":   {"route {\nweir api\nweir api\nreverse_proxy " + up + "\n}", 2},
		"one in the other":      {"route {\nweir api\nroute {\nweir api\nreverse_proxy " + up + "\n}\n}", 2},
		"rewritten":             {"route {\nweir api\nrewrite /other\nweir api\nreverse_proxy " + up + "\n}", 2},
		"run twice":             {"route {\nprobe twice\nweir api\nreverse_proxy " + up + "\n}", 4},
		"run again, refused":    {"route {\nprobe again\nweir api\nreverse_proxy " + up + "\n}", 2},
		"and in an error route": {"route {\nweir api\nreverse_proxy " + freeAddresses(t, 1)[0] + "\n}\nhandle_errors 502 {\nweir api\nreverse_proxy " + up + "\n}", 2},
	}
	for name, test := range sites {
		t.Run(name, func(t *testing.T) {
			hits = 0
			g := start(t, plainMinute, test.site)
			for _, want := range []string{"1", "0", "0"} {
				e := g.do("GET", "/", "X-API-Key: alice")
				if got := e.header.Values("X-RateLimit-Remaining"); len(got) != 1 || got[0] != want {
					t.Errorf("remaining %q, want %s", got, want)
				}
				if got := e.header.Values("X-RateLimit-Limit"); len(got) != 1 || got[0] != "2" {
					t.Errorf("limit %q", got)
				}
			}
			if hits != test.hits {
				t.Errorf("the origin was asked %d times, want %d", hits, test.hits)
			}
		})
	}
}

// discard is a response nobody gets.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// two are policies of different dialects and the same.
const two = `weir {
		store memory volatile
		policy outer {
			limit all {
				per all
				rolling 60s
				max 3
			}
			headers x-ratelimit unix
		}
		policy inner {
			subject {header.X-API-Key}
			limit each {
				rolling 60s
				max {subject.most} else 1
			}
			headers DIALECT
		}
	}`

func TestTwoPoliciesOfOneRequest(t *testing.T) {
	up := origin(t, says)
	for _, dialect := range []string{"x-ratelimit unix", "ratelimit"} {
		t.Run(dialect, func(t *testing.T) {
			g := start(t, strings.Replace(two, "DIALECT", dialect, 1), "route {\nweir outer\nweir inner\nreverse_proxy "+up+"\n}")
			same := dialect != "ratelimit"
			wants := []struct{ key, status, limit, policy string }{
				{"a", "200", "3", `"each";q=1;w=60`},
				{"a", "429", map[bool]string{true: "1", false: "3"}[same], `"each";q=1;w=60`},
				{"b", "200", "3", `"each";q=1;w=60`},
				{"c", "429", "3", ""}, // by the outer one: a's refused request was charged to it
			}
			for i, want := range wants {
				e := g.do("GET", "/?header=Weir-Foo%3D1", "X-API-Key: "+want.key)
				wantSilence(t, e)
				policy := want.policy
				if same {
					policy = ""
				}
				if fmt.Sprint(e.status) != want.status || e.header.Get("X-RateLimit-Limit") != want.limit || e.header.Get("RateLimit-Policy") != policy {
					t.Errorf("%d: %d %v, want %v", i, e.status, e.header, want)
				}
				if n := len(e.header.Values("X-RateLimit-Limit")); n != 1 {
					t.Errorf("%d limits", n)
				}
			}
		})
	}
}

// TestAllPoliciesHearTheOrigin has the origin speak to the outer policy, which
// has no subject, and the inner one.
func TestAllPoliciesHearTheOrigin(t *testing.T) {
	options := strings.Replace(two, "DIALECT", "none", 1)
	options = strings.Replace(options, "rolling 60s\n\t\t\t\tmax 3", "calendar day UTC\n\t\t\t\tcost settled\n\t\t\t\tmax 3", 1)
	g := start(t, options, "route {\nweir outer\nweir inner\nreverse_proxy "+origin(t, says)+"\n}")
	g.wantStatus(g.do("GET", "/?header=Weir-Set%3Dmost%3D9&header=Weir-Cost%3D2", "X-API-Key: a"), 200)
	e := g.do("GET", "/?header=Weir-Cost%3D1", "X-API-Key: a")
	g.wantStatus(e, 200)
	if got := e.header.Get("X-RateLimit-Remaining"); got != "1" {
		t.Errorf("the outer policy has %s left, want 1", got)
	}
	g.wantStatus(g.do("GET", "/", "X-API-Key: a"), 429)
}

func TestUsageIsAnswered(t *testing.T) {
	g := start(t, `weir {
		store memory volatile
		policy api {
			subject {header.X-API-Key}
			limit daily {
				match POST *
				calendar day UTC
				max 2
			}
			count all ever
			usage GET /usage `+"`"+`{"all":{weir.limits.all.used},"left":{weir.limits.daily.remaining}}`+"`"+`
		}
	}`, "weir api\nreverse_proxy "+origin(t, func(http.ResponseWriter, *http.Request) {}))
	g.wantStatus(g.do("POST", "/", "X-API-Key: a"), 200)
	e := g.do("GET", "/usage", "X-API-Key: a")
	if g.wantStatus(e, 200); e.body != `{"all":2,"left":1}` {
		t.Errorf("answered %q", e.body)
	}
	e = g.do("HEAD", "/usage", "X-API-Key: a")
	if g.wantStatus(e, 200); e.body != "" {
		t.Errorf("answered %q", e.body)
	}
}

func TestChallenge(t *testing.T) {
	g := start(t, strings.Replace(plainMinute, "{header.X-API-Key}", "{header.Authorization} bearer", 1), "weir api\nrespond ok")
	e := g.do("GET", "/")
	if g.wantStatus(e, 401); !strings.HasPrefix(e.header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("challenge %q", e.header.Values("WWW-Authenticate"))
	}
	g.wantStatus(g.do("GET", "/", "Authorization: Bearer alice"), 200)
}

func TestShadowsRefuseNobodyAndAreCounted(t *testing.T) {
	options := strings.Replace(plainMinute, "max 2", "max 1\nshadow", 1)
	whole := strings.Replace(plainMinute, "max 2", "max 1", 1)
	whole = strings.Replace(whole, "policy api {", "policy api {\nshadow", 1)
	for name, test := range map[string]struct{ options, want string }{
		"a limit":   {options, "weir_shadow_refusals_total{limit=\"requests\",outcome=\"denied\",policy=\"api\"} 2"},
		"a policy":  {whole, "weir_shadow_refusals_total{limit=\"requests\",outcome=\"denied\",policy=\"api\"} 2"},
		"of nobody": {whole, "weir_shadow_refusals_total{limit=\"\",outcome=\"missing_credential\",policy=\"api\"} 3"},
	} {
		t.Run(name, func(t *testing.T) {
			key := "X-API-Key: alice"
			if name == "of nobody" {
				key = "X-Other: 1"
			}
			g := start(t, test.options, "weir api\nrespond ok")
			for range 3 {
				e := g.do("GET", "/", key)
				g.wantStatus(e, 200)
				if limit := e.header.Get("X-RateLimit-Limit"); limit != "" {
					t.Errorf("a shadow tells of its limit, %s", limit)
				}
			}
			if metrics := g.call("GET", "/metrics", "").body; !strings.Contains(metrics, test.want+"\n") {
				t.Errorf("no %s", test.want)
			}
		})
	}
}
