package envoyrls_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// A page's origin answers what the request's header X-Say has: "Name: value"
// lines, separated by "; ". It holds back a request whose X-Wait is set.
func sayingOrigin(t *testing.T, waiting *atomic.Int64, release chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for name := range r.Header {
			if strings.HasPrefix(name, "Weir-") {
				t.Errorf("a client's %s reached the origin", name)
			}
		}
		for line := range strings.SplitSeq(r.Header.Get("X-Say"), "; ") {
			name, value, _ := strings.Cut(line, ": ")
			w.Header().Add(name, value)
		}
		if r.Header.Get("X-Wait") != "" {
			waiting.Add(1)
			defer waiting.Add(-1)
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
		_, _ = io.WriteString(w, "hello")
	}
}

// try sends "METHOD /path" to a page, as a client who would speak for the origin.
func (f *front) try(ctx context.Context, page, line string, fields ...string) (answer, error) {
	method, path, _ := strings.Cut(line, " ")
	r, err := http.NewRequestWithContext(ctx, method, "http://"+f.address+path, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	r.Host = page + ".localhost"
	for _, name := range []string{"Cost", "Lease", "Release", "Set", "Other"} {
		r.Header.Set("Weir-"+name, "1=1")
	}
	for i := 0; i+1 < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	for name := range res.Header {
		if strings.HasPrefix(name, "Weir-") {
			f.t.Errorf("the client sees %s", name)
		}
	}
	return answer{res.StatusCode, res.Header, string(body)}, err
}

// wants sends a request and checks the answer's status and part of its body.
func (f *front) wants(status int, body, page, line string, fields ...string) {
	f.t.Helper()
	a, err := f.try(f.t.Context(), page, line, fields...)
	if err != nil || a.status != status || !strings.Contains(a.body, body) {
		f.t.Fatalf("%s: %d %q, %v; want %d %q", line, a.status, a.body, err, status, body)
	}
}

// TestVoiceThroughEnvoy: what the five pages say of things that last, and of what
// is known afterwards, holds through Envoy.
func TestVoiceThroughEnvoy(t *testing.T) {
	var waiting atomic.Int64
	release := make(chan struct{})
	f := envoy(t, `{"h1":{"id":"org","credits":1},"h2":{"id":"org","credits":1},"p1":{"id":"u","daily_spending":0.5},"p2":{"id":"u"},"o1":{"id":"u"},"o2":{"id":"u"}}`,
		sayingOrigin(t, &waiting, release))
	t.Run("invites", func(t *testing.T) {
		const page, create = "headshotpro", "POST /api/v2/organization/invites"
		for i, key := range []string{"h1", "h2"} {
			f.wants(200, "hello", page, create, "Authorization", "Bearer "+key, "X-Say", fmt.Sprintf("Weir-Lease: i%d", i))
		}
		f.wants(429, `"pendingInvites":2,"credits":1,"maxPendingInvites":2`, page, create, "Authorization", "Bearer h1")
		f.wants(200, "hello", page, "GET /api/v2/x", "Authorization", "Bearer h1", "X-Say", "Weir-Release: i0, none; Weir-Release: gone")
		f.wantUsed(page, "invites", "h1", "1")
		f.wants(200, "hello", page, create, "Authorization", "Bearer h2") // not created: no lease
		f.wantUsed(page, "invites", "h1", "1")
		f.wants(200, "hello", page, create, "Authorization", "Bearer h2", "X-Say", "Weir-Lease: i2; Weir-Set: credits=2")
		eventually(t, "more credits", func() bool { return string(usageOf(t, f.admin, page, "h1").Attributes["credits"]) == "2" })
		f.wants(200, "hello", page, create, "Authorization", "Bearer h2", "X-Say", "Weir-Lease: i3")
		f.wantUsed(page, "invites", "h2", "3")
		eventually(t, "three leases", func() bool { return len(usageOf(t, f.admin, page, "h1").Leases) == 3 })
	})
	t.Run("spending", func(t *testing.T) {
		const page, create = "predictions", "POST /v1/predictions"
		for _, spent := range []string{"0.3", "0.6"} {
			f.wants(200, "hello", page, create, "Authorization", "Bearer p1", "X-Say", "Weir-Cost: 0.3")
			f.wantUsed(page, "daily", "p1", spent)
			f.wantUsed(page, "monthly", "p1", spent)
			f.wantUsed(page, "running", "p1", "0")
		}
		f.wants(429, `"code":"DAILY_SPENDING_LIMIT_EXCEEDED","details":{"limit":0.5,"spent":0.6}`, page, create, "Authorization", "Bearer p1")
		f.wants(200, "hello", page, "GET /v1/predictions/1", "Authorization", "Bearer p1")
		f.wantUsed(page, "daily", "p2", "0")
	})
	t.Run("running", func(t *testing.T) {
		const page, create = "predictions", "POST /v1/predictions"
		for i := range 5 {
			f.wants(200, "hello", page, create, "Authorization", "Bearer p2", "X-Say", fmt.Sprintf("Weir-Lease: p%d", i))
		}
		f.wants(429, `5/5 predictions running.","code":"CONCURRENT_LIMIT_EXCEEDED","details":{"limit":5,"active":5}`, page, create, "Authorization", "Bearer p2")
		f.wants(200, "hello", page, "GET /v1/predictions/p3", "Authorization", "Bearer p2", "X-Say", "Weir-Release: p3")
		f.wantUsed(page, "running", "p2", "4")
		f.wants(200, "hello", page, create, "Authorization", "Bearer p2", "X-Say", "Weir-Lease: p5")
	})
	t.Run("one at a time", func(t *testing.T) {
		const page, line = "outfit", "POST /style_me"
		ctx, cancel := context.WithCancel(t.Context())
		start := func(ctx context.Context) chan error {
			done := make(chan error, 1)
			go func() {
				_, err := f.try(ctx, page, line, "X-API-Key", "o1", "X-Wait", "1")
				done <- err
			}()
			eventually(t, "it is at the origin", func() bool { return waiting.Load() == 1 })
			return done
		}
		first := start(ctx)
		f.wants(429, "A request is already in progress.", page, line, "X-API-Key", "o2")
		f.wants(200, "hello", page, "GET /images", "X-API-Key", "o2")
		cancel()
		<-first
		f.wantUsed(page, "concurrent", "o2", "0")
		eventually(t, "the origin is left alone", func() bool { return waiting.Load() == 0 })
		second := start(t.Context())
		close(release)
		if err := <-second; err != nil {
			t.Error(err)
		}
		f.wantUsed(page, "concurrent", "o2", "0")
		f.wantUsed(page, "daily", "o2", "2")
	})
}
