package acceptance

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// probe is a page's plainest limited request.
type probe struct {
	page  string
	plan  string
	limit int // of the limit that X-RateLimit-* tells of
	call  func(key string) Call
	free  string // the path of a POST that may pass any number of times
}

func probes() []probe {
	return []probe{
		{"headshotpro", "standard", 300, func(k string) Call { return get(k, "/api/v2/organization") }, "/api/v2/x"},
		{"predictions", "default", 60, func(k string) Call { return get(k, "/v1/predictions/p") }, "/v1/files"},
		{"shelfforce", "free", 60, func(k string) Call { return get(k, "/api/v1/products") }, "/api/v1/tasks"},
		{"magnetite", "standard", 60, func(k string) Call { return get(k, "/generation/g/status") }, "/projects"},
		{"outfit", "default", 20, func(k string) Call { return post(k, "/style_me") }, "/images"},
	}
}

func TestCommon(t *testing.T) {
	t.Parallel()
	for _, p := range probes() {
		t.Run(p.page, func(t *testing.T) {
			t.Parallel()
			prove(t, Start, p.page, commonProofs(p))
		})
	}
	try(t, Start, commonTrials())
}

// user is a subject of the page's default plan.
func (p probe) user(id string) Attributes { return Attributes{"id": id, "plan": p.plan} }

func commonProofs(p probe) []proof {
	proofs := []proof{
		{"A-C1 C1 without a known key the gateway answers and counts nobody", Subjects{"auth": p.user("auth")}, p.refusesStrangers},
		{"C3 C13 the origin's Weir headers stay inside", Subjects{"voice": p.user("voice")}, p.hidesVoice},
		{"C4 what is admitted reaches the origin once", Subjects{"once": p.user("once")}, p.forwardsOnce},
		{"C9 requests pass byte for byte", Subjects{"in": p.user("in")}, p.passesRequests},
		{"C9 responses pass byte for byte", Subjects{"out": p.user("out")}, p.passesResponses},
		{"C9 bodies of any size pass, chunked or not", Subjects{"large": p.user("large")}, p.passesBodies},
		{"C10 C13 rate headers of the origin are replaced", Subjects{"own": p.user("own")}, p.replacesHeaders},
		{"C15 Weir headers of a client are dropped", Subjects{"sly": p.user("sly")}, p.dropsClientVoice},
		{"C16 A-C4 failures of the origin are counted and carry the headers", Subjects{"fail": p.user("fail")}, p.countsFailures},
	}
	if p.page == "outfit" { // whose window is a day
		return proofs
	}
	return append(proofs, proof{
		"C8 A-C2 A-C3 at Reset Remaining grows by what was charged first", Subjects{"grow": p.user("grow")}, p.growsAtReset,
	})
}

func (p probe) refusesStrangers(t *testing.T, g *Gateway) {
	unknown := http.StatusUnauthorized
	if p.page == "outfit" {
		unknown = http.StatusForbidden
	}
	g.Send(t, p.call("")).want(t, 401).unlimited(t)
	g.Send(t, p.call("nobody")).want(t, unknown).unlimited(t)
	other := p.call("").with("X-API-Key", "auth")
	if p.page == "outfit" {
		other = p.call("").with("Authorization", "Bearer auth")
	}
	g.Send(t, other).want(t, 401)
	g.Send(t, p.call("").with("Authorization", "Basic YXV0aDphdXRo")).want(t, 401)
	if p.page != "outfit" {
		g.Send(t, p.call("").with("Authorization", "Bearer ")).want(t, 401)
		g.Send(t, p.call("").with("Authorization", "auth")).want(t, 401)
	}
	for range p.limit + 1 { // strangers have no pool to use up, nor anybody's
		g.Send(t, p.call("nobody")).want(t, unknown)
	}
	strangers := g.Origin.Seen(func(a Arrival) bool {
		return a.Header.Get("Authorization") != "Bearer auth" && a.Header.Get("X-API-Key") != "auth" &&
			a.URI == p.call("").Path && a.Method == p.call("").Method && noKeyOf(a)
	})
	if len(strangers) > 0 {
		t.Errorf("%d requests of strangers reached the origin", len(strangers))
	}
	g.Send(t, p.call("auth")).want(t, 200).quota(t, p.limit, p.limit-1)
}

// noKeyOf reports whether the arrival carries none of the proofs' keys.
func noKeyOf(a Arrival) bool {
	key := strings.TrimPrefix(a.Header.Get("Authorization"), "Bearer ") + a.Header.Get("X-API-Key")
	return key == "" || key == "nobody"
}

func (p probe) hidesVoice(t *testing.T, g *Gateway) {
	for _, status := range []int{200, 404, 503} {
		call := p.call("voice").answered(status)
		for _, line := range []string{
			"Weir-Cost: 0.042", "Weir-Lease: some-id", "Weir-Release: a, b", "weir-release: c", "Weir-Set: mood=1",
		} {
			call = call.told(line)
		}
		g.Send(t, call.told("X-Other: stays")).want(t, status)
		a := g.Send(t, call.told("X-Other: stays")).want(t, status)
		if a.Header.Get("X-Other") != "stays" {
			t.Errorf("X-Other is gone: %v", a)
		}
	}
}

func (p probe) forwardsOnce(t *testing.T, g *Gateway) {
	for n := 1; n <= 3; n++ {
		g.Send(t, p.call("once")).want(t, 200).quota(t, p.limit, p.limit-n)
	}
	if seen := len(g.Origin.From("once")); seen != 3 {
		t.Errorf("3 admitted requests reached the origin %d times", seen)
	}
}

func (p probe) passesRequests(t *testing.T, g *Gateway) {
	uris := []string{
		"/a%2Fb//c/../d/%7Euser;v=1?x=1&y=%20&&z=a+b&x=2", "/%E2%82%AC?", "/?q=%zz;w", "/UPPER/lower.",
	}
	for i, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"} {
		uri := uris[i%len(uris)]
		name, value := g.credential("in")
		raw := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n%s: %s\r\nX-Marker: %s\r\nX-Many: one\r\nX-Many: two, three\r\n"+
			"Cookie: a=b; c=\"d\"\r\nUser-Agent: own/1.0\r\nAccept-Encoding: br\r\nX-Empty:\r\nContent-Length: 4\r\nConnection: close\r\n\r\n\x00\xff\r\n",
			method, uri, g.Host, name, value, method)
		g.exchange(t, raw, method)
		seen := g.Origin.Seen(func(a Arrival) bool { return a.Header.Get("X-Marker") == method })
		if len(seen) != 1 {
			t.Fatalf("%s %s reached the origin %d times", method, uri, len(seen))
		}
		wantArrival(t, seen[0], method, uri, []byte("\x00\xff\r\n"))
		for header, want := range map[string]string{
			name: value, "X-Many": "one|two, three", "Cookie": `a=b; c="d"`, "User-Agent": "own/1.0", "Accept-Encoding": "br", "X-Empty": "",
		} {
			if got := strings.Join(seen[0].Header.Values(header), "|"); got != want {
				t.Errorf("%s reached the origin as %q, want %q", header, got, want)
			}
		}
	}
}

func wantArrival(t *testing.T, a Arrival, method, uri string, body []byte) {
	t.Helper()
	if a.Method != method || a.URI != uri {
		t.Errorf("%s %s reached the origin as %s %s", method, uri, a.Method, a.URI)
	}
	if !bytes.Equal(a.Body, body) {
		t.Errorf("%s %s: a body of %d bytes reached the origin as %d others", method, uri, len(body), len(a.Body))
	}
}

func (p probe) passesResponses(t *testing.T, g *Gateway) {
	path := "/c9/response"
	payload := noise(70_000)
	g.Origin.On(path, func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h["Set-Cookie"] = []string{"a=1; Path=/", "b=2"}
		h.Set("Content-Type", "image/x-own; q=1")
		h.Set("Content-Encoding", "gzip") // it is not: nobody may look inside
		h.Set("ETag", `W/"x"`)
		h.Set("Server", "own")
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write(payload)
	})
	a := g.Send(t, post("out", path).with("Accept-Encoding", "gzip")).want(t, http.StatusTeapot)
	if !bytes.Equal(a.Body, payload) {
		t.Errorf("a response of %d bytes came as %d others", len(payload), len(a.Body))
	}
	for name, want := range map[string]string{
		"Set-Cookie": "a=1; Path=/|b=2", "Content-Type": "image/x-own; q=1", "Content-Encoding": "gzip", "Etag": `W/"x"`, "Server": "own",
	} {
		if got := strings.Join(a.Header.Values(name), "|"); got != want {
			t.Errorf("%s came as %q, want %q", name, got, want)
		}
	}
	for _, status := range []int{201, 204, 301, 304, 404, 429, 500} {
		g.Send(t, post("out", p.free).answered(status)).want(t, status)
	}
}

func (p probe) passesBodies(t *testing.T, g *Gateway) {
	for i, size := range []int{0, 1, 4096, 1 << 20, 5 << 20} {
		for _, chunked := range []bool{false, true} {
			call := Call{Method: "POST", Path: fmt.Sprintf("%s?size=%d&chunked=%v", p.free, size, chunked), Key: "large", Body: noise(size), Chunked: chunked}
			call = call.with("X-Echo", fmt.Sprint(i))
			g.Send(t, call).want(t, 200)
			seen := g.Origin.Seen(func(a Arrival) bool { return a.URI == call.Path })
			if len(seen) != 1 {
				t.Fatalf("%s reached the origin %d times", call.Path, len(seen))
			}
			wantArrival(t, seen[0], "POST", call.Path, call.Body)
			if size > 0 && seen[0].Chunked != chunked {
				t.Errorf("%s: chunked %v reached the origin as %v", call.Path, chunked, seen[0].Chunked)
			}
		}
	}
}

func noise(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

func (p probe) replacesHeaders(t *testing.T, g *Gateway) {
	call := p.call("own")
	for _, line := range []string{
		"X-RateLimit-Limit: 7777", "X-RateLimit-Limit: 8888", "x-ratelimit-remaining: 7776", "X-RateLimit-Reset: 1",
	} {
		call = call.told(line)
	}
	for n, status := range []int{200, 404, 500} {
		a := g.Send(t, call.answered(status)).want(t, status).quota(t, p.limit, p.limit-n-1)
		if a.Header.Get(resetHeader) == "1" {
			t.Errorf("the origin's Reset came through: %v", a)
		}
	}
}

func (p probe) dropsClientVoice(t *testing.T, g *Gateway) {
	call := p.call("sly").with("weir-cost", "1000000").with("Weir-Lease", "mine").with("WEIR-RELEASE", "mine, theirs").
		with("Weir-Set", "requests=100000").with("Weir-Anything", "x").with("X-Stays", "y")
	g.Send(t, call).want(t, 200).quota(t, p.limit, p.limit-1)
	call.Body, call.Chunked = []byte("{}"), true
	call.Trailer = http.Header{"Weir-Cost": {"5"}}
	g.Send(t, call).want(t, 200).quota(t, p.limit, p.limit-2)
	seen := g.Origin.From("sly")
	if len(seen) != 2 {
		t.Fatalf("2 requests reached the origin %d times", len(seen))
	}
	for _, a := range seen {
		for _, names := range []http.Header{a.Header, a.Trailer} {
			for name := range names {
				if strings.HasPrefix(name, "Weir-") {
					t.Errorf("the client's %s reached the origin", name)
				}
			}
		}
		if a.Header.Get("X-Stays") != "y" {
			t.Error("X-Stays did not reach the origin")
		}
	}
	g.Send(t, p.call("sly")).want(t, 200).quota(t, p.limit, p.limit-3)
}

func (p probe) countsFailures(t *testing.T, g *Gateway) {
	used := 0
	for _, status := range []int{400, 401, 404, 422, 500, 503} {
		used++
		g.Send(t, p.call("fail").answered(status)).want(t, status).quota(t, p.limit, p.limit-used)
	}
	used++
	g.Send(t, p.call("fail").with(scriptBreak, "before")).want(t, g.broken).quota(t, p.limit, p.limit-used)
	g.Send(t, p.call("fail")).want(t, 200).quota(t, p.limit, p.limit-used-1)
}

func (p probe) growsAtReset(t *testing.T, g *Gateway) {
	first := g.Send(t, p.call("grow")).want(t, 200).quota(t, p.limit, p.limit-1)
	first.wantReset(t, first.charged(), minute)
	until(first.Got.Add(2500 * time.Millisecond))
	second := g.Send(t, p.call("grow")).want(t, 200).quota(t, p.limit, p.limit-2)
	second.keepsReset(t, first)
	until(second.reset(t))
	third := g.Send(t, p.call("grow")).want(t, 200).quota(t, p.limit, p.limit-2)
	third.wantReset(t, second.charged(), minute)
}

func commonTrials() []trial {
	return []trial{
		{"C11 loading the configuration again forgets nothing", reloadKeepsCounts},
		{"C11 a rejected configuration changes nothing", rejectionChangesNothing},
		{"C1 C2 a changed file of keys is read again", changedKeys},
		{"C1 keys are neither stored nor logged", secretKeys},
		{"C11 a changed maximum acts on what was used", reloadChangesMaximum},
	}
}

func reloadKeepsCounts(t *testing.T, open opener) {
	for _, p := range probes() {
		t.Run(p.page, func(t *testing.T) {
			t.Parallel()
			g := open(t, p.page, Subjects{"r": p.user("r")})
			first := g.Send(t, p.call("r")).want(t, 200).quota(t, p.limit, p.limit-1)
			for n := 2; n <= 4; n++ {
				g.Reload(t)
				a := g.Send(t, p.call("r")).want(t, 200).quota(t, p.limit, p.limit-n)
				if p.page != "outfit" {
					a.wantReset(t, first.charged(), minute)
				}
			}
		})
	}
}

func rejectionChangesNothing(t *testing.T, open opener) {
	p := probes()[0]
	g := open(t, p.page, Subjects{"r": p.user("r")})
	g.Send(t, p.call("r")).want(t, 200).quota(t, 300, 299)
	for _, text := range []string{
		"{ this is no Caddyfile",
		g.Edited(t, "rolling 60s", "rolling nonsense"),
		g.Edited(t, "max {subject.requests}", "max {subject.unheard_of}"),
		g.Edited(t, "headers x-ratelimit iso", "headers x-ratelimit roman"),
	} {
		if err := g.Load(text); err == nil {
			t.Errorf("a configuration that means nothing was accepted:\n%s", text)
		}
	}
	g.Send(t, p.call("r")).want(t, 200).quota(t, 300, 298)
}

func reloadChangesMaximum(t *testing.T, open opener) {
	p := probes()[0]
	g := open(t, p.page, Subjects{"r": p.user("r")})
	g.Times(t, 4, p.call("r"), 200).quota(t, 300, 296)
	for _, step := range []struct{ max, limit, remaining, status int }{
		{10, 10, 5, 200}, {5, 5, 0, 429}, {6, 6, 0, 200}, {3, 3, 0, 429}, {300, 300, 293, 200},
	} {
		if err := g.Load(g.Edited(t, "max {subject.requests}", fmt.Sprint("max ", step.max))); err != nil {
			t.Fatal(err)
		}
		g.Send(t, p.call("r")).want(t, step.status).quota(t, step.limit, step.remaining)
	}
}

func changedKeys(t *testing.T, open opener) {
	p := probes()[0]
	g := open(t, p.page, Subjects{"old": p.user("o")})
	g.Send(t, p.call("old")).want(t, 200).quota(t, 300, 299)
	g.Send(t, p.call("new")).want(t, 401)
	writeSubjects(t, g.subjects, Subjects{"new": {"id": "o", "plan": "enterprise"}})
	g.Eventually(t, p.call("new"), 200).quota(t, 1000, 998)
	g.Eventually(t, p.call("old"), 401)
}

func secretKeys(t *testing.T, open opener) {
	const key = "a-key-that-nobody-may-find"
	g := open(t, "predictions", Subjects{key: account("u", "concurrent_predictions", 1)})
	g.Send(t, create(key, "lease").told("Weir-Cost: 0.5").told("Weir-Set: daily_spending=3")).want(t, 201)
	g.wantRunningRefusal(t, key, 1, 1)
	g.Restart(t)
	g.wantRunningRefusal(t, key, 1, 1)
	resp, err := g.client.Get("http://" + g.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	g.Stop(t)
	texts := map[string]string{"the log": g.log.all(), "the metrics": string(metrics)}
	err = filepath.WalkDir(g.state, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			var text []byte
			text, err = os.ReadFile(path)
			texts[path] = string(text)
		}
		return err
	})
	if err != nil || len(texts) < 3 {
		t.Fatalf("%d places to look at, %v", len(texts), err)
	}
	for place, text := range texts {
		if strings.Contains(text, key) {
			t.Errorf("%s holds the key", place)
		}
	}
}
