package envoyrls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"google.golang.org/grpc/credentials"
)

// TLS is what a door's connections are encrypted with: TLS 1.2 or later. The
// files are read again for the next connection after they have changed; where
// they make no sense then, those before stay in use, and the log says so.
// Connections last when files change.
type TLS struct {
	// Certificate is the path of a PEM file: the server's certificate, and
	// behind it those that lead to a root.
	Certificate string `json:"certificate"`

	// Key is the path of a PEM file with the certificate's key.
	Key string `json:"key"`

	// ClientCA are paths of PEM files. With any, clients must show a certificate
	// that one of theirs has signed.
	ClientCA []string `json:"client_ca,omitempty"`
}

// provision fills in the paths' placeholders.
func (t *TLS) provision() error {
	replacer := caddy.NewReplacer()
	for name, paths := range map[string][]*string{
		"certificate": {&t.Certificate}, "key": {&t.Key}, "client_ca": pointers(t.ClientCA),
	} {
		for _, path := range paths {
			filled, err := replacer.ReplaceOrErr(*path, true, true)
			if err != nil {
				return fmt.Errorf("tls: %s: %w", name, err)
			}
			if filled == "" {
				return fmt.Errorf("tls: %s: expected the path of a PEM file", name)
			}
			*path = filled
		}
	}
	return nil
}

func pointers(texts []string) []*string {
	all := make([]*string, len(texts))
	for i := range texts {
		all[i] = &texts[i]
	}
	return all
}

// config reads the files.
func (t *TLS) config() (*tls.Config, error) {
	pair, err := t.pair()
	if err != nil {
		return nil, err
	}
	c := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2"},
		Certificates: []tls.Certificate{pair},
		// A session that is resumed would pass by files that changed since.
		SessionTicketsDisabled: true,
	}
	if len(t.ClientCA) > 0 {
		c.ClientAuth = tls.RequireAndVerifyClientCert
		c.ClientCAs, err = t.clientCAs()
	}
	return c, err
}

// pair reads the certificate and its key.
func (t *TLS) pair() (pair tls.Certificate, err error) {
	certificate, err := os.ReadFile(t.Certificate)
	if err != nil {
		return pair, fmt.Errorf("tls: certificate: %w", err)
	}
	key, err := os.ReadFile(t.Key)
	if err != nil {
		return pair, fmt.Errorf("tls: key: %w", err)
	}
	if pair, err = tls.X509KeyPair(certificate, key); err != nil {
		return pair, fmt.Errorf("tls: certificate %s and key %s: %w", t.Certificate, t.Key, err)
	}
	return pair, nil
}

// clientCAs reads the certificates of those who sign clients' ones.
func (t *TLS) clientCAs() (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	for _, path := range t.ClientCA {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("tls: client_ca: %w", err)
		}
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("tls: client_ca: %s holds no certificate in PEM", path)
		}
	}
	return pool, nil
}

// An identity is what a door shows to clients: what a TLS's files say.
type identity struct {
	*TLS
	logger *zap.Logger

	mu     sync.Mutex // guards what follows
	watch  watch
	config *tls.Config
	failed string // the last failure that was logged
}

// newIdentity reads the files for the first time.
func newIdentity(t *TLS, logger *zap.Logger) (*identity, error) {
	i := &identity{TLS: t, logger: logger}
	i.watch.paths = slices.Concat([]string{t.Certificate, t.Key}, t.ClientCA)
	i.watch.changed(time.Now())
	var err error
	i.config, err = t.config()
	return i, err
}

// current returns the configuration for a connection that begins now.
func (i *identity) current(now time.Time) *tls.Config {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.watch.changed(now) {
		return i.config
	}
	config, err := i.TLS.config()
	switch {
	case err == nil:
		i.config, i.failed = config, ""
	case err.Error() != i.failed:
		i.failed = err.Error()
		i.logger.Error("reading TLS files that have changed; those before stay in use", zap.Error(err))
	}
	return i.config
}

// credentials returns what grpc-go needs of i.
func (i *identity) credentials() credentials.TransportCredentials {
	return &handshakes{
		TransportCredentials: credentials.NewTLS(&tls.Config{
			MinVersion: tls.VersionTLS12,
			GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
				return i.current(time.Now()), nil
			},
		}),
		logger: i.logger,
	}
}

// handshakes are credentials that log why clients are turned away.
type handshakes struct {
	credentials.TransportCredentials
	logger *zap.Logger
}

// ServerHandshake implements credentials.TransportCredentials.
func (h *handshakes) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secured, info, err := h.TransportCredentials.ServerHandshake(conn)
	if err != nil && !errors.Is(err, io.EOF) {
		h.logger.Warn("a client's TLS handshake failed", zap.Stringer("client", conn.RemoteAddr()), zap.Error(err))
	}
	return secured, info, err
}

// Interface guards
var _ credentials.TransportCredentials = (*handshakes)(nil)
