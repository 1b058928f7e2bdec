package acceptance

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// spendingRefusal is the body of a refusal for money; the page has no sample
// and so no text. Amounts are compared by value.
func spendingRefusal(code, limit, spent string) string {
	limit, spent = decimal(limit), decimal(spent)
	return fmt.Sprintf(`{"error": {"type": "rate_limit_error", "message": %q, "code": %q, "details": {"limit": %s, "spent": %s}}}`,
		anyText, code, limit, spent)
}

func decimal(amount string) string {
	if strings.Contains(amount, ".") {
		return amount
	}
	return amount + ".0"
}

func (g *Gateway) wantDailyRefusal(t testing.TB, key, limit, spent string) *Answer {
	t.Helper()
	a := g.Send(t, create(key, "refused")).want(t, 429).object(t, spendingRefusal("DAILY_SPENDING_LIMIT_EXCEEDED", limit, spent))
	return a.leadsTo(t, a.retryAfter(t), midnight(a.Sent))
}

func (g *Gateway) wantMonthlyRefusal(t testing.TB, key, limit, spent string) *Answer {
	t.Helper()
	a := g.Send(t, create(key, "refused")).want(t, 429).object(t, spendingRefusal("MONTHLY_SPENDING_LIMIT_EXCEEDED", limit, spent))
	return a.leadsTo(t, a.retryAfter(t), monthEnd(a.Sent))
}

// paid is a creation that is complete in its response and cost so much.
func paid(key, cost string) Call { return post(key, predictions).told("Weir-Cost: " + cost) }

func spendingProofs() []proof {
	return []proof{
		{"P9 P10 without the attributes nothing is capped", Subjects{"p9-n": account("p9n")}, uncapped},
		{
			"P9 P4 P5 C3 C4 C5 C12 A-P5 A-P6 0.1 and 0.2 reach a day's limit of 0.3",
			Subjects{"p9": account("p9", "daily_spending", 0.3)},
			exactDay,
		},
		{"P9 C3 cents add up exactly", Subjects{"p9-c": account("p9c", "daily_spending", 1.0), "p9-u": account("p9u", "daily_spending", 0.300001)}, exactCents},
		{"P9 A-P5 the last creation may overshoot", Subjects{"p9-o": account("p9o", "daily_spending", 1)}, overshoot},
		{"P9 C3 C16 what failed or was only polled may cost as well", Subjects{"p9-5": account("p95", "daily_spending", 0.5)}, costlyFailure},
		{
			"P1 P9 spending is counted per key",
			Subjects{"p9-a": account("p9k", "daily_spending", 1), "p9-b": account("p9k", "daily_spending", 1)},
			spendingPerKey,
		},
		{"P9 C3 a cost may come in the trailer", Subjects{"p9-t": account("p9t", "daily_spending", 1)}, costInTrailer},
		{"P9 C3 what is no decimal costs nothing", Subjects{"p9-m": account("p9m", "daily_spending", 1)}, malformedCosts},
		{"P10 P5 A-P5 a month's limit, until the month ends", Subjects{"p10": account("p10", "monthly_spending", 2)}, monthlyLimit},
		{"P9 P10 C3 P13 a limit set on the way acts on what was spent", Subjects{"p9-s": account("p9s")}, limitSetLater},
		{
			"C7 of a minute, a day and a month the month is told",
			Subjects{"c7": account("c7", "requests_per_minute", 3, "daily_spending", 1, "monthly_spending", 1)},
			longestIsTold,
		},
		{
			"C7 of a minute and a day the day is told",
			Subjects{"c7-d": account("c7d", "requests_per_minute", 2, "daily_spending", 1, "concurrent_predictions", 1)},
			dayIsTold,
		},
	}
}

func uncapped(t *testing.T, g *Gateway) {
	for n := range 5 {
		g.Send(t, paid("p9-n", "1000000.5")).want(t, 200).rate(t, 60, 59-n)
	}
}

func exactDay(t *testing.T, g *Gateway) {
	first := g.Send(t, paid("p9", "0.1")).want(t, 200).rate(t, 60, 59)
	g.Send(t, paid("p9", "0.2")).want(t, 200).rate(t, 60, 58)
	for range 3 {
		g.wantDailyRefusal(t, "p9", "0.3", "0.3").rate(t, 60, 58).wantReset(t, first.charged(), minute)
	}
	if n := len(g.Origin.From("p9")); n != 2 {
		t.Errorf("C4: %d creations reached the origin", n)
	}
	g.Send(t, poll("p9", "1")).want(t, 200).rate(t, 60, 57)
	g.Send(t, post("p9", "/v1/files")).want(t, 200).rate(t, 60, 56)
}

func exactCents(t *testing.T, g *Gateway) {
	for range 10 {
		g.Send(t, paid("p9-c", "0.1")).want(t, 200)
	}
	g.wantDailyRefusal(t, "p9-c", "1", "1")
	g.Send(t, paid("p9-u", "0.1")).want(t, 200)
	g.Send(t, paid("p9-u", "0.2")).want(t, 200)
	g.Send(t, paid("p9-u", "0.000001")).want(t, 200) // 0.3 is below the limit yet
	g.wantDailyRefusal(t, "p9-u", "0.300001", "0.300001")
}

func overshoot(t *testing.T, g *Gateway) {
	g.Send(t, paid("p9-o", "0.999999")).want(t, 200)
	g.Send(t, paid("p9-o", "4.042")).want(t, 200)
	g.wantDailyRefusal(t, "p9-o", "1", "5.041999")
}

func costlyFailure(t *testing.T, g *Gateway) {
	g.Send(t, paid("p9-5", "0.125").answered(503)).want(t, 503)
	g.Send(t, poll("p9-5", "1").told("Weir-Cost: 0.25")).want(t, 200)
	g.Send(t, paid("p9-5", "0.125").answered(400)).want(t, 400)
	g.wantDailyRefusal(t, "p9-5", "0.5", "0.5")
	g.Send(t, poll("p9-5", "1").told("Weir-Cost: 0.25")).want(t, 200) // polls go on, and cost
	g.wantDailyRefusal(t, "p9-5", "0.5", "0.75")
}

func costInTrailer(t *testing.T, g *Gateway) {
	g.Origin.On("/v1/stream", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "Weir-Cost, X-Tokens")
		_, _ = io.WriteString(w, "streamed")
		_ = http.NewResponseController(w).Flush()
		w.Header().Set("Weir-Cost", "1.25")
		w.Header().Set("X-Tokens", "9")
	})
	a := g.Send(t, post("p9-t", "/v1/stream")).want(t, 200)
	if a.Trailer.Get("X-Tokens") != "9" {
		t.Errorf("C9: the origin's trailer came as %v", a.Trailer)
	}
	g.wantDailyRefusal(t, "p9-t", "1", "1.25")
}

func malformedCosts(t *testing.T, g *Gateway) {
	for _, cost := range []string{"-1", "free", "0x10", "NaN", "Inf", "1.2.3"} {
		g.Send(t, paid("p9-m", cost)).want(t, 200)
	}
	g.Send(t, paid("p9-m", "0.5")).want(t, 200)
	g.Send(t, paid("p9-m", "0.5")).want(t, 200)
	g.wantDailyRefusal(t, "p9-m", "1", "1")
}

func spendingPerKey(t *testing.T, g *Gateway) {
	g.Send(t, paid("p9-a", "1")).want(t, 200)
	g.wantDailyRefusal(t, "p9-a", "1", "1")
	g.Send(t, paid("p9-b", "0.5")).want(t, 200)
	g.Send(t, paid("p9-b", "0.5")).want(t, 200)
	g.wantDailyRefusal(t, "p9-b", "1", "1")
}

func monthlyLimit(t *testing.T, g *Gateway) {
	g.Send(t, paid("p10", "1.99")).want(t, 200)
	g.Send(t, paid("p10", "0.01")).want(t, 200)
	g.wantMonthlyRefusal(t, "p10", "2", "2").rate(t, 60, 58)
	g.Send(t, poll("p10", "1")).want(t, 200).rate(t, 60, 57)
}

func limitSetLater(t *testing.T, g *Gateway) {
	g.Send(t, paid("p9-s", "0.7")).want(t, 200)
	g.Send(t, poll("p9-s", "1").told("Weir-Set: daily_spending=0.7")).want(t, 200)
	g.wantDailyRefusal(t, "p9-s", "0.7", "0.7")
	g.Send(t, poll("p9-s", "1").told("Weir-Set: daily_spending=0.8")).want(t, 200)
	g.Send(t, paid("p9-s", "0.1")).want(t, 200)
	g.wantDailyRefusal(t, "p9-s", "0.8", "0.8")
	g.Send(t, poll("p9-s", "1").told("Weir-Set: daily_spending=100").told("Weir-Set: monthly_spending=0.5")).want(t, 200)
	g.wantMonthlyRefusal(t, "p9-s", "0.5", "0.8")
}

func longestIsTold(t *testing.T, g *Gateway) {
	g.Send(t, paid("c7", "1")).want(t, 200).rate(t, 3, 2)
	g.Times(t, 2, poll("c7", "1"), 200).rate(t, 3, 0)
	if now := time.Now(); midnight(now).Equal(monthEnd(now)) {
		g.wantDailyRefusal(t, "c7", "1", "1").rate(t, 3, 0) // both end together
	} else {
		g.wantMonthlyRefusal(t, "c7", "1", "1").rate(t, 3, 0)
	}
	g.Send(t, poll("c7", "1")).wantMinuteRefusal(t, 3)
}

func dayIsTold(t *testing.T, g *Gateway) {
	first := g.Send(t, create("c7-d", "c7-d1").told("Weir-Cost: 1")).want(t, 201)
	g.Send(t, poll("c7-d", "1")).want(t, 200).rate(t, 2, 0)
	g.wantDailyRefusal(t, "c7-d", "1", "1").rate(t, 2, 0).wantReset(t, first.charged(), minute)
}

// atEnd runs a test with the end of a day or month some seconds ahead; again, with
// more time, if it returns false since the machine was too slow for that.
func atEnd(test func(end time.Time) bool) {
	ahead := 20 * time.Second
	for !test(roundUp(time.Now().Add(ahead), time.Second)) {
		ahead *= 2
	}
}

// near reports whether too little time is left before the end.
func near(end time.Time) bool { return time.Until(end) < 5*time.Second }

func spendingDayEnds(t *testing.T, open opener) {
	atEnd(func(end time.Time) bool {
		g := open(t, "predictions", Subjects{"k": account("u", "daily_spending", 1)}, zoned("calendar day", midnight(end).Sub(end), ""))
		return g.spendUntil(t, end, "DAILY_SPENDING_LIMIT_EXCEEDED")
	})
}

func spendingMonthEnds(t *testing.T, open opener) {
	atEnd(func(end time.Time) bool {
		g := open(t, "predictions", Subjects{"k": account("u", "monthly_spending", 1)}, zoned("calendar month", midnight(end).Sub(end), fmt.Sprint(midnight(end).Day())))
		return g.spendUntil(t, end, "MONTHLY_SPENDING_LIMIT_EXCEEDED")
	})
}

// spendUntil requires creations to be refused from the limit on until the end,
// and not after it. It returns false where too little time is left for that.
func (g *Gateway) spendUntil(t *testing.T, end time.Time, code string) bool {
	t.Helper()
	g.Send(t, paid("k", "1")).want(t, 200)
	if near(end) {
		return false
	}
	a := g.Send(t, create("k", "refused")).want(t, 429).object(t, spendingRefusal(code, "1", "1"))
	a.leadsTo(t, a.retryAfter(t), end)
	until(end.Add(-2 * time.Second))
	if a := g.Send(t, create("k", "refused")); a.Got.Before(end) {
		a.want(t, 429)
	}
	until(end)
	g.Send(t, paid("k", "1")).want(t, 200)
	g.Send(t, create("k", "refused")).want(t, 429).object(t, spendingRefusal(code, "1", "1"))
	return true
}
