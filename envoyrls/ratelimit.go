package envoyrls

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/weirhq/weir/caddymodule"
	"github.com/weirhq/weir/envoyrls/compat"
)

// defaultPoll is how often a directory of rate limits is looked at.
const defaultPoll = time.Second

// RateLimit answers the domains of a directory of envoyproxy/ratelimit's YAML
// files as that does. Domains that no file has are policies'.
type RateLimit struct {
	// Dir has the files: `*.yaml` and `*.yml`, also below it. They may change at
	// any time, and so may links on the way to it; what is wrong is rejected,
	// and what was there before stays in force.
	Dir string `json:"dir"`

	// Headers adds RateLimit-Limit, RateLimit-Remaining and RateLimit-Reset of
	// the tightest descriptor to responses: LIMIT_RESPONSE_HEADERS_ENABLED.
	Headers bool `json:"headers,omitempty"`

	// Metadata adds dynamic metadata to replies: RESPONSE_DYNAMIC_METADATA.
	Metadata bool `json:"metadata,omitempty"`

	// ShadowMode lets everything pass, and counts what would not: SHADOW_MODE.
	ShadowMode bool `json:"shadow_mode,omitempty"`

	// MergeDomains lets several files have the same domain:
	// MERGE_DOMAIN_CONFIG.
	MergeDomains bool `json:"merge_domains,omitempty"`

	// HTTP is a Caddy network address on which to serve /healthcheck and /json.
	HTTP string `json:"http,omitempty"`

	// Poll is how often the directory is looked at; 1s by default.
	Poll caddy.Duration `json:"poll,omitempty"`

	logger  *zap.Logger
	service *compat.Service
	metrics *compat.Metrics
	address caddy.NetworkAddress
	http    *httpServer // nil without HTTP
}

// provision loads the directory.
func (l *RateLimit) provision(ctx caddy.Context) (err error) {
	l.logger = ctx.Logger()
	replacer := caddy.NewReplacer()
	if l.Dir == "" {
		return errors.New("the directory is missing")
	}
	dir, err := replacer.ReplaceOrErr(l.Dir, true, true)
	if err != nil {
		return fmt.Errorf("dir: %w", err)
	}
	if err := orDefault(&l.Poll, "poll", defaultPoll); err != nil {
		return err
	}
	if l.HTTP != "" {
		address, err := replacer.ReplaceOrErr(l.HTTP, true, true)
		if err != nil {
			return fmt.Errorf("http: %w", err)
		}
		if l.address, err = parseAddress(address, defaultHTTPPort); err != nil {
			return fmt.Errorf("http: %w", err)
		}
	}
	if l.metrics, err = compat.AcquireMetrics(); err != nil {
		return err
	}
	if err := l.metrics.Register(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	l.service, err = compat.New(compat.Options{
		Dir: filepath.Clean(dir), MergeDomains: l.MergeDomains, Headers: l.Headers, Metadata: l.Metadata,
		ShadowMode: l.ShadowMode, Poll: time.Duration(l.Poll), Metrics: l.metrics, Logger: l.logger,
	})
	return err
}

// cleanup releases what provision acquired, also where it failed.
func (l *RateLimit) cleanup() error {
	if l.metrics == nil {
		return nil
	}
	if l.service != nil {
		l.service.Release()
	}
	l.metrics = nil
	return compat.ReleaseMetrics()
}

// open has s answer the directory's domains, over HTTP too if it is to.
func (l *RateLimit) open(app *caddymodule.App, s *service) error {
	counting, err := app.Counting()
	if err != nil {
		return err
	}
	err = l.service.Start(compat.Counting{
		Now: counting.Now, Take: counting.Take, Decided: counting.Decided, Reserved: counting.HasPolicy,
		Hasher: counting.Hasher(), AllowOnError: counting.AllowOnError(),
	})
	s.ratelimit = l.service
	if err != nil || l.HTTP == "" {
		return err
	}
	l.http, err = openHTTP(l.address, app, compat.Handler(s.message, l.logger), l.logger)
	return err
}

// close stops answering over HTTP, and watching.
func (l *RateLimit) close(drain time.Duration) (err error) {
	if l.http != nil {
		err = l.http.close(drain)
	}
	l.service.Close()
	return err
}

// message is answer, with the reply as a message.
func (s *service) message(ctx context.Context, r *rls.RateLimitRequest) (*rls.RateLimitResponse, error) {
	answer, err := s.answer(ctx, r)
	if err != nil {
		return nil, err
	}
	written, ok := answer.(*reply)
	if !ok {
		return answer.(*rls.RateLimitResponse), nil
	}
	message := new(rls.RateLimitResponse)
	err = proto.Unmarshal(*written, message)
	replies.Put((*[]byte)(written))
	return message, err
}
