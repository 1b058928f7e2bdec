package bootstrap

import (
	"fmt"
	"slices"

	"github.com/weirhq/weir/core"
)

// A finding is something that Envoy's Rate Limit Service cannot do of a policy,
// or does otherwise than Caddy.
type finding struct {
	// Limit that it is about; "" for the policy as a whole.
	Limit string
	// Lost says that it is not done at all.
	Lost bool
	Why  string
}

// String returns the finding in one line.
func (f finding) String() string {
	what := "differs"
	if f.Lost {
		what = "cannot"
	}
	if f.Limit == "" {
		return what + ": " + f.Why
	}
	return fmt.Sprintf("%s: limit %s: %s", what, f.Limit, f.Why)
}

// findings returns all there are of a policy, those that are lost first.
func findings(p *core.Policy, n *need) (all []finding) {
	add := func(f finding) {
		if !slices.Contains(all, f) {
			all = append(all, f)
		}
	}
	uses := p.Uses()
	for i := range uses {
		if f, found := findUse(&uses[i]); found {
			add(f)
		}
	}
	for _, l := range p.Limits {
		if f, found := findLimit(l); found {
			add(f)
		}
	}
	if slices.Contains(n.Voice, "set") {
		add(finding{Why: "Weir-Set acts a moment after the response's last byte, when Envoy tells that its stream has ended"})
	}
	slices.SortStableFunc(all, func(a, b finding) int {
		switch {
		case a.Lost == b.Lost:
			return 0
		case a.Lost:
			return -1
		}
		return 1
	})
	return all
}

// findUse returns what is wrong with reading a fact.
func findUse(u *core.Use) (f finding, found bool) {
	if u.Limit != nil {
		f.Limit = u.Limit.Name
	}
	f.Lost = true
	a, sent, err := actionFor(&u.Ref)
	switch {
	case err != nil:
		f.Why = err.Error()
	case sent && a.foreign == "":
		return finding{}, false
	case u.Purpose == core.ForCost && !sent:
		f.Why = fmt.Sprintf("its cost {%s} is in the request's body, which Envoy does not send; every such request costs its min, %d", u.Ref.Text, u.Min)
	case !sent:
		f.Why = fmt.Sprintf("{%s} is in the request's body, which Envoy does not send", u.Ref.Text)
	default:
		f.Why = fmt.Sprintf("Envoy does not know {%s}; a filter before must put it into the dynamic metadata %s", u.Ref.Text, attributesNamespace)
	}
	return f, true
}

// findLimit returns how the limit works otherwise than in Caddy.
func findLimit(l *core.Limit) (f finding, found bool) {
	f.Limit = l.Name
	switch {
	case l.Leasable():
		f.Why = "leases and releases act a moment after the response's last byte, when Envoy tells that its stream has ended, and in headers only, not in trailers"
	case l.Kind == core.Hold:
		f.Why = "a slot is free a moment after the response's last byte, when Envoy tells that its stream has ended; who sends the next request at once may be refused"
	case l.Settled:
		f.Why = "costs are charged a moment after the response's last byte, when Envoy tells that its stream has ended, and heard in headers only, not in trailers"
	default:
		return finding{}, false
	}
	return f, true
}
