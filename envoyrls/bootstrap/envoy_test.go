package bootstrap_test

import (
	"bytes"
	"io"
	"net"
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
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/weirhq/weir/envoyrls"
	"github.com/weirhq/weir/envoyrls/bootstrap"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// command runs `caddy weir envoy` and returns what it prints.
func command(args ...string) (string, error) {
	c := bootstrap.Command()
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetErr(io.Discard)
	c.SetArgs(args)
	err := c.Execute()
	return out.String(), err
}

// free returns a port of this machine that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A weir is Caddy with a configuration, in this process. There is one at a time.
type weir struct {
	config string // the Caddyfile's path
	origin *httptest.Server
}

// run runs Caddy with a Caddyfile, which may name {$RLS}, {$STATE}, {$ADMIN} and
// {$SUBJECTS}, and an origin.
func run(t *testing.T, caddyfile, subjects string, origin http.HandlerFunc) *weir {
	t.Helper()
	w := &weir{config: filepath.Join(t.TempDir(), "Caddyfile"), origin: httptest.NewServer(origin)}
	t.Cleanup(w.origin.Close)
	people := filepath.Join(t.TempDir(), "subjects.json")
	for path, text := range map[string]string{w.config: caddyfile, people: `{"subjects": ` + subjects + `}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range map[string]string{
		"XDG_DATA_HOME": t.TempDir(), "XDG_CONFIG_HOME": t.TempDir(),
		"WEIR_ADMIN": free(t), "WEIR_STATE": t.TempDir(), "WEIR_RLS_LISTEN": free(t), "WEIR_SUBJECTS": people, "WEIR_SITE": free(t),
	} {
		t.Setenv(name, value)
	}
	quiet := "{\n\tpersist_config off\n\tlog {\n\t\toutput discard\n\t}\n" + strings.TrimPrefix(caddyfile, "{\n")
	json, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(quiet), nil)
	if err == nil {
		err = caddy.Load(json, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caddy.Stop() })
	return w
}

// An envoy is a real Envoy with the configuration that the command prints.
type envoy struct {
	address string
	yaml    string
}

// envoy runs Envoy for a policy until the test ends. More are flags of the
// command.
func (w *weir) envoy(t *testing.T, policy string, more ...string) *envoy {
	t.Helper()
	binary := envoyBinary(t)
	const listen, admin = "127.0.0.1:10000", "127.0.0.1:9901"
	text, err := command(append([]string{
		policy, "--config", w.config, "--listen", listen, "--admin", admin, "--upstream", w.origin.Listener.Addr().String(),
	}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	e := &envoy{yaml: text}
	// Envoy chooses ports that are free; and the machine may be slow, on which
	// nothing that is proven here depends.
	text = strings.NewReplacer("port_value: 10000 ", "port_value: 0 ", "port_value: 9901 ", "port_value: 0 ", "timeout: 0.5s", "timeout: 30s").Replace(text)
	path, adminPath := filepath.Join(t.TempDir(), "envoy.yaml"), filepath.Join(t.TempDir(), "admin")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(binary, "-c", path, "--admin-address-path", adminPath, "-l", "error", "--use-dynamic-base-id", "--concurrency", "1")
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
	eventually(t, "envoy is not ready", func() bool {
		e.address = listener(adminPath)
		return e.address != ""
	})
	return e
}

// listener returns where an Envoy listens that is ready, "" before it is. Its
// admin page's address is in a file.
func listener(adminPath string) string {
	admin, err := os.ReadFile(adminPath)
	if err != nil || len(admin) == 0 {
		return ""
	}
	if status, _ := fetch("http://" + string(admin) + "/ready"); status != http.StatusOK {
		return ""
	}
	_, text := fetch("http://" + string(admin) + "/listeners")
	_, address, _ := strings.Cut(strings.TrimSpace(text), "::")
	return address
}

// fetch returns the status and the body of an answer, 0 if there is none.
func fetch(url string) (status int, body string) {
	res, err := http.Get(url)
	if err != nil {
		return 0, ""
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(text)
}

// envoyBinary is $WEIR_ENVOY, or the envoy on the PATH.
func envoyBinary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("WEIR_ENVOY"); path != "" {
		return path
	}
	path, err := exec.LookPath("envoy")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal("there is no envoy: run make setup")
	}
	if err != nil {
		t.Skip("there is no envoy; make setup installs one, and make test names it")
	}
	return path
}

// eventually waits until done.
func eventually(t *testing.T, otherwise string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(otherwise)
		}
	}
}

// send sends "METHOD /path", with fields as name, value pairs.
func (e *envoy) send(t *testing.T, line string, fields ...string) (*http.Response, string) {
	t.Helper()
	method, path, _ := strings.Cut(line, " ")
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+e.address+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
		if fields[i] == "Host" {
			r.Host = fields[i+1]
		}
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for name := range res.Header {
		if strings.HasPrefix(name, "Weir-") {
			t.Errorf("%s: the client sees %s", line, name)
		}
	}
	return res, string(body)
}

// want sends a request, and checks its status.
func (e *envoy) want(t *testing.T, status int, line string, fields ...string) *http.Response {
	t.Helper()
	res, body := e.send(t, line, fields...)
	if res.StatusCode != status {
		t.Fatalf("%s %q: %d %q, want %d", line, fields, res.StatusCode, body, status)
	}
	return res
}

// echo answers 200, and says to Weir what the request asks it to in X-Say.
func echo(seen *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for name := range r.Header {
			if strings.HasPrefix(name, "Weir-") {
				seen.Add(1)
			}
		}
		for _, said := range r.Header.Values("X-Say") {
			name, value, _ := strings.Cut(said, ": ")
			w.Header().Add(name, value)
		}
		w.Header().Set("Server", "own")
		w.Header().Set("X-RateLimit-Limit", "the origin's")
		_, _ = io.WriteString(w, "hello")
	}
}

// TestPages: each page's policy works behind the Envoy that the command
// configures.
func TestPages(t *testing.T) {
	caddyfile, err := os.ReadFile("../../examples/envoy/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	var spoken atomic.Int64
	w := run(t, string(caddyfile), `{
		"k": {"id": "u", "plan": "free", "requests": 2, "requests_per_minute": 2, "analyses": 2, "generation_limit": 2, "credits": 5}
	}`, echo(&spoken))
	for _, tc := range []struct{ policy, line, name, value string }{
		{"headshotpro", "GET /api/v2/organization", "Authorization", "Bearer k"},
		{"predictions", "GET /v1/predictions/1", "Authorization", "Bearer k"},
		{"shelfforce", "POST /api/v1/analyses", "Authorization", "Bearer k"},
		{"magnetite", "POST /projects/generate", "Authorization", "Bearer k"},
		{"outfit", "POST /style_me", "X-API-Key", "k"},
	} {
		t.Run(tc.policy, func(t *testing.T) {
			e := w.envoy(t, tc.policy)
			most := 2
			if tc.policy == "outfit" {
				most = 20
			}
			for n := range most {
				var res *http.Response
				eventually(t, "the slot is never free", func() bool {
					res, _ = e.send(t, tc.line, tc.name, tc.value, "Weir-Cost", "5", "weir-other", "x")
					return res.StatusCode != http.StatusTooManyRequests
				})
				if got := strings.Join(res.Header.Values("X-RateLimit-Remaining"), "+"); res.StatusCode != 200 || got != strconv.Itoa(most-1-n) {
					t.Fatalf("request %d: %d, %s remain", n, res.StatusCode, got)
				}
				if res.Header.Get("Server") != "own" || len(res.Header.Values("X-RateLimit-Limit")) != 1 {
					t.Errorf("fields %v", res.Header)
				}
			}
			res, body := e.send(t, tc.line, tc.name, tc.value)
			if res.StatusCode != http.StatusTooManyRequests || !strings.HasPrefix(body, "{") || res.Header.Get("Content-Type") != "application/json" {
				t.Errorf("refused with %d %q %v", res.StatusCode, body, res.Header)
			}
			e.want(t, http.StatusUnauthorized, tc.line)
		})
	}
	if n := spoken.Load(); n > 0 {
		t.Errorf("the origin saw %d Weir fields of clients", n)
	}
}
