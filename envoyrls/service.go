package envoyrls

import (
	"context"
	"errors"
	"fmt"
	"time"

	limit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weirhq/weir/caddymodule"
	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/envoyrls/compat"
)

// maxDescriptors bounds what one call may ask, and so its memory.
const maxDescriptors = 64

// The texts of envoyproxy/ratelimit.
var (
	errNoDomain      = status.Error(codes.Unknown, "rate limit domain must not be empty")
	errNoDescriptors = status.Error(codes.Unknown, "rate limit descriptor list must not be empty")
)

// errTooMany answers a request that cannot be remembered until its end.
var errTooMany = status.Error(codes.ResourceExhausted, fmt.Sprintf("%d requests are under way", maxStays))

// A service answers calls by an app's policies.
type service struct {
	app   *caddymodule.App
	stays *stays
	ttl   time.Duration // of stays

	ratelimit *compat.Service // nil: every domain is a policy
}

// answer answers ShouldRateLimit, with a reply or an *rls.RateLimitResponse. When
// it has returned nobody refers to r.
func (s *service) answer(ctx context.Context, r *rls.RateLimitRequest) (any, error) {
	if err := check(r); err != nil {
		return nil, err
	}
	if s.ratelimit != nil {
		if answer, served, err := s.ratelimit.Answer(ctx, r); served {
			return answer, err
		}
	}
	if err := checkEnds(r.GetDescriptors()); err != nil {
		return nil, err
	}
	if isDone(r.GetDescriptors()[0]) {
		if err := s.finish(ctx, r); err != nil {
			return nil, status.Error(codes.Unavailable, err.Error())
		}
		return unlimited(len(r.GetDescriptors())), nil
	}
	c := calls.Get().(*call)
	answer, err := s.ask(ctx, r, c)
	c.recycle() // not where deciding panicked
	return answer, err
}

// ask answers a call that asks whether requests may go on. c is empty.
func (s *service) ask(ctx context.Context, r *rls.RateLimitRequest, c *call) (any, error) {
	hits := int64(max(1, r.GetHitsAddend()))
	for _, d := range r.GetDescriptors() {
		c.add(d, hits)
	}
	if c.lasting && !s.stays.reserve() {
		return nil, errTooMany
	}
	var rest *caddymodule.Stay
	defer func() {
		if c.lasting && rest == nil { // also if deciding panicked
			s.stays.cancel()
		}
	}()
	contract, rest, err := s.app.Decide(ctx, r.GetDomain(), c.requests, c.decisions)
	switch {
	case errors.Is(err, caddymodule.ErrNoPolicy):
		return unlimited(len(c.requests)), nil
	case err != nil:
		return nil, status.Error(codes.Unavailable, err.Error())
	case rest == nil:
		return newReply(contract, c.decisions, core.ID{}), nil
	}
	id := s.await(ctx, rest)
	return newReply(contract, c.decisions, id), nil
}

// await keeps rest until Envoy tells its end, and returns the id under which
// Envoy does.
func (s *service) await(ctx context.Context, rest *caddymodule.Stay) core.ID {
	st := &stay{Stay: rest, id: rest.ID()}
	st.conn, st.stream = caller(ctx)
	s.stays.add(st, s.ttl)
	takeBack := func() {
		if gone := s.stays.remove(st.id); gone != nil {
			gone.End(nil)
		}
	}
	if st.conn != nil && !st.conn.hold(st.stream, takeBack) || ctx.Err() != nil {
		takeBack()
	}
	return st.id
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

// checkEnds returns why descriptors that may tell of ends cannot be heard.
func checkEnds(descriptors []*limit.RateLimitDescriptor) error {
	done := isDone(descriptors[0])
	for i, d := range descriptors {
		switch {
		case isDone(d) != done:
			return status.Error(codes.InvalidArgument, fmt.Sprintf("descriptor %d: a call asks, or tells of ends, not both", i))
		case done && d.GetIsNegativeHits():
			return status.Error(codes.InvalidArgument, fmt.Sprintf("descriptor %d: a cost is not negative", i))
		}
	}
	return nil
}
