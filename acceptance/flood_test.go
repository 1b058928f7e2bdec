package acceptance

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	floodKeys  = flag.Int("flood-keys", 60_000, "how many made-up keys Caddy is flooded with")
	floodCells = flag.Int("flood-cells", 120_000, "max_cells of the store")
	floodRate  = flag.Int("flood-rate", 0, "made-up keys a second at most; 0: what four connections take. With a rate, p99 is checked")
)

// floodSite makes three cells for each key.
const floodSite = `{
	admin {$WEIR_ADMIN}
	weir {
		store memory "{$WEIR_STATE}" {
			max_cells CELLS
			overflow OVERFLOW
		}
		policy flood {
			subject {header.X-API-Key}
			limit rolling {
				rolling 3h
				max MAX
			}
			limit fixed {
				fixed 366d
				max MAX
			}
			limit calendar {
				calendar year Pacific/Kiritimati
				max MAX
			}
			headers ratelimit
			deny 429
		}
	}
}

:{$WEIR_PORT} {
	weir flood
	respond ok
}
`

const (
	floodCallers  = 4
	floodCellSize = 170       // bytes, from docs/operations.md
	floodBase     = 100 << 20 // likewise
	floodEvery    = 5 * time.Millisecond
	floodSpell    = 500 // requests of the real subject before the flood, and until it pauses
)

// TestFlood sends made-up keys to the real Caddy, more than the store has room
// for. A real subject asks before, meanwhile, in pauses and after; its counters must
// be exact, and with a rate its p99 at most three times that without a flood: the
// best of three, for machines have other things to do. Where enough spells passed in
// which a virtual machine had its processors for itself, these are compared.
func TestFlood(t *testing.T) {
	for _, overflow := range []string{"deny", "share"} {
		t.Run(overflow, func(t *testing.T) {
			ratio := floodOnce(t, overflow)
			for n := 1; *floodRate > 0 && ratio > 3 && n < 3; n++ {
				ratio = min(ratio, floodOnce(t, overflow))
			}
			if *floodRate > 0 && ratio > 3 {
				t.Errorf("p99 is %.1f times as long in the flood, want at most 3", ratio)
			}
		})
	}
}

// floodOnce returns how many times as long as without a flood the real subject's
// p99 is during one.
func floodOnce(t *testing.T, overflow string) float64 {
	most := *floodKeys / 5
	site := strings.NewReplacer("CELLS", fmt.Sprint(*floodCells), "OVERFLOW", overflow, "MAX", fmt.Sprint(most)).Replace(floodSite)
	g := StartConfig(t, "flood "+overflow, site, Subjects{})
	defer g.Stop(t)
	real := &realSubject{t: t, caller: newCaller(t, g), max: most}
	before, during := &spells{}, &spells{}
	before.add(real, floodSpell)

	f := &httpFlood{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.run(t, g)
	}()
	for waiting := true; waiting; {
		select {
		case <-done:
			waiting = false
		default:
			during.add(real, floodSpell)
			f.paused.Store(true)
			before.add(real, floodSpell/2)
			f.paused.Store(false)
		}
	}
	before.add(real, 100)
	f.check(t, overflow, most)
	g.checkCells(t)
	g.checkMemory(t)
	t.Logf("%s: %d keys at %.0f a second: %s; the real subject: %d requests exact",
		overflow, *floodKeys, float64(*floodKeys)/f.took.Seconds(), f, real.asked)
	return compareSpells(t, before, during)
}

const (
	// floodStolen is the share of the processors that a host may take in a spell
	// that tells how long requests take: once 10 ms or so, which the few requests
	// that are under way then notice, and not one in a hundred. floodEnough is how
	// many requests of such spells tell it.
	floodStolen = 0.003
	floodEnough = 1000
)

// spells are how long requests took.
type spells struct {
	all, quiet []time.Duration // in all of them, and in those that the host took nothing of
}

// add has the real subject ask n times.
func (s *spells) add(real *realSubject, n int) {
	began, before := time.Now(), stolen()
	took := real.ask(n)
	share := float64(stolen()-before) / float64(time.Since(began)) / float64(runtime.NumCPU())
	if s.all = append(s.all, took...); share <= floodStolen {
		s.quiet = append(s.quiet, took...)
	}
}

// compareSpells returns how many times as long the p99 is in a flood.
func compareSpells(t *testing.T, before, during *spells) float64 {
	compare := func(which string, before, during []time.Duration) float64 {
		ratio := float64(p99(during)) / float64(p99(before))
		t.Logf("p99 in %s: %v without the flood (%d requests), %v during (%d requests): %.1f×",
			which, p99(before), len(before), p99(during), len(during), ratio)
		return ratio
	}
	ratio := compare("all spells", before.all, during.all)
	if min(len(before.quiet), len(during.quiet)) >= floodEnough {
		ratio = compare("quiet spells", before.quiet, during.quiet)
	}
	return ratio
}

func p99(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)*99/100]
}

// stolen returns for how long the host has kept the machine's processors from it,
// in all; 0 where that is not known.
func stolen() time.Duration {
	const tick, column = 10 * time.Millisecond, 8
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	if fields := strings.Fields(line); len(fields) > column {
		n, _ := strconv.ParseInt(fields[column], 10, 64)
		return time.Duration(n) * tick
	}
	return 0
}

// A caller sends requests over one connection.
type caller struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func newCaller(t *testing.T, g *Gateway) *caller {
	conn, err := net.Dial("tcp", strings.TrimPrefix(g.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &caller{t: t, conn: conn, in: bufio.NewReader(conn)}
}

// ask sends a request with a key, and returns the answer's status and header.
func (c *caller) ask(key string) (int, http.Header, error) {
	if _, err := fmt.Fprintf(c.conn, "GET / HTTP/1.1\r\nHost: api.example\r\nX-API-Key: %s\r\n\r\n", key); err != nil {
		return 0, nil, err
	}
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, nil, err
	}
	_, err = io.Copy(io.Discard, r.Body)
	return r.StatusCode, r.Header, err
}

// A realSubject asks every few milliseconds, and compares what is left of each
// of its limits.
type realSubject struct {
	t      *testing.T
	caller *caller
	max    int
	asked  int
}

var remaining = regexp.MustCompile(`;r=(\d+)`)

func (s *realSubject) ask(n int) (took []time.Duration) {
	for range n {
		time.Sleep(floodEvery)
		began := time.Now()
		status, header, err := s.caller.ask("real")
		took = append(took, time.Since(began))
		s.asked++
		left := remaining.FindAllStringSubmatch(strings.Join(header.Values("RateLimit"), ","), -1)
		if err != nil || status != http.StatusOK || len(left) != 3 {
			s.t.Fatalf("the real subject's request %d: %d %v %v", s.asked, status, header, err)
		}
		for _, r := range left {
			if got, _ := strconv.Atoi(r[1]); got != s.max-s.asked {
				s.t.Fatalf("the real subject's request %d leaves %q, want %d of each", s.asked, header.Values("RateLimit"), s.max-s.asked)
			}
		}
	}
	return took
}

// An httpFlood sends each made-up key once, and counts the answers.
type httpFlood struct {
	sent               atomic.Int64
	ok, denied, failed atomic.Int64
	paused             atomic.Bool
	took               time.Duration
}

func (f *httpFlood) run(t *testing.T, g *Gateway) {
	began := time.Now()
	var callers sync.WaitGroup
	for range floodCallers {
		c := newCaller(t, g)
		callers.Go(func() {
			for next := began; ; {
				n := f.sent.Add(1)
				if n > int64(*floodKeys) {
					return
				}
				for f.paused.Load() {
					time.Sleep(time.Millisecond)
					next = time.Now()
				}
				if *floodRate > 0 {
					next = next.Add(floodCallers * time.Second / time.Duration(*floodRate))
					time.Sleep(time.Until(next))
				}
				f.send(c, n)
			}
		})
	}
	callers.Wait()
	f.took = time.Since(began)
}

func (f *httpFlood) send(c *caller, n int64) {
	switch status, _, err := c.ask(fmt.Sprint("made-up-", n)); {
	case err != nil:
		c.t.Error(err)
	case status == http.StatusOK:
		f.ok.Add(1)
	case status == http.StatusTooManyRequests:
		f.denied.Add(1)
	case status == http.StatusServiceUnavailable:
		f.failed.Add(1)
	default:
		c.t.Errorf("status %d", status)
	}
}

func (f *httpFlood) String() string {
	return fmt.Sprintf("%d admitted, %d denied, %d failed", f.ok.Load(), f.denied.Load(), f.failed.Load())
}

// check compares the answers with what there was room for. Callers who ask at
// the same time may find the last cells taken by each other.
func (f *httpFlood) check(t *testing.T, overflow string, most int) {
	t.Helper()
	admitted, rest := *floodCells/3-1, &f.failed
	if overflow == "share" {
		admitted, rest = admitted+most, &f.denied
	}
	ok := int(f.ok.Load())
	if ok < admitted-floodCallers || ok > admitted+floodCallers || int(rest.Load()) != *floodKeys-ok {
		t.Errorf("%s: %s, want %d admitted", overflow, f, admitted)
	}
}

var cellsMetric = regexp.MustCompile(`(?m)^weir_cells (\S+)$`)

// checkCells checks what the metrics say of the cells.
func (g *Gateway) checkCells(t *testing.T) {
	t.Helper()
	r, err := g.client.Get("http://" + g.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body)
	found := cellsMetric.FindSubmatch(text)
	if found == nil {
		t.Fatal("no weir_cells in the metrics")
	}
	if n, err := strconv.ParseFloat(string(found[1]), 64); err != nil || int(n) > *floodCells+3 {
		t.Errorf("%s cells of at most %d, and one of each limit", found[1], *floodCells)
	}
}

var peakMemory = regexp.MustCompile(`VmHWM:\s*(\d+) kB`)

// checkMemory checks the most that Caddy has had in memory.
func (g *Gateway) checkMemory(t *testing.T) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.process.Process.Pid))
	found := peakMemory.FindSubmatch(status)
	if err != nil || found == nil {
		t.Logf("resident memory is not known here: %v", err)
		return
	}
	kb, _ := strconv.Atoi(string(found[1]))
	most := floodBase + 2**floodCells*floodCellSize
	t.Logf("at most %d MB resident, of %d MB stated", kb>>10, most>>20)
	if kb<<10 > most {
		t.Errorf("%d kB resident, want at most %d", kb, most>>10)
	}
}
