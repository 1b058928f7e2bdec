package acceptance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"
)

func TestPredictions(t *testing.T) {
	t.Parallel()
	sameDay()
	prove(t, Start, "predictions", append(predictionsProofs(), predictionsClients()...))
	try(t, Start, predictionsTrials())
}

const predictions = "/v1/predictions"

// account is a key of the default plan; names and values alternate.
func account(id string, attributes ...any) Attributes {
	a := Attributes{"id": id, "plan": "default"}
	for i := 0; i < len(attributes); i += 2 {
		a[attributes[i].(string)] = attributes[i+1]
	}
	return a
}

// create starts a prediction that runs on under the lease.
func create(key, lease string) Call {
	return post(key, predictions).answered(201).told("Weir-Lease: " + lease)
}

// poll asks for a prediction.
func poll(key, id string) Call { return get(key, predictions+"/"+id) }

// finish is the poll whose response ends the predictions.
func finish(key, ids string) Call { return poll(key, "done").told("Weir-Release: " + ids) }

// runningRefusal is the body for one prediction too many.
func runningRefusal(active, limit int) string {
	return fmt.Sprintf(`{"error": {"type": "rate_limit_error", "message": "Concurrent prediction limit exceeded. %d/%d predictions running.", `+
		`"code": "CONCURRENT_LIMIT_EXCEEDED", "details": {"limit": %d, "active": %d}}}`, active, limit, limit, active)
}

// wantRunningRefusal sends a creation that must be refused with these figures.
func (g *Gateway) wantRunningRefusal(t testing.TB, key string, active, limit int) *Answer {
	t.Helper()
	return g.Send(t, create(key, "refused")).want(t, 429).object(t, runningRefusal(active, limit)).withinMinute(t)
}

// wantMinuteRefusal requires the refusal by the minute's limit.
func (a *Answer) wantMinuteRefusal(t testing.TB, limit int) *Answer {
	t.Helper()
	a.want(t, 429).rate(t, limit, 0).agrees(t, a.retryAfter(t)).withinMinute(t)
	var body struct {
		Error struct {
			Type    string
			Message string
			Code    string
			Details map[string]json.Number
		}
	}
	if err := json.Unmarshal(a.Body, &body); err != nil {
		t.Fatalf("%v: %v", err, a)
	}
	e := body.Error
	if e.Type != "rate_limit_error" || e.Message == "" || e.Code != "RATE_LIMIT_EXCEEDED" || e.Details["limit"].String() != fmt.Sprint(limit) {
		t.Errorf("P6: %v", a)
	}
	if len(e.Details) == 1 {
		a.object(t, fmt.Sprintf(`{"error": {"type": "rate_limit_error", "message": %q, "code": "RATE_LIMIT_EXCEEDED", "details": {"limit": %d}}}`, anyText, limit))
	}
	return a
}

func predictionsProofs() []proof {
	return append([]proof{
		{
			"P1 two keys of one user share nothing",
			Subjects{"p1-a": account("p1", "concurrent_predictions", 1), "p1-b": account("p1", "concurrent_predictions", 1)},
			keysApart,
		},
		{
			"P2 P5 P6 P4 C4 C5 C8 C12 C14 A-P1 A-P2 A-C2 60 at once, not one more, and again when the window has passed",
			Subjects{"p2": account("p2")},
			sixtyAMinute,
		},
		{"P3 P4 every method and path counts", Subjects{"p3": account("p3")}, everyCall},
		{
			"P7 P8 P4 P5 C5 C6 C12 A-P3 A-P6 A-P7 five run, the sixth is refused and takes nothing",
			Subjects{"p7": account("p7")},
			fiveRun,
		},
		{"P7 C14 of 20 creations at once five are admitted", Subjects{"p7-v": account("p7v")}, creationsAtOnce},
		{"P7 P4 A-P7 a creation that fails or is complete in its response ends with it", Subjects{"p7-f": account("p7f", "concurrent_predictions", 1)}, creationsThatEnd},
		{"P7 C16 a creation whose client hangs up ends", Subjects{"p7-h": account("p7h", "concurrent_predictions", 1)}, abortedCreation},
		{"P7 C3 any response ends predictions, one or more, once", Subjects{"p7-r": account("p7r", "concurrent_predictions", 2), "p7-s": account("p7s")}, anyResponseEnds},
		{"P7 C3 a release may overtake its lease", Subjects{"p7-o": account("p7o", "concurrent_predictions", 1)}, releaseFirst},
		{"P7 A-P7 no spelling of the path is a way around", Subjects{"p7-w": account("p7w", "concurrent_predictions", 0)}, creationSpellings},
		{
			"P13 C2 C3 limits by attribute, moved at once for all keys of the id",
			Subjects{
				"p13":   {"id": "p13", "plan": "enterprise", "requests_per_minute": 100, "concurrent_predictions": 7},
				"p13-b": {"id": "p13", "plan": "enterprise"},
			},
			enterpriseLimits,
		},
	}, spendingProofs()...)
}

func keysApart(t *testing.T, g *Gateway) {
	g.Send(t, create("p1-a", "p1-1")).want(t, 201).rate(t, 60, 59)
	g.Send(t, create("p1-b", "p1-1b")).want(t, 201).rate(t, 60, 59)
	g.wantRunningRefusal(t, "p1-a", 1, 1)
	g.wantRunningRefusal(t, "p1-b", 1, 1)
}

func sixtyAMinute(t *testing.T, g *Gateway) {
	answers := g.Volley(t, 75, func(i int) Call { return poll("p2", fmt.Sprint(i)) })
	wantTally(t, answers, 60, 15)
	stamp := oldest(admitted(answers))
	for _, a := range refused(answers) {
		a.wantMinuteRefusal(t, 60).wantReset(t, stamp, minute)
	}
	for _, a := range admitted(answers) {
		a.wantReset(t, stamp, minute)
	}
	if n := len(g.Origin.From("p2")); n != 60 {
		t.Errorf("C4: %d reached the origin", n)
	}
	last := g.Send(t, create("p2", "p2-1")).wantMinuteRefusal(t, 60)
	last.Call = poll("p2", "again")
	g.wantReopening(t, last)
	until(nth(admitted(answers), 60).to.Add(minute))
	again := g.Volley(t, 65, func(i int) Call { return poll("p2", fmt.Sprint(i)) })
	wantTally(t, again, 59, 6)
}

func everyCall(t *testing.T, g *Gateway) {
	used := 0
	var first *Answer
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		for _, path := range []string{"/", "/v1/models?x", "//v1/predictions/7/cancel", "/%76%31/files"} {
			used++
			a := g.Send(t, Call{Method: method, Path: path, Key: "p3"}).want(t, 200).rate(t, 60, 60-used).lacks(t, retryHeader)
			if first == nil {
				first = a
			}
			a.wantReset(t, first.charged(), minute)
		}
	}
}

func fiveRun(t *testing.T, g *Gateway) {
	first := g.Send(t, create("p7", "p7-0")).want(t, 201).rate(t, 60, 59)
	for n := 1; n < 5; n++ {
		g.Send(t, create("p7", fmt.Sprint("p7-", n))).want(t, 201).rate(t, 60, 59-n)
	}
	for range 3 {
		g.wantRunningRefusal(t, "p7", 5, 5).rate(t, 60, 55).wantReset(t, first.charged(), minute)
	}
	if n := len(g.Origin.From("p7")); n != 5 {
		t.Errorf("C4: %d creations reached the origin", n)
	}
	g.Send(t, poll("p7", "p7-0")).want(t, 200).rate(t, 60, 54)
	g.Send(t, post("p7", "/v1/predictions/p7-0/cancel")).want(t, 200).rate(t, 60, 53)
	g.wantRunningRefusal(t, "p7", 5, 5).rate(t, 60, 53)
	g.Send(t, finish("p7", "p7-3")).want(t, 200).rate(t, 60, 52)
	g.Send(t, create("p7", "p7-5")).want(t, 201).rate(t, 60, 51)
	g.wantRunningRefusal(t, "p7", 5, 5).rate(t, 60, 51)
}

func creationsAtOnce(t *testing.T, g *Gateway) {
	gate := g.Origin.Gate()
	answers := make(chan []*Answer)
	go func() {
		answers <- g.Volley(t, 20, func(i int) Call { return create("p7-v", fmt.Sprint("p7-v", i)).answered(200).at(gate) })
	}()
	gate.Arrived(t, 5)
	g.Send(t, poll("p7-v", "x")).want(t, 200) // polls go on meanwhile
	gate.Open()
	wantTally(t, <-answers, 5, 15)
	g.wantRunningRefusal(t, "p7-v", 5, 5).rate(t, 60, 54)
}

func creationsThatEnd(t *testing.T, g *Gateway) {
	for _, status := range []int{200, 201, 400, 422, 500, 503} {
		g.Send(t, post("p7-f", predictions).answered(status)).want(t, status)
	}
	g.Send(t, post("p7-f", predictions).with(scriptBreak, "before")).want(t, g.broken)
	gate := g.Origin.Gate()
	running := g.Begin(t, post("p7-f", predictions).at(gate))
	gate.Arrived(t, 1)
	g.wantRunningRefusal(t, "p7-f", 1, 1).rate(t, 60, 52)
	gate.Open()
	running().want(t, 200).rate(t, 60, 52)
	g.Send(t, create("p7-f", "p7-f1")).want(t, 201)
	g.wantRunningRefusal(t, "p7-f", 1, 1)
}

func abortedCreation(t *testing.T, g *Gateway) {
	gate := g.Origin.Gate()
	ctx, hangUp := context.WithCancel(context.Background())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = g.Do(ctx, create("p7-h", "p7-h1").at(gate))
	}()
	gate.Arrived(t, 1)
	g.wantRunningRefusal(t, "p7-h", 1, 1)
	hangUp()
	<-gone
	gate.Left(t, 1)
	g.Eventually(t, create("p7-h", "p7-h2"), 201)
	g.wantRunningRefusal(t, "p7-h", 1, 1)
}

func anyResponseEnds(t *testing.T, g *Gateway) {
	full := func(ids ...string) {
		t.Helper()
		for _, id := range ids {
			g.Send(t, create("p7-r", id)).want(t, 201)
		}
		g.wantRunningRefusal(t, "p7-r", 2, 2)
	}
	full("p7-r1", "p7-r2")
	g.Send(t, finish("p7-r", "nobody's, p7-r1,p7-r1")).want(t, 200)
	g.Send(t, finish("p7-r", "p7-r1")).want(t, 200)
	full("p7-r3")
	g.Send(t, get("p7-s", "/v1/models").answered(404).told("Weir-Release: p7-r2, p7-r3")).want(t, 404) // somebody else's
	full("p7-r4", "p7-r5")
	g.Send(t, post("p7-s", predictions).answered(201).told("Weir-Lease: p7-s1").told("Weir-Release: p7-r4")).want(t, 201)
	full("p7-r6")
	g.Send(t, finish("p7-s", "p7-s1")).want(t, 200)
}

func releaseFirst(t *testing.T, g *Gateway) {
	gate := g.Origin.Gate()
	creating := g.Begin(t, create("p7-o", "p7-o1").at(gate))
	gate.Arrived(t, 1)
	g.Send(t, finish("p7-o", "p7-o1")).want(t, 200)
	g.wantRunningRefusal(t, "p7-o", 1, 1) // its own request holds the slot still
	gate.Open()
	creating().want(t, 201)
	g.Send(t, create("p7-o", "p7-o2")).want(t, 201)
	g.wantRunningRefusal(t, "p7-o", 1, 1)
	g.Send(t, finish("p7-o", "p7-o2")).want(t, 200)
	g.Send(t, create("p7-o", "p7-o1")).want(t, 201) // what overtook is forgotten with its request
	g.wantRunningRefusal(t, "p7-o", 1, 1)
}

func creationSpellings(t *testing.T, g *Gateway) {
	for _, path := range []string{
		predictions + "?wait=1", "/v1/%70redictions", "//v1///predictions", "/v1/./predictions", "/v1/models/../predictions", "/V1/Predictions",
	} {
		g.Send(t, post("p7-w", path)).want(t, 429).object(t, runningRefusal(0, 0))
	}
	if n := len(g.Origin.From("p7-w")); n != 0 {
		t.Errorf("%d creations reached the origin", n)
	}
}

func enterpriseLimits(t *testing.T, g *Gateway) {
	g.Send(t, poll("p13-b", "x")).want(t, 200).rate(t, 60, 59)
	for n := range 7 {
		g.Send(t, create("p13", fmt.Sprint("p13-", n))).want(t, 201).rate(t, 100, 99-n)
	}
	g.wantRunningRefusal(t, "p13", 7, 7).rate(t, 100, 93)
	g.Send(t, poll("p13", "x").told("Weir-Set: concurrent_predictions=8").told("Weir-Set: requests_per_minute=10")).want(t, 200)
	g.Send(t, create("p13", "p13-7")).want(t, 201).rate(t, 10, 1)
	g.wantRunningRefusal(t, "p13", 8, 8).rate(t, 10, 1)
	g.Send(t, poll("p13-b", "x")).want(t, 200).rate(t, 10, 8) // the id's, not the key's
	g.Send(t, poll("p13", "x")).want(t, 200).rate(t, 10, 0)
	g.Send(t, poll("p13", "x")).wantMinuteRefusal(t, 10)
}

func predictionsTrials() []trial {
	return []trial{
		{"P7 C11 running predictions and spending outlive reload and restart", runsOutliveProcess},
		{"P7 C11 a reload while a creation is in flight", reloadInFlight},
		{"A-P8 a completion nobody reports ends with the lease's age", leasesAge},
		{"P9 C8 the day's spending ends with the day", spendingDayEnds},
		{"P10 C8 the month's spending ends with the month", spendingMonthEnds},
	}
}

func runsOutliveProcess(t *testing.T, open opener) {
	g := open(t, "predictions", Subjects{
		"k": account("u", "concurrent_predictions", 2, "daily_spending", 10, "monthly_spending", 0.5), "d": account("u", "daily_spending", 0.3),
	})
	g.Send(t, create("k", "one").told("Weir-Cost: 0.1")).want(t, 201)
	g.Send(t, create("k", "two").told("Weir-Cost: 0.2")).want(t, 201)
	g.Send(t, poll("d", "x").told("Weir-Cost: 0.3")).want(t, 200)
	for _, again := range []func(testing.TB){g.Reload, g.Restart, g.Restart} {
		again(t)
		g.wantRunningRefusal(t, "k", 2, 2)
		g.wantDailyRefusal(t, "d", "0.3", "0.3")
	}
	g.Send(t, finish("k", "one")).want(t, 200)
	g.Send(t, create("k", "three").told("Weir-Cost: 0.2")).want(t, 201)
	g.Restart(t)
	g.Send(t, finish("k", "two, three")).want(t, 200)
	g.wantMonthlyRefusal(t, "k", "0.5", "0.5")
}

func reloadInFlight(t *testing.T, open opener) {
	g := open(t, "predictions", Subjects{"k": account("u", "concurrent_predictions", 1)})
	gate := g.Origin.Gate()
	creating := g.Begin(t, create("k", "one").at(gate))
	gate.Arrived(t, 1)
	g.Reload(t)
	g.wantRunningRefusal(t, "k", 1, 1)
	gate.Open()
	creating().want(t, 201)
	g.wantRunningRefusal(t, "k", 1, 1)
	g.Send(t, finish("k", "one")).want(t, 200)
	g.Send(t, create("k", "two")).want(t, http.StatusCreated)
}

func leasesAge(t *testing.T, open opener) {
	g := open(t, "predictions", Subjects{"k": account("u", "concurrent_predictions", 1)}, edit{from: "ttl 24h", to: "ttl 3s"})
	created := g.Send(t, create("k", "one")).want(t, 201)
	a := g.Send(t, create("k", "two"))
	if a.Got.Before(created.Sent.Add(3 * time.Second)) {
		a.want(t, 429)
	}
	until(created.Known.Add(3*time.Second + slack))
	g.Send(t, create("k", "three")).want(t, 201)
}
