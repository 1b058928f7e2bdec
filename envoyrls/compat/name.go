package compat

// seriesOf returns the series in which a is counted: by the rule's path, or by a
// name with values of the call, where the rule says so or the limit is a's own.
func (c *call) seriesOf(a *ask) *series {
	r := a.rule
	switch {
	case r == nil:
		c.nameOwn(a)
		return c.service.metrics.ofCall(c.buf, c.domain.name+".other")
	case r.detailed:
		c.nameDetailed(a)
	case r.variable:
		c.nameVariable(a)
	default:
		return r.series
	}
	return c.service.metrics.ofCall(c.buf, r.path)
}

// part appends a key, and the value unless it is empty, to the name in buf.
func (c *call) part(key, value string) {
	c.buf = append(append(c.buf, '.'), key...)
	if value != "" {
		c.buf = append(append(c.buf, '_'), value...)
	}
}

// nameOwn names the entries of a descriptor that has its own limit.
func (c *call) nameOwn(a *ask) {
	c.buf = append(c.buf[:0], c.domain.name...)
	for _, e := range a.descriptor.GetEntries() {
		c.part(e.GetKey(), e.GetValue())
	}
}

// nameDetailed names all entries with their values; where some share a counter,
// those with their wildcard.
func (c *call) nameDetailed(a *ask) {
	shares := false
	for _, s := range c.steps {
		shares = shares || s.shared
	}
	c.buf = append(c.buf[:0], c.domain.name...)
	for i, e := range a.descriptor.GetEntries() {
		switch {
		case c.steps[i].shared:
			c.part(e.GetKey(), c.steps[i].shown())
		case !shares && e.GetValue() == "":
			c.part(e.GetKey(), "")
			c.buf = append(c.buf, '_')
		default:
			c.part(e.GetKey(), e.GetValue())
		}
	}
}

// nameVariable names the steps as configured, and those that say so with the
// entry's value.
func (c *call) nameVariable(a *ask) {
	c.buf = append(c.buf[:0], c.domain.name...)
	for i, e := range a.descriptor.GetEntries() {
		s := c.steps[i]
		switch {
		case s.shared || s.wild() && !s.valueToMetric:
			c.part(e.GetKey(), s.shown())
		case s.value != "" && !s.wild() || s.valueToMetric:
			c.part(e.GetKey(), e.GetValue())
		default:
			c.part(e.GetKey(), "")
		}
	}
}
