package envoyrls_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// hosts are virtual hosts of an Envoy, each with what its filter does when Weir
// does not answer.
var hosts = map[string]string{
	"deny":   "failure_mode_deny: true",
	"pass":   "failure_mode_deny: false",
	"status": "failure_mode_deny: true\n                      status_on_error: { code: 503 }",
}

// before runs Envoy in front of an origin, with Weir at the address, and returns
// Envoy's. secured are lines of Weir's cluster.
func before(t *testing.T, weir, secured string) (listen string) {
	t.Helper()
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	t.Cleanup(origin.Close)
	f := &front{t: t, address: freeAddress(t)}
	var filters, virtual strings.Builder
	for name, failing := range hosts {
		fmt.Fprintf(&filters, `
                  - name: %s
                    disabled: true
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit
                      domain: api
                      timeout: 2s
                      %s
                      rate_limit_service:
                        transport_api_version: V3
                        grpc_service: { envoy_grpc: { cluster_name: weir } }`, name, failing)
		fmt.Fprintf(&virtual, `
                    - name: %[1]s
                      domains: ["%[1]s.localhost"]
                      typed_per_filter_config:
                        %[1]s: { "@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, config: {} }
                      rate_limits:
                        - actions: [{ request_headers: { header_name: ":path", descriptor_key: path } }]
                      routes: [{ match: { prefix: / }, route: { cluster: origin } }]`, name)
	}
	path := filepath.Join(t.TempDir(), "envoy.yaml")
	write(t, path, fmt.Appendf(nil, `
admin: { address: { socket_address: { address: 127.0.0.1, port_value: 9901 } } }
static_resources:
  listeners:
    - name: api
      address: { socket_address: { address: 127.0.0.1, port_value: 10000 } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: api
                http_filters:%s
                  - name: envoy.filters.http.router
                    typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
                route_config:
                  virtual_hosts:%s
  clusters:
    - name: weir
      connect_timeout: 1s
      load_assignment: { cluster_name: weir, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: %s } } }] }] }
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: { http2_protocol_options: {} }
%s
    - name: origin
      connect_timeout: 1s
      load_assignment: { cluster_name: origin, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: %s } } }] }] }
`, filters.String(), virtual.String(), place(weir), secured, place(origin.Listener.Addr().String())))
	f.runEnvoy(envoyBinary(t), path, map[string]string{})
	return f.address
}

// place spells an address for Envoy.
func place(address string) string {
	host, port, _ := net.SplitHostPort(address)
	return fmt.Sprintf("{ address: %s, port_value: %s }", host, port)
}

// wantHosts asks at each host, and requires these statuses, with rate limit
// headers where Weir decided.
func wantHosts(t *testing.T, listen string, statuses map[string]int, decided bool) {
	t.Helper()
	for host, status := range statuses {
		var a answer
		for range 50 { // Envoy connects anew only so often
			if a = get(t, listen, host, "GET /", "", ""); a.status == status && (a.header.Get("X-RateLimit-Limit") != "") == decided {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if a.status != status || (a.header.Get("X-RateLimit-Limit") != "") != decided {
			t.Errorf("%s: %d %v, want %d, decided: %t", host, a.status, a.header, status, decided)
		}
	}
}

// TestWeirDown: without Weir, Envoy does what failure_mode_deny says, and with it
// again, what Weir says.
func TestWeirDown(t *testing.T) {
	envoyBinary(t)
	g := start(t, fixed(1000))
	listen := before(t, g.target, "")
	fine := map[string]int{"deny": 200, "pass": 200, "status": 200}
	wantHosts(t, listen, fine, true)

	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	wantHosts(t, listen, map[string]int{"deny": 500, "pass": 200, "status": 503}, false)
	g.load(g.door() + fixed(1000))
	wantHosts(t, listen, fine, true)

	// Somebody who accepts connections and never answers is no Weir either.
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	silent, err := net.Listen("tcp", g.target)
	if err != nil {
		t.Fatal(err)
	}
	wantHosts(t, listen, map[string]int{"deny": 500, "pass": 200, "status": 503}, false)
	silent.Close()
	g.load(g.door() + fixed(1000))
	wantHosts(t, listen, fine, true)

	// And a limit refuses wherever failures pass.
	g.load(g.door() + fixed(0))
	wantHosts(t, listen, map[string]int{"deny": 429, "pass": 429, "status": 429}, true)
}

// TestEnvoyOverTLS: with certificates on both sides no request fails while they
// and Weir's configuration change.
func TestEnvoyOverTLS(t *testing.T) {
	envoyBinary(t)
	ca, clients, dir := newAuthority(t, "ca"), newAuthority(t, "clients"), t.TempDir()
	certificate, key := clients.issue(5)
	for name, text := range map[string][]byte{
		"ca.pem": ca.PEM(), "clients.pem": clients.PEM(), "envoy.pem": certificate, "envoy-key.pem": key,
	} {
		write(t, filepath.Join(dir, name), text)
	}
	g := secure(t, ca, clients, dir, "client_ca "+dir+"/clients.pem")
	secured := fmt.Sprintf(`
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
          common_tls_context:
            tls_certificates:
              - certificate_chain: { filename: %[1]s/envoy.pem }
                private_key: { filename: %[1]s/envoy-key.pem }
            validation_context: { trusted_ca: { filename: %[1]s/ca.pem } }`, dir)
	listen := before(t, g.target, secured)
	wantHosts(t, listen, map[string]int{"deny": 200}, true)

	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	var asked atomic.Int64
	for range 4 {
		group.Go(func() {
			for ctx.Err() == nil {
				asked.Add(1)
				if a := get(t, listen, "deny", "GET /", "", ""); a.status != 200 {
					t.Errorf("%d %v", a.status, a.header)
					return
				}
			}
		})
	}
	for i := range 5 {
		ca.issueTo(dir, int64(30+i))
		g.load(g.door() + fixed(1_000_000+i))
		for n := asked.Load(); asked.Load() < n+40 && !t.Failed(); time.Sleep(time.Millisecond) {
		}
	}
	cancel()
	group.Wait()
	t.Logf("%d requests", asked.Load())

	// An Envoy whose certificate is no longer wanted is not answered.
	write(t, filepath.Join(dir, "clients.pem"), ca.PEM())
	g.load(g.door() + fixed(1_000_000))
	wantHosts(t, listen, map[string]int{"deny": 500, "pass": 200}, false)
}
