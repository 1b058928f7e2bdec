package acceptance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestOutfit(t *testing.T) {
	t.Parallel()
	sameDay()
	prove(t, Start, "outfit", append(outfitProofs(), outfitClients()...))
	try(t, Start, outfitTrials())
}

const inProgress = `{"error": "A request is already in progress. Please wait for it to complete."}`

// counted are the endpoints that count, in the page's order.
var counted = []string{"/try_on_outfit", "/style_me", "/analyze_outfit"}

// wearer is a user.
func wearer(id string) Attributes { return Attributes{"id": id, "plan": "default"} }

// style sends one of the endpoints that count.
func style(key string) Call { return post(key, "/style_me").body(`{"image": "x"}`) }

// wantDayOver requires the refusal of the day's limit.
func (a *Answer) wantDayOver(t testing.TB) *Answer {
	t.Helper()
	end := midnight(a.Sent)
	stamp := end.Format("2006-01-02T15:04:05.000Z")
	a.want(t, 429).rate(t, 20, 0).object(t, fmt.Sprintf(
		`{"error": "Daily rate limit exceeded. You can make 20 requests per day.", "limit": 20, "remaining": 0, "reset": %q}`, stamp))
	if at := a.Header.Get(resetHeader); at != stamp {
		t.Errorf("O8: Reset is %s, want %s", at, stamp)
	}
	return a.leadsTo(t, a.retryAfter(t), end)
}

// wantInProgress requires the refusal of a second request at the same time.
func (a *Answer) wantInProgress(t testing.TB, remaining int) *Answer {
	t.Helper()
	a.want(t, 429).rate(t, 20, remaining).object(t, inProgress)
	if at, end := a.reset(t), midnight(a.Sent); !at.Equal(end) {
		t.Errorf("A-O6: Reset is %v, want %v", at, end)
	}
	if wait := a.retryAfter(t); wait > 30*time.Second {
		t.Errorf("A-O6: Retry-After: %v", wait)
	}
	return a
}

// wantStyled requires an admitted request's headers.
func (a *Answer) wantStyled(t testing.TB, remaining int) *Answer {
	t.Helper()
	return a.want(t, 200).quota(t, 20, remaining).lacks(t, resetHeader, retryHeader)
}

// wantUsage requires the gateway's own answer about the user.
func (g *Gateway) wantUsage(t testing.TB, key string, total, today, used int) *Answer {
	t.Helper()
	return g.Send(t, get(key, "/usage")).want(t, 200).object(t, fmt.Sprintf(
		`{"total_requests": %d, "requests_today": %d, "rate_limit": {"daily_limit": 20, "used_today": %d, "remaining": %d}}`,
		total, today, used, 20-used))
}

func outfitProofs() []proof {
	return append([]proof{
		{
			"O1 O2 O3 O7 O8 O9 C1 C4 C5 C12 A-O4 A-O5 twenty a day over all keys, then no more",
			Subjects{"o1-a": wearer("o1"), "o1-b": wearer("o1"), "o1-x": wearer("o1x")},
			twentyADay,
		},
		{"O2 O6 C14 in whatever order they come, twenty a day", Subjects{"o2-a": wearer("o2"), "o2-b": wearer("o2")}, twentyAtOnce},
		{"O4 A-O3 each of the three counts, as POST", Subjects{"o4": wearer("o4")}, threeCount},
		{"O4 no spelling of the path is a way around", Subjects{"o4-w": wearer("o4w")}, outfitSpellings},
		{
			"O5 A-O1 A-O2 A-O9 C5 free endpoints pass when the day is used up and while a request is in progress",
			Subjects{"o5": wearer("o5"), "o5-p": wearer("o5p")},
			freeEndpoints,
		},
		{"O8 C10 the origin cannot put a Reset on what is admitted", Subjects{"o8": wearer("o8")}, noResetOfOrigin},
		{
			"O11 O12 A-O8 usage counts all requests, refused ones and itself too",
			Subjects{"o11-a": wearer("o11"), "o11-b": wearer("o11"), "o11-x": wearer("o11x")},
			usageCounts,
		},
		{"O11 C4 usage is answered by the gateway, for a known key", Subjects{"o11-g": wearer("o11g")}, usageOfGateway},
	}, progressProofs()...)
}

func twentyADay(t *testing.T, g *Gateway) {
	for n := range 20 {
		key := []string{"o1-a", "o1-b"}[n%2]
		g.Send(t, post(key, counted[n%3])).wantStyled(t, 19-n)
	}
	for n := range 6 {
		g.Send(t, post([]string{"o1-a", "o1-b"}[n%2], counted[n%3])).wantDayOver(t)
	}
	if n := len(g.Origin.From("o1-a")) + len(g.Origin.From("o1-b")); n != 20 {
		t.Errorf("C4: %d reached the origin", n)
	}
	g.Send(t, style("o1-x")).wantStyled(t, 19)
}

func twentyAtOnce(t *testing.T, g *Gateway) {
	passed := 0
	for range 200 { // two at a time, until the day is over
		for _, a := range g.Volley(t, 3, func(i int) Call { return style([]string{"o2-a", "o2-b"}[i%2]) }) {
			if a.Status == 200 {
				passed++
			}
		}
		if passed >= 20 {
			break
		}
	}
	if n := len(g.Origin.From("o2-a")) + len(g.Origin.From("o2-b")); passed != 20 || n != 20 {
		t.Errorf("%d admitted, %d reached the origin, want 20", passed, n)
	}
	g.Send(t, style("o2-a")).wantDayOver(t)
	g.wantUsed(t, "o2-b", 20)
}

// wantUsed requires used_today.
func (g *Gateway) wantUsed(t testing.TB, key string, used int) {
	t.Helper()
	a := g.Send(t, get(key, "/usage")).want(t, 200)
	if n := a.whole(t, "rate_limit", "used_today"); n != used {
		t.Errorf("used_today is %d, want %d", n, used)
	}
	if n := a.whole(t, "rate_limit", "remaining"); n != 20-used {
		t.Errorf("remaining is %d, want %d", n, 20-used)
	}
}

func threeCount(t *testing.T, g *Gateway) {
	for n, path := range counted {
		g.Send(t, post("o4", path+"?size=m").body(`{}`)).wantStyled(t, 19-n)
	}
	g.wantUsed(t, "o4", 3)
}

func outfitSpellings(t *testing.T, g *Gateway) {
	paths := []string{"/style_me?x=1", "/styl%65_me", "//style_me", "/./style_me", "/images/../style_me", "/Style_Me", "/try%5Fon_outfit", "//analyze_outfit?"}
	for n, path := range paths {
		g.Send(t, post("o4-w", path)).wantStyled(t, 19-n)
	}
	g.wantUsed(t, "o4-w", len(paths))
}

func freeEndpoints(t *testing.T, g *Gateway) {
	free := func(key string) {
		t.Helper()
		for _, call := range []Call{
			get(key, "/images"), get(key, "/images?page=2"), get(key, "/images/7"), get(key, "/usage"),
			{Method: "DELETE", Path: "/images/7", Key: key},
			get(key, "/models"), post(key, "/feedback"),
		} {
			g.Send(t, call).want(t, 200)
		}
	}
	free("o5")
	g.Times(t, 20, style("o5"), 200)
	free("o5")
	g.Send(t, style("o5")).wantDayOver(t)
	g.wantUsed(t, "o5", 20)

	gate := g.Origin.Gate()
	running := g.Begin(t, style("o5-p").at(gate))
	gate.Arrived(t, 1)
	free("o5-p")
	g.Send(t, style("o5-p")).wantInProgress(t, 19)
	gate.Open()
	running().wantStyled(t, 19)

	slow := g.Origin.Gate() // and they are not in progress themselves
	image := g.Begin(t, get("o5-p", "/images/7").at(slow))
	slow.Arrived(t, 1)
	g.Send(t, style("o5-p")).wantStyled(t, 18)
	slow.Open()
	image().want(t, 200)
}

func noResetOfOrigin(t *testing.T, g *Gateway) {
	call := style("o8").told("X-RateLimit-Reset: 2030-01-01T00:00:00.000Z").told("X-RateLimit-Limit: 5")
	g.Send(t, call).wantStyled(t, 19)
	g.Send(t, call.answered(500)).want(t, 500).quota(t, 20, 18).lacks(t, resetHeader)
}

func usageCounts(t *testing.T, g *Gateway) {
	g.wantUsage(t, "o11-a", 1, 1, 0)
	g.wantUsage(t, "o11-b", 2, 2, 0)
	g.Times(t, 3, style("o11-a"), 200)
	g.Times(t, 2, get("o11-b", "/images"), 200)
	g.wantUsage(t, "o11-a", 8, 8, 3)
	gate := g.Origin.Gate()
	running := g.Begin(t, style("o11-a").at(gate))
	gate.Arrived(t, 1)
	g.Times(t, 2, style("o11-b"), 429)
	g.wantUsage(t, "o11-b", 12, 12, 4)
	gate.Open()
	running().wantStyled(t, 16)
	g.Send(t, style("o11-b").answered(500)).want(t, 500)
	g.wantUsage(t, "o11-b", 14, 14, 5)
	g.Times(t, 15, style("o11-b"), 200)
	g.Times(t, 3, style("o11-a"), 429)
	g.wantUsage(t, "o11-a", 33, 33, 20)
	g.wantUsage(t, "o11-x", 1, 1, 0)
}

func usageOfGateway(t *testing.T, g *Gateway) {
	g.wantUsage(t, "o11-g", 1, 1, 0)
	g.Send(t, get("o11-g", "/usage?detail=1")).want(t, 200)
	if n := len(g.Origin.From("o11-g")); n != 0 {
		t.Errorf("/usage reached the origin %d times", n)
	}
	g.Send(t, get("", "/usage")).want(t, http.StatusUnauthorized)
	g.Send(t, get("unheard-of", "/usage")).want(t, http.StatusForbidden)
	g.wantUsage(t, "o11-g", 3, 3, 0)
}

func progressProofs() []proof {
	return []proof{
		{
			"O6 O10 O7 O8 C12 A-O4 A-O6 A-O7 one at a time, over keys and endpoints",
			Subjects{"o6-a": wearer("o6"), "o6-b": wearer("o6"), "o6-x": wearer("o6x")},
			oneAtATime,
		},
		{"O6 C14 of ten at once one is admitted", Subjects{"o6-t": wearer("o6t")}, oneOfTen},
		{"O6 in progress until the last byte", Subjects{"o6-h": wearer("o6h")}, untilLastByte},
		{"O6 who has the last byte may send the next request at once", lastByteKeys(), nextAtOnce},
		{"O6 a failure of the origin ends it", Subjects{"o6-e": wearer("o6e")}, failureEnds},
		{"O6 hanging up ends it", Subjects{"o6-d": wearer("o6d"), "o6-d2": wearer("o6d2")}, hangingUpEnds},
		{"A-O10 C7 of both reasons the day is told", Subjects{"o10": wearer("o10")}, dayIsToldFirst},
	}
}

func oneAtATime(t *testing.T, g *Gateway) {
	gate := g.Origin.Gate()
	running := g.Begin(t, post("o6-a", "/try_on_outfit").at(gate))
	gate.Arrived(t, 1)
	for n := range 6 {
		g.Send(t, post([]string{"o6-a", "o6-b"}[n%2], counted[n%3])).wantInProgress(t, 19)
	}
	g.Send(t, style("o6-x")).wantStyled(t, 19)
	gate.Open()
	running().wantStyled(t, 19)
	g.Send(t, style("o6-b")).wantStyled(t, 18)
	if n := len(g.Origin.From("o6-a")) + len(g.Origin.From("o6-b")); n != 2 {
		t.Errorf("C4: %d reached the origin", n)
	}
}

func oneOfTen(t *testing.T, g *Gateway) {
	gate := g.Origin.Gate()
	answers := make(chan *Answer, 10)
	for n := range 10 {
		wait := g.Begin(t, post("o6-t", counted[n%3]).at(gate))
		go func() { answers <- wait() }()
	}
	for n := range 9 { // the gate is closed: what comes back was refused
		select {
		case a := <-answers:
			a.wantInProgress(t, 19)
		case <-time.After(patience):
			t.Fatalf("of 10 at once only %d were refused", n)
		}
	}
	gate.Open()
	(<-answers).wantStyled(t, 19)
}

func untilLastByte(t *testing.T, g *Gateway) {
	gate := g.Origin.Gate()
	running := g.Begin(t, style("o6-h").with(scriptBody, strings.Repeat("x", 9000)).halfAt(gate))
	gate.Arrived(t, 1)
	g.Times(t, 3, style("o6-h"), 429).wantInProgress(t, 19)
	gate.Open()
	running().wantStyled(t, 19)
	g.Send(t, style("o6-h")).wantStyled(t, 18)
}

// lastByteKeys are users enough to try what may go wrong only now and then.
func lastByteKeys() Subjects {
	keys := Subjects{}
	for n := range 24 {
		key := fmt.Sprint("o6-n", n)
		keys[key] = wearer(key)
	}
	return keys
}

// nextAtOnce sends requests in a row on two connections in turn, each as soon
// as the last byte of the one before has come: the last that Content-Length
// announces, or the end of the last chunk.
func nextAtOnce(t *testing.T, g *Gateway) {
	opened := g.Origin.Gate()
	opened.Open()
	var all sync.WaitGroup
	for n := range 24 {
		script := scriptBody + ": " + strings.Repeat("b", 2+n*300) + "\r\n"
		if n%3 == 2 {
			script += scriptGate + ": " + opened.name + "\r\n" + scriptHalf + ": 1\r\n" // chunked
		}
		pair := []wire{g.dial(t), g.dial(t)}
		all.Go(func() { inARow(t, pair, "Host: "+g.Host+"\r\nX-API-Key: "+fmt.Sprint("o6-n", n)+"\r\n"+script) })
	}
	all.Wait()
}

func inARow(t *testing.T, pair []wire, head string) {
	for n := range 20 {
		w := pair[n%2]
		text := "POST " + counted[n%3] + " HTTP/1.1\r\n" + head + "Content-Length: 0\r\n\r\n"
		if _, err := io.WriteString(w, text); err != nil {
			t.Error(err)
			return
		}
		resp, err := http.ReadResponse(w.in, nil)
		if err != nil {
			t.Error(err)
			return
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 {
			t.Errorf("request %d of %q, sent after the last byte of the one before: %d %s %v", n+1, head, resp.StatusCode, body, err)
			return
		}
	}
}

func failureEnds(t *testing.T, g *Gateway) {
	for n, status := range []int{400, 404, 500, 503} {
		g.Send(t, style("o6-e").answered(status)).want(t, status).quota(t, 20, 19-n).lacks(t, resetHeader, retryHeader)
	}
	g.Send(t, style("o6-e").with(scriptBreak, "before")).want(t, g.broken).quota(t, 20, 15)
	if _, err := g.Do(context.Background(), style("o6-e").with(scriptBreak, "within")); !errors.Is(err, errBroken) {
		t.Errorf("the broken response came whole: %v", err)
	}
	g.Eventually(t, style("o6-e"), 200).wantStyled(t, 13)
}

func hangingUpEnds(t *testing.T, g *Gateway) {
	gate := g.Origin.Gate() // before the response
	ctx, hangUp := context.WithCancel(context.Background())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = g.Do(ctx, style("o6-d").at(gate))
	}()
	gate.Arrived(t, 1)
	g.Send(t, style("o6-d")).wantInProgress(t, 19)
	hangUp()
	<-gone
	gate.Left(t, 1)
	g.Eventually(t, style("o6-d"), 200).wantStyled(t, 18)

	within := g.Origin.Gate() // within the response, on a connection cut off
	w := g.dial(t)
	w.send(t, "POST /style_me HTTP/1.1\r\nHost: "+g.Host+"\r\nX-API-Key: o6-d2\r\n"+
		scriptGate+": "+within.name+"\r\n"+scriptHalf+": 1\r\nContent-Length: 0\r\n\r\n")
	within.Arrived(t, 1)
	w.head(t, "POST")
	g.Send(t, style("o6-d2")).wantInProgress(t, 19)
	_ = w.Close()
	within.Left(t, 1)
	g.Eventually(t, style("o6-d2"), 200).wantStyled(t, 18)
}

func dayIsToldFirst(t *testing.T, g *Gateway) {
	g.Times(t, 19, style("o10"), 200)
	gate := g.Origin.Gate()
	running := g.Begin(t, style("o10").at(gate))
	gate.Arrived(t, 1)
	g.Send(t, style("o10")).wantDayOver(t)
	gate.Open()
	running().wantStyled(t, 0)
	g.Send(t, style("o10")).wantDayOver(t)
}

func outfitTrials() []trial {
	return []trial{
		{"O2 O11 C11 the day and the totals outlive reload and restart", dayOutlivesProcess},
		{"O6 C11 a request in progress stays so over a reload, and is not left over by a restart", progressOutlivesReload},
		{"O3 C8 the counter resets at midnight, the total does not", midnightComes},
	}
}

func dayOutlivesProcess(t *testing.T, open opener) {
	g := open(t, "outfit", Subjects{"k": wearer("u"), "l": wearer("u")})
	g.Times(t, 12, style("k"), 200).wantStyled(t, 8)
	g.Times(t, 2, get("l", "/images"), 200)
	g.Reload(t)
	g.wantUsage(t, "l", 15, 15, 12)
	g.Restart(t)
	g.wantUsage(t, "k", 16, 16, 12)
	g.Times(t, 8, style("l"), 200).wantStyled(t, 0)
	g.Send(t, style("k")).wantDayOver(t)
	g.Restart(t)
	g.Send(t, style("k")).wantDayOver(t)
	g.wantUsage(t, "k", 27, 27, 20)
}

func progressOutlivesReload(t *testing.T, open opener) {
	g := open(t, "outfit", Subjects{"k": wearer("u")})
	gate := g.Origin.Gate()
	running := g.Begin(t, style("k").at(gate))
	gate.Arrived(t, 1)
	g.Reload(t)
	g.Send(t, style("k")).wantInProgress(t, 19)
	gate.Open()
	running().wantStyled(t, 19)
	g.Send(t, style("k")).wantStyled(t, 18)
	g.Restart(t)
	g.Send(t, style("k")).wantStyled(t, 17)
}

func midnightComes(t *testing.T, open opener) {
	atEnd(func(end time.Time) bool {
		g := open(t, "outfit", Subjects{"k": wearer("u")}, zoned("calendar day", midnight(end).Sub(end), ""))
		last := g.Times(t, 20, style("k"), 200)
		if near(end) {
			return false
		}
		last.wantStyled(t, 0)
		g.dayEnds(t, end)
		return true
	})
}

// dayEnds requires the day, which is used up, to end at end.
func (g *Gateway) dayEnds(t *testing.T, end time.Time) {
	t.Helper()
	a := g.Send(t, style("k")).want(t, 429)
	if at := a.reset(t); !at.Equal(end) {
		t.Errorf("Reset is %s, want %s", clock(at), clock(end))
	}
	a.leadsTo(t, a.retryAfter(t), end)
	g.wantUsage(t, "k", 22, 22, 20)
	until(end.Add(-2 * time.Second))
	early := g.Send(t, style("k"))
	if early.Got.Before(end) {
		early.want(t, 429)
	}
	until(end)
	g.Send(t, style("k")).wantStyled(t, 19)
	if early.Got.Before(end) {
		g.wantUsage(t, "k", 25, 2, 1)
	}
}
