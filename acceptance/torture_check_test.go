package acceptance

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// accounts are how a subject stands, as the admin API tells it.
type accounts struct {
	Limits []struct {
		Name      string
		Used, Max json.Number
	}
	Leases []struct {
		ID      string
		Limit   string
		Expires time.Time
	}
	Attributes map[string]json.Number
}

// check compares the record with how these subjects stand. It requires that no
// client acts.
func (w *world) check(subjects []string) {
	w.totals.checks++
	w.record.finish()
	for _, subject := range subjects {
		var s accounts
		before := time.Now()
		if !w.g.tell("usage", subject, map[string]any{}, &s) {
			w.t.Fatalf("nobody tells how %s stands", subject)
		}
		w.record.compare(subject, &s, before, time.Now())
	}
}

// finish takes requests that nobody will answer any more into the tallies.
func (r *record) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.shots {
		r.fold(s)
	}
}

// compare compares one subject, and takes over what was in doubt.
func (r *record) compare(subject string, s *accounts, before, after time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	used := make(map[string]int64)
	for _, l := range s.Limits {
		used[l.Name] = units(l.Name, l.Used)
	}
	for _, name := range compared() {
		r.compareCounter(counter{subject, name}, used[name])
	}
	for _, name := range allCounters[1:] {
		if used[name] != used[allCounters[0]] {
			r.faultLocked(&r.totals.other, 1, "of %s a request was charged to some limits only: %v", subject, used)
			break
		}
	}
	leases, held := make(map[string]time.Time), make(map[string]int64)
	for _, l := range s.Leases {
		leases[l.ID] = l.Expires
		held[l.Limit]++
	}
	for _, name := range []string{"slow", "jobs", "briefs"} {
		if used[name] != held[name] {
			r.faultLocked(&r.totals.phantom, used[name]-held[name], "%s of %s has %d slots for %d leases, while nothing is under way", name, subject, used[name], held[name])
		}
	}
	r.checkLeases(subject, leases, before, after)
	r.compareCredits(subject, s)
}

// units is a number that is used, of settled costs in millionths.
func units(limit string, n json.Number) int64 {
	whole, fraction, _ := strings.Cut(n.String(), ".")
	value, _ := strconv.ParseInt(whole, 10, 64)
	if limit != "settled" {
		return value
	}
	millionths, _ := strconv.ParseInt((fraction + "000000")[:6], 10, 64)
	return value*1_000_000 + millionths
}

// whole is n, or so many whole units of a settled cost, rounded up.
func whole(limit string, n int64) int64 {
	if limit == "settled" {
		return (n + 999_999) / 1_000_000
	}
	return n
}

// compared are the limits that are compared by what is used.
func compared() []string {
	list := append(slices.Clone(allCounters), "attempts", "settled")
	for _, kind := range quotaKinds {
		list = append(list, "quota-"+kind)
	}
	return list
}

func (r *record) compareCounter(c counter, used int64) {
	t := r.of(c)
	switch {
	case used < t.least:
		r.faultLocked(&r.totals.lost, whole(c.limit, t.least-used), "%s of %s has %d, at least %d were acknowledged", c.limit, c.subject, used, t.least)
	case used > t.most:
		r.faultLocked(&r.totals.phantom, whole(c.limit, used-t.most), "%s of %s has %d, at most %d were asked for", c.limit, c.subject, used, t.most)
	case strings.HasPrefix(c.limit, "quota-") && used > tortureQuota:
		r.faultLocked(&r.totals.over, used-tortureQuota, "%s of %s has %d of %d", c.limit, c.subject, used, tortureQuota)
	}
	t.least, t.most = used, used
}

// compareCredits compares the attribute that was set, and the maximum that it
// makes.
func (r *record) compareCredits(subject string, s *accounts) {
	c := r.creditsOf(subject)
	value, _ := s.Attributes["credits"].Int64()
	if !c.may[value] {
		r.faultLocked(&r.totals.lost, 1, "%s has %d credits, want one of %v", subject, value, c.may)
	}
	c.may = map[int64]bool{value: true}
	for _, l := range s.Limits {
		if most, _ := l.Max.Int64(); l.Name == "credits" && most != value {
			r.faultLocked(&r.totals.other, 1, "%s has %d credits, but a maximum of %d", subject, value, most)
		}
	}
}

// checkWindows looks for windows in which more was admitted than may be. An
// admission is in a window if all the time in which it may have been is.
func (r *record) checkWindows() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for path, spans := range r.bursts {
		slices.SortFunc(spans, func(a, b admission) int { return a.start.Compare(b.start) })
		for i, first := range spans {
			n, most := int64(0), int64(tortureBurst)
			switch path {
			case "/burst/rolling":
				n = admittedIn(spans[i:], first.start, first.start.Add(time.Second))
			case "/burst/fixed":
				start := first.start.Truncate(time.Second)
				n = admittedIn(spans[i:], start, start.Add(time.Second))
			case "/burst/bucket":
				n, most = overflow(spans[i:], first.start)
			}
			if n > most {
				r.faultLocked(&r.totals.over, 1, "%s: %d admitted of %d in the window at %v", path, n, most, first.start)
			}
		}
	}
}

// admittedIn counts the spans, ordered by start, that are within a window.
func admittedIn(spans []admission, from, to time.Time) (n int64) {
	for _, s := range spans {
		if !s.start.Before(to) {
			break
		}
		if !s.start.Before(from) && s.end.Before(to) {
			n++
		}
	}
	return n
}

// overflow returns by how much a bucket was overdrawn in a second after from, if
// it was: what was admitted until then, and how much there was at most.
func overflow(spans []admission, from time.Time) (n, most int64) {
	var ends []time.Time
	for _, s := range spans {
		if s.start.Sub(from) > time.Second {
			break
		}
		ends = append(ends, s.end)
	}
	slices.SortFunc(ends, time.Time.Compare)
	for i, end := range ends {
		most = bucketBurst + int64(end.Sub(from)*tortureBurst/time.Second)
		if int64(i+1) > most {
			return int64(i + 1), most
		}
	}
	return 0, 0
}
