package acceptance

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// idHeader is a response header that the tests have Envoy add: the id that Weir
// gave the request.
const idHeader = "X-Test-Weir-Id"

// StartEnvoy runs examples/envoy for these subjects until the test ends: Envoy,
// and Weir as its Rate Limit Service. The gateway is the page's virtual host.
// The edits are of Weir's Caddyfile.
func StartEnvoy(t testing.TB, page string, subjects Subjects, edits ...edit) *Gateway {
	t.Helper()
	binary := envoyBinary(t)
	sources()
	dir := t.TempDir()
	g := newGateway(t, page, example(t, filepath.Join("examples", "envoy", "Caddyfile"), dir, edits), dir, subjects)
	g.app, g.Host, g.broken = "weir", page+".localhost", http.StatusServiceUnavailable
	g.open(t, dir)
	g.relay = newRelay(t, g.serves)
	text := envoyConfig(t, map[string]string{
		"127.0.0.1:10000": "127.0.0.1:0", "127.0.0.1:9901": "127.0.0.1:0", // Envoy chooses
		"127.0.0.1:8081": g.relay.address, "127.0.0.1:9000": g.Origin.Address(),
	})
	if err := os.WriteFile(filepath.Join(dir, "envoy.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g.launchEnvoy(t, binary, dir)
	return g
}

// envoyBinary is $WEIR_ENVOY, or the envoy on the PATH.
func envoyBinary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("WEIR_ENVOY"); path != "" {
		return path
	}
	path, err := exec.LookPath("envoy")
	if err != nil {
		absent(t, "Envoy, which make setup installs and make test names: %v", err)
	}
	return path
}

// envoyConfig is the example's configuration of Envoy with other addresses, and
// with a header that tells each request's id.
func envoyConfig(t testing.TB, addresses map[string]string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(), "examples", "envoy", "envoy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config := string(text)
	for from, to := range addresses {
		config = edited(t, config, socket(from), socket(to))
	}
	// The machine may be slow, on which nothing that is proven here depends.
	config = edited(t, config, "timeout: 0.5s", "timeout: 30s")
	const routes = "                route_config:\n"
	return edited(t, config, routes, routes+
		"                  response_headers_to_add: [{ header: { key: "+idHeader+
		", value: \"%DYNAMIC_METADATA(envoy.filters.http.ratelimit:id)%\" }, keep_empty_value: false }]\n")
}

// socket is an address as the example spells it.
func socket(address string) string {
	host, port, _ := strings.Cut(address, ":")
	return `{ address: "` + host + `", port_value: ` + port + " }"
}

// edited is the text with a change, which must be one.
func edited(t testing.TB, text, from, to string) string {
	t.Helper()
	if !strings.Contains(text, from) {
		t.Fatalf("there is no %q to edit", from)
	}
	return strings.ReplaceAll(text, from, to)
}

// launchEnvoy runs Envoy, with dir/envoy.yaml, until the test ends, and waits
// until it is ready.
func (g *Gateway) launchEnvoy(t testing.TB, binary, dir string) {
	t.Helper()
	log, admin := &logTail{}, filepath.Join(dir, "admin")
	cmd := exec.Command(binary, "-c", filepath.Join(dir, "envoy.yaml"), "--admin-address-path", admin,
		"-l", "error", "--use-dynamic-base-id", "--concurrency", "1")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	t.Cleanup(func() {
		g.Origin.openAll()
		_ = cmd.Process.Kill()
		<-exited
		if t.Failed() {
			t.Logf("the end of Envoy's log:\n%s", log)
		}
	})
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if g.URL = g.envoyURL(admin); g.URL != "" {
			return
		}
		select {
		case <-exited:
			t.Fatal("Envoy does not start")
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatal("Envoy is not ready")
}

// envoyURL is where an Envoy listens that is ready, "" before it is. Its admin
// page's address is in a file.
func (g *Gateway) envoyURL(file string) string {
	admin, err := os.ReadFile(file)
	if err != nil || len(admin) == 0 {
		return ""
	}
	if status, _ := g.page("http://" + string(admin) + "/ready"); status != http.StatusOK {
		return ""
	}
	_, text := g.page("http://" + string(admin) + "/listeners")
	_, address, found := strings.Cut(strings.TrimSpace(text), "::")
	if !found {
		return ""
	}
	return "http://" + address
}

// page is the status and the body of a page, 0 if there is none.
func (g *Gateway) page(address string) (status int, body string) {
	resp, err := g.client.Get(address)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// entrance is the gateway's URL for programs that cannot name another host than
// the one they ask.
func (g *Gateway) entrance(t testing.TB) string {
	t.Helper()
	if g.relay == nil {
		return g.URL
	}
	target, err := url.Parse(g.URL)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = g.Host
		},
		ModifyResponse: func(r *http.Response) error {
			body, err := io.ReadAll(r.Body)
			_ = r.Body.Close()
			r.Body = io.NopCloser(bytes.NewReader(body))
			g.relay.await(r.Header.Get(idHeader))
			return err
		},
	})
	t.Cleanup(server.Close)
	return server.URL
}
