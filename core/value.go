package core

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

type valueKind uint8

const (
	noValue valueKind = iota
	numberValue
	unlimitedValue
	textValue
)

// A Value is a subject's attribute: a number with up to six decimals, the word
// unlimited, or a text. The zero Value is none.
type Value struct {
	kind  valueKind
	units int64 // the number's whole part
	micro int64 // and its millionths, 0 to 999999, with the sign of the number
	text  string
}

// Number returns the value of a whole number.
func Number(n int64) Value { return Value{kind: numberValue, units: n} }

// Text returns the value of a text.
func Text(s string) Value { return Value{kind: textValue, text: s} }

// UnlimitedValue returns the value that lifts a cap.
func UnlimitedValue() Value { return Value{kind: unlimitedValue} }

// ParseValue reads a number ("10", "12.50"), "unlimited", or else a text. The
// empty string is no value.
func ParseValue(s string) Value {
	switch {
	case s == "":
		return Value{}
	case s == "unlimited":
		return UnlimitedValue()
	}
	if units, micro, err := parseDecimal(s); err == nil {
		return Value{kind: numberValue, units: units, micro: micro}
	}
	return Text(s)
}

// IsZero reports whether there is no value.
func (v Value) IsZero() bool { return v.kind == noValue }

// IsText reports whether the value is a text.
func (v Value) IsText() bool { return v.kind == textValue }

// String returns the value as configurations spell it: numbers without
// trailing zeros; "" for no value.
func (v Value) String() string {
	switch v.kind {
	case numberValue:
		return formatDecimal(v.units, v.micro)
	case unlimitedValue:
		return "unlimited"
	case textValue:
		return v.text
	}
	return ""
}

// MarshalJSON writes a JSON number or string, null for no value.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.kind {
	case noValue:
		return []byte("null"), nil
	case numberValue:
		return []byte(v.String()), nil
	}
	return json.Marshal(v.String())
}

// UnmarshalJSON reads a JSON number, string, boolean (as its text) or null.
func (v *Value) UnmarshalJSON(b []byte) error {
	s := string(b)
	switch {
	case s == "null":
		*v = Value{}
		return nil
	case s == "true" || s == "false":
		*v = Text(s)
		return nil
	case strings.HasPrefix(s, `"`):
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		if s == "unlimited" {
			*v = UnlimitedValue()
		} else {
			*v = Text(s)
		}
		return nil
	}
	units, micro, err := parseDecimal(s)
	if err != nil {
		return err
	}
	*v = Value{kind: numberValue, units: units, micro: micro}
	return nil
}

// amount returns the value in 1/scale units, from 0 to MaxAmount or Unlimited;
// ok is false where it is no number.
func (v Value) amount(scale int64) (n int64, ok bool) {
	switch v.kind {
	case unlimitedValue:
		return Unlimited, true
	case numberValue:
		return scaled(v.units, v.micro, scale), true
	case textValue: // "10" in quotes
		if units, micro, err := parseDecimal(v.text); err == nil {
			return scaled(units, micro, scale), true
		}
	}
	return 0, false
}

// scaled converts to 1/scale units, rounding down and saturating.
func scaled(units, micro, scale int64) int64 {
	if units < 0 || micro < 0 {
		return 0
	}
	if scale == 1 {
		return min(units, MaxAmount)
	}
	if units > MaxAmount/scale {
		return MaxAmount
	}
	return min(units*scale+micro*scale/Million, MaxAmount)
}

// parseDecimal reads digits with an optional sign, at most six decimals and an
// optional exponent that keeps within these bounds.
func parseDecimal(s string) (units, micro int64, err error) {
	body, negative := strings.CutPrefix(s, "-")
	whole, frac, hasFrac := strings.Cut(body, ".")
	if strings.ContainsAny(body, "eE") {
		return parseExponent(s)
	}
	if !digits(whole) || hasFrac && !digits(frac) {
		return 0, 0, fmt.Errorf("%q is not a number", Clip(s))
	}
	frac = strings.TrimRight(frac, "0")
	if len(frac) > 6 {
		return 0, 0, fmt.Errorf("%q has more than six decimals", Clip(s))
	}
	units, err = strconv.ParseInt(whole, 10, 64)
	if err != nil || units > MaxAmount {
		return 0, 0, fmt.Errorf("%q is larger than %d", Clip(s), MaxAmount)
	}
	if frac != "" {
		micro, _ = strconv.ParseInt(frac+"000000"[len(frac):], 10, 64)
	}
	if negative {
		return -units, -micro, nil
	}
	return units, micro, nil
}

// parseExponent reads 1e3 and the like, which JSON allows.
func parseExponent(s string) (units, micro int64, err error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > float64(MaxAmount) {
		return 0, 0, fmt.Errorf("%q is not a number up to %d", Clip(s), MaxAmount)
	}
	if f == 0 && !zeroMantissa(s) {
		return 0, 0, fmt.Errorf("%q has more than six decimals", Clip(s))
	}
	return parseDecimal(strconv.FormatFloat(f, 'f', -1, 64))
}

// zeroMantissa reports whether a number with an exponent is 0, and not merely
// less than a double holds.
func zeroMantissa(s string) bool {
	return !strings.ContainsAny(s[:strings.IndexAny(s, "eE")], "123456789")
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// formatDecimal writes a number without trailing zeros.
func formatDecimal(units, micro int64) string {
	if micro == 0 {
		return strconv.FormatInt(units, 10)
	}
	sign := ""
	if units < 0 || micro < 0 {
		sign, units, micro = "-", -units, -micro
	}
	frac := strconv.FormatInt(micro+Million, 10)[1:]
	return sign + strconv.FormatInt(units, 10) + "." + strings.TrimRight(frac, "0")
}

// FormatAmount writes an amount in 1/scale units as a decimal number without
// trailing zeros; Unlimited is "unlimited".
func FormatAmount(n, scale int64) string {
	switch {
	case n == Unlimited:
		return "unlimited"
	case scale == 1:
		return strconv.FormatInt(n, 10)
	}
	return formatDecimal(n/scale, n%scale*(Million/scale))
}
