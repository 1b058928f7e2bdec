package core

import (
	"errors"
	"math"
	"strconv"
)

// A cost says what a request is charged by a limit.
type cost struct {
	amount int64 // a constant cost, where ref is nil
	ref    *Ref
	min    int64
}

// of returns the cost of d's request, from 0 to MaxAmount. It answers
// ErrBodyTooLarge where the body that the cost is in may not be read and the
// policy names no cost for that.
func (c *cost) of(d *Decision, oversize *int64) (int64, error) {
	if c == nil {
		return 1, nil
	}
	if c.ref == nil {
		return c.amount, nil
	}
	value, err := c.value(d)
	if errors.Is(err, ErrBodyTooLarge) && oversize != nil {
		return *oversize, nil
	}
	if errors.Is(err, ErrBodyTooLarge) {
		return 0, err
	}
	n, ok := parseCost(value)
	if !ok {
		return c.min, nil
	}
	return max(n, c.min), nil
}

// value returns the text that the cost is read from.
func (c *cost) value(d *Decision) (string, error) {
	if c.ref.Kind != RefJSON {
		v, _ := d.request.attribute(c.ref)
		return v, nil
	}
	body, err := d.request.Source.Body(d.Policy.bodyLimit)
	if err != nil {
		return "", err
	}
	return bodyValue(body, c.ref.path), nil
}

// parseCost reads a number from 0 and rounds it up to a whole one; ok is false
// where the text is none.
func parseCost(s string) (n int64, ok bool) {
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
