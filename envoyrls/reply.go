package envoyrls

import (
	"math"

	envoy "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/contract"
)

// unlimited returns the reply to n descriptors that nothing limits.
func unlimited(n int) *rls.RateLimitResponse {
	r := &rls.RateLimitResponse{OverallCode: rls.RateLimitResponse_OK}
	for range n {
		r.Statuses = append(r.Statuses, &rls.RateLimitResponse_DescriptorStatus{Code: rls.RateLimitResponse_OK})
	}
	return r
}

// reply tells the decisions as the contract has it, and the id of their stay,
// zero for none.
func reply(c *contract.Contract, decisions []*core.Decision, id core.ID) *rls.RateLimitResponse {
	r := &rls.RateLimitResponse{
		OverallCode: rls.RateLimitResponse_OK,
		Statuses:    make([]*rls.RateLimitResponse_DescriptorStatus, len(decisions)),
	}
	for i, d := range decisions {
		r.Statuses[i] = standing(c, d)
	}
	lead := leading(decisions)
	fields := c.Headers(lead)
	for _, f := range fields.All() {
		addHeader(r, f.Name, f.Value)
	}
	status := 0
	if refuses(lead) {
		r.OverallCode = rls.RateLimitResponse_OVER_LIMIT
		status = answer(r, c, lead)
	}
	if id == (core.ID{}) && lead.Outcome == core.Admitted {
		id = lead.ID
	}
	r.DynamicMetadata = metadata(c, lead, id, status)
	return r
}

// answer adds the policy's own answer to d, and returns its HTTP status.
func answer(r *rls.RateLimitResponse, c *contract.Contract, d *core.Decision) int {
	a, ok := c.Answer(d, nil)
	if d.Outcome == core.Usage {
		a, ok = c.Usage(d, nil), true
	}
	if ok {
		addHeader(r, "Content-Type", a.ContentType)
		r.RawBody = a.Body
	}
	return a.Status
}

func addHeader(r *rls.RateLimitResponse, name, value string) {
	r.ResponseHeadersToAdd = append(r.ResponseHeadersToAdd, &envoy.HeaderValue{Key: name, Value: value})
}

// refuses reports whether the request of d must not go on: a refusal, or an
// answer that is the policy's to give.
func refuses(d *core.Decision) bool {
	switch d.Outcome {
	case core.Passed, core.Admitted, core.Withheld:
		return false
	}
	return true
}

// leading returns the decision that the answer to all of them tells: the first
// that refuses but by no limit; of those that limits refuse the one whose wait is
// longest, waits that nobody knows last; else the first that something of the
// policy applies to.
func leading(decisions []*core.Decision) *core.Decision {
	lead := decisions[0]
	for _, d := range decisions[1:] {
		if before(d, lead) {
			lead = d
		}
	}
	return lead
}

// before reports whether d is told rather than lead, which comes before it.
func before(d, lead *core.Decision) bool {
	r, s := d.Refuser(), lead.Refuser()
	switch {
	case refuses(d) != refuses(lead):
		return refuses(d)
	case !refuses(d):
		return lead.Outcome == core.Passed && d.Outcome != core.Passed
	case r == nil || s == nil:
		return r == nil && s != nil
	}
	return r.Wait > s.Wait
}

// standing tells how the limit stands that d speaks of.
func standing(c *contract.Contract, d *core.Decision) *rls.RateLimitResponse_DescriptorStatus {
	s := &rls.RateLimitResponse_DescriptorStatus{Code: rls.RateLimitResponse_OK}
	if refuses(d) {
		s.Code = rls.RateLimitResponse_OVER_LIMIT
	}
	charge := c.Speaker(d)
	if charge == nil {
		return s
	}
	s.CurrentLimit = currentLimit(d.Policy, charge)
	s.LimitRemaining = whole(charge, charge.Remaining())
	if seconds, ok := contract.Reset(d, charge); ok {
		s.DurationUntilReset = &durationpb.Duration{Seconds: seconds}
	}
	return s
}

// whole returns n of charge's scale in whole units, as far as the protocol can
// count.
func whole(charge *core.Charge, n int64) uint32 {
	return uint32(min(n/charge.Limit.Scale(), math.MaxUint32))
}
