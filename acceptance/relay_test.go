package acceptance

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	limit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Relay passes Envoy's calls on to Weir, unchanged, and notes when Weir has
// answered the call that tells the end of a stream. Envoy makes that call when
// the client has its response already; a client that goes on before cannot know
// whether what the response said acts yet.
type Relay struct {
	rls.UnimplementedRateLimitServiceServer
	address string
	weir    rls.RateLimitServiceClient

	mu    sync.Mutex
	ended map[string]chan struct{} // by request id; closed once Weir knows
}

// newRelay relays to Weir's address until the test ends.
func newRelay(t testing.TB, weir string) *Relay {
	t.Helper()
	conn, err := grpc.NewClient(weir, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{address: l.Addr().String(), weir: rls.NewRateLimitServiceClient(conn), ended: make(map[string]chan struct{})}
	server := grpc.NewServer()
	rls.RegisterRateLimitServiceServer(server, r)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-stopped
		_ = conn.Close()
	})
	return r
}

// ShouldRateLimit implements rls.RateLimitServiceServer. A Weir that starts
// again is waited for.
func (r *Relay) ShouldRateLimit(ctx context.Context, call *rls.RateLimitRequest) (*rls.RateLimitResponse, error) {
	reply, err := r.weir.ShouldRateLimit(ctx, call, grpc.WaitForReady(true))
	for _, d := range call.GetDescriptors() {
		switch entry(d, "weir") {
		case "stream":
			if id := reply.GetDynamicMetadata().GetFields()["id"].GetStringValue(); id != "" {
				r.end(id)
			}
		case "done":
			r.close(entry(d, "weir.id"))
		}
	}
	return reply, err
}

// close notes that Weir knows the request's end.
func (r *Relay) close(id string) {
	ended := r.end(id)
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-ended:
	default:
		close(ended)
	}
}

// end returns what is closed when the request's end is known.
func (r *Relay) end(id string) chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended[id] == nil {
		r.ended[id] = make(chan struct{})
	}
	return r.ended[id]
}

// await waits until Weir knows the end of the request, if it will be told.
func (r *Relay) await(id string) {
	if r == nil || id == "" {
		return
	}
	r.mu.Lock()
	ended := r.ended[id]
	r.mu.Unlock()
	if ended == nil {
		return
	}
	select {
	case <-ended:
	case <-time.After(patience):
	}
}

// entry returns the value of a descriptor's entry, "" for none.
func entry(d *limit.RateLimitDescriptor, key string) string {
	for _, e := range d.GetEntries() {
		if e.GetKey() == key {
			return e.GetValue()
		}
	}
	return ""
}
