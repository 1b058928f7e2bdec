package core

import "errors"

// A cost says what a request is charged by a limit.
type cost struct {
	amount int64 // a constant cost, where ref is nil
	ref    *Ref
	min    int64
}

// of returns the cost of d's request, from 0 to MaxAmount. It answers the error
// of Source.Body where the cost is in a body that cannot be read, unless the
// policy names a cost for that.
func (c *cost) of(d *Decision) (int64, error) {
	switch {
	case c == nil:
		return 1, nil
	case c.ref == nil:
		return c.amount, nil
	case c.ref.Kind == RefJSON:
		return c.ofBody(d)
	}
	v, _ := d.request.attribute(c.ref)
	switch c.ref.Kind {
	case RefHeader, RefQuery, RefCookie:
		if !digits(v) || d.request.Source.Several(c.ref) {
			return c.largest(d.request.Source.All(c.ref)...), nil
		}
	}
	return c.largest(v), nil
}

// largest returns the cost where nobody knows which of the values the origin takes.
func (c *cost) largest(values ...string) int64 {
	cost := c.min
	for _, v := range values {
		if n, ok := largestCost(v); ok {
			cost = max(cost, n)
		}
	}
	return cost
}

// ofBody returns the cost that the body says: the largest of all its readings.
func (c *cost) ofBody(d *Decision) (int64, error) {
	readings, err := d.request.Source.Body(d.Policy.bodyLimit)
	switch {
	case err == nil:
	case errors.Is(err, ErrNoBody):
		return c.min, nil
	case d.Policy.oversize != nil && !errors.Is(err, ErrBodyBroken):
		return *d.Policy.oversize, nil
	default:
		return 0, err
	}
	cost := c.min
	for _, body := range readings {
		if n, ok := bodyCost(body, c.ref.path); ok {
			cost = max(cost, n)
		}
	}
	return cost, nil
}
