package envoyrls

import (
	"math"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirhq/weir/core"
)

// units are those of the protocol, in seconds, the longest first. Its months and
// years are calendar ones.
var units = []struct {
	seconds int64
	unit    rls.RateLimitResponse_RateLimit_Unit
}{
	{7 * 24 * 60 * 60, rls.RateLimitResponse_RateLimit_WEEK},
	{24 * 60 * 60, rls.RateLimitResponse_RateLimit_DAY},
	{60 * 60, rls.RateLimitResponse_RateLimit_HOUR},
	{60, rls.RateLimitResponse_RateLimit_MINUTE},
	{1, rls.RateLimitResponse_RateLimit_SECOND},
}

var calendarUnits = map[string]rls.RateLimitResponse_RateLimit_Unit{
	"day":   rls.RateLimitResponse_RateLimit_DAY,
	"week":  rls.RateLimitResponse_RateLimit_WEEK,
	"month": rls.RateLimitResponse_RateLimit_MONTH,
	"year":  rls.RateLimitResponse_RateLimit_YEAR,
}

// currentLimit tells charge's limit in the protocol's terms: so many requests in
// so many units. A bucket is told by what drains from it. A hold has no unit.
func currentLimit(p *core.Policy, charge *core.Charge) *rls.RateLimitResponse_RateLimit {
	l := charge.Limit
	out := &rls.RateLimitResponse_RateLimit{Name: l.Name, RequestsPerUnit: whole(charge, charge.Max)}
	switch l.Kind {
	case core.Bucket:
		out.RequestsPerUnit = whole(charge, charge.Rate)
		setWindow(out, l.Length)
	case core.Rolling, core.Fixed:
		setWindow(out, l.Length)
	case core.Calendar:
		out.Unit = calendarUnits[p.Config.Limits[l.Index].Unit]
	}
	return out
}

// setWindow tells a window of length µs as a number of the longest unit that it
// is a multiple of. Parts of a second are rounded up: who keeps to what is told
// is never refused.
func setWindow(out *rls.RateLimitResponse_RateLimit, length int64) {
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
