package acceptance

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// shotHeader carries the number of a request to the origin.
const shotHeader = "X-Shot"

// A tortureOrigin tells the record what has reached it, and speaks of leases,
// costs and attributes as requests ask it to. It outlives all of Caddy's lives.
type tortureOrigin struct {
	server *httptest.Server
	record *record

	mu   sync.Mutex
	slow map[int]int // by life: requests to /slow under way
}

func newTortureOrigin(t testing.TB, r *record) *tortureOrigin {
	o := &tortureOrigin{record: r, slow: make(map[int]int)}
	o.server = httptest.NewServer(o)
	t.Cleanup(o.server.Close)
	return o
}

func (o *tortureOrigin) address() string { return o.server.Listener.Addr().String() }

func (o *tortureOrigin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.ParseUint(r.Header.Get(shotHeader), 10, 64)
	s := o.record.arrive(id)
	if s == nil {
		return
	}
	query := r.URL.Query()
	switch r.URL.Path {
	case "/slow":
		o.hold(s)
	case "/jobs", "/briefs":
		w.Header().Set("Weir-Lease", s.job.name)
	case "/done":
		w.Header().Set("Weir-Release", query.Get("job"))
	case "/settled":
		w.Header().Set("Weir-Cost", inMillionths(s.n))
	case "/set":
		w.Header().Set("Weir-Set", "credits="+query.Get("credits"))
	}
}

// hold stays for some time, and counts who does so at once. Slots of a killed
// Caddy are gone, those whom it left behind do not count.
func (o *tortureOrigin) hold(s *shot) {
	o.mu.Lock()
	o.slow[s.life]++
	n := o.slow[s.life]
	o.mu.Unlock()
	if n > tortureSlow {
		o.record.fault(&o.record.totals.over, 1, "%d requests at once of at most %d", n, tortureSlow)
	}
	time.Sleep(time.Duration(s.n) * time.Millisecond)
	o.mu.Lock()
	o.slow[s.life]--
	o.mu.Unlock()
}

// inMillionths is a number of millionths as Weir-Cost has it.
func inMillionths(n int64) string {
	fraction := strconv.FormatInt(n%1_000_000+1_000_000, 10)[1:]
	return strconv.FormatInt(n/1_000_000, 10) + "." + strings.TrimRight(fraction, "0") + "0"
}
