package core

import "slices"

// A Purpose is what a policy reads a fact of a request for.
type Purpose uint8

// The purposes.
const (
	ForPreflight  Purpose = iota + 1 // to let CORS preflights pass
	ForCredential                    // to know who is counted
	ForMatch                         // to know which limits a request meets
	ForScope                         // to know which of a limit's cells it is charged to
	ForCost                          // to know how much it costs
)

// A Use is one fact of a request that a policy reads.
type Use struct {
	Ref     Ref
	Purpose Purpose
	// Limit that reads it; nil where it is the policy.
	Limit *Limit
	// Min is, of a cost, what is charged where the fact is missing.
	Min int64
}

// Uses returns all facts that the policy may ever read of a request, in policy
// order. A fact has as many uses as there are limits and purposes to read it.
func (p *Policy) Uses() []Use {
	uses := []Use{{Ref: methodRef, Purpose: ForPreflight}, {Ref: preflightRef, Purpose: ForPreflight}}
	if p.subject != nil {
		uses = append(uses, p.subject.uses()...)
	}
	for _, l := range p.Limits {
		uses = append(uses, l.uses()...)
	}
	for i := range p.usage {
		uses = append(uses, p.usage[i].uses(nil)...)
	}
	return uses
}

// uses returns what is read to know who is counted.
func (s *subjectRule) uses() (uses []Use) {
	for _, source := range s.sources {
		uses = append(uses, Use{Ref: source.ref, Purpose: ForCredential})
	}
	if s.missing.kind == countByIP || s.unknown.kind == countByIP {
		uses = append(uses, Use{Ref: clientIPRef, Purpose: ForCredential})
	}
	return uses
}

// uses returns what is read for the limit.
func (l *Limit) uses() (uses []Use) {
	for _, rules := range [][]rule{l.match, l.refuse} {
		for i := range rules {
			uses = append(uses, rules[i].uses(l)...)
		}
	}
	if l.cost != nil && l.cost.ref != nil {
		uses = append(uses, Use{Ref: *l.cost.ref, Purpose: ForCost, Limit: l, Min: l.cost.min})
	}
	for i := range l.scope.refs {
		uses = append(uses, Use{Ref: l.scope.refs[i], Purpose: ForScope, Limit: l})
	}
	return uses
}

// uses returns what is read for the rule, which is l's or the policy's own.
func (m *rule) uses(l *Limit) (uses []Use) {
	if len(m.methods) > 0 {
		uses = append(uses, Use{Ref: methodRef, Purpose: ForMatch, Limit: l})
	}
	if slices.ContainsFunc(m.paths, func(pattern string) bool { return pattern != "*" }) {
		uses = append(uses, Use{Ref: pathRef, Purpose: ForMatch, Limit: l})
	}
	if m.cost != nil && m.cost.ref != nil {
		uses = append(uses, Use{Ref: *m.cost.ref, Purpose: ForCost, Limit: l, Min: m.cost.min})
	}
	return uses
}
