package acceptance

import (
	"testing"
	"time"
)

// slack is what two clocks of one machine may differ by.
const slack = 20 * time.Millisecond

// minute is the rolling window of all pages.
const minute = 60 * time.Second

// until sleeps to a moment that the gateway announced, on the wall clock.
func until(at time.Time) {
	at = at.Round(0)
	for wait := time.Until(at); wait > 0; wait = time.Until(at) {
		time.Sleep(wait)
	}
}

// span is when something happened at the gateway, as far as a client can know.
type span struct{ from, to time.Time }

// charged is when the answer's request was charged.
func (a *Answer) charged() span { return span{a.Sent, a.Got} }

// oldest is when the first of the answers' requests was charged.
func oldest(answers []*Answer) span { return nth(answers, 1) }

// nth is when the nth of the answers' requests was charged, in the gateway's
// order, which the client sees only in part.
func nth(answers []*Answer, n int) span {
	var sent, got []time.Time
	for _, a := range answers {
		sent, got = append(sent, a.Sent), append(got, a.Got)
	}
	return span{smallest(sent, n), smallest(got, n)}
}

func smallest(times []time.Time, n int) time.Time {
	sorted := append([]time.Time(nil), times...)
	for i := range sorted {
		for j := i; j > 0 && sorted[j].Before(sorted[j-1]); j-- {
			sorted[j], sorted[j-1] = sorted[j-1], sorted[j]
		}
	}
	return sorted[n-1]
}

// wantReset requires Reset to be the moment at which what was charged at
// stamp leaves a window of this length, rounded up to the header's precision.
func (a *Answer) wantReset(t testing.TB, stamp span, window time.Duration) *Answer {
	t.Helper()
	precision := time.Second
	if isoTime.MatchString(a.Header.Get(resetHeader)) {
		precision = time.Millisecond
	}
	from := roundUp(stamp.from.Add(window-slack), precision)
	to := roundUp(stamp.to.Add(window+slack), precision)
	if at := a.reset(t); at.Before(from) || at.After(to) {
		t.Errorf("Reset is %s, want %s to %s: %v", clock(at), clock(from), clock(to), a)
	}
	return a
}

// agrees requires that seconds, as announced beside Reset, lead to Reset.
func (a *Answer) agrees(t testing.TB, seconds time.Duration) *Answer {
	t.Helper()
	from, to := a.Sent.Add(seconds-time.Second-slack), a.Got.Add(seconds+time.Second+slack)
	if at := a.reset(t); at.Before(from) || at.After(to) {
		t.Errorf("Reset is %s, but %v from now is %s: %v", clock(at), seconds, clock(a.Got.Add(seconds)), a)
	}
	return a
}

// leadsTo requires a wait in whole seconds to end at the moment, rounded up.
func (a *Answer) leadsTo(t testing.TB, wait time.Duration, at time.Time) *Answer {
	t.Helper()
	least := roundUp(time.Unix(0, int64(at.Sub(a.Got.Add(slack)))), time.Second)
	most := roundUp(time.Unix(0, int64(at.Sub(a.Sent.Add(-slack)))), time.Second)
	if wait < time.Duration(least.UnixNano()) || wait > time.Duration(most.UnixNano()) {
		t.Errorf("a wait of %v does not end at %s: %v", wait, clock(at), a)
	}
	return a
}

func roundUp(at time.Time, precision time.Duration) time.Time {
	at = at.Round(0)
	down := at.Truncate(precision)
	if down.Before(at) {
		return down.Add(precision)
	}
	return down
}

func clock(at time.Time) string { return at.UTC().Format("15:04:05.000") }

// midnight is the end of the UTC day in which at lies.
func midnight(at time.Time) time.Time {
	y, m, d := at.UTC().Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC)
}

// monthEnd is the end of the UTC month in which at lies.
func monthEnd(at time.Time) time.Time {
	y, m, _ := at.UTC().Date()
	return time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC)
}

// sameDay waits for the next UTC day if the present one ends before a test of
// days can be over.
func sameDay() {
	const longest = 2 * time.Minute
	if end := midnight(time.Now()); time.Until(end) < longest {
		until(end)
	}
}

// keepsReset requires Reset to be the one told before.
func (a *Answer) keepsReset(t testing.TB, before *Answer) {
	t.Helper()
	if was, is := before.reset(t), a.reset(t); is.Sub(was).Abs() > slack {
		t.Errorf("C5: Reset moved from %s to %s", clock(was), clock(is))
	}
}

// wantReopening requires that a refused call is admitted at the moment its
// refusal announces and not clearly before, and that asking puts nothing off
// (C5, C8). It returns the answer that was admitted.
func (g *Gateway) wantReopening(t testing.TB, refusal *Answer) *Answer {
	t.Helper()
	const clearly = 1500 * time.Millisecond
	at := refusal.reset(t)
	if early := at.Add(-clearly); time.Now().Before(early) {
		until(early)
		g.Send(t, refusal.Call).want(t, 429).keepsReset(t, refusal)
	}
	until(at)
	return g.Send(t, refusal.Call).want(t, 200)
}
