package acceptance

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

var (
	tortureKills = flag.Int("kills", 300, "how often TestTorture kills Caddy")
	tortureSeed  = flag.Uint64("seed", 0, "what TestTorture's choices come from; 0 takes one from the clock")
)

// TestTorture kills the real Caddy at random moments, under load, while it
// starts, reloads and replaces its journal, starts it again with the same state
// directory, and compares what it counts with what the clients and the origin
// know: nothing that was acknowledged is lost, nothing is admitted over a
// maximum, slots of dead requests are free, leases are there until they are
// released or over, costs are settled once and attributes stay set.
//
// What reached the origin counts as acknowledged: it was admitted and charged.
func TestTorture(t *testing.T) {
	from := *tortureSeed
	if from == 0 {
		from = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d (-seed; it repeats the choices, not the schedule)", from)
	small := smallJournal(t)
	var mu sync.Mutex
	var all totals
	t.Run("worlds", func(t *testing.T) {
		for n, kind := range []struct{ name, binary string }{{"as shipped", os.Getenv("WEIR_CADDY")}, {"small journal", small}} {
			t.Run(kind.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, rand.New(rand.NewPCG(from, uint64(n))), (*tortureClient).act, withBinary(kind.binary))
				defer func() {
					w.quiet()
					w.totals.add(w.record.sum())
					t.Logf("%v", &w.totals)
					mu.Lock()
					defer mu.Unlock()
					all.add(&w.totals)
				}()
				w.run(max(1, *tortureKills/2))
				if kind.binary == small && w.totals.snapshots < 3 {
					t.Errorf("the journal was replaced by %d snapshots only", w.totals.snapshots)
				}
			})
		}
	})
	t.Logf("in all: %v", &all)
}

// withBinary runs another Caddy.
func withBinary(path string) func(*Gateway) { return func(g *Gateway) { g.binary = path } }

// smallJournal is a Caddy that replaces its journal by a snapshot every few
// hundred records, so that kills meet that too.
func smallJournal(t *testing.T) string {
	t.Helper()
	binary, err := buildSmallJournal()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// buildSmallJournal builds it beside the other Caddy, once.
var buildSmallJournal = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(built, "caddy-small-journal")
	build := exec.Command("go", "build", "-tags", "weir_small_journal", "-o", binary, "./cmd/caddy")
	build.Dir = root()
	if text, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building ./cmd/caddy: %w\n%s", err, text)
	}
	return binary, nil
})

// A world is a Caddy that is killed again and again, and clients who load it.
type world struct {
	t      testing.TB
	g      *Gateway
	act    func(*tortureClient) bool // false if nobody answered
	origin *tortureOrigin
	record *record
	random *rand.Rand
	boot   time.Duration // how long a start takes, about
	life   int
	seen   os.FileInfo // the last snapshot

	gate    sync.RWMutex // clients act under it; locked, nothing is under way
	stop    chan struct{}
	clients sync.WaitGroup
	totals  totals
}

const (
	tortureClients = 8
	lifetime       = 250 * time.Millisecond // at most, of a Caddy that serves
	generation     = 8                      // lives for which a subject of quotas is loaded
)

// newWorld starts Caddy, changed as with says, and clients that do what act does.
func newWorld(t testing.TB, random *rand.Rand, act func(*tortureClient) bool, with ...func(*Gateway)) *world {
	w := &world{t: t, act: act, record: newRecord(t), random: random, boot: 100 * time.Millisecond, stop: make(chan struct{})}
	w.origin = newTortureOrigin(t, w.record)
	w.g = StartConfig(t, "torture", tortureSite(w.origin.address()), nil, with...)
	for range tortureClients {
		c := &tortureClient{w: w, random: rand.New(rand.NewPCG(random.Uint64(), 1))}
		w.clients.Go(c.run)
	}
	t.Cleanup(w.quiet)
	return w
}

// quiet ends the clients.
func (w *world) quiet() {
	select {
	case <-w.stop:
	default:
		close(w.stop)
	}
	w.clients.Wait()
}

// run kills Caddy so many times, and compares everything in the end: after the
// last kill, and after an orderly stop.
func (w *world) run(kills int) {
	w.kill()
	for n := 1; n < kills && !w.t.Failed(); n++ {
		w.live()
	}
	w.quiet()
	for _, stop := range []func(){func() {}, func() { w.g.Stop(w.t) }} {
		stop()
		w.start()
		w.check(w.record.subjects())
	}
	w.record.checkWindows()
	w.record.checkJobs()
}

// live starts Caddy, and kills it: while it starts, or under load. Before the
// load the record is compared, or the load is there from the first moment.
func (w *world) live() {
	kind := w.random.IntN(8)
	if kind < 2 {
		w.spawn()
		time.Sleep(w.upTo(w.boot * 3 / 2))
		w.kill()
		return
	}
	if kind < 5 {
		w.gate.Lock()
		w.start()
		w.check(w.record.recent(3))
		w.gate.Unlock()
	} else {
		w.start()
	}
	disturbed := w.disturb()
	time.Sleep(w.upTo(lifetime))
	w.kill()
	disturbed.Wait()
}

// start starts Caddy and waits until it serves.
func (w *world) start() {
	began := time.Now()
	w.spawn()
	if !w.g.started() {
		w.t.Fatalf("Caddy does not start again after %d kills", w.totals.kills)
	}
	w.boot = (w.boot*7 + time.Since(began)) / 8
	w.lookAtSnapshot()
}

// lookAtSnapshot counts snapshots that have taken the place of another.
func (w *world) lookAtSnapshot() {
	info, err := os.Stat(filepath.Join(w.g.state, "weir.snapshot"))
	if err == nil && (w.seen == nil || !os.SameFile(info, w.seen)) {
		w.totals.snapshots++
		w.seen = info
	}
}

func (w *world) spawn() {
	w.life++
	w.record.begin(w.life)
	w.g.spawn(w.t)
}

func (w *world) kill() {
	if !w.g.running() {
		w.t.Fatalf("Caddy has ended by itself after %d kills", w.totals.kills)
	}
	w.g.Kill()
	w.totals.kills++
}

// upTo returns a random time below d.
func (w *world) upTo(d time.Duration) time.Duration {
	return time.Duration(w.random.Int64N(int64(d)))
}

// disturb reloads the configuration now and then, with other maxima, or
// validates it, beside the load and until the kill.
func (w *world) disturb() *sync.WaitGroup {
	var done sync.WaitGroup
	kind, wait, life := w.random.IntN(16), w.upTo(lifetime/2), w.life
	switch {
	case kind < 4:
		w.totals.reloads++
		done.Go(func() {
			time.Sleep(wait)
			resp, err := w.g.load(otherMaxima(tortureSite(w.origin.address()), life))
			if err != nil {
				return // killed
			}
			_ = resp.Body.Close()
			if resp.StatusCode != 200 {
				w.t.Errorf("a reload was answered %s", resp.Status)
			}
		})
	case kind == 4:
		w.totals.validations++
		done.Go(func() {
			if text, err := w.g.command("validate").CombinedOutput(); err != nil {
				w.t.Errorf("caddy validate: %v\n%s", err, text)
			}
		})
	}
	return &done
}

// TestTortureFirstStart kills Caddy while it makes its state directory: it
// starts afterwards.
func TestTortureFirstStart(t *testing.T) {
	t.Parallel()
	g := StartConfig(t, "torture", tortureSite("127.0.0.1:1"), nil)
	g.Stop(t)
	state := g.state
	for n := range 20 {
		setEnv(g.env, "WEIR_STATE", state+string(rune('a'+n)))
		g.spawn(t)
		time.Sleep(rand.N(120 * time.Millisecond))
		g.Kill()
		if !g.launch(t) {
			t.Fatalf("Caddy does not start in a directory that it was making when it was killed")
		}
		g.Kill()
	}
	if !g.launch(t) {
		t.Fatal("Caddy does not start again")
	}
}
