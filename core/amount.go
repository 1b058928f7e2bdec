package core

import (
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"strings"
)

const (
	// MaxAmount is the largest amount a cell, a cost or a maximum can have:
	// what a double holds exactly, for Redis's scripts count in doubles.
	MaxAmount int64 = 1<<53 - 1
	// Unlimited as a maximum lifts the cap.
	Unlimited int64 = math.MaxInt64
	// Million is the number of millionths in one: the scale of settled limits.
	Million int64 = 1_000_000
	// Unknown as a wait says that nobody knows when it ends.
	Unknown int64 = -1
)

// SaturatingAdd returns a+b, at most MaxAmount, for a and b from 0 to MaxAmount.
func SaturatingAdd(a, b int64) int64 {
	return min(a+b, MaxAmount)
}

// An Amount is a maximum or a rate as configured: a number, unlimited, or an
// attribute of the subject with an optional factor and an optional default,
// `{subject.credits} * 2 else 10`. The zero Amount is none.
type Amount struct {
	// Value is the number, or, where Attribute is set, the `else` value.
	Value Value
	// Attribute is the subject's attribute that gives the number.
	Attribute string
	// Factor in millionths multiplies the attribute; 0 means one.
	Factor int64
}

// IsZero reports whether there is no amount.
func (a Amount) IsZero() bool { return a == Amount{} }

// ParseAmount reads an amount's text form.
func ParseAmount(s string) (Amount, error) {
	expr, otherwise, hasElse := strings.Cut(strings.TrimSpace(s), " else ")
	if !strings.HasPrefix(expr, "{") {
		if hasElse {
			return Amount{}, fmt.Errorf("%q: only an attribute such as {subject.credits} has an else", Clip(s))
		}
		v, err := parseCap(expr)
		return Amount{Value: v}, err
	}
	ref, factor, hasFactor := strings.Cut(expr, "*")
	name, err := subjectAttribute(strings.TrimSpace(ref))
	if err != nil {
		return Amount{}, err
	}
	a := Amount{Attribute: name}
	if hasFactor {
		units, micro, err := parseDecimal(strings.TrimSpace(factor))
		if err != nil {
			return Amount{}, fmt.Errorf("factor: %w", err)
		}
		if units < 0 || micro < 0 || units == 0 && micro == 0 || units > 1_000_000_000 {
			return Amount{}, fmt.Errorf("factor %q must be above 0 and at most 1000000000", Clip(strings.TrimSpace(factor)))
		}
		a.Factor = units*Million + micro
	}
	if hasElse {
		if a.Value, err = parseCap(strings.TrimSpace(otherwise)); err != nil {
			return Amount{}, fmt.Errorf("else: %w", err)
		}
	}
	return a, nil
}

// parseCap reads a number from 0 or unlimited.
func parseCap(s string) (Value, error) {
	v := ParseValue(s)
	if n, ok := v.amount(Million); !ok || strings.HasPrefix(s, "-") {
		return Value{}, fmt.Errorf("%q is not a number from 0 to %d, unlimited, or {subject.ATTRIBUTE}%s", Clip(s), MaxAmount, Suggest(s, "unlimited"))
	} else if n < 0 {
		return Value{}, fmt.Errorf("%q is too large", Clip(s))
	}
	return v, nil
}

// subjectAttribute takes NAME out of {subject.NAME}.
func subjectAttribute(ref string) (string, error) {
	name, ok := strings.CutPrefix(ref, "{subject.")
	name, closed := strings.CutSuffix(name, "}")
	switch {
	case ok && closed && ValidAttributeName(name):
		return name, nil
	case strings.ContainsAny(ref, " \t"):
		return "", fmt.Errorf("%q is not {subject.ATTRIBUTE} [* FACTOR] [else N]", Clip(ref))
	}
	name = strings.TrimSuffix(ref[strings.LastIndexAny(ref, "{.")+1:], "}")
	if strings.HasPrefix(ref, "{http.") || !ValidAttributeName(name) {
		return "", fmt.Errorf("%q is not {subject.ATTRIBUTE}", Clip(ref))
	}
	return "", fmt.Errorf("%q is not {subject.ATTRIBUTE}; did you mean {subject.%s}?", Clip(ref), Clip(name))
}

// String returns the amount's text form.
func (a Amount) String() string {
	if a.Attribute == "" {
		return a.Value.String()
	}
	s := "{subject." + a.Attribute + "}"
	if a.Factor != 0 {
		s += " * " + formatDecimal(a.Factor/Million, a.Factor%Million)
	}
	if !a.Value.IsZero() {
		s += " else " + a.Value.String()
	}
	return s
}

// MarshalJSON writes a number as a number, anything else as its text form.
func (a Amount) MarshalJSON() ([]byte, error) {
	if a.Attribute == "" {
		return a.Value.MarshalJSON()
	}
	return json.Marshal(a.String())
}

// UnmarshalJSON reads a number or a text form.
func (a *Amount) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		s = string(b)
	}
	parsed, err := ParseAmount(s)
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}

// resolve returns the amount for op's subject, in 1/scale units.
func (a *Amount) resolve(op *Take, scale int64) int64 {
	if a.Attribute == "" {
		n, _ := a.Value.amount(scale)
		return n
	}
	n, ok := op.attribute(a.Attribute, scale)
	if !ok {
		n, _ = a.Value.amount(scale)
		return n
	}
	return times(n, a.Factor)
}

// times multiplies by a factor in millionths, rounding down and saturating.
func times(n, factor int64) int64 {
	if factor == 0 || n == Unlimited {
		return n
	}
	hi, lo := bits.Mul64(uint64(n), uint64(factor))
	if hi >= uint64(Million) {
		return MaxAmount
	}
	q, _ := bits.Div64(hi, lo, uint64(Million))
	return int64(min(q, uint64(MaxAmount)))
}
