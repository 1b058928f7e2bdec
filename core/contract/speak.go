package contract

import "github.com/weirhq/weir/core"

// tightest is what `for` says instead of a limit's name.
const tightest = "tightest"

// tells reports whether d holds the state of its charges: it was decided, and
// by a store.
func tells(d *core.Decision) bool {
	switch d.Outcome {
	case core.Admitted:
		return d.Err == nil || d.Admitted // admitted for want of a store: no state
	case core.Denied:
		return true
	default:
		return false
	}
}

// visible reports whether headers may speak of c: its limit matches the
// request, has a cap, and is no count and no shadow.
func visible(c *core.Charge) bool {
	if c.Peek || c.Limit.Count || c.Limit.Shadow || c.Max == core.Unlimited {
		return false
	}
	return !c.CheckOnly || c.Denies()
}

// speaker returns the charge that the headers of d speak of, or nil.
func (h *headers) speaker(d *core.Decision) *core.Charge {
	switch {
	case h.limit != "":
		if c := find(d, h.limit); c != nil && visible(c) {
			return c
		}
		return nil
	case h.tightest:
		return first(d, tighter)
	case d.Outcome == core.Denied:
		return d.Refuser()
	default:
		return first(d, earlier)
	}
}

// first returns the visible charge that comes before all others; ties go to the
// one that is first in policy order.
func first(d *core.Decision, before func(a, b *core.Charge) bool) *core.Charge {
	var best *core.Charge
	for i := range d.Charges {
		c := &d.Charges[i]
		if !visible(c) {
			continue
		}
		if best == nil || before(c, best) || !before(best, c) && earlier(c, best) {
			best = c
		}
	}
	return best
}

// earlier reports whether a's limit stands before b's in the policy.
func earlier(a, b *core.Charge) bool { return a.Limit.Index < b.Limit.Index }

// tighter reports whether less remains of a than of b, in configured units.
func tighter(a, b *core.Charge) bool {
	wholeA, wholeB := a.Remaining()/a.Limit.Scale(), b.Remaining()/b.Limit.Scale()
	if wholeA != wholeB {
		return wholeA < wholeB
	}
	return millionths(a) < millionths(b)
}

// millionths returns the decimals of what remains.
func millionths(c *core.Charge) int64 {
	scale := c.Limit.Scale()
	return c.Remaining() % scale * (core.Million / scale)
}

// find returns the charge of the named limit, or nil.
func find(d *core.Decision, limit string) *core.Charge {
	for i := range d.Charges {
		if c := &d.Charges[i]; c.Limit.Name == limit {
			return c
		}
	}
	return nil
}
