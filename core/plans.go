package core

// DefaultPlan names the row of subjects whose plan is empty or unknown.
const DefaultPlan = "default"

// Plans are a policy's rows of default attributes. They are immutable.
type Plans struct {
	rows map[string]Attributes
}

// Row returns the plan's attributes, the default row's for a plan that is empty
// or unknown; ok is false where neither exists.
func (p *Plans) Row(plan string) (row Attributes, ok bool) {
	if p == nil || len(p.rows) == 0 {
		return nil, true
	}
	if plan != "" {
		if row, ok = p.rows[plan]; ok {
			return row, true
		}
	}
	row, ok = p.rows[DefaultPlan]
	return row, ok
}

// Value returns a subject's attribute: what was set on it beats its record,
// which beats its plan's row, which beats the default row. A plan may be set
// as an attribute too.
func (op *Take) Value(name string) Value {
	if v := op.Overrides.Get(name); !v.IsZero() {
		return v
	}
	if op.Subject == nil {
		return Value{}
	}
	switch name {
	case "id":
		return Text(op.Subject.ID)
	case "plan":
		return Text(op.plan())
	}
	if v := op.Subject.Attributes.Get(name); !v.IsZero() {
		return v
	}
	return op.planValue(name)
}

// plan returns the name of the subject's plan, DefaultPlan for none.
func (op *Take) plan() string {
	if v := op.Overrides.Get("plan"); !v.IsZero() && op.Plans != nil {
		if _, ok := op.Plans.rows[v.String()]; ok {
			return v.String()
		}
	}
	if op.Subject == nil || op.Subject.Plan == "" {
		return DefaultPlan
	}
	return op.Subject.Plan
}

// planValue returns an attribute of the subject's plan, or of the default row.
func (op *Take) planValue(name string) Value {
	row, _ := op.Plans.Row(op.plan())
	if v := row.Get(name); !v.IsZero() {
		return v
	}
	row, _ = op.Plans.Row(DefaultPlan)
	return row.Get(name)
}

// attribute returns a subject's attribute as an amount. A text caps nothing:
// the next source is asked instead.
func (op *Take) attribute(name string, scale int64) (int64, bool) {
	if n, ok := op.Overrides.Get(name).amount(scale); ok {
		return n, true
	}
	if op.Subject != nil {
		if n, ok := op.Subject.Attributes.Get(name).amount(scale); ok {
			return n, true
		}
	}
	return op.planValue(name).amount(scale)
}
