package compat

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weirhq/weir/core"
)

// Options say what a Service serves, and how.
type Options struct {
	// Dir has the YAML files, in itself and in its subdirectories. Names that
	// begin with a dot are left out.
	Dir string
	// MergeDomains: several files may have the same domain.
	MergeDomains bool
	// Headers: replies have RateLimit-Limit, -Remaining and -Reset.
	Headers bool
	// Metadata: replies have dynamic metadata.
	Metadata bool
	// ShadowMode: no call is over its limit.
	ShadowMode bool
	// Poll is how often the directory is looked at. A change is loaded when
	// two looks in a row have seen it.
	Poll time.Duration

	Metrics *Metrics
	Logger  *zap.Logger
}

// Counting is what a Service counts with.
type Counting struct {
	// Now is the clock.
	Now func() core.Instant
	// Take has charges decided. An error says that nobody could.
	Take func(context.Context, *core.Take) error
	// Decided is told of each call: its domain, the path of the rule that
	// refuses it, and whether it is admitted.
	Decided func(domain, rule string, admitted bool)
	// Reserved reports whether something else is of that domain.
	Reserved func(domain string) bool
	// Hasher hides what clients send.
	Hasher core.Hasher
	// AllowOnError: calls that nobody could decide are OK.
	AllowOnError bool
}

// A Service answers calls by a directory's configuration.
type Service struct {
	Options
	counting Counting
	metrics  *Metrics
	config   atomic.Pointer[Config]

	stop    chan struct{}
	stopped sync.WaitGroup
	once    sync.Once

	declared map[labels]struct{} // series; Start's, and then the watch's

	// What follows is the watch's.
	last      sum    // what was loaded last, or rejected
	wrong     bool   // it was rejected
	candidate sum    // what was seen last
	failure   string // why the directory could not be read last
}

// New returns a Service with the directory's configuration. The error has all
// mistakes, each with its file and line.
func New(o Options) (*Service, error) {
	s := &Service{Options: o, metrics: o.Metrics, stop: make(chan struct{}), declared: make(map[labels]struct{})}
	files, seen, err := readDir(o.Dir)
	if err != nil {
		return nil, err
	}
	config, err := Compile(files, o.MergeDomains)
	if err != nil {
		return nil, err
	}
	s.last, s.candidate = seen, seen
	s.config.Store(config)
	return s, nil
}

// Start begins to count, and to watch the directory. It returns an error where a
// domain is reserved.
func (s *Service) Start(c Counting) error {
	s.counting = c
	config := s.config.Load()
	if err := s.free(config); err != nil {
		return err
	}
	s.metrics.watch(s.Dir)
	s.declare(config)
	s.loaded(config)
	s.stopped.Go(func() {
		defer s.metrics.unwatch(s.Dir)
		s.watch()
	})
	return nil
}

// declare makes the series known that the rules of config are counted in.
func (s *Service) declare(config *Config) {
	config.rules(func(r *rule) { r.series = s.metrics.declare(r.path, s.declared) })
}

// free reports a domain that is something else's.
func (s *Service) free(config *Config) error {
	for _, name := range config.Domains() {
		if s.counting.Reserved(name) {
			return fmt.Errorf("%s: the domain %q is also the name of a policy; a call could mean either, so give one of them another name",
				config.domains[name].at, name)
		}
	}
	return nil
}

// Close stops watching. Calls are answered all the same.
func (s *Service) Close() {
	s.once.Do(func() { close(s.stop) })
	s.stopped.Wait()
}

// Release lets go of the series that were made known. The service must be closed,
// and no call be on its way.
func (s *Service) Release() {
	s.metrics.retract(s.declared)
	clear(s.declared)
}

// Answer answers a call that has a domain and descriptors; served is false where
// no file has its domain.
func (s *Service) Answer(ctx context.Context, r *rls.RateLimitRequest) (reply *rls.RateLimitResponse, served bool, err error) {
	d := s.config.Load().domains[r.GetDomain()]
	if d == nil {
		return nil, false, nil
	}
	s.metrics.calls.Inc()
	c := calls.Get().(*call)
	defer c.recycle()
	c.service, c.domain, c.now = s, d, s.counting.Now()
	if err := c.read(r); err != nil {
		s.metrics.failed.Inc()
		return nil, true, err
	}
	if err := c.decide(ctx); err != nil {
		s.metrics.failed.Inc()
		return nil, true, status.Error(codes.Unavailable, err.Error())
	}
	return c.reply(r), true, nil
}

// decide has the charges decided, all in one step.
func (c *call) decide(ctx context.Context) error {
	c.layer()
	if len(c.layers) == 0 {
		return nil
	}
	err := c.service.counting.Take(ctx, &c.layers[0])
	if err == nil {
		c.now = c.layers[0].Now
		c.settle()
		return nil
	}
	if !c.service.counting.AllowOnError {
		return err
	}
	for i := range c.asks {
		c.asks[i].told = nil
	}
	return nil
}
