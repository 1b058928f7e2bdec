package acceptance

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestShelfforce(t *testing.T) {
	t.Parallel()
	prove(t, Start, "shelfforce", append(shelfforceProofs(), shelfforceClients()...))
}

const (
	analyses = "/api/v1/analyses"
	batches  = "/api/v1/analyses/batch"
)

// shop is a key of a plan; names and values alternate.
func shop(id, plan string, attributes ...any) Attributes {
	a := account(id, attributes...)
	a["plan"] = plan
	return a
}

func analysis(key string) Call { return post(key, analyses).body(`{"image": "a"}`) }

// batch submits n images.
func batch(key string, n int) Call {
	images := strings.TrimSuffix(strings.Repeat(`"i", `, n), ", ")
	return post(key, batches).body(`{"note": "n", "images": [` + images + `]}`)
}

// wantLimited requires the page's refusal by a class with this limit.
func (a *Answer) wantLimited(t testing.TB, limit, remaining int) *Answer {
	t.Helper()
	a.want(t, 429).rate(t, limit, remaining)
	seconds := a.number(t, retryHeader)
	a.object(t, fmt.Sprintf(`{"error": {"code": "RATE_LIMITED", "message": "Rate limit exceeded. Retry after %d seconds.", `+
		`"details": {"retryAfter": %d, "limit": %d, "window": "60s"}}}`, seconds, seconds, limit))
	if kind := a.Header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("S9: Content-Type: %q", kind)
	}
	return a.agrees(t, a.retryAfter(t)).withinMinute(t)
}

func shelfforceProofs() []proof {
	return append([]proof{
		{
			"S1 two keys of one user share nothing",
			Subjects{"s1-a": shop("s1", "free"), "s1-b": shop("s1", "free")},
			shopsApart,
		},
		{"S3 C2 A-S1 the plans", plans("s3-"), plansTable},
		{
			"S13 C2 C3 limits by attribute, moved at once",
			Subjects{"s13": shop("s13", "enterprise", "analyses", 7, "reads", 9, "writes", 8), "s13-f": shop("s13f", "free", "reads", 61)},
			shopAttributes,
		},
		{"S4 S6 S7 S8 A-S6 each request is in its class", Subjects{"s6": shop("s6", "starter")}, classes},
		{"S6 A-S6 methods in no class are not limited", Subjects{"s6-n": shop("s6n", "free", "analyses", 0, "reads", 0, "writes", 0)}, noClass},
		{"S4 no spelling of the path is a way around", Subjects{"s4": shop("s4", "free", "analyses", 0)}, analysisSpellings},
		{"S2 S9 S8 C4 C5 C8 C12 C14 A-C2 A-S7 reads at once", Subjects{"s2-r": shop("s2r", "free")}, readsAtOnce},
		{"S9 S8 C8 however close to what it waits for, no refusal announces more than the window", closeKeys(), closeRefusals},
		{"S2 S7 S9 C5 C8 C14 writes at once", Subjects{"s2-w": shop("s2w", "starter")}, writesAtOnce},
	}, batchProofs()...)
}

func shopsApart(t *testing.T, g *Gateway) {
	for _, key := range []string{"s1-a", "s1-b"} {
		g.Times(t, 5, analysis(key), 200).rate(t, 5, 0)
		g.Send(t, analysis(key)).wantLimited(t, 5, 0)
		g.Send(t, get(key, "/api/v1/usage")).want(t, 200).rate(t, 60, 59)
	}
}

var planTable = []struct {
	name                    string
	analyses, reads, writes int
}{
	{"free", 5, 60, 20}, {"starter", 10, 120, 40}, {"growth", 30, 300, 80}, {"pro", 60, 600, 150}, {"scale", 150, 1200, 300},
}

func plans(prefix string) Subjects {
	keys := Subjects{}
	for _, p := range planTable {
		keys[prefix+p.name] = shop(prefix+"u-"+p.name, p.name)
	}
	return keys
}

func plansTable(t *testing.T, g *Gateway) {
	for _, p := range planTable {
		key := "s3-" + p.name
		g.Send(t, get(key, "/api/v1/products")).want(t, 200).rate(t, p.reads, p.reads-1)
		g.Send(t, post(key, "/api/v1/tasks")).want(t, 200).rate(t, p.writes, p.writes-1)
		wantTally(t, g.Volley(t, p.analyses, func(int) Call { return analysis(key) }), p.analyses, 0)
		g.Send(t, analysis(key)).wantLimited(t, p.analyses, 0)
	}
}

func planBatches(t *testing.T, g *Gateway) {
	for _, p := range planTable {
		key := "s3b-" + p.name
		g.Send(t, batch(key, p.analyses+1)).wantLimited(t, p.analyses, p.analyses)
		g.Send(t, batch(key, p.analyses)).want(t, 200).rate(t, p.analyses, 0)
		g.Send(t, analysis(key)).wantLimited(t, p.analyses, 0)
	}
}

func noWrite(t *testing.T, g *Gateway) {
	g.Send(t, batch("s10", 1)).want(t, 200).rate(t, 5, 4)
	g.Send(t, analysis("s10")).want(t, 200).rate(t, 5, 3)
	g.Send(t, post("s10", "/api/v1/tasks")).want(t, 200).rate(t, 20, 19)
	g.Times(t, 3, batch("s10", 1), 200).rate(t, 5, 0)
	g.Send(t, batch("s10", 1)).wantLimited(t, 5, 0)
	g.Send(t, post("s10", "/api/v1/tasks")).want(t, 200).rate(t, 20, 18)
}

func shopAttributes(t *testing.T, g *Gateway) {
	g.Send(t, analysis("s13")).want(t, 200).rate(t, 7, 6)
	g.Send(t, get("s13", "/api/v1/tasks")).want(t, 200).rate(t, 9, 8)
	g.Send(t, post("s13", "/api/v1/tasks")).want(t, 200).rate(t, 8, 7)
	g.Send(t, get("s13-f", "/api/v1/tasks")).want(t, 200).rate(t, 61, 60)
	g.Send(t, post("s13-f", "/api/v1/tasks")).want(t, 200).rate(t, 20, 19)
	g.Send(t, get("s13", "/api/v1/plan").told("Weir-Set: analyses=2").told("Weir-Set: writes=100")).want(t, 200)
	g.Send(t, analysis("s13")).want(t, 200).rate(t, 2, 0)
	g.Send(t, analysis("s13")).wantLimited(t, 2, 0)
	g.Send(t, post("s13", "/api/v1/tasks")).want(t, 200).rate(t, 100, 98)
}

func classes(t *testing.T, g *Gateway) {
	limits := map[string]int{"analyses": 10, "reads": 120, "writes": 40}
	used := map[string]int{}
	for _, c := range []struct{ method, path, class string }{
		{"POST", analyses, "analyses"},
		{"POST", analyses + "?wait=1", "analyses"},
		{"POST", batches, "analyses"},
		{"GET", analyses, "reads"},
		{"GET", analyses + "/7", "reads"},
		{"GET", batches, "reads"},
		{"GET", "/api/v1/products?page=2", "reads"},
		{"GET", "/api/v1/tasks/1", "reads"},
		{"GET", "/api/v1/places", "reads"},
		{"GET", "/api/v1/reports", "reads"},
		{"GET", "/api/v1/usage", "reads"},
		{"HEAD", "/api/v1/products", "reads"},
		{"POST", "/api/v1/tasks", "writes"},
		{"POST", "/api/v1/places", "writes"},
		{"PATCH", "/api/v1/inventory/1", "writes"},
		{"POST", "/api/v1/webhooks", "writes"},
		{"PATCH", analyses + "/7", "writes"},
		{"PATCH", analyses, "writes"},
		{"POST", analyses + "/7/notes", "writes"},
		{"POST", analyses + "/batch/7", "writes"},
	} {
		used[c.class]++
		a := g.Send(t, Call{Method: c.method, Path: c.path, Key: "s6"}).want(t, 200)
		a.rate(t, limits[c.class], limits[c.class]-used[c.class])
	}
}

func noClass(t *testing.T, g *Gateway) {
	for _, method := range []string{"PUT", "DELETE", "OPTIONS"} {
		for _, path := range []string{"/api/v1/tasks/1", analyses, batches} {
			g.Send(t, Call{Method: method, Path: path, Key: "s6-n"}).want(t, 200).unlimited(t)
		}
	}
	g.Send(t, get("s6-n", "/api/v1/tasks")).want(t, 429)
	g.Send(t, Call{Method: "HEAD", Path: "/api/v1/tasks", Key: "s6-n"}).want(t, 429)
	g.Send(t, post("s6-n", "/api/v1/tasks")).want(t, 429)
	g.Send(t, analysis("s6-n")).want(t, 429)
}

func analysisSpellings(t *testing.T, g *Gateway) {
	for _, path := range []string{
		"/api/v1/an%61lyses", "//api/v1//analyses", "/api/v1/./analyses", "/api/v1/tasks/../analyses", "/API/v1/Analyses",
		"/api/v1/analyses/b%61tch", "/api/v1/analyses//batch", analyses + "?",
	} {
		g.Send(t, post("s4", path)).want(t, 429).quota(t, 0, 0)
	}
	if n := len(g.Origin.From("s4")); n != 0 {
		t.Errorf("%d analyses reached the origin", n)
	}
}

func readsAtOnce(t *testing.T, g *Gateway) {
	g.classAtOnce(t, get("s2-r", "/api/v1/reports"), 60)
}

func writesAtOnce(t *testing.T, g *Gateway) {
	g.classAtOnce(t, post("s2-w", "/api/v1/webhooks"), 40)
}

// classAtOnce requires exactly the limit of many at once, and the next when
// the first leaves the window.
func (g *Gateway) classAtOnce(t *testing.T, call Call, limit int) {
	t.Helper()
	answers := g.Volley(t, limit+12, func(int) Call { return call })
	wantTally(t, answers, limit, 12)
	stamp := oldest(admitted(answers))
	for _, a := range refused(answers) {
		a.wantLimited(t, limit, 0).wantReset(t, stamp, minute)
	}
	if n := len(g.Origin.From(call.Key)); n != limit {
		t.Errorf("C4: %d reached the origin", n)
	}
	last := g.Send(t, call).wantLimited(t, limit, 0)
	g.wantReopening(t, last)
	until(nth(admitted(answers), limit).to.Add(minute))
	wantTally(t, g.Volley(t, limit+5, func(int) Call { return call }), limit-1, 6)
}

// closeKeys are keys of which the second request is refused.
func closeKeys() Subjects {
	keys := Subjects{}
	for n := range 60 {
		keys[fmt.Sprint("s9-", n)] = shop(fmt.Sprint("s9x", n), "free", "reads", 1)
	}
	return keys
}

func closeRefusals(t *testing.T, g *Gateway) {
	over := 0
	for n := range 60 {
		pair := g.Volley(t, 2, func(int) Call { return get(fmt.Sprint("s9-", n), "/api/v1/usage") })
		wantTally(t, pair, 1, 1)
		if refused(pair)[0].want(t, 429).rate(t, 1, 0).retryAfter(t) > minute {
			over++
		}
	}
	if over > 0 {
		t.Errorf("%d of 60 refusals announce more than 60 s", over)
	}
}

func batchProofs() []proof {
	return []proof{
		{
			"S5 S10 C6 A-S2 A-S5 a batch costs its images, whole or not at all, and no write",
			Subjects{"s5": shop("s5", "starter")},
			batchCosts,
		},
		{"S5 C14 C6 of batches at once as many as fit", Subjects{"s5-v": shop("s5v", "growth"), "s5-w": shop("s5w", "growth")}, batchesAtOnce},
		{"S5 S3 a plan's whole analyses fit into one batch", plans("s3b-"), planBatches},
		{"S10 A-S2 S7 S4 C5 a batch takes no write", Subjects{"s10": shop("s10", "free")}, noWrite},
		{"A-S3 S5 what has no images counts as one and passes unchanged", Subjects{"s5-e": shop("s5e", "growth")}, oddBatches},
		{"S5 A-S3 only the outermost images count", Subjects{"s5-o": shop("s5o", "growth")}, nestedBatches},
		{"S5 C9 a batch passes byte for byte, chunked or not", Subjects{"s5-b": shop("s5b", "growth")}, batchBytes},
		{"A-S4 a batch that can never fit is refused and takes nothing", Subjects{"s5-n": shop("s5n", "free")}, neverFits},
		{"S5 C7 C8 C5 A-S5 a refused batch is told when all of it fits", Subjects{"s5-t": shop("s5t", "starter")}, batchTold},
	}
}

func batchCosts(t *testing.T, g *Gateway) {
	g.Send(t, batch("s5", 4)).want(t, 200).rate(t, 10, 6)
	g.Send(t, analysis("s5")).want(t, 200).rate(t, 10, 5)
	g.Send(t, batch("s5", 6)).wantLimited(t, 10, 5)
	g.Send(t, batch("s5", 5).with("X-Other", "1")).want(t, 200).rate(t, 10, 0)
	g.Send(t, batch("s5", 1)).wantLimited(t, 10, 0)
	g.Send(t, post("s5", "/api/v1/tasks")).want(t, 200).rate(t, 40, 39)
	if n := len(g.Origin.From("s5")); n != 4 {
		t.Errorf("C4: %d reached the origin", n)
	}
}

func batchesAtOnce(t *testing.T, g *Gateway) {
	wantTally(t, g.Volley(t, 15, func(int) Call { return batch("s5-v", 3) }), 10, 5)
	g.Send(t, analysis("s5-v")).wantLimited(t, 30, 0)
	wantTally(t, g.Volley(t, 9, func(int) Call { return batch("s5-w", 7) }), 4, 5)
	g.Send(t, batch("s5-w", 3)).wantLimited(t, 30, 2)
	g.Send(t, batch("s5-w", 2)).want(t, 200).rate(t, 30, 0)
}

func oddBatches(t *testing.T, g *Gateway) {
	for n, body := range []string{
		`{}`, `{"images": []}`, `{"images": "abc"}`, `{"images": {"length": 9}}`, `{"images": null}`, `{"images": 5}`,
		`[1, 2, 3]`, `"images"`, `{"images": [1, 2`, `no JSON`, ``, `{"nested": {"images": [1, 2, 3]}}`, `{"Images": [1, 2]}`,
	} {
		call := post("s5-e", fmt.Sprint(batches, "?odd=", n))
		call = call.body(body)
		g.Send(t, call).want(t, 200).rate(t, 30, 29-n)
		seen := g.Origin.Seen(func(a Arrival) bool { return a.URI == call.Path })
		if len(seen) != 1 || string(seen[0].Body) != body {
			t.Errorf("%q did not reach the origin as it is", body)
		}
	}
}

func nestedBatches(t *testing.T, g *Gateway) {
	nested := `{"a": [[1, 2], {"images": [1]}], "images": [[1, 2, 3], {"images": [1, 2]}, null, "x,y", 5.5e3]}`
	g.Send(t, post("s5-o", batches).body(nested)).want(t, 200).rate(t, 30, 25)
}

func batchBytes(t *testing.T, g *Gateway) {
	big := `"` + strings.Repeat("x", 300_000) + `"`
	for n, body := range []string{
		"  {\n\t\"images\" : [ \"\\u0061\", 2 ,null ] }\r\n", `{"images": [` + big + "," + big + "," + big + `]}`, `{"images":[1,2,3]} `,
	} {
		for i, chunked := range []bool{false, true} {
			call := post("s5-b", fmt.Sprintf("%s?n=%d&c=%v", batches, n, chunked)).body(body)
			call.Chunked = chunked
			g.Send(t, call).want(t, 200).rate(t, 30, 30-3*(2*n+i+1))
			seen := g.Origin.Seen(func(a Arrival) bool { return a.URI == call.Path })
			if len(seen) != 1 {
				t.Fatalf("%s reached the origin %d times", call.Path, len(seen))
			}
			wantArrival(t, seen[0], "POST", call.Path, []byte(body))
		}
	}
}

func neverFits(t *testing.T, g *Gateway) {
	for range 2 {
		g.Send(t, batch("s5-n", 20)).wantLimited(t, 5, 5)
	}
	g.Send(t, batch("s5-n", 5)).want(t, 200).rate(t, 5, 0)
}

func batchTold(t *testing.T, g *Gateway) {
	early := []*Answer{}
	for range 4 {
		early = append(early, g.Send(t, analysis("s5-t")).want(t, 200))
	}
	until(early[3].Got.Add(3 * time.Second))
	late := g.Send(t, batch("s5-t", 4)).want(t, 200).rate(t, 10, 2).wantReset(t, early[0].charged(), minute)
	five := g.Send(t, batch("s5-t", 5)).wantLimited(t, 10, 2).wantReset(t, early[2].charged(), minute)
	seven := g.Send(t, batch("s5-t", 7)).wantLimited(t, 10, 2).wantReset(t, late.charged(), minute)
	g.Send(t, batch("s5-t", 3)).wantLimited(t, 10, 2).wantReset(t, early[0].charged(), minute)
	g.wantReopening(t, five)
	if g.Send(t, batch("s5-t", 7)).reset(t).Before(seven.reset(t)) {
		t.Error("the batch of 7 is promised an earlier end than before")
	}
}
