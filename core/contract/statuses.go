package contract

import (
	"slices"

	"github.com/weirhq/weir/core"
)

// Statuses returns the statuses that answers to requests with this outcome can
// have, in order; none where such requests go on, or the policy has no such
// outcome. A door that must be told of statuses in advance needs them.
func (c *Contract) Statuses(o core.Outcome) []int { return c.possible[o] }

// possibleStatuses returns Statuses of all outcomes.
func (c *Contract) possibleStatuses(p *core.Policy) map[core.Outcome][]int {
	all := make(map[core.Outcome][]int)
	for o := core.Passed; o <= core.Withheld; o++ {
		if p.Config.Shadow && o != core.Usage {
			continue // such a policy refuses nothing
		}
		found := c.outcomeStatuses(p, o)
		slices.Sort(found)
		if found = slices.Compact(found); len(found) > 0 {
			all[o] = found
		}
	}
	return all
}

// outcomeStatuses returns the statuses of one outcome, in any order.
func (c *Contract) outcomeStatuses(p *core.Policy, o core.Outcome) (found []int) {
	s := p.Config.Subject
	possible := false
	switch o {
	case core.Denied:
		for i, l := range p.Limits {
			if !l.Count && !l.Shadow {
				found = append(found, c.limits[i].statusOr(statuses[o]))
			}
		}
		return found
	case core.MissingCredential:
		if s != nil && denies(s.Missing) {
			return []int{c.missing.statusOr(statuses[o])}
		}
	case core.UnknownCredential:
		if s != nil && denies(s.Unknown) {
			return []int{c.unknown.statusOr(statuses[o])}
		}
	case core.UnknownPlan:
		_, hasDefault := p.Plans.Row("")
		possible = s != nil && !hasDefault
	case core.BodyTooLarge, core.BodyEncoding:
		possible = p.Config.OversizeCost == nil && readsBody(p)
	case core.BodyBroken:
		possible = readsBody(p)
	case core.StoreFailed:
		possible = len(p.Limits) > 0
	case core.DirectoryFailed:
		possible = s != nil
	case core.Usage:
		possible = len(p.Config.Usage) > 0
	}
	if !possible {
		return nil
	}
	return []int{statuses[o]}
}

// readsBody reports whether costs are in bodies.
func readsBody(p *core.Policy) bool {
	return slices.ContainsFunc(p.Uses(), func(u core.Use) bool { return u.Ref.Kind == core.RefJSON })
}

// denies reports whether a request without a known credential is denied.
func denies(f *core.FallbackConfig) bool { return f == nil || f.CountBy == "" }

// statusOr returns the denial's status, or the one where there is no denial.
func (d *denial) statusOr(otherwise int) int {
	if d == nil {
		return otherwise
	}
	return d.status
}
