package envoyrls_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// streams runs testdata/streams.* before an origin.
func streams(t *testing.T, origin http.HandlerFunc) *front {
	t.Helper()
	return envoyOf(t, "testdata/streams.Caddyfile", "testdata/streams.yaml", "{}", origin)
}

// post sends a request by a key, and returns the response; its body is still to
// come.
func (f *front) post(ctx context.Context, path, key string, fields ...string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+f.address+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-API-Key", key)
	for i := 0; i+1 < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	return http.DefaultClient.Do(r)
}

// status sends a request, reads the response, and returns its status.
func (f *front) status(path, key string, fields ...string) int {
	f.t.Helper()
	res, err := f.post(f.t.Context(), path, key, fields...)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		f.t.Fatal(err)
	}
	for name := range res.Header {
		if strings.HasPrefix(name, "Weir-") || name == "Tokens" {
			f.t.Errorf("the client sees %s", name)
		}
	}
	return res.StatusCode
}

// used returns how much of a limit the admin API says a key has used.
func (f *front) used(policy, limit, key string) string {
	f.t.Helper()
	for _, l := range usageOf(f.t, f.admin, policy, key).Limits {
		if l.Name == limit {
			return l.Used.String()
		}
	}
	f.t.Fatalf("no limit %s", limit)
	return ""
}

// wantUsed waits until so much of a limit is used.
func (f *front) wantUsed(policy, limit, key, want string) {
	f.t.Helper()
	eventually(f.t, fmt.Sprintf("%s of %s used by %s", want, limit, key), func() bool {
		return f.used(policy, limit, key) == want
	})
}

// metric returns the value of a metric without labels.
func (f *front) metric(name string) string {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, "http://"+f.admin+"/metrics", http.NoBody)
	if err != nil {
		f.t.Fatal(err)
	}
	r.Close = true // a reload may close the connection
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	for line := range strings.SplitSeq(string(text), "\n") {
		if value, found := strings.CutPrefix(line, name+" "); found {
			return value
		}
	}
	return ""
}

// A visitor is a request at the origin.
type visitor struct {
	gone chan struct{} // closed when its client is seen to be gone
}

// A crew is an origin that counts whom it works for at the same time.
type crew struct {
	t       *testing.T
	most    int
	mu      sync.Mutex
	working map[*visitor]bool
	peak    int
}

// enter begins to work. An origin hears later than Weir that a client is gone: if
// there are more than may be, as many of those who were there before must be.
func (c *crew) enter(v *visitor) {
	c.mu.Lock()
	others := make([]*visitor, 0, len(c.working))
	for o := range c.working {
		others = append(others, o)
	}
	c.working[v] = true
	c.mu.Unlock()
	live := 1
	for _, o := range others {
		if len(others) < c.most {
			live++
			continue
		}
		select {
		case <-o.gone:
		case <-time.After(500 * time.Millisecond):
			live++
		}
	}
	c.mu.Lock()
	c.peak = max(c.peak, live)
	c.mu.Unlock()
}

func (c *crew) leave(v *visitor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.working, v)
}

// serve works for a while, or until the client is gone.
func (c *crew) serve(w http.ResponseWriter, r *http.Request) {
	v := &visitor{gone: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		select {
		case <-r.Context().Done():
			close(v.gone)
		case <-done:
		}
	}()
	c.enter(v)
	select {
	case <-time.After(time.Duration(rand.IntN(30)) * time.Millisecond):
		c.leave(v) // before the client can know
		_, _ = io.WriteString(w, "hello")
	case <-r.Context().Done():
		<-v.gone
		c.leave(v)
	}
	close(done)
}

// TestSlotsThroughEnvoy: 5 slots and 200 requests, of which many are denied and
// many are given up by their clients, whenever it may be: never more than 5 are at
// the origin, and in the end none is held.
func TestSlotsThroughEnvoy(t *testing.T) {
	const most, requests = 5, 200
	c := &crew{t: t, most: most, working: make(map[*visitor]bool)}
	f := streams(t, c.serve)
	var admitted, denied, aborted atomic.Int64
	var group sync.WaitGroup
	for i := range requests {
		group.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%3 == 0 {
				time.AfterFunc(time.Duration(rand.IntN(60_000))*time.Microsecond, cancel)
			}
			for {
				res, err := f.post(ctx, "/work", "k")
				if err == nil {
					_, err = io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
				switch {
				case err != nil && ctx.Err() != nil:
					aborted.Add(1)
					return
				case errors.Is(err, context.Canceled): // another one's, who dialed for both
					continue
				case err != nil:
					t.Error(err)
					return
				case res.StatusCode == http.StatusTooManyRequests:
					denied.Add(1)
					time.Sleep(time.Millisecond)
					continue
				case res.StatusCode != http.StatusOK:
					t.Errorf("status %d", res.StatusCode)
				}
				admitted.Add(1)
				return
			}
		})
	}
	group.Wait()
	t.Logf("%d admitted, %d times denied, %d aborted; at most %d at once", admitted.Load(), denied.Load(), aborted.Load(), c.peak)
	if c.peak > most {
		t.Errorf("%d at once at the origin", c.peak)
	}
	if admitted.Load() == 0 || denied.Load() == 0 || aborted.Load() == 0 {
		t.Error("not all of it happened")
	}
	f.wantUsed("api", "slots", "k", "0")
	if lost := f.metric("weir_streams_lost_total"); f.metric("weir_streams") != "0" || lost != "0" {
		t.Errorf("%s streams, %s lost", f.metric("weir_streams"), lost)
	}
}

// hold starts n requests that stay at the origin until release is called, or
// their context ends.
func (f *front) hold(ctx context.Context, n int, at *atomic.Int64, fields ...string) *sync.WaitGroup {
	f.t.Helper()
	var group sync.WaitGroup
	for range n {
		group.Go(func() {
			if res, err := f.post(ctx, "/work", "k", fields...); err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
	}
	eventually(f.t, "all are at the origin", func() bool { return at.Load() == int64(n) })
	return &group
}

// patient is an origin whose responses begin at once and end with the request, or
// when release is closed.
func patient(at *atomic.Int64, release chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		at.Add(1)
		defer at.Add(-1)
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}
}

// TestRequestIDThroughEnvoy: whoever chooses the id of a running request ends
// nothing by being denied.
func TestRequestIDThroughEnvoy(t *testing.T) {
	var at atomic.Int64
	release := make(chan struct{})
	f := streams(t, patient(&at, release))
	running := f.hold(t.Context(), 5, &at, "X-Request-Id", "mine")
	before := f.used("api", "requests", "k")
	for range 20 {
		if s := f.status("/work", "k", "X-Request-Id", "mine"); s != http.StatusTooManyRequests {
			t.Fatalf("status %d", s)
		}
	}
	if at.Load() != 5 || f.used("api", "slots", "k") != "5" || f.used("api", "requests", "k") != before {
		t.Errorf("%d at the origin, %s slots taken", at.Load(), f.used("api", "slots", "k"))
	}
	close(release)
	running.Wait()
	f.wantUsed("api", "slots", "k", "0")
}

// TestReloadThroughEnvoy: slots stay taken through reloads, and are free when
// their requests end, by client or origin.
func TestReloadThroughEnvoy(t *testing.T) {
	var at atomic.Int64
	f := streams(t, patient(&at, nil))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	running := f.hold(ctx, 5, &at)
	for range 3 {
		f.runExample("testdata/streams.Caddyfile")
		if s := f.status("/work", "k"); s != http.StatusTooManyRequests {
			t.Fatalf("status %d", s)
		}
	}
	if n := f.metric("weir_streams"); n != "5" {
		t.Errorf("%s streams", n)
	}
	cancel()
	running.Wait()
	f.wantUsed("api", "slots", "k", "0")
}

// TestBudgetsThroughEnvoy: 1,000 tokens are charged by what responses cost: in the
// origin's header, in metadata as hits, and in entries made by formats.
func TestBudgetsThroughEnvoy(t *testing.T) {
	f := streams(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/spend/header", "/spend/formats":
			w.Header().Set("Weir-Cost", "150")
		case "/spend/metadata":
			w.Header().Set("Tokens", "150")
		case "/spend/both":
			w.Header().Set("Weir-Cost", "150")
			w.Header().Set("Tokens", "1")
		}
	})
	for _, way := range []string{"header", "metadata", "formats", "both"} {
		for i := range 7 {
			if s := f.status("/spend/"+way, way); s != http.StatusOK {
				t.Fatalf("%s, request %d: %d", way, i, s)
			}
			f.wantUsed("api", "budget", way, fmt.Sprint(150*(i+1)))
		}
		for range 3 {
			if s := f.status("/spend/"+way, way); s != http.StatusTooManyRequests {
				t.Errorf("%s: %d with the budget spent", way, s)
			}
		}
	}
	if s := f.status("/spend/nothing", "other"); s != http.StatusOK {
		t.Errorf("status %d", s)
	}
	eventually(t, "all have ended", func() bool { return f.metric("weir_streams") == "0" })
	for _, key := range []string{"header", "metadata", "formats", "both"} {
		f.wantUsed("api", "budget", key, "1050")
	}
	f.wantUsed("api", "budget", "other", "0")
}
