package core

// A Policy is a compiled PolicyConfig. It is immutable.
type Policy struct {
	// Name of the policy.
	Name string
	// Config as given, with texts in their canonical form.
	Config PolicyConfig
	// Limits in policy order; Limits[i].Index is i and Config.Limits[i] its
	// configuration.
	Limits []*Limit
	// Plans of the policy; nil if it has none.
	Plans *Plans

	subject *subjectRule
	usage   []rule
}

// Limit returns the named limit, or nil.
func (p *Policy) Limit(name string) *Limit {
	for _, l := range p.Limits {
		if l.Name == name {
			return l
		}
	}
	return nil
}
