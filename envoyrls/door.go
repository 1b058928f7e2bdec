package envoyrls

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirhq/weir/caddymodule"
)

func init() {
	caddy.RegisterModule(new(Door))
}

const (
	// defaultPort and defaultHTTPPort are those of envoyproxy/ratelimit.
	defaultPort     = 8081
	defaultHTTPPort = 8080
	// defaultTTL is how long Envoy may take to tell that a request has ended.
	defaultTTL = time.Hour
	// defaultDrain is how long closing waits for calls.
	defaultDrain = 5 * time.Second
	// leastPing is how often a client may ping.
	leastPing = 5 * time.Second
	// handshakeTimeout bounds a connection's beginning.
	handshakeTimeout = 20 * time.Second
)

// What a client may have this process keep for it: calls of a connection at a
// time, bytes of a call's message, and of its metadata. Envoy's default is as
// many calls; it takes back what a server refuses. At its default of 60 KiB for a
// request's headers no client makes it send a longer message than that.
const (
	maxStreams = 1024
	maxMessage = 4 << 20
	maxHeaders = 64 << 10
)

// workers is how many calls have a goroutine that waits for them.
const workers = 256

// Door answers Envoy's Rate Limit Service by the app's policies, in gRPC, with the
// health service for "" and "ratelimit".
type Door struct {
	// Address to listen on: a Caddy network address of one port, such as
	// `:8081` or `unix//run/weir.sock`. The default port is 8081.
	Address string `json:"address"`

	// Drain bounds how long a reload or a stop waits for calls that are on
	// their way; 5s by default.
	Drain caddy.Duration `json:"drain,omitempty"`

	// TTL bounds how long a request holds its slots whose end Envoy does not
	// tell, as when Envoy has died; 1h by default. Requests that may take longer
	// need a longer one.
	TTL caddy.Duration `json:"ttl,omitempty"`

	// TLS encrypts connections; without it they are in the clear.
	TLS *TLS `json:"tls,omitempty"`

	// Reflection answers gRPC's reflection service, for tools that ask what the
	// server offers.
	Reflection bool `json:"reflection,omitempty"`

	// RateLimit answers the domains of a directory of envoyproxy/ratelimit's
	// YAML files.
	RateLimit *RateLimit `json:"ratelimit,omitempty"`

	logger   *zap.Logger
	address  caddy.NetworkAddress
	identity *identity // nil without TLS

	listener *listener
	stays    *stays
	server   *grpc.Server
	closed   chan struct{} // once the server has stopped
	ending   chan struct{} // once streams must end
}

// CaddyModule returns the Caddy module information.
func (*Door) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "weir.doors.envoy", New: func() caddy.Module { return new(Door) }}
}

// Provision implements caddy.Provisioner.
func (d *Door) Provision(ctx caddy.Context) error {
	d.logger = ctx.Logger()
	if d.Address == "" {
		return errors.New("the address to listen on is missing, such as :8081")
	}
	address, err := caddy.NewReplacer().ReplaceOrErr(d.Address, true, true)
	if err != nil {
		return fmt.Errorf("address: %w", err)
	}
	if d.address, err = parseAddress(address, defaultPort); err != nil {
		return err
	}
	return errors.Join(
		orDefault(&d.Drain, "drain", defaultDrain),
		orDefault(&d.TTL, "ttl", defaultTTL),
		d.provisionTLS(),
		d.provisionRateLimit(ctx),
	)
}

// parseAddress reads a Caddy network address of one port, or of a socket.
func parseAddress(text string, port uint) (caddy.NetworkAddress, error) {
	address, err := caddy.ParseNetworkAddressWithDefaults(text, "tcp", port)
	if err != nil {
		return address, fmt.Errorf("address %q: %w", text, err)
	}
	switch address.Network {
	case "tcp", "tcp4", "tcp6", "unix", "fd":
	default:
		return address, fmt.Errorf("address %q: it needs a stream, such as tcp or unix", text)
	}
	if n := address.PortRangeSize(); n > 1 {
		return address, fmt.Errorf("address %q: one port, not %d", text, n)
	}
	return address, nil
}

// orDefault sets an option that is not set.
func orDefault(option *caddy.Duration, name string, otherwise time.Duration) error {
	if *option < 0 {
		return fmt.Errorf("%s is below 0", name)
	}
	if *option == 0 {
		*option = caddy.Duration(otherwise)
	}
	return nil
}

func (d *Door) provisionTLS() (err error) {
	if d.TLS == nil {
		return nil
	}
	if err := d.TLS.provision(); err != nil {
		return err
	}
	d.identity, err = newIdentity(d.TLS, caddymodule.Sampled(d.logger))
	return err
}

func (d *Door) provisionRateLimit(ctx caddy.Context) error {
	if d.RateLimit == nil {
		return nil
	}
	return d.RateLimit.provision(ctx)
}

// Cleanup implements caddy.CleanerUpper.
func (d *Door) Cleanup() error {
	if d.RateLimit == nil {
		return nil
	}
	return d.RateLimit.cleanup()
}

// Open implements caddymodule.Door.
func (d *Door) Open(app *caddymodule.App) error {
	err := d.open(app)
	if err != nil {
		err = errors.Join(err, d.closeListener(), d.closeRateLimit(), d.closeStays())
	}
	return err
}

// open is Open that leaves open what it has opened where it fails.
func (d *Door) open(app *caddymodule.App) (err error) {
	if d.stays, err = openStays(); err != nil {
		return err
	}
	s := &service{app: app, stays: d.stays, ttl: time.Duration(d.TTL)}
	if d.RateLimit != nil {
		if err := d.RateLimit.open(app, s); err != nil {
			return err
		}
	}
	if d.listener, err = listen(d.address, app); err != nil {
		return fmt.Errorf("listening for Envoy on %s: %w", d.address, err)
	}
	d.ending, d.closed = make(chan struct{}), make(chan struct{})
	d.server = grpc.NewServer(d.options()...)
	d.register(s)
	status := health.NewServer()
	status.SetServingStatus("ratelimit", healthv1.HealthCheckResponse_SERVING)
	healthv1.RegisterHealthServer(d.server, status)
	if d.Reflection {
		reflection.RegisterV1(d.server)
	}
	go d.serve()
	d.logger.Info("answering Envoy", zap.Stringer("address", d.address), zap.Bool("tls", d.TLS != nil))
	return nil
}

func (d *Door) closeListener() error {
	if d.listener == nil {
		return nil
	}
	return d.listener.Close()
}

func (d *Door) closeRateLimit() error {
	if d.RateLimit == nil {
		return nil
	}
	return d.RateLimit.close(time.Duration(d.Drain))
}

func (d *Door) closeStays() error {
	if d.stays == nil {
		return nil
	}
	return closeStays()
}

// options returns how the server speaks gRPC.
func (d *Door) options() []grpc.ServerOption {
	secured := insecure.NewCredentials()
	if d.identity != nil {
		secured = d.identity.credentials()
	}
	return []grpc.ServerOption{
		grpc.Creds(watched{secured}),
		grpc.ChainUnaryInterceptor(d.recovered),
		grpc.ChainStreamInterceptor(d.endable),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: leastPing, PermitWithoutStream: true}),
		grpc.ForceServerCodecV2(codec{}),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.ConnectionTimeout(handshakeTimeout),
		// Calls need no new stack each, which costs as much as answering one.
		grpc.NumStreamWorkers(workers),
	}
}

// serve answers until Close.
func (d *Door) serve() {
	defer close(d.closed)
	if err := d.server.Serve(d.listener); err != nil && !errors.Is(err, net.ErrClosed) {
		d.logger.Error("answering Envoy", zap.Stringer("address", d.address), zap.Error(err))
	}
}

// Close implements caddymodule.Door. Clients are asked to come back on another
// connection, which the door of the next configuration answers.
func (d *Door) Close() error {
	close(d.ending)
	err := d.listener.Close()
	timer := time.AfterFunc(time.Duration(d.Drain), func() {
		d.logger.Warn("calls were still on their way", zap.Stringer("address", d.address))
		d.server.Stop()
	})
	var http error
	var group sync.WaitGroup
	group.Go(func() { http = d.closeRateLimit() })
	d.server.GracefulStop()
	timer.Stop()
	<-d.closed
	group.Wait()
	return errors.Join(err, http, d.closeStays())
}

// Interface guards
var (
	_ caddy.Module       = (*Door)(nil)
	_ caddy.Provisioner  = (*Door)(nil)
	_ caddy.CleanerUpper = (*Door)(nil)
	_ caddymodule.Door   = (*Door)(nil)
)
