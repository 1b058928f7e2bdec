package compat

import (
	"math"
	"strconv"

	envoy "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/weirhq/weir/core"
)

const (
	ok   = rls.RateLimitResponse_OK
	over = rls.RateLimitResponse_OVER_LIMIT
)

// A standing is what a reply tells of one descriptor.
type standing = rls.RateLimitResponse_DescriptorStatus

// A summary is what is told of the standings together.
type summary struct {
	refuser *ask // the first that is over its limit, quotas last
	// tightest is the standing that headers tell: the last that refuses, or the
	// first of those that have least left.
	tightest *standing
	least    uint32
}

// reply tells what became of the call, and counts it.
func (c *call) reply(r *rls.RateLimitRequest) *rls.RateLimitResponse {
	standings := make([]standing, len(c.asks))
	reply := &rls.RateLimitResponse{OverallCode: ok, Statuses: make([]*standing, len(c.asks))}
	all := summary{least: math.MaxUint32}
	for i := range c.asks {
		a := &c.asks[i]
		reply.Statuses[i] = &standings[i]
		c.tell(a, &standings[i])
		all.add(a, &standings[i])
		if a.told != nil {
			a.series.count(&a.charge, a.hits, a.used, a.charge.Max)
		}
	}
	s := c.service
	if s.Headers && all.tightest != nil {
		reply.ResponseHeadersToAdd = headers(all.tightest)
	}
	if s.Metadata {
		reply.DynamicMetadata = c.metadata(r, reply.GetStatuses())
	}
	switch {
	case c.denied && s.ShadowMode:
		s.metrics.shadowed.Inc()
		fallthrough
	case !c.denied:
		s.counting.Decided(c.domain.name, "", true)
	default:
		reply.OverallCode = over
		s.counting.Decided(c.domain.name, all.refuser.path(), false)
	}
	return reply
}

// path returns the name of a's rule, as the configuration gives it.
func (a *ask) path() string {
	if a.rule == nil {
		return ""
	}
	return a.rule.path
}

// tell fills in the standing of one descriptor.
func (c *call) tell(a *ask, s *standing) {
	s.Code = ok
	switch {
	case a.unlimited:
		s.LimitRemaining = math.MaxUint32
		return
	case a.told == nil:
		return
	}
	if a.charge.Refused && !a.charge.Limit.Shadow {
		s.Code = over
	}
	s.CurrentLimit = a.told
	s.LimitRemaining = uint32(max(0, a.charge.Max-a.used))
	s.DurationUntilReset = &durationpb.Duration{Seconds: a.reset(c.now)}
}

// reset returns in how many seconds, rounded up, the window ends. Where there
// are no windows it is when more remains, or, for who is over the limit, when
// the same would fit.
func (a *ask) reset(now core.Instant) int64 {
	charge, l := &a.charge, a.charge.Limit
	wait := charge.Grow
	switch {
	case l.Kind == core.Rolling || l.Kind == core.Bucket:
		if charge.Refused {
			wait = charge.Wait
		}
	case wait > 0: // the cell's own window
	case l.Kind == core.Calendar:
		wait = l.Schedule.At(now.Wall).End - now.Wall
	default:
		wait = l.Length - now.Wall%l.Length
	}
	return (wait + second - 1) / second
}

// add adds a standing.
func (m *summary) add(a *ask, s *standing) {
	if s.GetCurrentLimit() != nil && s.GetLimitRemaining() < m.least {
		m.tightest, m.least = s, s.GetLimitRemaining()
	}
	if s.GetCode() != over {
		return
	}
	if m.refuser == nil || m.refuser.charge.Quota && !a.charge.Quota {
		m.refuser = a
	}
	if !a.charge.Quota {
		m.tightest, m.least = s, 0
	}
}

// headers tell a standing as envoyproxy/ratelimit does where its
// LIMIT_RESPONSE_HEADERS_ENABLED is set.
func headers(s *standing) []*envoy.HeaderValue {
	field := func(name string, n int64) *envoy.HeaderValue {
		return &envoy.HeaderValue{Key: name, Value: strconv.FormatInt(n, 10)}
	}
	return []*envoy.HeaderValue{
		field("RateLimit-Limit", int64(s.GetCurrentLimit().GetRequestsPerUnit())),
		field("RateLimit-Remaining", int64(s.GetLimitRemaining())),
		field("RateLimit-Reset", s.GetDurationUntilReset().GetSeconds()),
	}
}
