package acceptance

import (
	"fmt"
	"testing"
	"time"
)

func TestMagnetite(t *testing.T) {
	t.Parallel()
	prove(t, Start, "magnetite", append(magnetiteProofs(), magnetiteClients()...))
}

// site is a key of the standard plan; names and values alternate.
func site(id string, attributes ...any) Attributes { return shop(id, "standard", attributes...) }

func generate(key string) Call { return post(key, "/projects/generate").body(`{"prompt": "p"}`) }

func status(key string) Call { return get(key, "/generation/7/status") }

func jobStatus(key string) Call { return get(key, "/leads/7/job-status") }

// wantExceeded requires the page's refusal by a limit of so many in so many
// seconds. A burst is told as its own limit (A-M4).
func (a *Answer) wantExceeded(t testing.TB, limit, window int) *Answer {
	t.Helper()
	a.want(t, 429).rate(t, limit, 0)
	if w := a.number(t, windowHeader); w != window {
		t.Errorf("Window %d, want %d: %v", w, window, a)
	}
	seconds := a.whole(t, "error", "retryAfter")
	a.object(t, fmt.Sprintf(`{"success": false, "error": {"code": "RATE_LIMIT_EXCEEDED", `+
		`"message": "Rate limit exceeded. Maximum %d requests per %d seconds allowed.", "retryAfter": %d}}`, limit, window, seconds))
	wait := time.Duration(seconds) * time.Second
	if a.agrees(t, wait); seconds < 1 || seconds > window {
		t.Errorf("retryAfter is %d: %v", seconds, a)
	}
	if kind := a.Header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("M6: Content-Type: %q", kind)
	}
	if a.Header.Get(retryHeader) != "" && a.retryAfter(t) != wait {
		t.Errorf("A-M7: Retry-After is not retryAfter: %v", a)
	}
	return a
}

// four requires the four headers of an admitted response.
func (a *Answer) four(t testing.TB, limit, remaining int) *Answer {
	t.Helper()
	a.rate(t, limit, remaining)
	if w := a.number(t, windowHeader); w != 60 {
		t.Errorf("Window %d, want 60: %v", w, a)
	}
	return a
}

// steadily sends n calls in a row, waiting out each burst, and returns the
// admitted answers.
func (g *Gateway) steadily(t testing.TB, n int, call Call, burst int) []*Answer {
	t.Helper()
	var all []*Answer
	for tries := 0; len(all) < n; tries++ {
		a := g.Send(t, call)
		if a.Status == 429 && tries < 3*n {
			until(a.wantExceeded(t, burst, 1).reset(t))
			continue
		}
		all = append(all, a.want(t, 200))
	}
	return all
}

// within reports whether all of the answers' requests were charged within the
// window; if the machine took longer nothing can be said of a burst.
func within(answers []*Answer, window time.Duration) bool {
	latest := answers[0].Got
	for _, a := range answers {
		if a.Got.After(latest) {
			latest = a.Got
		}
	}
	return latest.Sub(oldest(answers).from) < window
}

func magnetiteProofs() []proof {
	return []proof{
		{"M1 A-M1 the key is counted", Subjects{"m1-a": site("m1"), "m1-b": site("m1")}, sitesApart},
		{
			"M2 M5 M6 C4 C5 C7 C8 C12 A-C2 A-C3 A-M4 A-M7 ten generations in a rolling minute",
			Subjects{"m2": site("m2")},
			tenGenerations,
		},
		{"M2 M3 A-M5 A-M6 other methods and endpoints are not limited", Subjects{"m2-o": site("m2o", "generation_limit", 0)}, otherEndpoints},
		{"M2 no spelling of the path is a way around", Subjects{"m2-w": site("m2w", "generation_limit", 0)}, generationSpellings},
		{"M3 M5 M6 C5 C8 A-M3 both status endpoints share one pool of 60, apart from generation", Subjects{"m3": site("m3")}, statusPool},
		{"M4 A-M2 A-M4 C5 C8 C14 five generations at once", bursters("m4-g"), generationBurst},
		{"M4 A-M2 C14 twenty status requests at once", bursters("m4-s"), statusBurst},
		{
			"M10 A-M9 C2 C3 limit and burst by account, moved at once",
			Subjects{
				"m10":   shop("m10", "enterprise", "generation_limit", 100, "generation_burst", 50),
				"m10-l": site("m10l", "generation_limit", 2), "m10-s": site("m10s"),
			},
			siteAttributes,
		},
	}
}

func sitesApart(t *testing.T, g *Gateway) {
	g.Send(t, generate("m1-a")).want(t, 200).four(t, 10, 9)
	g.Send(t, generate("m1-b")).want(t, 200).four(t, 10, 9)
	g.Send(t, status("m1-a")).want(t, 200).four(t, 60, 59)
	g.Send(t, jobStatus("m1-b")).want(t, 200).four(t, 60, 59)
}

func tenGenerations(t *testing.T, g *Gateway) {
	all := g.steadily(t, 10, generate("m2"), 5)
	for n, a := range all {
		a.four(t, 10, 9-n).wantReset(t, all[0].charged(), minute)
	}
	for range 3 { // the burst refuses as well, if the machine is quick: the minute is told
		g.Send(t, generate("m2")).wantExceeded(t, 10, 60).wantReset(t, all[0].charged(), minute)
	}
	last := g.Send(t, generate("m2")).wantExceeded(t, 10, 60)
	g.Send(t, status("m2")).want(t, 200).four(t, 60, 59)
	if n := len(g.Origin.From("m2")); n != 11 {
		t.Errorf("C4: %d reached the origin", n)
	}
	g.wantReopening(t, last)
}

func otherEndpoints(t *testing.T, g *Gateway) {
	for _, c := range []struct{ method, path string }{
		{"GET", "/projects/generate"},
		{"PUT", "/projects/generate"},
		{"DELETE", "/projects/generate"},
		{"POST", "/generation/7/status"},
		{"POST", "/leads/7/job-status"},
		{"GET", "/projects"},
		{"POST", "/projects"},
		{"POST", "/projects/generate/again"},
		{"GET", "/generation/7"},
		{"GET", "/generation/status"},
		{"GET", "/leads/7/status"},
	} {
		g.Send(t, Call{Method: c.method, Path: c.path, Key: "m2-o"}).want(t, 200).unlimited(t)
	}
}

func generationSpellings(t *testing.T, g *Gateway) {
	for _, path := range []string{
		"/projects/generate?fast=1", "/projects/g%65nerate", "//projects//generate", "/projects/./generate", "/x/../projects/generate", "/Projects/GENERATE",
	} {
		g.Send(t, post("m2-w", path)).want(t, 429).quota(t, 0, 0)
	}
	if n := len(g.Origin.From("m2-w")); n != 0 {
		t.Errorf("%d generations reached the origin", n)
	}
	for n, path := range []string{
		"/generation/a-b_c.9/status", "/generation/7/st%61tus", "//leads//7/job-status?x", "/leads/%C3%A9/job-status", "/Generation/7/Status",
	} {
		g.Send(t, get("m2-w", path)).want(t, 200).four(t, 60, 59-n)
	}
}

func statusPool(t *testing.T, g *Gateway) {
	calls := []Call{status("m3"), jobStatus("m3"), get("m3", "/generation/8/status")}
	var all []*Answer
	for n := range 60 {
		all = append(all, g.steadily(t, 1, calls[n%3], 20)...)
		all[n].four(t, 60, 59-n).wantReset(t, all[0].charged(), minute)
	}
	for _, call := range calls {
		g.Send(t, call).wantExceeded(t, 60, 60).wantReset(t, all[0].charged(), minute)
	}
	g.Send(t, generate("m3")).want(t, 200).four(t, 10, 9)
	g.wantReopening(t, g.Send(t, jobStatus("m3")).wantExceeded(t, 60, 60))
}

// tries is how often a burst is tried.
const tries = 12

// bursters are keys for several tries at a burst.
func bursters(prefix string) Subjects {
	keys := Subjects{}
	for n := range tries {
		key := fmt.Sprint(prefix, n)
		keys[key] = site(key)
	}
	return keys
}

// volleys tries with one key after the other until all of a volley's requests
// were charged within a second, and requires the burst to be exact.
func (g *Gateway) volleys(t *testing.T, prefix string, n, burst int, call func(key string) Call) []*Answer {
	t.Helper()
	for try := range tries {
		answers := g.Volley(t, n, func(int) Call { return call(fmt.Sprint(prefix, try)) })
		if within(answers, time.Second) {
			wantTally(t, answers, burst, n-burst)
			return answers
		}
	}
	t.Fatalf("the machine cannot send %d requests within a second", n)
	return nil
}

func generationBurst(t *testing.T, g *Gateway) {
	answers := g.volleys(t, "m4-g", 12, 5, generate)
	stamp := oldest(admitted(answers))
	for _, a := range refused(answers) {
		a.wantExceeded(t, 5, 1).wantReset(t, stamp, time.Second)
	}
	until(refused(answers)[0].reset(t))
	g.Send(t, answers[0].Call).want(t, 200).four(t, 10, 4)
	g.Send(t, status(answers[0].Call.Key)).want(t, 200).four(t, 60, 59)
}

func statusBurst(t *testing.T, g *Gateway) {
	answers := g.volleys(t, "m4-s", 32, 20, jobStatus)
	for _, a := range refused(answers) {
		a.wantExceeded(t, 20, 1).wantReset(t, oldest(admitted(answers)), time.Second)
	}
	until(refused(answers)[0].reset(t))
	g.Send(t, status(answers[0].Call.Key)).want(t, 200).four(t, 60, 39)
}

func siteAttributes(t *testing.T, g *Gateway) {
	g.Send(t, generate("m10")).want(t, 200).four(t, 100, 99)
	until(time.Now().Add(time.Second + slack))
	answers := g.Volley(t, 60, func(int) Call { return generate("m10") })
	if within(answers, time.Second) {
		wantTally(t, answers, 50, 10)
		refused(answers)[0].wantExceeded(t, 50, 1)
	}
	g.Send(t, generate("m10-l")).want(t, 200).four(t, 2, 1)
	g.Send(t, generate("m10-l")).want(t, 200).four(t, 2, 0)
	g.Send(t, generate("m10-l")).wantExceeded(t, 2, 60)
	g.Send(t, status("m10-l").told("Weir-Set: generation_limit=3")).want(t, 200)
	g.Send(t, generate("m10-l")).want(t, 200).four(t, 3, 0)
	g.Send(t, status("m10-s").told("Weir-Set: generation_burst=0")).want(t, 200)
	g.Send(t, generate("m10-s")).want(t, 429)
	g.Send(t, status("m10-s").told("Weir-Set: generation_burst=1")).want(t, 200)
	g.Send(t, generate("m10-s")).want(t, 200).four(t, 10, 9)
}
