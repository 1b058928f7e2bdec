package envoyrls_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/weirhq/weir/envoyrls"
)

// fixed has a policy api of so many in a fixed hour for all.
func fixed(most int) string {
	return fmt.Sprintf("store memory volatile\npolicy api {\nper all\nlimit requests {\nfixed 1h\nmax %d\n}\nheaders x-ratelimit delta\n}", most)
}

// TestBothDoors: requests through Envoy and through Caddy are counted together,
// exactly.
func TestBothDoors(t *testing.T) {
	const most, clients, each = 1000, 64, 24
	g := start(t, fixed(most))
	var viaEnvoy, viaCaddy atomic.Int64
	var group sync.WaitGroup
	for i := range clients {
		group.Go(func() {
			for range each {
				if i%2 == 0 {
					viaEnvoy.Add(g.tryEnvoy())
				} else {
					viaCaddy.Add(g.tryCaddy())
				}
			}
		})
	}
	group.Wait()
	if sum := viaEnvoy.Load() + viaCaddy.Load(); sum != most {
		t.Errorf("%d admitted, want %d", sum, most)
	}
	if viaEnvoy.Load() == 0 || viaCaddy.Load() == 0 {
		t.Errorf("%d through Envoy, %d through Caddy", viaEnvoy.Load(), viaCaddy.Load())
	}
}

// tryEnvoy returns 1 if a request through Envoy is admitted.
func (g *gateway) tryEnvoy() int64 {
	if r := g.ask("api", entries("path", "/api/x")); r.GetOverallCode() == ok {
		return 1
	}
	return 0
}

// tryCaddy returns 1 if a request through Caddy is admitted.
func (g *gateway) tryCaddy() int64 {
	r, err := http.NewRequestWithContext(g.t.Context(), http.MethodGet, "http://"+g.site+"/api/x", http.NoBody)
	if err != nil {
		g.t.Error(err)
		return 0
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		g.t.Error(err)
		return 0
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK {
		return 1
	}
	return 0
}

// TestReloadUnderLoad: no call fails while configurations come and go, neither
// on connections that last nor on new ones, and none is counted twice.
func TestReloadUnderLoad(t *testing.T) {
	ca, dir := newAuthority(t, "ca"), t.TempDir()
	for name, start := range map[string]func(t *testing.T) *gateway{
		"tcp": func(t *testing.T) *gateway { return start(t, fixed(1_000_000)) },
		"unix": func(t *testing.T) *gateway {
			return startOn(t, "unix/"+filepath.Join(shortDir(t), "weir.sock"), fixed(1_000_000))
		},
		"tls": func(t *testing.T) *gateway { return secure(t, ca, nil, dir, "") },
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t)
			var asked, failed atomic.Int64
			ctx, cancel := context.WithCancel(t.Context())
			var group sync.WaitGroup
			for i := range 8 {
				group.Go(func() {
					for ctx.Err() == nil {
						client := g.client
						if i%2 == 0 {
							conn := g.connect(t)
							client = rls.NewRateLimitServiceClient(conn)
							defer conn.Close()
						}
						for range 20 {
							asked.Add(1)
							if err := g.call(client); err != nil {
								failed.Add(1)
								t.Error(err)
								return
							}
						}
					}
				})
			}
			for i := range 6 {
				began := time.Now()
				g.load(g.door() + fixed(1_000_000+i))
				if took := time.Since(began); took > envoyrls.Patience+10*time.Second {
					t.Errorf("reload took %s", took)
				}
			}
			cancel()
			group.Wait()
			r := g.want(ok, "api", entries("path", "/"))
			if used := 1_000_005 - int64(r.GetStatuses()[0].GetLimitRemaining()); used != asked.Load()+1 {
				t.Errorf("%d counted of %d calls", used, asked.Load()+1)
			}
			t.Logf("%d calls, %d failed", asked.Load(), failed.Load())
		})
	}
}

// call asks once, and fails where the call does.
func (g *gateway) call(client rls.RateLimitServiceClient) error {
	_, err := client.ShouldRateLimit(context.Background(), &rls.RateLimitRequest{
		Domain: "api", Descriptors: []*descriptor{entries("path", "/")},
	})
	return err
}

func TestHealth(t *testing.T) {
	g := start(t, fixed(1))
	client := grpc_health_v1.NewHealthClient(g.dial())
	for _, name := range []string{"", "ratelimit"} {
		r, err := client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: name})
		if err != nil || r.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf("%q: %v, %v", name, r, err)
		}
	}
	watch, err := client.Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	g.load("envoy " + g.target + "\n" + fixed(2))
	if took := time.Since(began); took > envoyrls.Patience+10*time.Second {
		t.Errorf("a watcher holds up a reload for %s", took)
	}
}

// TestAddressInUse: a configuration whose door cannot listen is rejected, and
// the running one goes on.
func TestAddressInUse(t *testing.T) {
	g := start(t, fixed(5))
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	err = g.tryLoad("envoy " + g.target + "\nenvoy " + taken.Addr().String() + "\n" + fixed(9))
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Fatalf("error %v", err)
	}
	if r := g.want(ok, "api", entries("path", "/")); r.GetStatuses()[0].GetCurrentLimit().GetRequestsPerUnit() != 5 {
		t.Errorf("another configuration runs: %v", r)
	}
}

// TestAddressTwice: two that listen on one address would each get some of its
// connections, so such a configuration is rejected.
func TestAddressTwice(t *testing.T) {
	g := start(t, fixed(5))
	dir := limits(t, map[string]string{"a.yaml": yearly("d", 1)})
	other := freeAddress(t)
	for _, doors := range []string{
		"envoy " + g.target + "\nenvoy " + g.target + "\n",
		"envoy " + other + "\nenvoy " + other + "\n",
		"envoy " + g.target + " {\nratelimit " + dir + " {\nhttp " + g.target + "\n}\n}\n",
	} {
		err := g.tryLoad(doors + fixed(9))
		if err == nil || !strings.Contains(err.Error(), "listens there already") {
			t.Errorf("%s: error %v", doors, err)
		}
		if r := g.ask("api", entries("path", "/")); r.GetStatuses()[0].GetCurrentLimit().GetRequestsPerUnit() != 5 {
			t.Errorf("%s: another configuration runs: %v", doors, r)
		}
	}
	g.load(g.door() + fixed(9)) // nothing of those rejected is left
	if r := g.ask("api", entries("path", "/")); r.GetStatuses()[0].GetCurrentLimit().GetRequestsPerUnit() != 9 {
		t.Errorf("after a reload: %v", r)
	}
}

// TestWrongConfigurations are rejected, each with its place.
func TestWrongConfigurations(t *testing.T) {
	g := start(t, fixed(1))
	for line, want := range map[string]string{
		"envoy":                                  `expected "envoy ADDRESS { ... }"`,
		"envoy :1 :2":                            `":2" is too much`,
		"envoy :1 {\ndrane 1s\n}":                `unknown directive "drane"`,
		"envoy :1 {\ndrain soon\n}":              `"soon" is not a duration`,
		"envoy :1 {\ndrain\n}":                   `expected "drain DURATION"`,
		"envoy :1 {\ndrain 1s\ndrain 1s\n}":      `"drain" is repeated`,
		"envoi :1":                               `unknown directive "envoi" in the option "weir"; did you mean "envoy"?`,
		"envoy udp/:1":                           "it needs a stream",
		"envoy 127.0.0.1:1-2":                    "one port, not 2",
		"envoy {env.WEIR_TEST_NO_SUCH_VARIABLE}": "address:",
		"envoy :99999":                           "address",
	} {
		if err := g.tryLoad(line + "\n" + fixed(1)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", line, err, want)
		}
	}
}

// TestReflection: what the server offers is told where that is asked for.
func TestReflection(t *testing.T) {
	g := startSecure(t, freeAddress(t), "reflection", insecure.NewCredentials(), fixed(1))
	ask := func() (names []string, err error) {
		stream, err := grpc_reflection_v1.NewServerReflectionClient(g.dial()).ServerReflectionInfo(t.Context())
		if err != nil {
			return nil, err
		}
		_ = stream.Send(&grpc_reflection_v1.ServerReflectionRequest{
			MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{},
		})
		r, err := stream.Recv()
		for _, s := range r.GetListServicesResponse().GetService() {
			names = append(names, s.GetName())
		}
		return names, errors.Join(err, stream.CloseSend())
	}
	if names, err := ask(); err != nil || !slices.Contains(names, "envoy.service.ratelimit.v3.RateLimitService") {
		t.Errorf("%v, %v", names, err)
	}
	g.block = ""
	g.load(g.door() + fixed(1))
	if names, err := ask(); status.Code(err) != codes.Unimplemented {
		t.Errorf("reflection answers %v, %v though nobody asked for it", names, err)
	}
}
