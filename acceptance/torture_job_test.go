package acceptance

import (
	"math/rand/v2"
	"slices"
	"time"
)

// A job is a lease, as far as it is known.
type job struct {
	name, subject, path string
	ttl                 time.Duration

	from        time.Time // it holds a slot since
	sure, maybe bool      // it is leased, or may be
	busy        bool
	least, most time.Time   // when its TTL ends
	ended       time.Time   // when a release of it was sent that may have worked
	held        []admission // when it held a slot for sure, before
}

// leased notes the answer to the request that starts a job. It requires that mu
// is held.
func (r *record) leased(s *shot) {
	j, now := s.job, time.Now()
	switch {
	case s.status == 200:
		j.sure, j.maybe = true, true
	case s.status == 0:
		j.maybe = true
	default:
		return
	}
	j.from, j.least, j.most = s.arrived, s.start.Add(j.ttl), now.Add(j.ttl)
	r.jobs[j.name] = j
}

// pick is a job that is leased and that nobody is about; nil if there is none.
func (r *record) pick(random *rand.Rand, toRelease bool) *job {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []*job
	now := time.Now()
	for _, j := range r.jobs {
		if j.maybe && !j.busy && now.Before(j.least) {
			found = append(found, j)
		}
	}
	if len(found) == 0 {
		return nil
	}
	slices.SortFunc(found, func(a, b *job) int { return a.from.Compare(b.from) })
	j := found[random.IntN(len(found))]
	j.busy = true
	if toRelease {
		j.release(now)
	}
	return j
}

// release notes that from now on the job may not be leased.
func (j *job) release(now time.Time) {
	if j.sure && !j.from.IsZero() {
		j.held = append(j.held, admission{j.from, now})
	}
	j.from, j.ended = time.Time{}, now
}

// released notes what became of a release.
func (r *record) released(j *job, answered, worked bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	j.busy = false
	switch {
	case !answered:
		j.sure = false
	case j.sure && !worked && time.Now().Before(j.least):
		r.faultLocked(&r.totals.lost, 1, "the lease %s is lost: there is nothing to release", j.name)
		fallthrough
	default:
		j.sure, j.maybe = false, false
	}
}

// renewed notes what became of a heartbeat that was sent at start.
func (r *record) renewed(j *job, start time.Time, answered, worked bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	j.busy = false
	switch {
	case !answered:
		j.most = now.Add(j.ttl)
	case worked:
		j.sure, j.least, j.most = true, start.Add(j.ttl), now.Add(j.ttl)
		if j.from.IsZero() {
			j.from = now
		}
	case j.sure && now.Before(j.least):
		r.faultLocked(&r.totals.lost, 1, "the lease %s is lost: there is nothing to prolong", j.name)
		fallthrough
	default:
		j.sure, j.maybe = false, false
	}
}

// tolerance is by how much a moment on the wall clock may be off: it is told in
// milliseconds, and each life of Caddy's measures its own time from a reading.
const tolerance = 20 * time.Millisecond

// checkLeases compares the jobs of a subject with its leases, asked for between
// two times when nobody was about them, and takes over what was in doubt.
func (r *record) checkLeases(subject string, leases map[string]time.Time, before, after time.Time) {
	for name := range leases {
		if j := r.jobs[name]; j == nil || j.subject != subject {
			r.faultLocked(&r.totals.phantom, 1, "nobody started %s, which %s leases", name, subject)
		}
	}
	for _, j := range r.jobs {
		if j.subject != subject {
			continue
		}
		expires, live := leases[j.name]
		switch {
		case live && !j.maybe:
			r.faultLocked(&r.totals.phantom, 1, "%s is leased again, after it was over", j.name)
		case live && (expires.Before(j.least.Add(-tolerance)) || expires.After(j.most.Add(tolerance))):
			r.faultLocked(&r.totals.other, 1, "%s ends at %v, want from %v to %v", j.name, expires, j.least, j.most)
		case !live && j.sure && after.Before(j.least.Add(-tolerance)):
			r.faultLocked(&r.totals.lost, 1, "the lease %s of %s is lost, it should last for %v", j.name, subject, j.least.Sub(after))
		}
		if !live && j.maybe {
			if j.sure {
				j.release(j.least)
			}
			j.sure, j.maybe = false, false
		}
		if live && !j.sure {
			j.sure, j.from = true, before
		}
	}
}

// checkJobs looks for moments when more jobs were leased than may be, to one
// subject in one limit.
func (r *record) checkJobs() {
	r.mu.Lock()
	defer r.mu.Unlock()
	type change struct {
		at time.Time
		n  int
	}
	changes := make(map[counter][]change)
	for _, j := range r.jobs {
		if j.sure && !j.from.IsZero() {
			j.release(earlier(time.Now(), j.least))
		}
		for _, s := range j.held {
			if end := earlier(s.end, j.most); s.start.Before(end) {
				c := counter{j.subject, j.path}
				changes[c] = append(changes[c], change{s.start, 1}, change{end, -1})
			}
		}
	}
	for c, list := range changes {
		slices.SortFunc(list, func(a, b change) int {
			if order := a.at.Compare(b.at); order != 0 {
				return order
			}
			return a.n - b.n
		})
		most, n, top := map[string]int{"/jobs": tortureJobs, "/briefs": tortureBriefs}[c.limit], 0, 0
		for _, one := range list {
			n += one.n
			top = max(top, n)
		}
		if top > most {
			r.faultLocked(&r.totals.over, int64(top-most), "%d %s of %s at once, of %d", top, c.limit, c.subject, most)
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
