package core

import (
	"slices"
	"strings"
)

// A rule matches requests by all that it names: any of its methods, any of its
// paths, the requests of any of its limits. A rule that names nothing matches
// every request.
type rule struct {
	methods []string
	paths   []string // patterns in normal form
	limits  uint64   // by index
	cost    *cost    // nil: the limit's
}

// matches reports whether the rule matches r; matched has the limits whose
// requests r is among those decided before. A CORS preflight is matched only by
// rules that name OPTIONS, or limits that do.
func (m *rule) matches(r *Request, preflight bool, matched uint64) bool {
	if m.limits != 0 && m.limits&matched == 0 {
		return false
	}
	switch {
	case len(m.methods) > 0:
		if !slices.ContainsFunc(m.methods, r.hasMethod) {
			return false
		}
	case preflight && m.limits == 0:
		return false
	}
	return len(m.paths) == 0 || m.matchesPath(r.Path)
}

// hasMethod reports whether r's method is the one, in any case: methods are case-
// sensitive (RFC 9110, section 9.1), but some servers in front of applications
// turn them into capitals.
func (r *Request) hasMethod(method string) bool { return strings.EqualFold(r.Method, method) }

func (m *rule) matchesPath(p string) bool {
	for _, pattern := range m.paths {
		if matchPath(pattern, p) {
			return true
		}
	}
	return false
}

// firstMatch returns the first of the rules that matches, or nil.
func firstMatch(rules []rule, r *Request, preflight bool, matched uint64) *rule {
	for i := range rules {
		if rules[i].matches(r, preflight, matched) {
			return &rules[i]
		}
	}
	return nil
}

// Matches are the limits of a policy that a request meets, as sets of indices:
// those it is charged to, and those that may refuse it.
type matches struct {
	preflight          bool
	charged, refusable uint64
}

// match finds out which of the policy's limits r meets.
func (p *Policy) match(r *Request) (m matches) {
	m.preflight = preflight(r)
	for _, i := range p.order {
		l := p.Limits[i]
		bit := uint64(1) << i
		if l.except&m.charged == 0 && firstMatch(l.match, r, m.preflight, m.charged) != nil {
			m.charged |= bit
		}
		switch {
		case l.Count:
		case l.refuse == nil:
			m.refusable |= m.charged & bit
		case firstMatch(l.refuse, r, m.preflight, m.charged) != nil:
			m.refusable |= bit
		}
	}
	return m
}

// costOf returns the limit's cost for a request that it matches.
func (l *Limit) costOf(r *Request, m *matches) *cost {
	if l.ruleCosts {
		if hit := firstMatch(l.match, r, m.preflight, m.charged); hit != nil && hit.cost != nil {
			return hit.cost
		}
	}
	return l.cost
}

// preflight reports whether r is a CORS preflight, which carries no credential. One
// whose header the origin may not get is none.
func preflight(r *Request) bool {
	if r.Method != "OPTIONS" {
		return false
	}
	_, ok := r.Source.Attribute(&preflightRef)
	return ok && !r.Source.Several(&preflightRef)
}
