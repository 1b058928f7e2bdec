package acceptance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	limit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// A RateLimiter is a process that runs examples/envoy-ratelimit.
type RateLimiter struct {
	client  rls.RateLimitServiceClient
	env     []string
	process *exec.Cmd
	exited  chan struct{}
	log     *logTail
}

// startRateLimiter runs the example with a directory of YAML, and a state.
func startRateLimiter(t *testing.T, config, state, headers string) *RateLimiter {
	t.Helper()
	listen := "127.0.0.1:" + freePort(t)
	home := t.TempDir()
	l := &RateLimiter{log: new(logTail), env: append(os.Environ(),
		"WEIR_RLS_LISTEN="+listen, "WEIR_RLS_CONFIG="+config, "WEIR_STATE="+state, "WEIR_ADMIN=127.0.0.1:"+freePort(t),
		"HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home)}
	if headers != "" {
		l.env = append(l.env, "WEIR_RLS_HEADERS="+headers)
	}
	conn, err := grpc.NewClient(listen, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	l.client = rls.NewRateLimitServiceClient(conn)
	l.start(t)
	t.Cleanup(func() {
		conn.Close()
		l.stop(t)
		if t.Failed() {
			t.Logf("the end of the log:\n%s", l.log)
		}
	})
	return l
}

// start starts the process.
func (l *RateLimiter) start(t *testing.T) {
	t.Helper()
	l.process = exec.Command(os.Getenv("WEIR_CADDY"), "run", "--config", filepath.Join(root(), "examples/envoy-ratelimit/Caddyfile"))
	l.process.Env, l.process.Stdout, l.process.Stderr = l.env, l.log, l.log
	if err := l.process.Start(); err != nil {
		t.Fatal(err)
	}
	l.exited = make(chan struct{})
	go func(p *exec.Cmd, exited chan struct{}) {
		_ = p.Wait()
		close(exited)
	}(l.process, l.exited)
}

// stop ends the process as a service manager does.
func (l *RateLimiter) stop(t *testing.T) {
	t.Helper()
	_ = l.process.Process.Signal(syscall.SIGTERM)
	select {
	case <-l.exited:
	case <-time.After(patience):
		t.Error("it does not stop on SIGTERM")
		_ = l.process.Process.Kill()
		<-l.exited
	}
}

// ask makes a call of hits for (key, value), and waits for the process to start.
func (l *RateLimiter) ask(t *testing.T, domain, key, value string, hits uint32) *rls.RateLimitResponse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := l.client.ShouldRateLimit(ctx, &rls.RateLimitRequest{
		Domain: domain, HitsAddend: hits,
		Descriptors: []*limit.RateLimitDescriptor{{Entries: []*limit.RateLimitDescriptor_Entry{{Key: key, Value: value}}}},
	}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatalf("%v\n%s", err, l.log)
	}
	return r
}

// want requires the limit of (k, value), and what of it remains after hits.
func (l *RateLimiter) want(t *testing.T, value string, hits, most, remaining uint32) *rls.RateLimitResponse {
	t.Helper()
	r := l.ask(t, "shop", "k", value, hits)
	s := r.GetStatuses()[0]
	if s.GetCurrentLimit().GetRequestsPerUnit() != most || s.GetLimitRemaining() != remaining {
		t.Errorf("%v, want %d of %d", s, remaining, most)
	}
	return r
}

// yearOf is a file with so many a year.
func yearOf(most int) string {
	return fmt.Sprintf("domain: shop\ndescriptors:\n  - key: k\n    rate_limit: {unit: year, requests_per_unit: %d}\n", most)
}

// TestEnvoyRateLimit runs two processes of the example side by side: each has
// its counters, which outlive it, and follows a link that is exchanged by rename.
func TestEnvoyRateLimit(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"v1": yearOf(10), "v2": yearOf(20), "v3": "domain: shop\nnothing: 1\n"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "shop.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(dir, "current")
	swap := func(target string) {
		t.Helper()
		if err := os.Symlink(target, link+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link+".new", link); err != nil {
			t.Fatal(err)
		}
	}
	swap("v1")
	a := startRateLimiter(t, link, filepath.Join(dir, "a"), "")
	b := startRateLimiter(t, filepath.Join(dir, "v2"), filepath.Join(dir, "b"), "on")
	r := a.want(t, "v", 4, 10, 6)
	if len(r.GetResponseHeadersToAdd()) > 0 {
		t.Errorf("headers that nobody asked for: %v", r)
	}
	r = b.want(t, "v", 1, 20, 19)
	var headers []string
	for _, h := range r.GetResponseHeadersToAdd() {
		headers = append(headers, h.GetKey()+"="+h.GetValue())
	}
	if len(headers) != 3 || headers[0] != "RateLimit-Limit=20" || headers[1] != "RateLimit-Remaining=19" || !strings.HasPrefix(headers[2], "RateLimit-Reset=") {
		t.Errorf("headers %v", headers)
	}

	swap("v2")
	swapped := time.Now()
	for a.ask(t, "shop", "k", "another", 1).GetStatuses()[0].GetCurrentLimit().GetRequestsPerUnit() != 20 {
		if time.Since(swapped) > 10*time.Second {
			t.Fatal("not followed within 10 s")
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("followed after %s", time.Since(swapped).Round(time.Millisecond))
	a.want(t, "v", 1, 20, 15)
	swap("v3")
	for deadline := time.Now().Add(patience); !strings.Contains(a.log.String(), "shop.yaml:2: config error, unknown key 'nothing'"); {
		if time.Now().After(deadline) {
			t.Fatal("the mistake is not told")
		}
		time.Sleep(50 * time.Millisecond)
	}
	a.want(t, "v", 1, 20, 14)
	swap("v2")
	a.stop(t)
	a.start(t)
	a.want(t, "v", 1, 20, 13)
	b.want(t, "v", 1, 20, 18)
}

// TestEnvoyRateLimitDefaults: the directory beside the example is served where
// nobody says otherwise, and no site is needed.
func TestEnvoyRateLimitDefaults(t *testing.T) {
	l := startRateLimiter(t, filepath.Join(root(), "examples/envoy-ratelimit/config"), filepath.Join(t.TempDir(), "state"), "off")
	r := l.ask(t, "messaging", "to_number", "v", 1)
	if r.GetOverallCode() != rls.RateLimitResponse_OK {
		t.Errorf("%v", r)
	}
	var admin string
	for _, v := range l.env {
		if value, found := strings.CutPrefix(v, "WEIR_ADMIN="); found {
			admin = value
		}
	}
	res, err := http.Get("http://" + admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`ratelimit_service_rate_limit_total_hits{domain="messaging",key1="to_number"} 1`,
		`ratelimit_service_rate_limit_over_limit{domain="edge_proxy_per_ip",key1="remote_address_50_0_0_5"} 0`,
		`ratelimit_service_rate_limit_total_hits{domain="messaging",key1="message_type_marketing",key2="to_number"} 0`,
	} {
		if !strings.Contains(string(text), want+"\n") {
			t.Errorf("%s: no metric %s", res.Status, want)
		}
	}
}
