package envoyrls

import (
	"context"
	"errors"
	"fmt"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weirhq/weir/caddymodule"
)

// maxDescriptors bounds what one call may ask, and so its memory.
const maxDescriptors = 64

// The texts of envoyproxy/ratelimit.
var (
	errNoDomain      = status.Error(codes.Unknown, "rate limit domain must not be empty")
	errNoDescriptors = status.Error(codes.Unknown, "rate limit descriptor list must not be empty")
)

// A service answers calls by an app's policies.
type service struct {
	rls.UnimplementedRateLimitServiceServer
	app *caddymodule.App
}

// ShouldRateLimit implements rls.RateLimitServiceServer.
func (s *service) ShouldRateLimit(ctx context.Context, r *rls.RateLimitRequest) (*rls.RateLimitResponse, error) {
	if err := check(r); err != nil {
		return nil, err
	}
	c := calls.Get().(*call)
	defer c.recycle()
	hits := int64(max(1, r.GetHitsAddend()))
	for _, d := range r.GetDescriptors() {
		c.add(d, hits)
	}
	contract, err := s.app.Decide(ctx, r.GetDomain(), c.requests, c.decisions)
	switch {
	case errors.Is(err, caddymodule.ErrNoPolicy):
		return unlimited(len(c.requests)), nil
	case err != nil:
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return reply(contract, c.decisions), nil
}

// check returns why r cannot be answered.
func check(r *rls.RateLimitRequest) error {
	switch n := len(r.GetDescriptors()); {
	case r.GetDomain() == "":
		return errNoDomain
	case n == 0:
		return errNoDescriptors
	case n > maxDescriptors:
		return status.Error(codes.InvalidArgument, fmt.Sprintf("%d descriptors; at most %d are decided in one step", n, maxDescriptors))
	}
	return nil
}
