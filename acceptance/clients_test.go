package acceptance

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"
)

// The clients that the pages describe, written afresh: each sends through a
// function, so that it can be any request.
type sender func() *Answer

// atReset tries until it is admitted, waiting each time until Reset and a
// little more. It returns nil when its tries are used up.
func atReset(t testing.TB, tries int, more time.Duration, send sender) *Answer {
	t.Helper()
	for range tries {
		a := send()
		if a.Status != http.StatusTooManyRequests {
			return a
		}
		until(a.reset(t).Add(more))
	}
	return nil
}

// capped tries until it is admitted, waiting Retry-After but never more than
// 1, 2, 4, … s. It returns its waits, and nil when its tries are used up.
func capped(t testing.TB, tries int, send sender) (*Answer, []time.Duration) {
	t.Helper()
	var waits []time.Duration
	for try := range tries {
		a := send()
		if a.Status != http.StatusTooManyRequests {
			return a, waits
		}
		wait := min(a.retryAfter(t), time.Second<<try)
		waits = append(waits, wait)
		until(time.Now().Add(wait))
	}
	return nil, waits
}

// growing tries until it is admitted, waiting Retry-After times 1, 2, 4, ….
func growing(t testing.TB, tries int, send sender) (*Answer, []time.Duration) {
	t.Helper()
	var waits []time.Duration
	for try := range tries {
		a := send()
		if a.Status != http.StatusTooManyRequests {
			return a, waits
		}
		wait := a.retryAfter(t) << try
		waits = append(waits, wait)
		until(time.Now().Add(wait))
	}
	return nil, waits
}

// paced sends n requests one after the other with a pause after each.
func paced(n int, pause time.Duration, send sender) []*Answer {
	var all []*Answer
	for range n {
		all = append(all, send())
		until(time.Now().Add(pause))
	}
	return all
}

// inBatches sends items so many at once, with a pause between the batches.
func (g *Gateway) inBatches(t testing.TB, items, size int, pause time.Duration, call Call) []*Answer {
	t.Helper()
	var all []*Answer
	for len(all) < items {
		if len(all) > 0 {
			until(time.Now().Add(pause))
		}
		all = append(all, g.Volley(t, size, func(int) Call { return call })...)
	}
	return all
}

// polled asks until the answer is the last, after 5 s, 7.5 s, … up to 60 s.
func polled(most int, send sender, last func(*Answer) bool) (polls int) {
	delay := 5 * time.Second
	for polls = 1; polls <= most; polls++ {
		if last(send()) {
			return polls
		}
		until(time.Now().Add(delay))
		delay = min(delay*3/2, minute)
	}
	return most
}

func (g *Gateway) sends(t testing.TB, call Call) sender {
	return func() *Answer { t.Helper(); return g.Send(t, call) }
}

func headshotproClients() []proof {
	return []proof{
		{
			"H9 C13 a client that watches Remaining knows when less than a tenth is left",
			Subjects{"c9": org("c9", "standard", 0), "c9-e": org("c9e", "enterprise", 0)},
			watching,
		},
		{"H10 H6 C8 a client that returns at Reset is admitted", Subjects{"c10": org("c10", "standard", 0)}, returning},
		{"H10 A-H1 a client that retries takes a full cap for a rate limit", Subjects{"c10-i": org("c10i", "", 0)}, misled},
		{"H11 H8 a queue at the page's pace is never refused", Subjects{"c11": org("c11", "standard", 0)}, queued},
		{"H12 invites in a loop are one request each", Subjects{"c12": org("c12", "standard", 50)}, inviting},
		{"H13 C9 a cached organization is what the origin sent, and one request", Subjects{"c13": org("c13", "standard", 0)}, caching},
		{"H14 each poll is a request", Subjects{"c14": org("c14", "standard", 0)}, polling},
	}
}

func watching(t *testing.T, g *Gateway) {
	low := func(a *Answer) bool { return 10*a.number(t, remainingHeader) < a.number(t, limitHeader) }
	for key, limit := range map[string]int{"c9": 300, "c9-e": 1000} {
		g.Volley(t, limit*9/10-1, func(int) Call { return organization(key) })
		if a := g.Send(t, organization(key)); low(a) {
			t.Errorf("a tenth is left, not less: %v", a)
		}
		if a := g.Send(t, organization(key)); !low(a) {
			t.Errorf("less than a tenth is left: %v", a)
		}
	}
}

func returning(t *testing.T, g *Gateway) {
	wantTally(t, g.Volley(t, 300, func(int) Call { return organization("c10") }), 300, 0)
	refusals := 0
	a := atReset(t, 3, 100*time.Millisecond, func() *Answer {
		a := g.Send(t, organization("c10"))
		refusals += len(refused([]*Answer{a}))
		return a
	})
	if a == nil || refusals != 1 {
		t.Fatalf("refused %d times before %v", refusals, a)
	}
	a.want(t, 200)
}

// misled: Reset is the pool's, so the retry is as futile as it is harmless.
func misled(t *testing.T, g *Gateway) {
	g.Send(t, organization("c10-i")).want(t, 200)
	a := g.Send(t, invite("c10-i", "never")).want(t, 429).rate(t, 300, 299)
	until(a.reset(t).Add(100 * time.Millisecond))
	g.Send(t, invite("c10-i", "never")).want(t, 429).rate(t, 300, 300).object(t, inviteRefusal(0, 0))
}

func queued(t *testing.T, g *Gateway) {
	for n, a := range paced(320, minute/300, g.sends(t, organization("c11"))) {
		if a.Status != 200 {
			t.Fatalf("request %d of the queue: %v", n+1, a)
		}
	}
}

func inviting(t *testing.T, g *Gateway) {
	for n := range 20 {
		g.Send(t, invite("c12", fmt.Sprint("c12-", n))).want(t, 201).rate(t, 300, 299-n)
	}
}

func caching(t *testing.T, g *Gateway) {
	const text = " {\"name\":\t\"\\u00e9\",\"n\": 1.50, \"a\":[ ] }\n"
	g.Origin.On("/api/v2/organization/c13", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = w.Write([]byte(text))
	})
	var cached []byte
	for range 5 {
		if cached == nil {
			cached = g.Send(t, get("c13", "/api/v2/organization/c13")).want(t, 200).Body
		}
		if !bytes.Equal(cached, []byte(text)) {
			t.Errorf("the origin's %q came as %q", text, cached)
		}
	}
	g.Send(t, organization("c13")).want(t, 200).rate(t, 300, 298)
}

func polling(t *testing.T, g *Gateway) {
	asked := 0
	polls := polled(60, g.sends(t, get("c14", "/api/v2/models/1")), func(a *Answer) bool {
		asked++
		a.want(t, 200).rate(t, 300, 300-asked)
		return asked == 3
	})
	if n := len(g.Origin.From("c14")); polls != 3 || n != 3 {
		t.Errorf("%d polls, %d reached the origin", polls, n)
	}
}

func predictionsClients() []proof {
	one := []any{"concurrent_predictions", 1}
	return []proof{
		{"P11 P5 A-P3 a client with capped waits gets in when a prediction ends", Subjects{"c11-r": account("c11r", one...)}, cappedRunning},
		{"P11 A-P4 it gives up when the minute lasts longer than its waits", Subjects{"c11-m": account("c11m", "requests_per_minute", 2)}, cappedInVain},
		{"P11 C8 it gets in when the minute ends within its waits", Subjects{"c11-e": account("c11e", "requests_per_minute", 2)}, cappedInTime},
	}
}

func cappedRunning(t *testing.T, g *Gateway) {
	g.Send(t, create("c11-r", "c11-1")).want(t, 201)
	a, waits := capped(t, 3, func() *Answer {
		a := g.Send(t, create("c11-r", "c11-2"))
		if a.Status == 429 {
			g.Send(t, finish("c11-r", "c11-1")).want(t, 200)
		}
		return a
	})
	if a == nil || a.Status != 201 || len(waits) != 1 {
		t.Errorf("after waits of %v: %v", waits, a)
	}
}

func cappedInVain(t *testing.T, g *Gateway) {
	g.Times(t, 2, poll("c11-m", "1"), 200)
	a, waits := capped(t, 3, g.sends(t, poll("c11-m", "1")))
	if a != nil || !slices.Equal(waits, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}) {
		t.Errorf("after waits of %v: %v", waits, a)
	}
}

func cappedInTime(t *testing.T, g *Gateway) {
	g.Times(t, 2, poll("c11-e", "1"), 200)
	until(g.Send(t, poll("c11-e", "1")).wantMinuteRefusal(t, 2).reset(t).Add(-2500 * time.Millisecond))
	if a, waits := capped(t, 3, g.sends(t, poll("c11-e", "1"))); a == nil || a.Status != 200 {
		t.Errorf("after waits of %v: %v", waits, a)
	}
}

func shelfforceClients() []proof {
	return []proof{
		{"S11 A-S8 S9 C8 a client that waits Retry-After is admitted at once", Subjects{"c11-s": shop("c11s", "free")}, growingOnce},
		{"S11 S5 so is one with a batch", Subjects{"c11-b": shop("c11b", "free")}, growingBatch},
	}
}

func growingOnce(t *testing.T, g *Gateway) {
	g.Times(t, 5, analysis("c11-s"), 200)
	a, waits := growing(t, 5, g.sends(t, analysis("c11-s")))
	if a == nil || a.Status != 200 || len(waits) != 1 {
		t.Errorf("after waits of %v: %v", waits, a)
	}
}

func growingBatch(t *testing.T, g *Gateway) {
	g.Times(t, 2, batch("c11-b", 2), 200)
	a, waits := growing(t, 5, g.sends(t, batch("c11-b", 4)))
	if a == nil || a.Status != 200 || len(waits) != 1 {
		t.Errorf("after waits of %v: %v", waits, a)
	}
}

func magnetiteClients() []proof {
	return []proof{
		{"M7 C8 a client that returns at Reset to the millisecond is admitted", Subjects{"c7-m": site("c7m")}, exactly},
		{"M7 A-M2 A-M4 so it is after a burst", bursters("c7-b"), exactlyAfterBurst},
		{"M8 M5 C8 a client that waits when less than 3 are left is not refused", Subjects{"c8": site("c8")}, cautious},
		{"M9 A-M2 A-M8 five at once and five more after 7.5 s pass, and then no more", Subjects{"c9-b": site("c9b")}, batching},
	}
}

func exactly(t *testing.T, g *Gateway) {
	g.steadily(t, 10, generate("c7-m"), 5)
	sent := 0
	a := atReset(t, 3, 0, func() *Answer { sent++; return g.Send(t, generate("c7-m")) })
	if a == nil || a.Status != 200 || sent != 2 {
		t.Errorf("after %d tries: %v", sent, a)
	}
}

func exactlyAfterBurst(t *testing.T, g *Gateway) {
	answers := g.volleys(t, "c7-b", 8, 5, generate)
	until(refused(answers)[0].reset(t))
	g.Send(t, answers[0].Call).want(t, 200).four(t, 10, 4)
}

func cautious(t *testing.T, g *Gateway) {
	all := g.steadily(t, 8, generate("c8"), 5)
	last := all[len(all)-1].four(t, 10, 2)
	if all[6].number(t, remainingHeader) < 3 || last.number(t, remainingHeader) >= 3 {
		t.Fatal("Remaining does not tell when less than 3 are left")
	}
	until(last.wantReset(t, all[0].charged(), minute).reset(t))
	g.Send(t, generate("c8")).want(t, 200)
}

func batching(t *testing.T, g *Gateway) {
	all := g.inBatches(t, 15, 5, 7500*time.Millisecond, generate("c9-b"))
	wantTally(t, all[:5], 5, 0)
	wantTally(t, all[5:10], 5, 0)
	wantTally(t, all[10:], 0, 5)
	for _, a := range all[10:] {
		a.wantExceeded(t, 10, 60)
	}
}

func outfitClients() []proof {
	return []proof{
		{"O13 O14 O5 A-O6 a client that waits Retry-After gets in when the other request is done", Subjects{"c13-o": wearer("c13o")}, waiting},
		{"O13 O14 C9 other failures pass through to it", Subjects{"c14-o": wearer("c14o")}, failing},
	}
}

func waiting(t *testing.T, g *Gateway) {
	gate := g.Origin.Gate()
	running := g.Begin(t, style("c13-o").at(gate))
	gate.Arrived(t, 1)
	a := g.Send(t, style("c13-o")).wantInProgress(t, 19)
	g.Send(t, get("c13-o", "/images").with(scriptOpen, gate.name)).want(t, 200)
	running().wantStyled(t, 19)
	until(time.Now().Add(a.retryAfter(t)))
	g.Send(t, style("c13-o")).wantStyled(t, 18).object(t, `{"ok": true}`)
}

func failing(t *testing.T, g *Gateway) {
	for n, status := range []int{400, 404, 500} {
		a := g.Send(t, style("c14-o").answered(status).with(scriptBody, `{"error": "own"}`)).want(t, status).quota(t, 20, 19-n)
		a.object(t, `{"error": "own"}`)
	}
}
