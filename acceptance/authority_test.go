package acceptance

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/weirhq/weir/internal/testca"
)

// An authority signs certificates, which it writes to files.
type authority struct{ *testca.Authority }

// newAuthority makes one, whose certificate it writes to a file.
func newAuthority(t *testing.T, file string) *authority {
	t.Helper()
	a := &authority{testca.New(t, filepath.Base(file))}
	writePEM(t, file, a.PEM())
	return a
}

// issue writes a certificate for a host, an address or a name, and its key to
// files.
func (a *authority) issue(t *testing.T, host, certificate, key string) {
	t.Helper()
	leaf, own := a.Issue(t, host, 2)
	writePEM(t, certificate, leaf)
	writePEM(t, key, own)
}

func writePEM(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
