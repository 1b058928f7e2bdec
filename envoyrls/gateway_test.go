package envoyrls_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	limit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	_ "github.com/weirhq/weir/envoyrls"
)

// A gateway is Caddy with Weir and a door for Envoy, running in this process.
// There is one at a time.
type gateway struct {
	t      *testing.T
	site   string // host:port
	admin  string
	target string // of gRPC
	creds  credentials.TransportCredentials

	address, block string // of the door, in the Caddyfile
	client         rls.RateLimitServiceClient
}

const (
	ok   = rls.RateLimitResponse_OK
	over = rls.RateLimitResponse_OVER_LIMIT
)

// start runs a gateway with this option weir and a site that it limits.
func start(t *testing.T, weir string) *gateway {
	t.Helper()
	return startOn(t, freeAddress(t), weir)
}

// startOn is start with the address of the door, as Caddyfiles spell it.
func startOn(t *testing.T, address, weir string) *gateway {
	t.Helper()
	return startSecure(t, address, "", insecure.NewCredentials(), weir)
}

// startSecure is startOn with lines of the door's block, and what clients need
// for its connections.
func startSecure(t *testing.T, address, block string, creds credentials.TransportCredentials, weir string) *gateway {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	g := &gateway{t: t, site: freeAddress(t), admin: freeAddress(t), target: address, block: block, creds: creds}
	if path, found := strings.CutPrefix(address, "unix/"); found {
		g.target = "unix:" + path
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	g.address = address
	g.load(g.door() + weir)
	g.client = rls.NewRateLimitServiceClient(g.dial())
	return g
}

// door returns the option's lines for the door.
func (g *gateway) door() string {
	if g.block == "" {
		return "envoy " + g.address + "\n"
	}
	return "envoy " + g.address + " {\n" + g.block + "\n}\n"
}

// dial returns a connection to the door.
func (g *gateway) dial() *grpc.ClientConn {
	g.t.Helper()
	conn := g.connect(g.t)
	g.t.Cleanup(func() { conn.Close() })
	return conn
}

// freeAddress returns an address of this machine that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// load replaces the configuration.
func (g *gateway) load(weir string) {
	g.t.Helper()
	if err := g.tryLoad(weir); err != nil {
		g.t.Fatalf("loading: %v", err)
	}
}

// tryLoad replaces the configuration, or returns why it was rejected.
func (g *gateway) tryLoad(weir string) error {
	text := "{\n\tadmin " + g.admin + "\n\tpersist_config off\n\tstorage file_system " + g.t.TempDir() +
		"\n\tlog {\n\t\toutput discard\n\t}\n\tweir {\n" + weir + "\n}\n}\nhttp://" + g.site +
		" {\n\tbind 127.0.0.1\n\tmetrics /metrics\n\troute /api/* {\n\t\tweir api\n\t\trespond hello\n\t}\n}\n"
	json, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), nil)
	if err != nil {
		return err
	}
	return caddy.Load(json, true)
}

// entries makes a descriptor of key, value pairs.
func entries(pairs ...string) *limit.RateLimitDescriptor {
	d := new(limit.RateLimitDescriptor)
	for i := 0; i+1 < len(pairs); i += 2 {
		d.Entries = append(d.Entries, &limit.RateLimitDescriptor_Entry{Key: pairs[i], Value: pairs[i+1]})
	}
	return d
}

// hits sets a descriptor's hits_addend.
func hits(d *limit.RateLimitDescriptor, n uint64) *limit.RateLimitDescriptor {
	d.HitsAddend = wrapperspb.UInt64(n)
	return d
}

// ask makes a call that must be answered.
func (g *gateway) ask(domain string, descriptors ...*limit.RateLimitDescriptor) *rls.RateLimitResponse {
	g.t.Helper()
	r, err := g.client.ShouldRateLimit(g.t.Context(), &rls.RateLimitRequest{Domain: domain, Descriptors: descriptors})
	if err != nil {
		g.t.Fatal(err)
	}
	if len(r.GetStatuses()) != len(descriptors) {
		g.t.Fatalf("%d statuses for %d descriptors", len(r.GetStatuses()), len(descriptors))
	}
	return r
}

// want makes a call, and requires its overall code.
func (g *gateway) want(code rls.RateLimitResponse_Code, domain string, descriptors ...*limit.RateLimitDescriptor) *rls.RateLimitResponse {
	g.t.Helper()
	r := g.ask(domain, descriptors...)
	if r.GetOverallCode() != code {
		g.t.Fatalf("%s, want %s: %v", r.GetOverallCode(), code, r)
	}
	return r
}

// wantError requires that a call fails so.
func (g *gateway) wantError(code codes.Code, text string, r *rls.RateLimitRequest) {
	g.t.Helper()
	_, err := g.client.ShouldRateLimit(g.t.Context(), r)
	if s := status.Convert(err); s.Code() != code || !strings.Contains(s.Message(), text) {
		g.t.Errorf("error %v, want %s: %s", err, code, text)
	}
}

// header returns the value of the one field of that name, "" for none.
func header(t *testing.T, r *rls.RateLimitResponse, name string) (value string) {
	t.Helper()
	n := 0
	for _, h := range r.GetResponseHeadersToAdd() {
		if strings.EqualFold(h.GetKey(), name) {
			value, n = h.GetValue(), n+1
		}
	}
	if n > 1 {
		t.Errorf("%d fields %s", n, name)
	}
	return value
}

// subjects writes a file of subjects, and returns its path.
func subjects(t *testing.T, json string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "subjects.json")
	if err := os.WriteFile(path, []byte(`{"subjects": `+json+`}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// scrape returns the value of a metric without labels.
func (g *gateway) scrape(name string) string {
	g.t.Helper()
	var text []byte
	// Whoever connects while a configuration begins that is then rejected may have
	// been connected to that.
	eventually(g.t, "the metrics can be read", func() bool {
		r, err := http.NewRequestWithContext(g.t.Context(), http.MethodGet, "http://"+g.site+"/metrics", http.NoBody)
		if err != nil {
			g.t.Fatal(err)
		}
		r.Close = true // a reload may close the connection
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return false
		}
		defer res.Body.Close()
		text, err = io.ReadAll(res.Body)
		return err == nil
	})
	for line := range strings.SplitSeq(string(text), "\n") {
		if value, found := strings.CutPrefix(line, name+" "); found {
			return value
		}
	}
	return ""
}

type descriptor = limit.RateLimitDescriptor

// connect is dial for a connection that the caller closes.
func (g *gateway) connect(t *testing.T) *grpc.ClientConn {
	conn, err := grpc.NewClient(g.target, grpc.WithTransportCredentials(g.creds))
	if err != nil {
		t.Error(err)
	}
	return conn
}

// shortDir returns a directory whose path is short enough for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
