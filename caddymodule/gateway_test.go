package caddymodule

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

// A gateway is Caddy with Weir, running in this process. There is one at a
// time.
type gateway struct {
	t     *testing.T
	site  string // host:port
	admin string
	log   string // the option

	listening chan struct{} // closed when the running configuration listens no more
}

// start runs a gateway with these global options and this site.
func start(t *testing.T, options, site string) *gateway {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	addresses := freeAddresses(t, 2)
	g := &gateway{t: t, site: addresses[0], admin: addresses[1]}
	if !strings.Contains(options, "log {") {
		g.log = "log {\n\t\toutput discard\n\t}"
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
		eventually(t, "all stores are closed", func() bool { return storeName(t) == "" })
	})
	g.load(options, site)
	return g
}

// in returns the gateway for a subtest.
func (g *gateway) in(t *testing.T) *gateway {
	sub := *g
	sub.t = t
	return &sub
}

// freeAddresses returns addresses of this machine that nobody listens on, no
// two the same.
func freeAddresses(t *testing.T, n int) (addresses []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addresses = append(addresses, l.Addr().String())
	}
	return addresses
}

// load replaces the configuration. The old one answers no new request then.
func (g *gateway) load(options, site string) {
	g.t.Helper()
	if err := g.tryLoad(options, site); err != nil {
		g.t.Fatalf("loading: %v", err)
	}
	if g.listening != nil {
		<-g.listening
	}
	g.listening = watched
}

// tryLoad replaces the configuration, or returns why it was rejected.
func (g *gateway) tryLoad(options, site string) error {
	g.t.Helper()
	return caddy.Load(g.adapt(options, site), true)
}

// adapt returns the configuration's JSON.
func (g *gateway) adapt(options, site string) []byte {
	g.t.Helper()
	text := "{\n\tadmin " + g.admin + "\n\tpersist_config off\n\tgrace_period 5s\n\tstorage file_system " +
		g.t.TempDir() + "\n\t" + g.log + "\n\t" + options + "\n}\nhttp://" + g.site + " {\n\tbind 127.0.0.1\n\twatch\n\t" + site + "\n}\n"
	json, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), nil)
	if err != nil {
		g.t.Fatalf("adapting: %v\n%s", err, text)
	}
	return json
}

// An exchange is a request, and afterwards the response to it.
type exchange struct {
	status int
	header http.Header
	body   string
	res    *http.Response
}

// fresh is a client that connects anew for every request: a reload closes
// connections that are idle.
var fresh = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// do sends a request with header lines such as "X-API-Key: alice".
func (g *gateway) do(method, path string, lines ...string) exchange {
	g.t.Helper()
	return g.send(fresh, g.request(method, path, nil, lines...))
}

// request returns a request to the gateway.
func (g *gateway) request(method, path string, body io.Reader, lines ...string) *http.Request {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), method, "http://"+g.site+path, body)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// send sends the request and reads the whole response. A reload of Caddy closes
// connections that it has not read a request from: such a request is sent again.
func (g *gateway) send(c *http.Client, r *http.Request) exchange {
	g.t.Helper()
	res, err := c.Do(r)
	for try := 0; err != nil && try < 200 && r.Body == nil && g.t.Context().Err() == nil; try++ {
		res, err = c.Do(r)
	}
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatalf("%s %s: reading the response: %v", r.Method, r.URL, err)
	}
	return exchange{res.StatusCode, res.Header, string(body), res}
}

// raw sends the text of an HTTP/1.1 request, whose connection it asks to close,
// and returns the response's head and body as they came over the wire.
func (g *gateway) raw(text string) string {
	g.t.Helper()
	conn, err := net.Dial("tcp", g.site)
	if err != nil {
		g.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		g.t.Fatal(err)
	}
	all, err := io.ReadAll(bufio.NewReader(conn))
	if err != nil {
		g.t.Fatal(err)
	}
	return strings.ReplaceAll(string(all), "\r\n", "\n")
}

// wantStatus checks the status.
func (g *gateway) wantStatus(e exchange, want int) {
	g.t.Helper()
	if e.status != want {
		g.t.Fatalf("status %d, want %d; %v %q", e.status, want, e.header, e.body)
	}
}

// origin runs an upstream, and returns its address.
func origin(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}
