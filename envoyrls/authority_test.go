package envoyrls_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc/credentials"

	"github.com/weirhq/weir/internal/testca"
)

// An authority signs certificates for one test.
type authority struct {
	*testca.Authority
	t *testing.T
}

// newAuthority makes one of that name.
func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	return &authority{testca.New(t, name), t}
}

// issue returns a certificate for 127.0.0.1 and its key, in PEM.
func (a *authority) issue(serial int64) (certificate, key []byte) {
	a.t.Helper()
	return a.Issue(a.t, "127.0.0.1", serial)
}

// issueTo writes a certificate and its key into dir.
func (a *authority) issueTo(dir string, serial int64) {
	a.t.Helper()
	certificate, key := a.issue(serial)
	write(a.t, filepath.Join(dir, "cert.pem"), certificate)
	write(a.t, filepath.Join(dir, "key.pem"), key)
}

// write replaces a file in one step.
func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// trusts returns a client's configuration that trusts a, with a certificate of
// signer's unless that is nil.
func (a *authority) trusts(signer *authority) *tls.Config {
	a.t.Helper()
	c := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	c.RootCAs.AddCert(a.Certificate)
	if signer != nil {
		pair, err := tls.X509KeyPair(signer.issue(7))
		if err != nil {
			a.t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

// creds is trusts, for grpc-go.
func (a *authority) creds(signer *authority) credentials.TransportCredentials {
	a.t.Helper()
	return credentials.NewTLS(a.trusts(signer))
}
