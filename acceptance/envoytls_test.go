package acceptance

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A secured is a Weir whose door for Envoy speaks TLS, with the files that both
// sides have of certificates in a directory.
type secured struct {
	*Gateway
	dir     string
	weir    *authority // that signs Weir's certificate
	clients *authority // that signs Envoys', nil where none is asked for
	most    int        // requests of a key
}

// startSecured runs one until the test ends. mutual: Envoys must show
// certificates.
func startSecured(t *testing.T, mutual bool) *secured {
	t.Helper()
	sources()
	s := &secured{dir: t.TempDir(), most: 40}
	s.weir = newAuthority(t, s.file("weir-ca.pem"))
	s.weir.issue(t, "127.0.0.1", s.file("weir.pem"), s.file("weir-key.pem"))
	newAuthority(t, s.file("other-ca.pem")).issue(t, "127.0.0.1", s.file("other.pem"), s.file("other-key.pem"))
	asked := ""
	if mutual {
		s.clients = newAuthority(t, s.file("clients.pem"))
		s.clients.issue(t, "envoy.example", s.file("envoy.pem"), s.file("envoy-key.pem"))
		asked = "client_ca " + s.file("clients.pem")
	}
	s.Gateway = newGateway(t, "tls", s.caddyfile(t, "Caddyfile", asked), s.dir, nil)
	s.app, s.Host = "weir", "api.example"
	s.open(t, s.dir)
	return s
}

// caddyfile writes a configuration whose door has a line in its tls block, and
// returns its path.
func (s *secured) caddyfile(t *testing.T, name, line string) string {
	t.Helper()
	err := os.WriteFile(s.file(name), []byte(`{
	admin {$WEIR_ADMIN}
	weir {
		store memory volatile
		envoy {$WEIR_RLS_LISTEN} {
			tls `+s.file("weir.pem")+" "+s.file("weir-key.pem")+` {
				`+line+`
			}
		}
		policy api {
			subject {header.X-API-Key}
			limit requests {
				rolling 1h
				max 40
			}
		}
	}
}
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return s.file(name)
}

func (s *secured) file(name string) string { return filepath.Join(s.dir, name) }

// envoy runs a real Envoy as the command configures it, with these flags too,
// until the test ends. It returns the page of its statistics.
func (s *secured) envoy(t *testing.T, flags ...string) (stats func() string) {
	t.Helper()
	cmd := s.command("weir")
	cmd.Args = append(append(cmd.Args[:len(cmd.Args)-2], "envoy", "api", "--config", s.config, "--upstream", s.Origin.Address(),
		"--rls-ca", s.file("weir-ca.pem"), "--rls-cert", s.file("envoy.pem"), "--rls-key", s.file("envoy-key.pem")), flags...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	text := string(out)
	for from, to := range map[string]string{
		"port_value: 10000": "port_value: 0", "port_value: 9901": "port_value: 0", "timeout: 0.5s": "timeout: 30s", "connect_timeout: 1s": "connect_timeout: 30s",
	} {
		text = edited(t, text, from, to)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "envoy.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.launchEnvoy(t, envoyBinary(t), dir)
	return func() string {
		admin, err := os.ReadFile(filepath.Join(dir, "admin"))
		if err != nil {
			t.Fatal(err)
		}
		_, text := s.page("http://" + string(admin) + "/stats?filter=cluster.weir.ssl")
		return text
	}
}

// ask sends a request of a key through Envoy, and returns its status.
func (s *secured) ask(t *testing.T, key string) int {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.URL+"/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-API-Key", key)
	res, err := s.client.Do(r)
	if err != nil {
		t.Error(err)
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// wantExact has 8 clients send twice as many requests of a key as may pass.
func (s *secured) wantExact(t *testing.T, key string) {
	t.Helper()
	var passed, refused atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 2 * s.most / 8 {
				switch status := s.ask(t, key); status {
				case http.StatusOK:
					passed.Add(1)
				case http.StatusTooManyRequests:
					refused.Add(1)
				default:
					t.Errorf("status %d", status)
				}
			}
		})
	}
	group.Wait()
	if p, r := int(passed.Load()), int(refused.Load()); p != s.most || r != s.most {
		t.Errorf("%d passed and %d were refused, want %d each", p, r, s.most)
	}
}

// wantUnreachable asks an Envoy that cannot ask Weir, of either failure mode, for
// a key that has nothing left. statistic: one of Envoy's that is no longer 0.
func (s *secured) wantUnreachable(t *testing.T, key, statistic string, flags ...string) {
	t.Helper()
	for mode, want := range map[string]int{"deny": http.StatusServiceUnavailable, "allow": http.StatusOK} {
		stats := s.envoy(t, append(flags, "--on-failure", mode)...)
		if got := s.ask(t, key); got != want {
			t.Errorf("--on-failure %s: status %d, want %d", mode, got, want)
		}
		if statistic != "" && (!strings.Contains(stats(), statistic+": ") || strings.Contains(stats(), statistic+": 0\n")) {
			t.Errorf("--on-failure %s: %s in\n%s", mode, statistic, stats())
		}
	}
}

// TestEnvoyTLS: a real Envoy that `caddy weir envoy` configures asks Weir through
// TLS, and limits hold exactly. Where one side refuses the other Envoy's failure
// mode says what becomes of requests.
func TestEnvoyTLS(t *testing.T) {
	t.Parallel()
	envoyBinary(t)
	for name, mutual := range map[string]bool{"one side": false, "both sides": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSecured(t, mutual)
			t.Run("the right certificates", func(t *testing.T) {
				stats := s.envoy(t)
				s.wantExact(t, "k")
				if text := stats(); strings.Contains(text, "cluster.weir.ssl.handshake: 0\n") || !strings.Contains(text, "cluster.weir.ssl.handshake: ") {
					t.Errorf("no handshake in\n%s", text)
				}
			})
			t.Run("a Weir of somebody else's", func(t *testing.T) {
				s.wantUnreachable(t, "k", "cluster.weir.ssl.fail_verify_error", "--rls-ca", s.file("other-ca.pem"))
			})
			if mutual {
				t.Run("an Envoy of somebody else's", func(t *testing.T) {
					s.wantUnreachable(t, "k", "", "--rls-cert", s.file("other.pem"), "--rls-key", s.file("other-key.pem"))
				})
				t.Run("an Envoy of nobody's", func(t *testing.T) {
					s.wantUnreachable(t, "k", "", "--config", s.caddyfile(t, "asks-nobody", ""), "--adapter", "caddyfile")
				})
				if text := s.log.String(); !strings.Contains(text, "a client's TLS handshake failed") || !strings.Contains(text, "client didn't provide a certificate") {
					t.Errorf("the log says not why Envoys were refused:\n%s", text)
				}
			}
			t.Run("a Weir of another name", func(t *testing.T) {
				s.weir.issue(t, "localhost", s.file("weir.pem"), s.file("weir-key.pem"))
				s.wantUnreachable(t, "k", "cluster.weir.ssl.fail_verify_san")
				_, port, _ := strings.Cut(s.serves, ":")
				s.envoy(t, "--rls", "localhost:"+port)
				s.wantExact(t, "by its name")
			})
		})
	}
}
