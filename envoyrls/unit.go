package envoyrls

import (
	"math"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"

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

// Terms are a limit in the protocol's words: so many requests in so many units.
// A hold has no unit.
type terms struct {
	requests uint32
	unit     rls.RateLimitResponse_RateLimit_Unit
	units    uint32
}

// termsOf returns charge's limit in the protocol's terms. A bucket is told by what
// drains from it.
func termsOf(p *core.Policy, charge *core.Charge) terms {
	l := charge.Limit
	requests := whole(charge, charge.Max)
	switch l.Kind {
	case core.Bucket:
		return window(whole(charge, charge.Rate), l.Length)
	case core.Rolling, core.Fixed:
		return window(requests, l.Length)
	case core.Calendar:
		return terms{requests, calendarUnits[p.Config.Limits[l.Index].Unit], 1}
	}
	return terms{requests: requests}
}

// window tells a window of length µs as a number of the longest unit that it
// is a multiple of. Parts of a second are rounded up: who keeps to what is told
// is never refused.
func window(requests uint32, length int64) terms {
	seconds := max(1, (length+999_999)/1_000_000)
	for _, u := range units {
		if seconds%u.seconds == 0 {
			return terms{requests, u.unit, uint32(min(seconds/u.seconds, math.MaxUint32))}
		}
	}
	return terms{requests: requests} // never: every second is a multiple of one
}
