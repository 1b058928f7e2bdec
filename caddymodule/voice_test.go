package caddymodule

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
)

// jobs is a policy of 2 jobs that the origin leases, and a budget.
const jobs = `weir {
		store memory volatile
		policy api {
			subject {header.X-API-Key}
			limit running {
				match POST /jobs
				hold released
				ttl 1h
				max 2
			}
			limit spending {
				match POST *
				calendar day UTC
				cost settled
				max {subject.budget} else 1
			}
			headers x-ratelimit unix
		}
	}`

// spoken are the response's fields that speak to Weir, in headers and trailers.
func spoken(e exchange) (fields []string) {
	for _, h := range []http.Header{e.header, e.res.Trailer} {
		for name := range h {
			if strings.HasPrefix(strings.ToLower(name), "weir-") {
				fields = append(fields, name)
			}
		}
		for _, name := range strings.Split(h.Get("Trailer"), ",") {
			if strings.HasPrefix(strings.ToLower(strings.TrimSpace(name)), "weir-") {
				fields = append(fields, "Trailer: "+name)
			}
		}
	}
	return fields
}

// wantSilence checks that the client sees nothing that speaks to Weir.
func wantSilence(t *testing.T, e exchange) {
	t.Helper()
	if fields := spoken(e); len(fields) > 0 {
		t.Errorf("the client sees %v", fields)
	}
}

// says answers with header lines in the places that the request names: `header`
// is in the header, `announced` and `late` are trailers.
func says(w http.ResponseWriter, r *http.Request) {
	set := func(prefix string, lines []string) {
		for _, line := range lines {
			name, value, _ := strings.Cut(line, "=")
			w.Header()[prefix+name] = append(w.Header()[prefix+name], value)
		}
	}
	q := r.URL.Query()
	set("", q["header"])
	for _, line := range q["announced"] {
		name, _, _ := strings.Cut(line, "=")
		w.Header().Add("Trailer", name)
	}
	_, _ = io.WriteString(w, "body")
	_ = http.NewResponseController(w).Flush()
	for _, line := range q["announced"] {
		name, value, _ := strings.Cut(line, "=")
		w.Header().Add(name, value)
	}
	set(http.TrailerPrefix, q["late"])
}

func TestOriginsSpeak(t *testing.T) {
	g := start(t, jobs+"\nservers {\nprotocols h1 h2c\n}", "weir api\nreverse_proxy "+origin(t, says))
	for _, proto := range []string{"http/1.1", "h2c"} {
		for _, place := range []string{"header", "announced", "late"} {
			t.Run(proto+" "+place, func(t *testing.T) {
				g, client := g.in(t), clientOf(t, proto)
				key := "X-API-Key: " + proto + place
				send := func(method, path string, said ...string) exchange {
					t.Helper()
					query := "?x=1"
					for _, s := range said {
						query += "&" + place + "=" + s
					}
					e := g.send(client, g.request(method, path+query, nil, key))
					wantSilence(t, e)
					return e
				}
				g.wantStatus(send("POST", "/jobs", "Weir-Lease=a", "X-Kept=1"), 200)
				g.wantStatus(send("POST", "/jobs", "wEiR-lEaSe=b", "Weir-Unknown=1"), 200)
				g.wantStatus(send("POST", "/jobs"), 429)
				g.wantStatus(send("GET", "/other", "Weir-Release=a", "Weir-Release=b"), 200)
				g.wantStatus(send("POST", "/jobs", "Weir-Cost=0.4"), 200)
				g.wantStatus(send("POST", "/other", "Weir-Cost=0.7"), 200)
				g.wantStatus(send("POST", "/other"), 429)
				g.wantStatus(send("GET", "/other", "Weir-Set=budget%3D2"), 200)
				g.wantStatus(send("POST", "/other"), 200)
				if e := send("GET", "/", "X-Kept=1"); e.header.Get("X-Kept")+e.res.Trailer.Get("X-Kept") != "1" {
					t.Errorf("the origin's own field is lost: %v %v", e.header, e.res.Trailer)
				}
			})
		}
	}
}

// TestOriginsAreHeardWhateverAnswers lets origins speak where others answer.
func TestOriginsAreHeardWhateverAnswers(t *testing.T) {
	const voice = "/?header=Weir-Set%3Dbudget%3D2&header=Weir-Foo%3D1"
	up := origin(t, says)
	sites := map[string]string{
		"an error route": "weir api\nreverse_proxy " + up + ` {
			handle_response {
				copy_response_headers
				error 500
			}
		}
		handle_errors {
			respond "sorry"
		}`,
		"no error route": "weir api\nreverse_proxy " + up + ` {
			handle_response {
				copy_response_headers
				error 500
			}
		}`,
		"nobody": "weir api\nreverse_proxy " + up + ` {
			handle_response {
				copy_response_headers
			}
		}`,
		"an error route's origin": `route {
			weir api
			error 500
		}
		handle_errors {
			weir api
			reverse_proxy ` + up + `
		}`,
		"another run": "route {\nweir api\nweir api\nreverse_proxy " + up + "\n}",
	}
	for name, site := range sites {
		t.Run(name, func(t *testing.T) {
			g := start(t, jobs, site)
			e := g.do("POST", voice, "X-API-Key: alice")
			wantSilence(t, e)
			if got := e.header["X-Ratelimit-Limit"]; len(got) != 1 || got[0] != "1" {
				t.Errorf("limit %q, want 1", got)
			}
			e = g.do("POST", "/", "X-API-Key: alice")
			if got := e.header["X-Ratelimit-Limit"]; len(got) != 1 || got[0] != "2" {
				t.Errorf("limit %q, want 2, as the origin has set", got)
			}
		})
	}
}

func TestNothingLeaksWhereNothingApplies(t *testing.T) {
	g := start(t, jobs, "weir api\nreverse_proxy "+origin(t, says))
	e := g.do("OPTIONS", "/?header=Weir-Set%3Dbudget%3D2&announced=Weir-Cost%3D1", "Access-Control-Request-Method: POST")
	g.wantStatus(e, 200)
	wantSilence(t, e)
}

func TestInformationalResponses(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</x>; rel=preload")
		w.Header().Set("Weir-Set", "budget=2")
		w.Header().Set("X-Ratelimit-Limit", "7")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Weir-Set")
		w.Header().Del("Link")
		w.WriteHeader(200)
	})
	g := start(t, jobs, "weir api\nreverse_proxy "+up)
	var hints []textproto.MIMEHeader
	r := g.request("POST", "/", nil, "X-API-Key: alice")
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
			hints = append(hints, h)
			return nil
		},
	}))
	e := g.send(http.DefaultClient, r)
	g.wantStatus(e, 200)
	if len(hints) != 1 || hints[0].Get("Link") == "" || hints[0].Get("Weir-Set") != "" || hints[0].Get("X-Ratelimit-Limit") != "" {
		t.Errorf("hints %v", hints)
	}
	if got := e.header["X-Ratelimit-Limit"]; len(got) != 1 || got[0] != "1" {
		t.Errorf("limit %q", got)
	}
	if got := g.do("POST", "/", "X-API-Key: alice").header.Get("X-Ratelimit-Limit"); got != "1" {
		t.Errorf("limit %s: what informational responses say must not be heard", got)
	}
}

func TestClientsDoNotSpeak(t *testing.T) {
	var got http.Header
	var trailer http.Header
	up := origin(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		got, trailer = r.Header.Clone(), r.Trailer.Clone()
	})
	g := start(t, jobs, "weir api\nreverse_proxy "+up)
	r := g.request("POST", "/", io.NopCloser(strings.NewReader("body")), "X-API-Key: alice", "Weir-Set: budget=2", "X-Kept: 1")
	r.Header["wEIR-Cost"] = []string{"1"}
	r.ContentLength = -1
	r.Trailer = http.Header{"Weir-Set": {"budget=2"}, "X-Late": {"1"}}
	g.wantStatus(g.send(http.DefaultClient, r), 200)
	for name := range got {
		if strings.HasPrefix(strings.ToLower(name), "weir-") {
			t.Errorf("the origin sees %s", name)
		}
	}
	if got.Get("X-Kept") != "1" || trailer.Get("X-Late") != "1" || len(trailer) != 1 {
		t.Errorf("the origin sees %v and the trailer %v", got, trailer)
	}
	if limit := g.do("POST", "/", "X-API-Key: alice").header.Get("X-Ratelimit-Limit"); limit != "1" {
		t.Errorf("limit %s, as a client has set", limit)
	}
}

// TestOriginsTellNoLimits: what an origin says of limits is replaced, in trailers
// too, whether it announces them or not.
func TestOriginsTellNoLimits(t *testing.T) {
	g := start(t, minute, "weir api\nreverse_proxy "+origin(t, says))
	for _, place := range []string{"header", "announced", "late"} {
		for _, name := range []string{"X-RateLimit-Limit", "x-ratelimit-remaining"} {
			e := g.do("GET", "/?"+place+"="+name+"=999", "X-API-Key: "+place+name)
			if e.res.Trailer.Get(name) != "" {
				t.Errorf("%s: the client sees %v", place, e.res.Trailer)
			}
			if got := e.header.Values(name); len(got) != 1 || got[0] == "999" {
				t.Errorf("%s: %s is %q", place, name, got)
			}
		}
	}
}
