package envoyrls

import (
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/memory"
	"github.com/weirhq/weir/envoyrls/compat"
)

// A rateLimiter is the door's own gRPC server, which answers by a directory of
// YAML at a time that the test sets.
type rateLimiter struct {
	dir    string
	client rls.RateLimitServiceClient
	wall   atomic.Int64 // µs
}

// defaultTime is 2023-11-14 22:13:20 UTC, in seconds.
const defaultTime = 1_700_000_000

// newRateLimiter serves files, by their names.
func newRateLimiter(t testing.TB, files map[string]string, change func(*compat.Options)) *rateLimiter {
	t.Helper()
	l := &rateLimiter{dir: t.TempDir()}
	l.wall.Store(defaultTime * 1_000_000)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	metrics, err := compat.AcquireMetrics()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = compat.ReleaseMetrics() })
	o := compat.Options{Dir: l.dir, Poll: time.Hour, Metrics: metrics, Logger: zap.NewNop()}
	if change != nil {
		change(&o)
	}
	s, err := compat.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	store := memory.New(memory.Options{})
	t.Cleanup(func() { _ = store.Close() })
	err = s.Start(compat.Counting{
		Now:      func() core.Instant { w := l.wall.Load(); return core.Instant{Wall: w, Steady: w} },
		Take:     store.Take,
		Decided:  func(string, string, bool) {},
		Reserved: func(string) bool { return false },
		Hasher:   core.NewHasher([16]byte{7}),
	})
	if err != nil {
		t.Fatal(err)
	}
	l.client = serveRateLimits(t, s)
	return l
}

// serveRateLimits returns a client of a server on this machine.
func serveRateLimits(t testing.TB, s *compat.Service) rls.RateLimitServiceClient {
	t.Helper()
	d := &Door{logger: zap.NewNop()}
	d.server = grpc.NewServer(d.options()...)
	d.register(&service{ratelimit: s})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = d.server.Serve(listener) }()
	t.Cleanup(func() { d.server.Stop(); <-served })
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return rls.NewRateLimitServiceClient(conn)
}
