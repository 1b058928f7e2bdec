package acceptance

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// diskSize of the disks that are filled, in MiB.
const diskSize = 8

// onDisk keeps a gateway's state on a disk.
func onDisk(d *disk) func(*Gateway) {
	return func(g *Gateway) {
		g.state, g.through = filepath.Join(d.dir, "state"), d.in
	}
}

// TestFullDisk fills the disk under load: requests that would change counters
// are answered 503, log and metrics tell, nothing that was acknowledged is lost,
// and when there is room again Weir goes on by itself. Killed on a full disk it
// says what to do, and starts once that is done.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for name, binary := range map[string]string{"as shipped": os.Getenv("WEIR_CADDY"), "small journal": smallJournal(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDisk(t, diskSize)
			w := newWorld(t, rand.New(rand.NewPCG(1, 1)), (*tortureClient).charge, onDisk(d), withBinary(binary))
			for range 5 {
				w.load(t)
				w.fail(t, func() { d.fill(t) })
				w.g.wantLog(t, "no space left on device")
				w.paused(func() { w.check(w.record.subjects()) }) // reading goes on
				d.empty(t)
				w.recover(t)
			}
			w.restart()
			w.fail(t, func() { d.fill(t) })
			w.kill()
			w.paused(func() {
				w.refuses(t, "no space left on device", "make room")
				d.empty(t)
				w.start()
				w.record.expect(false)
				w.check(w.record.subjects())
			})
			w.quiet()
			w.record.checkWindows()
			w.totals.add(w.record.sum())
			t.Logf("%d requests were answered 503 for want of room; %v", w.record.failed, &w.totals)
		})
	}
}

// load lets the clients work for some time.
func (w *world) load(t *testing.T) {
	t.Helper()
	before := w.record.units()
	w.record.wait(t, "are acknowledged", func() bool { return w.record.units() > before+500 })
}

// fail lets the directory fail, under load, and waits until requests have met
// that and Weir tells it.
func (w *world) fail(t *testing.T, breaks func()) {
	t.Helper()
	before, told := w.record.expect(true), w.g.metric(t, "weir_store_errors_total")
	breaks()
	w.record.wait(t, "are answered 503", func() bool { return w.record.expect(true) > before+50 })
	if now := w.g.metric(t, "weir_store_errors_total"); now <= told || w.g.metric(t, "weir_journal_failing") != 1 {
		t.Errorf("weir_store_errors_total is %d, was %d; weir_journal_failing is not 1", now, told)
	}
	if !w.g.running() {
		t.Fatal("Caddy has ended")
	}
}

// recover waits until a request is admitted again, and compares: from then on
// none fails.
func (w *world) recover(t *testing.T) {
	t.Helper()
	w.paused(func() {
		c := &tortureClient{w: w, random: rand.New(rand.NewPCG(2, 2))}
		w.record.wait(t, "are admitted again", func() bool {
			before := w.record.expect(true)
			c.shoot("m0", "/all", 1)
			return w.record.expect(true) == before
		})
		w.record.expect(false)
		w.check(w.record.subjects())
	})
	if n := w.g.metric(t, "weir_journal_failing"); n != 0 {
		t.Errorf("weir_journal_failing is %d still", n)
	}
	w.load(t)
	w.paused(func() { w.check(w.record.subjects()) })
}

// restart kills Caddy, starts it again, and compares.
func (w *world) restart() {
	w.kill()
	w.paused(func() {
		w.start()
		w.check(w.record.subjects())
	})
}

// paused does something while no client acts.
func (w *world) paused(do func()) {
	w.gate.Lock()
	defer w.gate.Unlock()
	do()
}

// refuses starts Caddy, which must not start, and say why.
func (w *world) refuses(t *testing.T, reasons ...string) {
	t.Helper()
	if w.g.launch(t) {
		t.Fatalf("Caddy starts, want it to say %q", reasons)
	}
	w.g.wantLog(t, reasons...)
}

// wantLog checks that the log has texts.
func (g *Gateway) wantLog(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		for deadline := time.Now().Add(patience); !strings.Contains(g.log.all(), text); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Errorf("the log does not tell %q:\n%s", text, g.log)
				break
			}
		}
	}
}

// units are those that were acknowledged so far.
func (r *record) units() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.totals.units
}

// expect says whether requests may be answered 503, and how many were.
func (r *record) expect(failing bool) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failing = failing
	return r.failed
}

// wait waits until something has happened to requests.
func (r *record) wait(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !happened(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) || t.Failed() {
			t.Fatalf("no requests %s", what)
		}
	}
}

// TestFullDiskPasses: with on_store_error allow and local requests go on while
// the disk is full: uncounted, or against counters of the process alone. When
// there is room again the counters are those from before.
func TestFullDiskPasses(t *testing.T) {
	t.Parallel()
	for mode, most := range map[string]int{"allow": 1000, "local": tortureQuota} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			d := newDisk(t, diskSize)
			site := strings.Replace(tortureSite(newOrigin(t).Address()), "policy torture", "on_store_error "+mode+"\n\t\tpolicy torture", 1)
			g := StartConfig(t, "torture", site, nil, onDisk(d))
			if got := g.quotas(t, 100); got[200] != 100 {
				t.Fatalf("100 of a quota of %d were answered %v", tortureQuota, got)
			}
			d.fill(t)
			told := g.metric(t, "weir_store_errors_total")
			for until := time.Now().Add(patience); g.metric(t, "weir_store_errors_total") == told && time.Now().Before(until); {
				g.send(t, "x", "/all?n=1")
			}
			if got := g.quotas(t, 1000); got[200] != most || got[429] != 1000-most {
				t.Errorf("on a full disk 1000 requests were answered %v, want %d admitted", got, most)
			}
			d.empty(t)
			back := func() bool {
				told := g.metric(t, "weir_store_errors_total")
				g.send(t, "x", "/all?n=1")
				return g.metric(t, "weir_store_errors_total") == told
			}
			for until := time.Now().Add(patience); !back() && time.Now().Before(until); {
				time.Sleep(10 * time.Millisecond)
			}
			if got := g.quotas(t, 1000); got[200] != tortureQuota-100 {
				t.Errorf("with room again 1000 requests were answered %v, want %d admitted", got, tortureQuota-100)
			}
		})
	}
}

// quotas sends requests against a quota, and counts answers by status.
func (g *Gateway) quotas(t *testing.T, n int) map[int]int {
	t.Helper()
	statuses := make(map[int]int)
	for range n {
		statuses[g.send(t, "s", "/quota/fixed?n=1")]++
	}
	return statuses
}

// send sends a POST and returns its status.
func (g *Gateway) send(t *testing.T, key, uri string) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, g.URL+uri, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", key)
	resp, err := g.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

// TestReadOnly: a directory that cannot be written to stops the start with what
// to do about it; one that becomes so while Weir runs costs nothing.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	t.Run("file system", func(t *testing.T) {
		d := newDisk(t, diskSize)
		w := newWorld(t, rand.New(rand.NewPCG(1, 2)), (*tortureClient).charge, onDisk(d))
		w.load(t)
		w.kill()
		w.paused(func() {
			d.mount(t, "ro")
			w.refuses(t, "read-only file system", "choose another directory")
			d.mount(t, "rw")
			w.start()
			w.check(w.record.subjects())
		})
	})
	t.Run("directory", func(t *testing.T) {
		through := func(g *Gateway) { g.through = withoutPower(t) }
		w := newWorld(t, rand.New(rand.NewPCG(1, 3)), (*tortureClient).charge, through, withBinary(smallJournal(t)))
		mode := func(mode os.FileMode) {
			if err := os.Chmod(w.g.state, mode); err != nil {
				t.Fatal(err)
			}
		}
		w.load(t)
		mode(0o500)
		w.record.expect(true)
		for before := w.g.metric(t, "weir_journal_errors_total"); w.g.metric(t, "weir_journal_errors_total") == before; {
			w.load(t)
		}
		w.g.wantLog(t, "permission denied")
		mode(0o700)
		w.recover(t)
		mode(0o500)
		w.kill()
		w.paused(func() {
			w.refuses(t, "permission denied", "must be able to write")
			mode(0o700)
			snapshot := filepath.Join(w.g.state, "weir.snapshot")
			if err := os.Chmod(snapshot, 0); err != nil {
				t.Fatal(err)
			}
			w.refuses(t, "weir.snapshot: permission denied: the user that Weir runs as must own")
			if err := os.Chmod(snapshot, 0o600); err != nil {
				t.Fatal(err)
			}
			w.start()
			w.check(w.record.subjects())
		})
	})
}

// TestRemovedDirectory: without its directory Weir does not go on as if all
// were kept.
func TestRemovedDirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rand.New(rand.NewPCG(1, 4)), (*tortureClient).charge)
	w.load(t)
	away := w.g.state + ".away"
	w.fail(t, func() {
		if err := os.Rename(w.g.state, away); err != nil {
			t.Fatal(err)
		}
	})
	w.g.wantLog(t, w.g.state)
	if err := os.Rename(away, w.g.state); err != nil {
		t.Fatal(err)
	}
	w.recover(t)
	w.restart()
}

// TestDamagedState: with a file that is damaged, from a newer version or missing
// Caddy does not start, and says how to go on; the file put back, it goes on. Where
// all are gone it begins with empty counters, but not silently.
func TestDamagedState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rand.New(rand.NewPCG(1, 5)), (*tortureClient).charge, withBinary(smallJournal(t)))
	for range 30 {
		w.load(t)
	}
	w.kill()
	w.paused(func() {
		w.start() // removes what a snapshot that the kill interrupted has left
		w.kill()
		w.damage(t)
		w.start()
		w.check(w.record.subjects())
		w.kill()
	})
	w.quiet() // what was settled is forgotten from now on
	for _, pattern := range []string{"journal-*", "weir.snapshot"} {
		files, _ := filepath.Glob(filepath.Join(w.g.state, pattern))
		for _, file := range files {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.start()
	w.g.wantLog(t, "has no counters any more")
}

// damage damages one file after another, with each of which Caddy must not start,
// and puts it back.
func (w *world) damage(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(w.g.state, "*"))
	if err != nil || len(files) < 4 {
		t.Fatalf("the state consists of %v, %v", files, err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if name == "weir.lock" || name == "weir.snapshot.new" { // of which nothing is read
			continue
		}
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(whole) == 0 {
			continue // Caddy was killed when it began it
		}
		damaged := append([]byte(nil), whole...)
		damaged[len(damaged)/2] ^= 0x55
		if err := os.WriteFile(file, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		w.refusesFile(t, file)
		if name == "secret" {
			if err := os.WriteFile(file, bytes.Repeat([]byte("5a"), 16), 0o600); err != nil {
				t.Fatal(err)
			}
			w.refusesFile(t, file) // it is another directory's
		}
		if err := os.WriteFile(file, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// refusesFile checks that Caddy does not start because of a file. One that a
// snapshot which the kill interrupted has replaced is removed instead.
func (w *world) refusesFile(t *testing.T, file string) {
	t.Helper()
	if !w.g.launch(t) {
		w.g.wantLog(t, filepath.Base(file), "backup")
		return
	}
	w.g.Kill()
	if _, err := os.Stat(file); err == nil {
		t.Errorf("Caddy starts with a damaged %s", file)
	}
}

// TestSecondProcess: a second Caddy with the same directory does not start, and
// says why; the first goes on. To validate is no second process.
func TestSecondProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rand.New(rand.NewPCG(1, 6)), (*tortureClient).charge)
	w.load(t)
	second := *w.g
	second.log = &logTail{}
	second.env = append([]string(nil), w.g.env...)
	setEnv(second.env, "WEIR_PORT", freePort(t))
	setEnv(second.env, "WEIR_ADMIN", net.JoinHostPort("127.0.0.1", freePort(t)))
	second.spawn(t)
	select {
	case <-second.exited:
		second.wantLog(t, w.g.state, "is in use by another process")
	case <-time.After(patience):
		second.Kill()
		t.Errorf("a second process goes on: %s", second.log)
	}
	if text, err := w.g.command("validate").CombinedOutput(); err != nil {
		t.Errorf("caddy validate: %v\n%s", err, text)
	}
	w.load(t)
	w.restart()
}

// TestReloadStorm reloads without a pause, under load, while the journal is
// replaced again and again, and kills Caddy in the middle.
func TestReloadStorm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rand.New(rand.NewPCG(1, 7)), (*tortureClient).act, withBinary(smallJournal(t)))
	for range 3 {
		for n := range 30 {
			if err := w.g.Load(otherMaxima(tortureSite(w.origin.address()), n)); err != nil {
				t.Fatal(err)
			}
		}
		w.restart()
	}
	w.quiet()
	w.record.checkWindows()
	w.record.checkJobs()
}
