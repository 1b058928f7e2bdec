package envoyrls

import (
	"math"

	envoy "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/contract"
)

// What follows builds replies as messages, slowly. It is what the wire form is
// compared with.

// slowUnlimited returns the reply to n descriptors that nothing limits.
func slowUnlimited(n int) *rls.RateLimitResponse {
	r := &rls.RateLimitResponse{OverallCode: rls.RateLimitResponse_OK}
	for range n {
		r.Statuses = append(r.Statuses, &rls.RateLimitResponse_DescriptorStatus{Code: rls.RateLimitResponse_OK})
	}
	return r
}

// slowReply tells the decisions as the contract has it.
func slowReply(c *contract.Contract, decisions []*core.Decision, id core.ID) *rls.RateLimitResponse {
	r := &rls.RateLimitResponse{
		OverallCode: rls.RateLimitResponse_OK,
		Statuses:    make([]*rls.RateLimitResponse_DescriptorStatus, len(decisions)),
	}
	for i, d := range decisions {
		r.Statuses[i] = slowStanding(c, d)
	}
	lead := leading(decisions)
	fields := c.Headers(lead)
	for _, f := range fields.All() {
		slowHeader(r, f.Name, f.Value)
	}
	status := 0
	if refuses(lead) {
		r.OverallCode = rls.RateLimitResponse_OVER_LIMIT
		status = slowAnswer(r, c, lead)
	}
	if id == (core.ID{}) && lead.Outcome == core.Admitted {
		id = lead.ID
	}
	r.DynamicMetadata = slowMetadata(c, lead, id, status)
	return r
}

// slowAnswer adds the policy's own answer to d, and returns its HTTP status.
func slowAnswer(r *rls.RateLimitResponse, c *contract.Contract, d *core.Decision) int {
	a, ok := c.Answer(d, nil)
	if d.Outcome == core.Usage {
		a, ok = c.Usage(d, nil), true
	}
	if ok {
		slowHeader(r, "Content-Type", a.ContentType)
		r.RawBody = a.Body
	}
	return a.Status
}

func slowHeader(r *rls.RateLimitResponse, name, value string) {
	r.ResponseHeadersToAdd = append(r.ResponseHeadersToAdd, &envoy.HeaderValue{Key: name, Value: value})
}

// slowStanding tells how the limit stands that d speaks of.
func slowStanding(c *contract.Contract, d *core.Decision) *rls.RateLimitResponse_DescriptorStatus {
	s := &rls.RateLimitResponse_DescriptorStatus{Code: rls.RateLimitResponse_OK}
	if refuses(d) {
		s.Code = rls.RateLimitResponse_OVER_LIMIT
	}
	charge := c.Speaker(d)
	if charge == nil {
		return s
	}
	s.CurrentLimit = slowLimit(d.Policy, charge)
	s.LimitRemaining = whole(charge, charge.Remaining())
	if seconds, ok := contract.Reset(d, charge); ok {
		s.DurationUntilReset = &durationpb.Duration{Seconds: seconds}
	}
	return s
}

// slowMetadata tells d to Envoy's access logs and local replies. status is that of
// the policy's answer, 0 where the request goes on.
func slowMetadata(c *contract.Contract, d *core.Decision, id core.ID, status int) *structpb.Struct {
	all := map[string]*structpb.Value{
		"policy":  structpb.NewStringValue(d.Policy.Name),
		"outcome": structpb.NewStringValue(d.Outcome.String()),
	}
	if status != 0 {
		all["status"] = structpb.NewNumberValue(float64(status))
	}
	if charge := c.Speaker(d); charge != nil {
		all["limit"] = structpb.NewStringValue(charge.Limit.Name)
	}
	if id != (core.ID{}) {
		all[MetadataID] = structpb.NewStringValue(id.String())
	}
	if id := d.SubjectID(); id != "" {
		all["subject"] = structpb.NewStructValue(slowSubject(d, id))
	}
	if limits := slowStandings(d); len(limits) > 0 {
		all["limits"] = structpb.NewStructValue(&structpb.Struct{Fields: limits})
	}
	return &structpb.Struct{Fields: all}
}

// slowSubject tells who is counted, never by a key.
func slowSubject(d *core.Decision, id string) *structpb.Struct {
	fields := map[string]*structpb.Value{"id": structpb.NewStringValue(id)}
	if d.Plans != nil {
		fields["plan"] = structpb.NewStringValue(d.Value("plan").String())
	}
	return &structpb.Struct{Fields: fields}
}

// slowStandings tells how the limits stand that the request was charged to.
func slowStandings(d *core.Decision) map[string]*structpb.Value {
	limits := make(map[string]*structpb.Value, len(d.Charges))
	for i := range d.Charges {
		c := &d.Charges[i]
		if c.Peek {
			continue
		}
		fields := map[string]*structpb.Value{"used": slowNumber(c, c.Used)}
		if c.Max != core.Unlimited {
			fields["max"], fields["remaining"] = slowNumber(c, c.Max), slowNumber(c, c.Remaining())
		}
		limits[c.Limit.Name] = structpb.NewStructValue(&structpb.Struct{Fields: fields})
	}
	return limits
}

// slowNumber returns an amount in configured units.
func slowNumber(c *core.Charge, n int64) *structpb.Value {
	return structpb.NewNumberValue(float64(n) / float64(c.Limit.Scale()))
}

// slowLimit tells charge's limit in the protocol's terms: so many requests in
// so many units. A bucket is told by what drains from it. A hold has no unit.
func slowLimit(p *core.Policy, charge *core.Charge) *rls.RateLimitResponse_RateLimit {
	l := charge.Limit
	out := &rls.RateLimitResponse_RateLimit{Name: l.Name, RequestsPerUnit: whole(charge, charge.Max)}
	switch l.Kind {
	case core.Bucket:
		out.RequestsPerUnit = whole(charge, charge.Rate)
		slowWindow(out, l.Length)
	case core.Rolling, core.Fixed:
		slowWindow(out, l.Length)
	case core.Calendar:
		out.Unit = calendarUnits[p.Config.Limits[l.Index].Unit]
	}
	return out
}

// slowWindow tells a window of length µs as a number of the longest unit that it
// is a multiple of. Parts of a second are rounded up: who keeps to what is told
// is never refused.
func slowWindow(out *rls.RateLimitResponse_RateLimit, length int64) {
	seconds := max(1, (length+999_999)/1_000_000)
	for _, u := range units {
		if seconds%u.seconds != 0 {
			continue
		}
		out.Unit = u.unit
		if n := seconds / u.seconds; n > 1 {
			out.UnitMultiplier = wrapperspb.UInt32(uint32(min(n, math.MaxUint32)))
		}
		return
	}
}
