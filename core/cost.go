package core

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

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
	n, ok := parseCost(v)
	switch c.ref.Kind {
	case RefHeader, RefQuery, RefCookie:
		if !ok || d.request.Source.Several(c.ref) {
			return c.largest(d.request.Source.All(c.ref)), nil
		}
	}
	if !ok {
		return c.min, nil
	}
	return max(n, c.min), nil
}

// largest returns the cost where nobody knows which of the values the origin takes.
func (c *cost) largest(values []string) int64 {
	cost := c.min
	for _, v := range values {
		if n, ok := parseCost(v); ok {
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

// parseCost reads a number from 0, as many decoders do also with white space around
// it, and rounds it up to a whole one; ok is false where the text is none.
func parseCost(s string) (n int64, ok bool) {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return min(n, MaxAmount), n >= 0
	}
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange), math.IsNaN(f), f < 0:
		return 0, false
	case f >= float64(MaxAmount):
		return MaxAmount, true
	}
	return int64(math.Ceil(f)), true
}
