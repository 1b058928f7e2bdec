package envoyrls_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc/codes"

	"github.com/weirhq/weir/envoyrls"
)

// slots has a policy api of two slots until the response ends, two leases, and a
// budget of 1000, for each key.
const slots = `store memory volatile
policy api {
	subject {header.X-API-Key}
	limit slots {
		match POST /*
		hold response
		max 2
	}
	limit jobs {
		match POST /jobs
		hold released
		ttl 24h
		max 2
	}
	limit budget {
		rolling 1h
		cost settled
		max 1000
	}
	limit reserved {
		match POST /reserved
		rolling 1h
		cost settled reserve 10
		max 1000
	}
	limit free {
		rolling 1h
		max {subject.free} else 100
	}
}`

// post is a request by a key whose end will be told.
func post(path, key string) *descriptor {
	return entries("method", "POST", "path", path, "header.x-api-key", key, "weir", "stream")
}

// done tells the end of the request with that id.
func done(id string, pairs ...string) *descriptor {
	return entries(append([]string{"weir", "done", "weir.id", id}, pairs...)...)
}

// admit asks, and returns the id that the reply tells.
func (g *gateway) admit(d ...*descriptor) string {
	g.t.Helper()
	id := told(g.want(ok, "api", d...), "id")
	if id == "" {
		g.t.Fatal("no id")
	}
	return id
}

// used returns how much of a limit the admin API says a key has used.
func (g *gateway) used(key, limit string) string {
	g.t.Helper()
	u := usageOf(g.t, g.admin, "api", key)
	for _, l := range u.Limits {
		if l.Name == limit {
			return l.Used.String()
		}
	}
	g.t.Fatalf("no limit %s: %+v", limit, u)
	return ""
}

// A usage is what the admin API tells of a key.
type usage struct {
	Limits []struct {
		Name string
		Used json.Number
	}
	Leases     []struct{ ID string }
	Attributes map[string]json.RawMessage
}

// usageOf asks the admin API about a key.
func usageOf(t *testing.T, admin, policy, key string) (u usage) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+admin+"/weir/policies/"+policy+"/keys/usage", strings.NewReader(`{"key":"`+key+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Close = true // a reload may close the connection
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil {
		err = json.Unmarshal(body, &u)
	}
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%d %s: %v", res.StatusCode, body, err)
	}
	return u
}

// wantUsed checks limit, amount pairs of a key.
func (g *gateway) wantUsed(key string, pairs ...string) {
	g.t.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		if got := g.used(key, pairs[i]); got != pairs[i+1] {
			g.t.Errorf("%s: %s used, want %s", pairs[i], got, pairs[i+1])
		}
	}
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 500 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// TestSlots: a request holds its slot until Envoy tells its end; denied ones end
// nothing, and ending twice is ending once.
func TestSlots(t *testing.T) {
	g := start(t, slots)
	first, second := g.admit(post("/x", "k")), g.admit(post("/x", "k"))
	if first == second {
		t.Fatalf("two requests have the id %s", first)
	}
	denied := g.want(over, "api", post("/x", "k"))
	if id := told(denied, "id"); id != "" {
		t.Errorf("a denied request has the id %s", id)
	}
	g.want(ok, "api", entries("weir", "done")) // as Envoy ends the denied one
	g.want(ok, "api", done(""), done("0"), done(strings.Repeat("ab", 16)))
	g.want(over, "api", post("/x", "k"))
	if n := g.scrape("weir_streams"); n != "2" {
		t.Errorf("%s under way", n)
	}
	for range 2 {
		r := g.want(ok, "api", done(first))
		if len(r.GetStatuses()) != 1 || r.GetStatuses()[0].GetCode() != ok || r.GetDynamicMetadata() != nil {
			t.Errorf("reply %v", r)
		}
	}
	third := g.admit(post("/x", "k"))
	g.want(over, "api", post("/x", "k"))
	g.want(ok, "api", done(second), done(third), done(second))
	g.wantUsed("k", "slots", "0", "free", "3")
	if n := g.scrape("weir_streams"); n != "0" {
		t.Errorf("%s under way", n)
	}
}

// TestRequestID: what clients can choose ends nothing.
func TestRequestID(t *testing.T) {
	g := start(t, slots)
	ask := func() *descriptor {
		return entries("method", "POST", "path", "/x", "header.x-api-key", "k", "weir", "stream", "header.x-request-id", "mine")
	}
	running := []string{g.admit(ask()), g.admit(ask())}
	for range 3 {
		g.want(over, "api", ask())
		g.want(ok, "api", entries("weir", "done", "header.x-request-id", "mine", "header.x-api-key", "k"))
	}
	g.want(over, "api", ask())
	g.want(ok, "api", done(running[0], "header.x-request-id", "mine"))
	g.admit(ask())
	g.want(over, "api", ask())
}

// TestEndless: without the entry a request takes no slot, as before.
func TestEndless(t *testing.T) {
	g := start(t, slots)
	for range 5 {
		g.want(ok, "api", entries("method", "POST", "path", "/x", "header.x-api-key", "k"))
	}
	g.wantUsed("k", "slots", "0")
	g.admit(post("/x", "k"))
	g.admit(post("/x", "k"))
	g.want(over, "api", entries("method", "POST", "path", "/x", "header.x-api-key", "k"))
}

// TestSeveralDescriptors end together, under one id, and what the origin said is
// charged once to what they count in.
func TestSeveralDescriptors(t *testing.T) {
	g := start(t, slots)
	plain := entries("method", "POST", "path", "/x", "header.x-api-key", "c")
	id := g.admit(plain, post("/x", "a"), post("/x", "b"), post("/x", "a"))
	g.wantUsed("a", "slots", "2")
	g.wantUsed("b", "slots", "1")
	g.want(over, "api", post("/x", "b"), post("/x", "a"))
	g.wantUsed("b", "slots", "1")
	g.want(ok, "api", done(id, "weir.cost", "7"))
	g.wantUsed("a", "slots", "0", "budget", "7")
	g.wantUsed("b", "slots", "0", "budget", "7")
	g.wantUsed("c", "slots", "0", "budget", "0")
	id = g.admit(post("/reserved", "a"), post("/reserved", "a"))
	g.wantUsed("a", "reserved", "20")
	g.want(ok, "api", done(id, "weir.cost", "4"))
	g.wantUsed("a", "slots", "0", "reserved", "4", "budget", "11")
}

// TestCosts: a budget is charged what the origin said, or the hits, once.
func TestCosts(t *testing.T) {
	g := start(t, slots)
	spend := func(want string, descriptors func(id string) []*descriptor) {
		t.Helper()
		id := g.admit(post("/x", "k"))
		g.want(ok, "api", descriptors(id)...)
		g.want(ok, "api", descriptors(id)...)
		g.wantUsed("k", "budget", want, "slots", "0")
	}
	spend("0.25", func(id string) []*descriptor { return []*descriptor{done(id, "weir.cost", "0.25")} })
	spend("77.25", func(id string) []*descriptor { return []*descriptor{hits(done(id), 77)} })
	spend("78.25", func(id string) []*descriptor {
		return []*descriptor{done(id, "weir.cost", "1, 0.5"), hits(done(id), 500)}
	})
	spend("88.25", func(id string) []*descriptor { return []*descriptor{hits(done(id), 3), done(id), hits(done(id), 10)} })
	spend("88.25", func(id string) []*descriptor {
		return []*descriptor{done(id, "weir.cost", "%DYNAMIC_METADATA(weir:cost)%")}
	})
	if n := g.scrape(`weir_origin_errors_total{policy="api"}`); n != "2" {
		t.Errorf("%s errors of the origin", n)
	}
	id := g.admit(post("/x", "k"))
	g.want(ok, "api", hits(done(id), 1<<63))
	g.want(over, "api", post("/x", "k"))
	g.want(over, "api", entries("method", "GET", "path", "/x", "header.x-api-key", "k"))
}

// TestHitsOfTheCall are the cost where a descriptor has none of its own.
func TestHitsOfTheCall(t *testing.T) {
	g := start(t, slots)
	tell := func(d *descriptor) {
		if _, err := g.client.ShouldRateLimit(t.Context(), &rls.RateLimitRequest{Domain: "api", HitsAddend: 9, Descriptors: []*descriptor{d}}); err != nil {
			t.Fatal(err)
		}
	}
	tell(done(g.admit(post("/x", "k"))))
	g.wantUsed("k", "budget", "9")
	tell(hits(done(g.admit(post("/x", "k"))), 4))
	g.wantUsed("k", "budget", "13")
	tell(entries("weir", "done", "header.x-api-key", "k")) // of a denied one
	g.wantUsed("k", "budget", "13")
}

// TestReservations are open until the end, and corrected by the cost.
func TestReservations(t *testing.T) {
	g := start(t, slots)
	for _, step := range []struct{ cost, want string }{{"4", "4"}, {"0", "4"}, {"15", "19"}, {"", "29"}} {
		id := g.admit(post("/reserved", "k"))
		if step.cost == "" {
			g.want(ok, "api", done(id))
		} else {
			g.want(ok, "api", done(id, "weir.cost", step.cost))
		}
		g.wantUsed("k", "reserved", step.want)
	}
}

// TestVoice: leases outlast their request, until they are released.
func TestVoice(t *testing.T) {
	g := start(t, slots)
	for _, job := range []string{"a", "b"} {
		g.want(ok, "api", done(g.admit(post("/jobs", "k")), "weir.lease", job))
	}
	g.want(over, "api", post("/jobs", "k"))
	g.wantUsed("k", "jobs", "2", "slots", "0")
	g.want(ok, "api", done(g.admit(post("/other", "k")), "weir.release", "a, none", "weir.set", "free=7, plan=, =x"))
	g.wantUsed("k", "jobs", "1")
	if r := g.want(ok, "api", post("/jobs", "k")); told(r, "limits", "free", "max") != "7" {
		t.Errorf("metadata %v", r.GetDynamicMetadata())
	}
	if n := g.scrape(`weir_origin_errors_total{policy="api"}`); n != "2" {
		t.Errorf("%s errors of the origin", n)
	}
}

// TestSeveralLeases: of slots in one cell each id takes one, whether hits or
// descriptors took them.
func TestSeveralLeases(t *testing.T) {
	g := start(t, slots)
	for key, asked := range map[string][]*descriptor{
		"hits":        {hits(post("/jobs", "hits"), 2)},
		"descriptors": {post("/jobs", "descriptors"), post("/jobs", "descriptors")},
	} {
		other := entries("method", "GET", "path", "/", "header.x-api-key", key, "weir", "stream")
		g.want(ok, "api", done(g.admit(asked...), "weir.lease", "a, b"))
		g.wantUsed(key, "jobs", "2", "slots", "0")
		g.want(ok, "api", done(g.admit(other), "weir.release", "b"))
		g.wantUsed(key, "jobs", "1")
		g.want(ok, "api", done(g.admit(other), "weir.release", "a"))
		g.want(ok, "api", done(g.admit(asked...), "weir.lease", "c"))
		g.wantUsed(key, "jobs", "1", "slots", "0")
	}
}

// TestUnknownIDs: of a request that another process decided, what the origin
// said still acts, by the descriptor's own attributes, once.
func TestUnknownIDs(t *testing.T) {
	g := start(t, slots)
	id := strings.Repeat("0f", 16)
	tell := func(d *descriptor) { g.want(ok, "api", d) }
	for range 2 {
		tell(done(id, "method", "POST", "path", "/jobs", "header.x-api-key", "k", "weir.cost", "5", "weir.lease", "j", "weir.set", "free=50"))
	}
	g.wantUsed("k", "budget", "5", "jobs", "1", "slots", "0", "free", "0")
	tell(done(strings.Repeat("0e", 16), "method", "GET", "path", "/", "header.x-api-key", "k", "weir.release", "j"))
	tell(hits(done(strings.Repeat("0d", 16), "method", "GET", "path", "/", "header.x-api-key", "k"), 3))
	g.wantUsed("k", "jobs", "0", "budget", "8")
	tell(done(strings.Repeat("0c", 16), "weir.cost", "5")) // whose?
	if r := g.want(ok, "nowhere", done(id, "weir.cost", "5")); len(r.GetStatuses()) != 1 {
		t.Errorf("reply %v", r)
	}
	// Without an id nobody knows whether it was admitted: only releases act.
	tell(entries("weir", "done", "method", "POST", "path", "/jobs", "header.x-api-key", "k", "weir.cost", "5", "weir.lease", "x", "weir.set", "free=1"))
	g.wantUsed("k", "jobs", "0", "budget", "8")
}

// TestReservationOfAnEndlessRequest is corrected by its id.
func TestReservationOfAnEndlessRequest(t *testing.T) {
	g := start(t, slots)
	d := entries("method", "POST", "path", "/reserved", "header.x-api-key", "k")
	id := g.admit(d)
	g.wantUsed("k", "reserved", "10", "budget", "0")
	end := done(id, "weir.cost", "3")
	end.Entries = append(end.Entries, d.Entries...)
	for range 2 {
		g.want(ok, "api", end)
		g.wantUsed("k", "reserved", "3", "budget", "3")
	}
}

// TestStreamsThroughReloads: requests under way keep their slots through reloads, and end by
// the policy that admitted them, also if it is gone.
func TestStreamsThroughReloads(t *testing.T) {
	g := start(t, slots)
	first, second := g.admit(post("/x", "k")), g.admit(post("/jobs", "k"))
	for range 2 {
		g.load("envoy " + g.target + "\n" + slots)
	}
	g.want(over, "api", post("/x", "k"))
	g.want(ok, "api", done(first))
	g.wantUsed("k", "slots", "1")
	g.load("envoy " + g.target + "\nstore memory volatile\npolicy other {\nper all\ncount all ever\n}\npolicy api {\nper all\ncount all ever\n}")
	g.want(ok, "other", done(second, "weir.lease", "j", "weir.cost", "11"))
	g.load("envoy " + g.target + "\n" + slots)
	g.wantUsed("k", "slots", "0", "jobs", "1", "budget", "11")
	third := g.admit(post("/x", "k"))
	g.load(slots) // no door: nobody will tell ends
	g.wantUsed("k", "slots", "0")
	g.load("envoy " + g.target + "\n" + slots)
	g.want(ok, "api", done(third))
	if n := g.scrape("weir_streams"); n != "0" {
		t.Errorf("%s under way", n)
	}
}

// TestLostEnds: a request whose end is never told holds its slot for the ttl.
func TestLostEnds(t *testing.T) {
	g := start(t, slots)
	g.load("envoy " + g.target + " {\nttl 300ms\n}\n" + slots)
	id := g.admit(post("/x", "k"))
	g.admit(post("/x", "k"))
	eventually(t, "the slots are free", func() bool { return g.used("k", "slots") == "0" })
	if n := g.scrape("weir_streams_lost_total"); n != "2" {
		t.Errorf("%s lost", n)
	}
	end := done(id, "weir.cost", "3")
	end.Entries = append(end.Entries, entries("method", "POST", "path", "/x", "header.x-api-key", "k").Entries...)
	g.want(ok, "api", end)
	g.wantUsed("k", "budget", "3")
}

// TestMixedCalls: a call asks, or tells of ends.
func TestMixedCalls(t *testing.T) {
	g := start(t, slots)
	id := g.admit(post("/x", "k"))
	for _, d := range [][]*descriptor{{done(id), post("/x", "k")}, {post("/x", "k"), done(id)}} {
		g.wantError(codes.InvalidArgument, "descriptor 1: a call asks, or tells of ends, not both", &rls.RateLimitRequest{Domain: "api", Descriptors: d})
	}
	g.wantUsed("k", "slots", "1")
}

// TestTooManyUnderWay: a request that cannot be remembered fails, and is charged
// nothing.
func TestTooManyUnderWay(t *testing.T) {
	g := start(t, slots)
	id := g.admit(post("/x", "k"))
	free, err := envoyrls.TakePlaces()
	if err != nil {
		t.Fatal(err)
	}
	g.wantError(codes.ResourceExhausted, "requests are under way", &rls.RateLimitRequest{Domain: "api", Descriptors: []*descriptor{post("/x", "k")}})
	g.want(ok, "api", entries("method", "GET", "path", "/", "header.x-api-key", "other"))
	g.wantUsed("k", "slots", "1", "free", "1")
	g.want(ok, "api", done(id))
	g.admit(post("/x", "k"))
	g.wantError(codes.ResourceExhausted, "", &rls.RateLimitRequest{Domain: "api", Descriptors: []*descriptor{post("/x", "k")}})
	free()
	for range 3 { // denied and unknown ones take no place for long
		g.want(ok, "nowhere", post("/x", "k"))
	}
	g.admit(post("/x", "k"))
	g.want(over, "api", post("/x", "k"))
}
