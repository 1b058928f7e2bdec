package envoyrls_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// secure starts a gateway whose door has a certificate of ca, in dir. lines are
// those of the directive's block.
func secure(t *testing.T, ca, client *authority, dir, lines string) *gateway {
	t.Helper()
	ca.issueTo(dir, 2)
	block := fmt.Sprintf("tls %s/cert.pem %s/key.pem {\n%s\n}", dir, dir, lines)
	return startSecure(t, freeAddress(t), block, ca.creds(client), fixed(1_000_000))
}

// try makes a call on a connection of its own.
func (g *gateway) try(creds credentials.TransportCredentials) error {
	conn, err := grpc.NewClient(g.target, grpc.WithTransportCredentials(creds))
	if err != nil {
		return err
	}
	defer conn.Close()
	return g.call(rls.NewRateLimitServiceClient(conn))
}

// serial returns the serial number of the certificate that the door shows now.
func (g *gateway) serial(config *tls.Config) int64 {
	g.t.Helper()
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	conn, err := (&tls.Dialer{Config: config}).DialContext(g.t.Context(), "tcp", g.target)
	if err != nil {
		g.t.Fatal(err)
	}
	defer conn.Close()
	state := conn.(*tls.Conn).ConnectionState()
	if state.NegotiatedProtocol != "h2" {
		g.t.Errorf("protocol %q", state.NegotiatedProtocol)
	}
	return state.PeerCertificates[0].SerialNumber.Int64()
}

func TestTLS(t *testing.T) {
	ca := newAuthority(t, "ca")
	g := secure(t, ca, nil, t.TempDir(), "")
	g.want(ok, "api", entries("path", "/"))
	if err := g.try(insecure.NewCredentials()); err == nil {
		t.Error("a client in the clear is answered")
	}
	if err := g.try(newAuthority(t, "other").creds(nil)); err == nil {
		t.Error("a client that trusts somebody else is answered")
	}
	old := ca.trusts(nil)
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if err := g.try(credentials.NewTLS(old)); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if err := g.try(credentials.NewTLS(old)); err != nil {
		t.Errorf("TLS 1.2: %v", err)
	}
}

func TestMutualTLS(t *testing.T) {
	ca, clients, more, other := newAuthority(t, "ca"), newAuthority(t, "clients"), newAuthority(t, "more"), newAuthority(t, "other")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "clients.pem"), clients.PEM())
	write(t, filepath.Join(dir, "more.pem"), more.PEM())
	g := secure(t, ca, clients, dir, fmt.Sprintf("client_ca %s/clients.pem %s/more.pem", dir, dir))
	g.want(ok, "api", entries("path", "/"))
	for name, tc := range map[string]struct {
		signer  *authority
		welcome bool
	}{
		"one's": {clients, true}, "another's": {more, true}, "a stranger's": {other, false}, "the server's": {ca, false}, "none": {nil, false},
	} {
		if err := g.try(ca.creds(tc.signer)); (err == nil) != tc.welcome {
			t.Errorf("with %s certificate: %v", name, err)
		}
	}
	// Whom the file no longer names is turned away at the next connection.
	write(t, filepath.Join(dir, "more.pem"), other.PEM())
	if err := g.try(ca.creds(other)); err != nil {
		t.Errorf("whom the new file names: %v", err)
	}
	if err := g.try(ca.creds(more)); err == nil {
		t.Error("whom only the old file named is answered")
	}
}

// TestRotation: certificates change under calls, and none fails. What makes no
// sense is not taken.
func TestRotation(t *testing.T) {
	ca, dir := newAuthority(t, "ca"), t.TempDir()
	g := secure(t, ca, nil, dir, "")
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	var lasting, fresh atomic.Int64
	for i := range 4 {
		group.Go(func() {
			for ctx.Err() == nil {
				var err error
				if i%2 == 0 {
					lasting.Add(1)
					err = g.call(g.client)
				} else {
					fresh.Add(1)
					err = g.try(g.creds)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for serial := int64(3); serial < 8; serial++ {
		ca.issueTo(dir, serial)
		if got := g.serial(ca.trusts(nil)); got != serial {
			t.Errorf("certificate %d is shown, want %d", got, serial)
		}
	}
	certificate, key := ca.issue(9)
	write(t, filepath.Join(dir, "cert.pem"), certificate) // whose key is another one
	if got := g.serial(ca.trusts(nil)); got != 7 {
		t.Errorf("certificate %d is shown without its key", got)
	}
	if err := os.Remove(filepath.Join(dir, "key.pem")); err != nil {
		t.Fatal(err)
	}
	if got := g.serial(ca.trusts(nil)); got != 7 {
		t.Errorf("certificate %d is shown, though there is no key", got)
	}
	write(t, filepath.Join(dir, "key.pem"), key)
	if got := g.serial(ca.trusts(nil)); got != 9 {
		t.Errorf("certificate %d is shown, want 9", got)
	}
	// A file that is written in place counts as soon as it is whole.
	certificate, key = ca.issue(10)
	for name, text := range map[string][]byte{"cert.pem": certificate, "key.pem": key} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
		g.serial(ca.trusts(nil))
	}
	if got := g.serial(ca.trusts(nil)); got != 10 {
		t.Errorf("certificate %d is shown, want 10", got)
	}
	cancel()
	group.Wait()
	if lasting.Load() == 0 || fresh.Load() == 0 {
		t.Errorf("%d calls on connections that last, %d on new ones", lasting.Load(), fresh.Load())
	}
}

// TestSwappedDirectory: Kubernetes exchanges a symbolic link.
func TestSwappedDirectory(t *testing.T) {
	ca, root := newAuthority(t, "ca"), t.TempDir()
	for i, name := range []string{"one", "two"} {
		if err := os.Mkdir(filepath.Join(root, name), 0o700); err != nil {
			t.Fatal(err)
		}
		ca.issueTo(filepath.Join(root, name), int64(20+i))
	}
	link := filepath.Join(root, "data")
	if err := os.Symlink("one", link); err != nil {
		t.Fatal(err)
	}
	g := startSecure(t, freeAddress(t), fmt.Sprintf("tls %s/cert.pem %s/key.pem", link, link), ca.creds(nil), fixed(5))
	if got := g.serial(ca.trusts(nil)); got != 20 {
		t.Errorf("certificate %d", got)
	}
	if err := os.Symlink("two", link+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
	if got := g.serial(ca.trusts(nil)); got != 21 {
		t.Errorf("certificate %d after the exchange", got)
	}
}

// TestWrongTLS is rejected with the file's name and the option's.
func TestWrongTLS(t *testing.T) {
	g := start(t, fixed(1))
	dir := t.TempDir()
	newAuthority(t, "ca").issueTo(dir, 2)
	_, key := newAuthority(t, "other").issue(3)
	write(t, filepath.Join(dir, "other.pem"), key)
	write(t, filepath.Join(dir, "empty.pem"), nil)
	for line, want := range map[string]string{
		"tls":                        `expected "tls CERTIFICATE KEY { ... }", two PEM files`,
		"tls D/cert.pem":             `expected "tls CERTIFICATE KEY { ... }"`,
		"tls D/cert.pem D/key.pem x": `expected "tls CERTIFICATE KEY { ... }"`,
		"tls D/cert.pem D/key.pem {\nclient_cas x\n}":          `unknown directive "client_cas" in tls; did you mean "client_ca"?`,
		"tls D/cert.pem D/key.pem {\nclient_ca\n}":             `expected "client_ca FILE ..."`,
		"tls D/none.pem D/key.pem":                             "tls: certificate: open D/none.pem: no such file",
		"tls D/cert.pem D/none.pem":                            "tls: key: open D/none.pem: no such file",
		"tls D/cert.pem D/other.pem":                           "tls: certificate D/cert.pem and key D/other.pem: tls: private key does not match",
		"tls D/empty.pem D/key.pem":                            "tls: certificate D/empty.pem and key D/key.pem: tls: failed to find any PEM data",
		"tls D/cert.pem D/key.pem {\nclient_ca D/none.pem\n}":  "tls: client_ca: open D/none.pem: no such file",
		"tls D/cert.pem D/key.pem {\nclient_ca D/empty.pem\n}": "tls: client_ca: D/empty.pem holds no certificate in PEM",
		`tls "" D/key.pem`:                                     "tls: certificate: expected the path of a PEM file",
		"tls {env.WEIR_TEST_NO_SUCH_VARIABLE} D/key.pem":       "tls: certificate:",
		"tls D/cert.pem D/key.pem\ntls D/cert.pem D/key.pem":   `"tls" is repeated`,
		"tsl a b":       `unknown directive "tsl" in envoy; did you mean "tls"?`,
		"reflection on": `expected "reflection"`,
	} {
		line, want = strings.ReplaceAll(line, "D/", dir+"/"), strings.ReplaceAll(want, "D/", dir+"/")
		err := g.tryLoad("envoy 127.0.0.1:1 {\n" + line + "\n}\n" + fixed(1))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", line, err, want)
		}
	}
}

// TestSilentConnections: those who connect and say nothing do not hold up a
// reload.
func TestSilentConnections(t *testing.T) {
	ca := newAuthority(t, "ca")
	for name, g := range map[string]func() *gateway{
		"clear": func() *gateway { return start(t, fixed(5)) },
		"tls":   func() *gateway { return secure(t, ca, nil, t.TempDir(), "") },
	} {
		t.Run(name, func(t *testing.T) {
			g := g()
			conn, err := net.Dial("tcp", g.target)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			g.want(ok, "api", entries("path", "/")) // the door has the connection by now
			began := time.Now()
			g.load(g.door() + fixed(6))
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("reload took %s", took)
			}
			g.want(ok, "api", entries("path", "/"))
		})
	}
}
