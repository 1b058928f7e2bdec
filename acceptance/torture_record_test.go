package acceptance

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// totals are what a torture comes to.
type totals struct {
	kills, reloads, validations, checks int64
	snapshots                           int64 // that have taken the place of another, at least
	requests, unanswered, units         int64 // units were acknowledged
	lost, over, phantom, other          int64 // phantom: counted without a request
}

func (t *totals) add(o *totals) {
	t.kills, t.reloads, t.validations, t.checks = t.kills+o.kills, t.reloads+o.reloads, t.validations+o.validations, t.checks+o.checks
	t.snapshots += o.snapshots
	t.requests, t.unanswered, t.units = t.requests+o.requests, t.unanswered+o.unanswered, t.units+o.units
	t.lost, t.over, t.phantom, t.other = t.lost+o.lost, t.over+o.over, t.phantom+o.phantom, t.other+o.other
}

func (t *totals) String() string {
	return fmt.Sprintf("%d kills, %d reloads, %d validations, %d snapshots or more, %d comparisons; %d requests, %d unanswered; "+
		"%d units acknowledged: %d lost, %d over a maximum, %d that nobody asked for; %d other mistakes",
		t.kills, t.reloads, t.validations, t.snapshots, t.checks, t.requests, t.unanswered, t.units, t.lost, t.over, t.phantom, t.other)
}

// A shot is one request of a client's.
type shot struct {
	id      uint64
	subject string
	path    string
	n       int64 // its cost; of /settled what the origin says, of /slow ms
	life    int   // of Caddy, when it was sent
	job     *job

	start, arrived time.Time // arrived at the origin
	status         int       // 0: nobody knows yet, or ever
}

// A counter is a limit's or count's, of a subject.
type counter struct{ subject, limit string }

// A tally is between what a counter must have, and what it may have.
type tally struct{ least, most int64 }

// An admission was at some time from start to end.
type admission struct{ start, end time.Time }

// A record is what clients and origin know.
type record struct {
	t  testing.TB
	mu sync.Mutex

	life     int
	last     uint64
	shots    map[uint64]*shot // that nobody has answered
	tallies  map[counter]*tally
	admitted map[counter]int64      // by /quota, for sure
	bursts   map[string][]admission // by path
	jobs     map[string]*job
	bills    []*bill
	credits  map[string]*credits
	totals   totals
	faults   int
	failing  bool  // requests may be answered 503, which says that they were not admitted
	failed   int64 // those that were
}

func newRecord(t testing.TB) *record {
	return &record{
		t: t, shots: make(map[uint64]*shot), tallies: make(map[counter]*tally), admitted: make(map[counter]int64),
		bursts: make(map[string][]admission), jobs: make(map[string]*job), credits: make(map[string]*credits),
	}
}

// fault notes that n of something must not be. It does not require mu.
func (r *record) fault(what *int64, n int64, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faultLocked(what, n, format, args...)
}

func (r *record) faultLocked(what *int64, n int64, format string, args ...any) {
	*what += n
	if r.faults++; r.faults <= 20 {
		r.t.Errorf("life %d: "+format, append([]any{r.life}, args...)...)
	}
}

// begin notes a new life of Caddy's.
func (r *record) begin(life int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.life = life
}

// quotaSubject is whose quotas are loaded: some lives long the same.
func (r *record) quotaSubject() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return "q" + strconv.Itoa(r.life/generation)
}

// recent are the subjects that are loaded, and those of the last generations.
func (r *record) recent(generations int) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := []string{"m0", "m1", "m2", "m3"}
	for n := r.life / generation; n >= 0 && generations > 0; n-- {
		list = append(list, "q"+strconv.Itoa(n))
		generations--
	}
	return list
}

// subjects are all there were.
func (r *record) subjects() []string {
	list := r.recent(1 << 30)
	slices.Sort(list)
	return list
}

// fire notes that a shot is about to be sent.
func (r *record) fire(s *shot) *shot {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	s.id, s.life, s.start = r.last, r.life, time.Now()
	r.shots[s.id] = s
	if s.job != nil {
		s.job.name = "job-" + strconv.FormatUint(s.id, 10)
	}
	return s
}

// arrive notes that a shot has come to the origin. It is nil if it was answered
// before, which must not be.
func (r *record) arrive(id uint64) *shot {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.shots[id]
	if s == nil || !s.arrived.IsZero() {
		if id > r.last || s != nil {
			r.faultLocked(&r.totals.other, 1, "request %d reached the origin twice", id)
		}
		return nil
	}
	s.arrived = now
	return s
}

// done notes a shot's answer; 0 is none.
func (r *record) done(s *shot, status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.totals.requests++
	if status == 503 && r.failing && s.arrived.IsZero() {
		r.failed++
		status = 0
	}
	s.status = status
	if s.job != nil {
		r.leased(s)
	}
	switch {
	case status == 0:
		r.totals.unanswered++
		return // it may come to the origin yet
	case status == 200 && !s.arrived.IsZero(), status == 429 && s.arrived.IsZero():
	default:
		r.faultLocked(&r.totals.other, 1, "%s was answered %d; it reached the origin: %v", s.path, status, !s.arrived.IsZero())
	}
	r.fold(s)
}

// fold makes a shot part of the tallies. It requires that mu is held.
func (r *record) fold(s *shot) {
	delete(r.shots, s.id)
	admitted := !s.arrived.IsZero()
	kind := s.path[strings.LastIndexByte(s.path, '/')+1:]
	switch {
	case s.path == "/all":
		for _, limit := range allCounters {
			r.charge(s, limit, s.n)
		}
	case strings.HasPrefix(s.path, "/quota/"):
		r.charge(s, "quota-"+kind, s.n)
		r.tally(s.subject, "attempts", boolean(s.status != 0 || admitted), 1)
		if admitted {
			r.admit(counter{s.subject, "quota-" + kind}, s.n)
		}
	case strings.HasPrefix(s.path, "/burst/") && admitted:
		r.bursts[s.path] = append(r.bursts[s.path], admission{s.start, s.arrived})
	case s.path == "/settled":
		switch {
		case s.status == 200:
			r.tally(s.subject, "settled", s.n, s.n)
		case admitted:
			r.tally(s.subject, "settled", min(s.n, reserved), max(s.n, reserved))
		case s.status == 0:
			r.tally(s.subject, "settled", 0, max(s.n, reserved))
		}
	}
}

func boolean(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// charge adds n to a counter: for sure if the shot reached the origin, perhaps
// if nobody answered.
func (r *record) charge(s *shot, limit string, n int64) {
	switch {
	case !s.arrived.IsZero():
		r.tally(s.subject, limit, n, n)
	case s.status == 0:
		r.tally(s.subject, limit, 0, n)
	}
}

func (r *record) tally(subject, limit string, least, most int64) {
	t := r.of(counter{subject, limit})
	t.least += least
	t.most += most
	r.totals.units += whole(limit, least)
}

func (r *record) of(c counter) *tally {
	t := r.tallies[c]
	if t == nil {
		t = &tally{}
		r.tallies[c] = t
	}
	return t
}

// admit notes an admission that a maximum bounds for ever.
func (r *record) admit(c counter, n int64) {
	before := r.admitted[c]
	r.admitted[c] += n
	if over := r.admitted[c] - max(before, tortureQuota); over > 0 {
		r.faultLocked(&r.totals.over, over, "%s of %s: %d admitted of %d", c.limit, c.subject, r.admitted[c], tortureQuota)
	}
}

// sum is what the record comes to.
func (r *record) sum() *totals {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &r.totals
}

// A bill is a cost that is settled through the admin API.
type bill struct {
	id, subject string
	cost        int64
	busy, known bool // known: it was settled for sure
}

// bill is a new bill, or an old one to be sent again; nil if that is under way.
func (r *record) bill(random *rand.Rand, subject string) *bill {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.bills) == 0 || random.IntN(2) == 0 {
		b := &bill{id: "bill-" + strconv.Itoa(len(r.bills)), subject: subject, cost: 1 + random.Int64N(3_000_000), busy: true}
		r.bills = append(r.bills, b)
		return b
	}
	b := r.bills[random.IntN(len(r.bills))]
	if b.busy {
		return nil
	}
	b.busy = true
	return b
}

// settled notes what became of a bill.
func (r *record) settled(b *bill, answered, duplicate bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b.busy = false
	r.totals.requests++
	switch {
	case !answered:
		r.totals.unanswered++
		if !b.known {
			r.tally(b.subject, "settled", 0, b.cost)
		}
	case b.known && !duplicate:
		r.faultLocked(&r.totals.phantom, 1, "%s was settled twice", b.id)
	default:
		if !duplicate {
			r.tally(b.subject, "settled", b.cost, b.cost)
		}
		b.known = true
	}
}

// credits are the values that an attribute may have: of the last one that was
// set for sure, and those that were perhaps set since.
type credits struct {
	may  map[int64]bool
	last int64
	busy bool
}

// setting is the next value to set; 0 if another one is being set.
func (r *record) setting(subject string) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.creditsOf(subject)
	if c.busy {
		return 0
	}
	c.busy = true
	c.last++
	return c.last
}

func (r *record) creditsOf(subject string) *credits {
	c := r.credits[subject]
	if c == nil {
		c = &credits{may: map[int64]bool{0: true}}
		r.credits[subject] = c
	}
	return c
}

// set notes what became of setting.
func (r *record) set(subject string, value int64, answered bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.creditsOf(subject)
	c.busy = false
	if answered {
		maps.DeleteFunc(c.may, func(int64, bool) bool { return true })
	}
	c.may[value] = true
}
