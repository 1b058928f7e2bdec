package envoyrls

import (
	limit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"github.com/weirhq/weir/core"
)

// second in µs.
const second = 1_000_000

// windows are the windows that overrides can name. Those of seconds to days have
// a length, those from days a calendar's unit.
var windows = map[rls.RateLimitUnit]core.Cap{
	rls.RateLimitUnit_SECOND: {Length: second},
	rls.RateLimitUnit_MINUTE: {Length: 60 * second},
	rls.RateLimitUnit_HOUR:   {Length: 60 * 60 * second},
	rls.RateLimitUnit_DAY:    {Length: 24 * 60 * 60 * second, Unit: "day"},
	rls.RateLimitUnit_MONTH:  {Unit: "month"},
	rls.RateLimitUnit_YEAR:   {Unit: "year"},
}

// override returns the maximum that a descriptor brings with it. One of an unknown
// unit meets no limit.
func override(o *limit.RateLimitDescriptor_RateLimitOverride) core.Cap {
	if o == nil {
		return core.Cap{}
	}
	c := windows[o.GetUnit()]
	c.Given, c.Max = true, int64(o.GetRequestsPerUnit())
	if n := int64(o.GetUnitMultiplier().GetValue()); n > 1 {
		c.Length, c.Unit = c.Length*n, ""
		if o.GetUnit() == rls.RateLimitUnit_DAY && n == 7 {
			c.Unit = "week"
		}
	}
	return c
}
