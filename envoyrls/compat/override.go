package compat

import (
	"errors"
	"fmt"
	"strings"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirhq/weir/core"
)

var errNoUnit = errors.New("its limit has no unit, and no rule has one for it")

// override asks what the descriptor's own limit says. Where the rule for its
// entries has the same unit it counts as the rule does, in the same cell. A
// limit without a unit has the rule's; one of several units has windows of its
// own.
func (c *call) override(a *ask, r *rule) error {
	own := a.descriptor.GetLimit()
	u, requests := unit(own.GetUnit()), int64(own.GetRequestsPerUnit())
	if r != nil && r.unlimited {
		r = nil
	}
	if u == noUnit && r != nil {
		u = r.told.GetUnit()
	}
	l := c.domain.overrides[count{unit: u}]
	switch {
	case u == noUnit:
		return errNoUnit
	case l == nil:
		return fmt.Errorf("its limit has the unit %d, which there is none of", u)
	}
	units := own.GetUnitMultiplier().GetValue()
	if units > 1 {
		if l = newLimit(c.domain.name, count{unit: u, units: units}); l == nil {
			return fmt.Errorf("its limit has %d units, and %d of a %s have no length, or a hundred years", units, units, strings.ToLower(u.String()))
		}
		r = nil
	}
	a.charge = core.Charge{Limit: l, Max: requests, Rate: max(1, requests), Always: true}
	if r != nil && r.told.GetUnit() == u {
		a.charge.Limit, a.charge.Always = r.plain, r.always
		if r.burst != 0 && requests != 0 {
			a.charge.Max = r.burst
		}
	}
	a.charge.Scope = c.scope(a.descriptor, false)
	a.told = &rls.RateLimitResponse_RateLimit{RequestsPerUnit: own.GetRequestsPerUnit(), Unit: u}
	if units > 1 {
		a.told.UnitMultiplier = wrapperspb.UInt32(units)
	}
	a.series = c.seriesOf(a)
	return nil
}
