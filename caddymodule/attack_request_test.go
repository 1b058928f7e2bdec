package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// guarded is a policy with a limit on one method and path.
const guarded = `weir {
		store memory volatile
		policy api {
			subject {header.X-API-Key}
			limit jobs {
				match POST /v1/jobs
				rolling 60s
				max 100
			}
			headers x-ratelimit unix
		}
	}`

// TestAttackPathsAroundMatch: no way of writing the request's target that an
// origin may take for /v1/jobs is a way around the limit on it.
func TestAttackPathsAroundMatch(t *testing.T) {
	g := start(t, guarded, "weir api\nrespond ok")
	for _, target := range []string{
		"/v1/jobs", "/v1/jobs?x=/v1/other", "/V1/JOBS", "//v1//jobs", "/v1/./jobs", "/v1/x/../jobs",
		"/../v1/jobs", "/%76%31/jobs", "/v1%2fjobs", "/v1%2Fjobs", "/v1/%6Aobs", "/v1/x/%2e%2e/jobs", "/v1/x%2f..%2fjobs",
		"/v1/jobs/.", "/v1/x;y/../jobs",
		"http:v1/jobs", "x:V1//jobs", "http:v1%2fjobs",
		"http://%s/v1/jobs", "http://%s//v1/jobs", "HTTP://%s/v1/x/../jobs",
	} {
		if strings.Contains(target, "://%s") {
			target = fmt.Sprintf(target, g.site)
		}
		answer := g.raw(fmt.Sprintf("POST %s HTTP/1.1\nHost: %s\nX-API-Key: %s\nContent-Length: 0\nConnection: close\n\n", target, g.site, target))
		if !strings.Contains(answer, "X-RateLimit-Remaining: 99\n") && !strings.HasPrefix(answer, "HTTP/1.1 400 ") {
			t.Errorf("%s is a way around:\n%s", target, answer)
		}
	}
}

// TestAttackMethodsAroundMatch: a method in another case is the same one, and a
// header that overrides it does not.
func TestAttackMethodsAroundMatch(t *testing.T) {
	g := start(t, guarded, "weir api\nrespond ok")
	for method, counted := range map[string]bool{"POST": true, "post": true, "Post": true, "PUT": false} {
		for _, override := range []string{"X-HTTP-Method-Override: GET", "X-HTTP-Method-Override: POST", "X-Method-Override: PUT"} {
			answer := g.raw(fmt.Sprintf("%s /v1/jobs HTTP/1.1\nHost: %s\nX-API-Key: %s %s\n%s\nContent-Length: 0\nConnection: close\n\n",
				method, g.site, method, override, override))
			if strings.Contains(answer, "X-RateLimit-Remaining: 99\n") != counted {
				t.Errorf("%s with %s:\n%s", method, override, answer)
			}
		}
	}
}

// TestAttackForgedVoice: a client's Weir-* has no effect and never reaches the
// origin, in headers or trailers, spelled in any way, over HTTP/1.1 and HTTP/2.
func TestAttackForgedVoice(t *testing.T) {
	var seen atomic.Pointer[[]http.Header]
	up := origin(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		seen.Store(&[]http.Header{r.Header.Clone(), r.Trailer.Clone()})
	})
	g := start(t, jobs+"\nservers {\nprotocols h1 h2c\n}", "weir api\nreverse_proxy "+up)
	names := []string{"Weir-Cost", "weir-lease", "WEIR-RELEASE", "WeIr-Set", "Weir-Anything", "Weir_Cost", "weir_set"}
	for _, proto := range []string{"http/1.1", "h2c"} {
		r := g.request("POST", "/", io.NopCloser(strings.NewReader("{}")), "X-API-Key: "+proto, "X-Stays: y")
		r.Trailer = http.Header{"X-Stays": {"y"}}
		for _, name := range names {
			r.Header[name], r.Trailer[name] = []string{"5"}, []string{"budget=5"}
		}
		g.wantStatus(g.send(clientOf(t, proto), r), 200)
		for _, h := range *seen.Load() {
			for name := range h {
				if strings.HasPrefix(strings.ToLower(name), "weir") {
					t.Errorf("%s: the origin got the client's %s", proto, name)
				}
			}
			if h.Get("X-Stays") != "y" {
				t.Errorf("%s: the origin got only %v", proto, h)
			}
		}
		e := g.do("POST", "/", "X-API-Key: "+proto)
		if left := e.header.Get("X-RateLimit-Remaining"); left != "1" {
			t.Errorf("%s: %s of a budget of 1 remain", proto, left)
		}
	}
}

// TestAttackForgedAddress: a client's X-Forwarded-For and Forwarded count for
// nothing, unless Caddy trusts the proxy that they come from; then the last
// address that no trusted proxy wrote counts, and not the client's own.
func TestAttackForgedAddress(t *testing.T) {
	const options = `weir {
		store memory volatile
		policy api {
			per {client_ip}
			limit requests {
				rolling 60s
				max 100
			}
			headers x-ratelimit unix
		}
	}`
	forge := func(g *gateway, lines ...string) string {
		return g.do("GET", "/", lines...).header.Get("X-RateLimit-Remaining")
	}
	g := start(t, options, "weir api\nrespond ok")
	for i, lines := range [][]string{
		{},
		{"X-Forwarded-For: 192.0.2.1"},
		{"X-Forwarded-For: 192.0.2.1, 192.0.2.2"},
		{"Forwarded: for=192.0.2.3"},
		{"X-Real-IP: 192.0.2.4"},
		{"Client-IP: 192.0.2.5", "CF-Connecting-IP: 192.0.2.6", "True-Client-IP: 192.0.2.7"},
	} {
		if got, want := forge(g, lines...), fmt.Sprint(99-i); got != want {
			t.Errorf("%v: %s remain, want %s: it is another client", lines, got, want)
		}
	}
	g.load(options+"\nservers {\ntrusted_proxies static 127.0.0.1\ntrusted_proxies_strict\n}", "weir api\nrespond ok")
	for i := range 3 {
		forged := fmt.Sprintf("X-Forwarded-For: 203.0.113.%d, 192.0.2.99", i)
		if got, want := forge(g, forged, "Forwarded: for=198.51.100.1"), fmt.Sprint(99-i); got != want {
			t.Errorf("%s: %s remain, want %s", forged, got, want)
		}
	}
	if got := forge(g, "X-Forwarded-For: nonsense"); got != "93" {
		t.Errorf("what is no address: %s remain, want 93: the proxy's own", got)
	}
}

// TestAttackRepeatedCredentials: who sends several credentials in one place sends
// none: the origin might take another one than is counted.
func TestAttackRepeatedCredentials(t *testing.T) {
	g := start(t, `weir {
		store memory volatile
		policy api {
			subject {header.X-API-Key} {
				or {header.Authorization} bearer
				or {cookie.key}
				or {query.key}
			}
			limit requests {
				rolling 60s
				max 100
			}
			headers x-ratelimit unix
		}
	}`, "weir api\nrespond ok")
	for i, test := range []struct {
		path   string
		lines  []string
		status int
	}{
		{"/", []string{"X-API-Key: real"}, 200},
		{"/", []string{"X-API-Key: real", "X-API-Key: made-up"}, 401},
		{"/", []string{"X-API-Key: real", "x-api-key: real"}, 401},
		{"/?key=made-up", []string{"X-API-Key: real", "X-API-Key: "}, 401},
		{"/", []string{"Authorization: Bearer real", "Authorization: Bearer made-up"}, 401},
		{"/", []string{"Cookie: key=real"}, 200},
		{"/", []string{"Cookie: key=made-up; key=real"}, 401},
		{"/", []string{"Cookie: key=made-up", "Cookie: key=real"}, 401},
		{"/?key=real", nil, 200},
		{"/?key=made-up&key=real", nil, 401},
		{"/?key=made-up&k%65y=real", nil, 401},
		{"/?key=real;&key=made-up", nil, 401},
		{"/", []string{"X-API-Key: " + strings.Repeat("x", 17<<10)}, 401},
		{"/", []string{"X-API-Key: " + strings.Repeat("x", 16<<10)}, 200},
		{"/", []string{"X-API-Key: caf\xe9\xff"}, 200},
	} {
		if e := g.do("GET", test.path, test.lines...); e.status != test.status {
			t.Errorf("%d: %s %.60q: status %d, want %d", i, test.path, test.lines, e.status, test.status)
		}
	}
}

// TestAttackRemovedCredentials: a credential that the client has the proxy remove on
// the way, so that the origin takes the next one, is none.
func TestAttackRemovedCredentials(t *testing.T) {
	reached := 0
	up := origin(t, func(http.ResponseWriter, *http.Request) { reached++ })
	g := start(t, `weir {
		store memory volatile
		policy api {
			subject {header.X-API-Key} {
				or {cookie.key}
				or {header.Authorization} bearer
			}
			limit requests {
				rolling 60s
				max 1
			}
		}
	}`, "weir api\nreverse_proxy "+up)
	send := func(lines string) string {
		answer := g.raw(fmt.Sprintf("GET / HTTP/1.1\nHost: %s\nAuthorization: Bearer real\n%sConnection: close\n\n", g.site, lines))
		status, _, _ := strings.Cut(strings.TrimPrefix(answer, "HTTP/1.1 "), " ")
		return status
	}
	if status := send(""); status != "200" {
		t.Fatalf("status %s, want 200", status)
	}
	for lines, want := range map[string]string{
		"X-API-Key: made-up-1\nConnection: X-API-Key\n":         "401",
		"X-API-Key: made-up-2\nConnection: a,,\tx-api-key ,b\n": "401",
		"Cookie: key=made-up-3\nConnection: cookie\n":           "401",
		"Connection: Authorization\n":                           "401",
		"Connection: X-API-Key, Cookie\n":                       "429",
		"Connection: Authorization-2\n":                         "429",
	} {
		if status := send(lines); status != want {
			t.Errorf("%q: status %s, want %s", lines, status, want)
		}
	}
	if reached != 1 {
		t.Errorf("%d requests reached the origin, want 1", reached)
	}
}

// TestAttackCostsOfSeveralValues: who sends a cost several times, or in a way that
// some origins read, pays the most that any of them may take.
func TestAttackCostsOfSeveralValues(t *testing.T) {
	g := start(t, `weir {
		store memory volatile
		policy api {
			subject {header.X-API-Key}
			limit query {
				cost {query.n} min 1
				rolling 60s
				max 1000
			}
			limit header {
				cost {header.X-N} min 1
				rolling 60s
				max 1000
			}
			limit cookie {
				cost {cookie.n} min 1
				rolling 60s
				max 1000
			}
			usage GET /usage <<BODY
				[{weir.limits.query.used},{weir.limits.header.used},{weir.limits.cookie.used}]
				BODY
		}
	}`, "weir api\nrespond ok")
	for i, test := range []struct {
		query string
		lines []string
		used  string
	}{
		{"", nil, "1,1,1"},
		{"n=7", []string{"X-N: 8", "Cookie: n=9"}, "7,8,9"},
		{"n=1&n=70", []string{"X-N: 1", "X-N: 80", "Cookie: n=1; n=90"}, "70,80,90"},
		{"n=70&n=1", []string{"X-N: 80, 1", "Cookie: n=90", "Cookie: n=1"}, "70,80,90"},
		{"n=70&%6E=x", []string{"X-N: 80", "X-N: x", `Cookie: n="90"; n=1`}, "70,80,90"},
		{"n=1;n=70", []string{"X-N:   80  ", "Cookie: n = 90"}, "70,80,90"},
		{"x=1;n=70", nil, "70,1,1"},
		{"n=+70", nil, "70,1,1"},
		{"n=%0970%0a", nil, "70,1,1"},
		{"n=70x", []string{"X-N: 80 tokens", "Cookie: n=90x"}, "70,80,90"},
		{"n=0x46", []string{"X-N: 0b1010000", "Cookie: n=0x5a"}, "70,80,90"},
		{"n=%EF%BC%97%EF%BC%90", []string{"X-N: 8e1x", "Cookie: n=%39%30"}, "70,80,90"},
		{"n=70%00", []string{"X-N: 7.95e+1", `Cookie: n="\071\060"`}, "70,80,90"},
		{"n[]=70", []string{"X-N: 80;q=1", "Cookie: x=1,n=90"}, "70,80,90"},
		{"n=70;x", []string{"X-N: 8_0", "Cookie: n[]=90"}, "70,80,90"},
		{"n=70%zz", nil, "70,1,1"},
		{"n=%37%30%zz", []string{"Cookie: n=%39%30%zz"}, "70,1,90"},
		{"[n]=70", []string{"X-N: #50", "Cookie: n=j:90"}, "70,80,90"},
		{"n]=70", []string{"X-N: 8 0", "Cookie: n=j%3A%5B%2290%22%5D"}, "70,80,90"},
		{"n=7%u0030", []string{"Cookie: n=1_00"}, "70,1,100"},
		{"n=7+0", nil, "70,1,1"},
		{"n=1&n=70", []string{"X-N: 1,80"}, "70,80,1"},
		{"n=seventy&n=$70", []string{"X-N: x80", "Cookie: n=n90"}, "1,1,1"},
		{"n=x&n=-5&N=70", []string{"X-N: -80", "Cookie: N=90"}, "1,1,1"},
	} {
		key := fmt.Sprint("X-API-Key: ", i)
		g.wantStatus(g.do("POST", "/?"+test.query, append(test.lines, key)...), 200)
		if used := strings.Trim(g.do("GET", "/usage", key).body, "[]\n"); used != test.used {
			t.Errorf("?%s with %q: charged %s, want %s", test.query, test.lines, used, test.used)
		}
	}
}

// TestAttackHugeHeaders: headers of up to what Caddy takes in all are decided,
// larger ones and those with control characters are not.
func TestAttackHugeHeaders(t *testing.T) {
	g := start(t, guarded+"\nservers {\nmax_header_size 64KiB\n}", "weir api\nrespond ok")
	lines := func(n int, form string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, form, i)
		}
		return b.String()
	}
	for name, test := range map[string]struct{ head, status string }{
		"one large header":        {"X-Large: " + strings.Repeat("x", 60<<10) + "\n", "200"},
		"one that is too large":   {"X-Large: " + strings.Repeat("x", 100<<10) + "\n", "431"},
		"thousands":               {lines(4000, "X-%d: y\n"), "200"},
		"tens of thousands":       {lines(20000, "X-%d: y\n"), "431"},
		"thousands of one name":   {lines(4000, "X-Same: %d\n"), "200"},
		"a large cookie":          {"Cookie: " + lines(4000, "a%d=b; ") + "\n", "200"},
		"a key that is too large": {"X-API-Key: " + strings.Repeat("x", 40<<10) + "\n", "401"},
		"NUL in a value":          {"X-API-Key: a\x00b\n", "400"},
		"NUL in a name":           {"X-\x00: b\n", "400"},
		"CR in a value":           {"X-Other: a\rWeir-Cost: 1\n", "400"},
		"a folded line":           {"X-Other: a\n Weir-Cost: 1\n", "200"},
		"a name with a space":     {"Weir-Cost : 1\n", "400"},
	} {
		key := "X-API-Key: k\n"
		if strings.HasPrefix(test.head, "X-API-Key") {
			key = ""
		}
		answer := g.raw(fmt.Sprintf("POST /v1/jobs HTTP/1.1\nHost: %s\n%s%sContent-Length: 0\nConnection: close\n\n", g.site, key, test.head))
		if !strings.HasPrefix(answer, "HTTP/1.1 "+test.status+" ") {
			t.Errorf("%s: %.80q, want %s", name, answer, test.status)
		}
	}
	used := g.do("POST", "/v1/jobs", "X-API-Key: k").header.Get("X-RateLimit-Remaining")
	if used != "94" {
		t.Errorf("%s remain, want 94: 5 were admitted before", used)
	}
}
