package envoyrls_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// A front is Envoy beside Weir in this process.
type front struct {
	t       *testing.T
	address string // of Envoy
	admin   string // of Caddy
}

// envoy runs examples/envoy before an origin.
func envoy(t *testing.T, people string, origin http.HandlerFunc) *front {
	t.Helper()
	return envoyOf(t, "../examples/envoy/Caddyfile", "../examples/envoy/envoy.yaml", people, origin)
}

// envoyOf runs a Caddyfile here and an Envoy beside it, whose configurations
// have the ports and the variables of examples/envoy. Envoy is $WEIR_ENVOY, or the
// envoy on the PATH; where there is none the test is skipped.
func envoyOf(t *testing.T, caddyfile, config, people string, origin http.HandlerFunc) *front {
	t.Helper()
	binary := envoyBinary(t)
	up := httptest.NewServer(origin)
	t.Cleanup(up.Close)
	f := &front{t: t, address: freeAddress(t), admin: freeAddress(t)}
	rls := freeAddress(t)
	for name, value := range map[string]string{
		"XDG_DATA_HOME": t.TempDir(), "WEIR_ADMIN": f.admin, "WEIR_STATE": t.TempDir(),
		"WEIR_RLS_LISTEN": rls, "WEIR_SUBJECTS": subjects(t, people),
	} {
		t.Setenv(name, value)
	}
	t.Cleanup(func() { _ = caddy.Stop() })
	f.runExample(caddyfile)
	f.runEnvoy(binary, config, map[string]string{"8081": rls, "9000": up.Listener.Addr().String()})
	return f
}

// envoyBinary returns the path of the real Envoy.
func envoyBinary(t *testing.T) string {
	t.Helper()
	if binary := os.Getenv("WEIR_ENVOY"); binary != "" {
		return binary
	}
	binary, err := exec.LookPath("envoy")
	switch {
	case err == nil:
		return binary
	case os.Getenv("CI") != "":
		t.Fatal("there is no envoy: run make setup")
	}
	t.Skip("there is no envoy; make setup installs one, and make test names it")
	return ""
}

// runEnvoy runs Envoy by a configuration, whose ports it replaces.
func (f *front) runEnvoy(binary, from string, ports map[string]string) {
	t := f.t
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	admin := freeAddress(t)
	ports["10000"], ports["9901"] = f.address, admin
	var pairs []string
	for port, to := range ports {
		_, free, _ := strings.Cut(to, ":")
		pairs = append(pairs, "port_value: "+port, "port_value: "+free)
	}
	path := filepath.Join(t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(path, []byte(strings.NewReplacer(pairs...).Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, "-c", path, "-l", "error", "--use-dynamic-base-id", "--concurrency", "1")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	for range 1200 { // a busy machine takes its time
		if res, err := http.Get("http://" + admin + "/ready"); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("envoy is not ready")
}

// runExample runs a Caddyfile in this process, in place of what runs.
func (f *front) runExample(path string) {
	t := f.t
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	quiet := "{\n\tpersist_config off\n\tlog {\n\t\toutput discard\n\t}\n" + strings.TrimPrefix(string(text), "{\n")
	json, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(quiet), nil)
	if err == nil {
		err = caddy.Load(json, true)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// answer is what a client of Envoy gets.
type answer struct {
	status int
	header http.Header
	body   string
}

// get sends a request with a header to a virtual host.
func get(t *testing.T, address, host, line, field, value string) answer {
	t.Helper()
	method, path, _ := strings.Cut(line, " ")
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host + ".localhost"
	if value != "" {
		r.Header.Set(field, value)
	}
	r.Header.Set("Weir-Cost", "5")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

// want checks an answer: its status, its body unless that is "*", and fields.
func (a *answer) want(t *testing.T, status int, body string, fields ...string) {
	t.Helper()
	if a.status != status || body != "*" && a.body != body {
		t.Fatalf("%d %q, want %d %q; %v", a.status, a.body, status, body, a.header)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		if got := strings.Join(a.header.Values(fields[i]), " + "); got != fields[i+1] {
			t.Errorf("%s: %q, want %q", fields[i], got, fields[i+1])
		}
	}
}

// TestEnvoy runs the pages' policies behind a real Envoy.
func TestEnvoy(t *testing.T) {
	var spoken atomic.Int64 // requests with a client's Weir-Cost
	front := envoy(t, `{"k1":{"id":"org"},"k2":{"id":"org"},"free":{"id":"f","plan":"free"}}`, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Weir-Cost") != "" {
			spoken.Add(1)
		}
		w.Header().Set("X-RateLimit-Limit", "the origin's")
		w.Header().Set("Weir-Lease", "x")
		w.Header().Set("Weir-Other", "x")
		_, _ = io.WriteString(w, "hello")
	})
	address := front.address
	t.Run("headshotpro", func(t *testing.T) {
		for i := range 300 {
			a := get(t, address, "headshotpro", "GET /api/v2/x?q", "Authorization", "Bearer "+[]string{"k1", "k2"}[i%2])
			a.want(t, 200, "hello", "X-RateLimit-Limit", "300", "X-RateLimit-Remaining", strconv.Itoa(299-i), "Weir-Lease", "", "Weir-Other", "")
		}
		a := get(t, address, "headshotpro", "GET /", "Authorization", "Bearer k1")
		a.want(t, 429, `{"success":false,"error":"Rate limit exceeded","code":"RATE_LIMIT_EXCEEDED"}`,
			"Content-Type", "application/json", "X-RateLimit-Remaining", "0", "X-Envoy-Ratelimited", "")
		if _, err := time.Parse("2006-01-02T15:04:05.000Z", a.header.Get("X-RateLimit-Reset")); err != nil {
			t.Error(err)
		}
		a = get(t, address, "headshotpro", "GET /", "Authorization", "Bearer nobody")
		a.want(t, 401, "", "WWW-Authenticate", `Bearer error="invalid_token"`)
		a = get(t, address, "headshotpro", "GET /", "", "")
		a.want(t, 401, "", "WWW-Authenticate", "Bearer")
	})
	t.Run("shelfforce", func(t *testing.T) {
		for range 5 {
			a := get(t, address, "shelfforce", "POST /api/v1/analyses", "Authorization", "Bearer free")
			a.want(t, 200, "hello", "X-RateLimit-Limit", "5")
		}
		a := get(t, address, "shelfforce", "POST /api/V1/%61nalyses?x", "Authorization", "Bearer free")
		retry := a.header.Get("Retry-After")
		a.want(t, 429, `{"error":{"code":"RATE_LIMITED","message":"Rate limit exceeded. Retry after `+retry+
			` seconds.","details":{"retryAfter":`+retry+`,"limit":5,"window":"60s"}}}`)
		a = get(t, address, "shelfforce", "GET /", "Authorization", "Bearer free")
		a.want(t, 200, "hello", "X-RateLimit-Limit", "60")
	})
	t.Run("magnetite", func(t *testing.T) {
		for range 10 {
			a := get(t, address, "magnetite", "GET /generation/1/status", "Authorization", "Bearer k1")
			a.want(t, 200, "hello", "X-RateLimit-Limit", "60", "X-RateLimit-Window", "60")
		}
	})
	t.Run("predictions", func(t *testing.T) {
		a := get(t, address, "predictions", "POST /v1/predictions", "Authorization", "Bearer k1")
		a.want(t, 200, "hello", "X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "59")
	})
	t.Run("outfit", func(t *testing.T) {
		for range 20 {
			a := get(t, address, "outfit", "POST /style_me", "X-API-Key", "k1")
			a.want(t, 200, "hello", "X-RateLimit-Limit", "20", "X-RateLimit-Reset", "")
			front.wantUsed("outfit", "concurrent", "k1", "0")
		}
		a := get(t, address, "outfit", "POST /style_me", "X-API-Key", "k2")
		a.want(t, 429, "*", "Content-Type", "application/json", "X-RateLimit-Remaining", "0")
		a = get(t, address, "outfit", "GET /usage", "X-API-Key", "k2")
		a.want(t, 200, `{"total_requests":22,"requests_today":22,"rate_limit":{"daily_limit":20,"used_today":20,"remaining":0}}`)
		a = get(t, address, "outfit", "GET /", "X-API-Key", "nobody")
		a.want(t, 403, "")
		a = get(t, address, "outfit", "GET /", "", "")
		a.want(t, 401, "")
	})
	if n := spoken.Load(); n > 0 {
		t.Errorf("a client's Weir-Cost reached the origin %d times", n)
	}
}
