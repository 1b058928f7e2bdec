package envoyrls_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/weirhq/weir/envoyrls"
)

// yearly is a file of a domain with so many a year for each value of k: no test
// runs that long.
func yearly(domain string, most int) string {
	return fmt.Sprintf("domain: %s\ndescriptors:\n  - key: k\n    rate_limit: {unit: year, requests_per_unit: %d}\n", domain, most)
}

// limits writes files, by their names, and returns their directory.
func limits(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// startLimiter runs a gateway with a directory of rate limits, these lines in
// its block, and a policy api.
func startLimiter(t *testing.T, dir, lines string) *gateway {
	t.Helper()
	return startSecure(t, freeAddress(t), "ratelimit "+dir+" {\n"+lines+"\n}", insecure.NewCredentials(), keyed)
}

// reload loads another block for the door, or returns why it is rejected.
func (g *gateway) reload(block string) error {
	g.block = block
	return g.tryLoad(g.door() + keyed)
}

// TestRateLimitExact: of 1,300 requests at once exactly 1,000 are within a limit
// of 1,000, whether denied ones are charged or not.
func TestRateLimitExact(t *testing.T) {
	const most, clients, each = 1000, 65, 20
	dir := limits(t, map[string]string{"a.yaml": yearly("d", most) +
		"  - key: allowed\n    rate_limit: {unit: year, requests_per_unit: 1000, charge: allowed}\n" +
		"  - key: rolling\n    rate_limit: {unit: week, requests_per_unit: 1000, algorithm: rolling}\n" +
		"  - key: bucket\n    rate_limit: {unit: week, requests_per_unit: 1, algorithm: bucket, burst: 1000}\n"})
	g := startLimiter(t, dir, "")
	for _, key := range []string{"k", "allowed", "rolling", "bucket"} {
		var admitted atomic.Int64
		var group sync.WaitGroup
		for range clients {
			group.Go(func() {
				for range each {
					if g.ask("d", entries(key, "v")).GetOverallCode() == ok {
						admitted.Add(1)
					}
				}
			})
		}
		group.Wait()
		if n := admitted.Load(); n != most {
			t.Errorf("%s: %d of %d admitted, want %d", key, n, clients*each, most)
		}
	}
}

// TestRateLimitBeside: domains of files, policies and unknown domains have one
// address.
func TestRateLimitBeside(t *testing.T) {
	g := startLimiter(t, limits(t, map[string]string{"a.yaml": yearly("d", 1)}), "headers on")
	r := g.want(ok, "d", entries("k", "v"))
	if header(t, r, "RateLimit-Limit") != "1" || header(t, r, "RateLimit-Remaining") != "0" {
		t.Errorf("%v", r)
	}
	g.want(over, "d", entries("k", "v"))
	g.want(ok, "d", entries("weir", "done"))
	if r := g.want(ok, "api", by("a")); header(t, r, "X-RateLimit-Remaining") != "9" {
		t.Errorf("%v", r)
	}
	if r := g.want(ok, "unknown", by("a")); r.GetStatuses()[0].GetCurrentLimit() != nil {
		t.Errorf("%v", r)
	}
	g.wantError(codes.InvalidArgument, "65 descriptors", &rls.RateLimitRequest{Domain: "d", Descriptors: make([]*descriptor, 65)})
}

// TestRateLimitReloads: counters and metrics outlast Caddy's reloads, and rules
// that change; a directory that holds mistakes rejects the configuration.
func TestRateLimitReloads(t *testing.T) {
	dir := limits(t, map[string]string{"a.yaml": yearly("d", 10)})
	g := startLimiter(t, dir, "poll 50ms")
	g.want(ok, "d", entries("k", "v"))
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(yearly("d", 20))
	deadline := time.Now().Add(10 * time.Second)
	used := uint32(1)
	for {
		s := g.want(ok, "d", entries("k", "v")).GetStatuses()[0]
		if used++; s.GetCurrentLimit().GetRequestsPerUnit()-s.GetLimitRemaining() != used {
			t.Fatalf("%d used: %v", used, s)
		}
		if s.GetCurrentLimit().GetRequestsPerUnit() == 20 {
			break
		}
		if time.Now().After(deadline) || used == 10 {
			t.Fatal("not reloaded")
		}
		time.Sleep(time.Second)
	}
	if err := g.reload("ratelimit " + dir + " {\npoll 2s\n}"); err != nil {
		t.Fatal(err)
	}
	s := g.want(ok, "d", entries("k", "v")).GetStatuses()[0]
	if used++; 20-s.GetLimitRemaining() != used {
		t.Errorf("%d used: %v", used, s)
	}
	if n := g.scrape(`ratelimit_service_rate_limit_total_hits{domain="d",key1="k"}`); n != fmt.Sprint(used) {
		t.Errorf("%s hits counted, want %d", n, used)
	}
	if n := g.scrape(`weir_decisions_total{limit="",outcome="admitted",policy="d"}`); n != fmt.Sprint(used) {
		t.Errorf("%s decisions counted, want %d", n, used)
	}
	write(yearly("d", 20) + "x: 1\n")
	err := g.reload("ratelimit " + dir)
	if want := filepath.Join(dir, "a.yaml") + ":5: config error, unknown key 'x'"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v", err)
	}
	write(yearly("api", 20))
	err = g.reload("ratelimit " + dir)
	if want := `a.yaml:1: the domain "api" is also the name of a policy`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v", err)
	}
	g.want(ok, "d", entries("k", "v"))
}

// TestRateLimitHTTP: /healthcheck and /json, as envoyproxy/ratelimit has them.
func TestRateLimitHTTP(t *testing.T) {
	address := freeAddress(t)
	g := startLimiter(t, limits(t, map[string]string{"a.yaml": yearly("d", 1)}), "http "+address)
	ask := func(method, path, body string) (int, string, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Close = true // none is idle, and closed by the server as it is used again
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, res.Header.Get("Content-Type"), strings.ReplaceAll(strings.TrimSpace(string(text)), " ", "")
	}
	const call = `{"domain": "%s", "descriptors": [{"entries": [{"key": "%s", "value": "v"}]}]}`
	for _, tc := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/healthcheck", "", 200, "OK"},
		{"POST", "/json", fmt.Sprintf(call, "d", "k"), 200, `{"overallCode":"OK","statuses":[{"code":"OK","currentLimit":{"requestsPerUnit":1,"unit":"YEAR"},"durationUntilReset":`},
		{"POST", "/json", fmt.Sprintf(call, "d", "k"), 429, `{"overallCode":"OVER_LIMIT","statuses":[{"code":"OVER_LIMIT"`},
		{"POST", "/json", fmt.Sprintf(call, "d", "none"), 200, `{"overallCode":"OK","statuses":[{"code":"OK"}]}`},
		{"POST", "/json", fmt.Sprintf(call, "nowhere", "k"), 200, `{"overallCode":"OK","statuses":[{"code":"OK"}]}`},
		{"POST", "/json", fmt.Sprintf(call, "", "k"), 400, "BadRequest"},
		{"POST", "/json", `{"domain":"d"}`, 400, "BadRequest"},
		{"POST", "/json", `{"domain":`, 400, "BadRequest"},
		{"POST", "/json", "", 400, "BadRequest"},
		{"GET", "/elsewhere", "", 404, ""},
	} {
		status, kind, body := ask(tc.method, tc.path, tc.body)
		if status != tc.status || !strings.HasPrefix(body, tc.want) {
			t.Errorf("%s %.60s: %d %s, want %d %s", tc.path, tc.body, status, body, tc.status, tc.want)
		}
		if tc.path == "/json" && status != 400 && kind != "application/json" {
			t.Errorf("Content-Type %s", kind)
		}
	}
	if err := g.reload("ratelimit " + limits(t, map[string]string{"a.yaml": yearly("d", 2)}) + " {\nhttp " + address + "\n}"); err != nil {
		t.Fatal(err)
	}
	if status, _, body := ask("POST", "/json", fmt.Sprintf(call, "d", "k")); status != 429 {
		t.Errorf("after a reload: %d %s", status, body)
	}
}

// TestRateLimitHTTPDrains: a call over HTTP that is on its way when a reload
// begins is answered, though it takes longer than connections may that have not
// said yet what they want.
func TestRateLimitHTTPDrains(t *testing.T) {
	address := freeAddress(t)
	block := "drain 1m\nratelimit " + limits(t, map[string]string{"a.yaml": yearly("d", 1)}) + " {\nhttp " + address + "\n}"
	g := startSecure(t, freeAddress(t), block, insecure.NewCredentials(), keyed)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const call = `{"domain": "d", "descriptors": [{"entries": [{"key": "k", "value": "v"}]}]}`
	fmt.Fprintf(conn, "POST /json HTTP/1.1\r\nHost: weir\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(call))
	answers := bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") {
		t.Fatalf("%q, %v", line, err)
	}
	reloaded := make(chan error, 1)
	go func() { reloaded <- g.tryLoad(g.door() + keyed + "\n# once more\n") }()
	time.Sleep(envoyrls.Patience + time.Second/2)
	if _, err := answers.ReadString('\n'); err != nil { // which ends that answer
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, call); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("status %d", res.StatusCode)
	}
	if err := <-reloaded; err != nil {
		t.Error(err)
	}
}

// TestRateLimitRejected: mistakes in the block, and directories that are none.
func TestRateLimitRejected(t *testing.T) {
	dir := limits(t, nil)
	g := startLimiter(t, dir, "")
	for lines, want := range map[string]string{
		"ratelimit":               `expected "ratelimit DIRECTORY`,
		"ratelimit " + dir + " x": `expected "ratelimit DIRECTORY`,

		"ratelimit " + dir + "\nratelimit " + dir:            `"ratelimit" is repeated`,
		"ratelimit " + dir + " {\nheader on\n}":              `unknown directive "header" in ratelimit; did you mean "headers"?`,
		"ratelimit " + dir + " {\nheaders yes\n}":            `expected "headers on" or "headers off"`,
		"ratelimit " + dir + " {\nheaders on\nheaders on\n}": `"headers" is repeated`,
		"ratelimit " + dir + " {\nhttp\n}":                   `expected "http ADDRESS"`,
		"ratelimit " + dir + " {\nhttp udp/:1\n}":            "it needs a stream",
		"ratelimit " + dir + " {\npoll soon\n}":              "is not a duration",
		"ratelimit " + dir + "/none":                         "no such file or directory",
	} {
		if err := g.reload(lines); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", lines, err, want)
		}
	}
}
