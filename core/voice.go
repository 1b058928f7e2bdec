package core

import (
	"strconv"
	"strings"
)

// The origin's response headers, in canonical form.
const (
	HeaderCost    = "Weir-Cost"
	HeaderLease   = "Weir-Lease"
	HeaderRelease = "Weir-Release"
	HeaderSet     = "Weir-Set"
	// HeaderPrefix starts every header that speaks to Weir: taken from origins,
	// dropped from clients.
	HeaderPrefix = "Weir-"
)

const (
	// maxNames is how many leases, releases or attributes one response may name.
	maxNames = 1024
	// maxTextLength in bytes is how long an attribute's text may be.
	maxTextLength = 256
)

// A Voice is what the origin said in one response.
type Voice struct {
	HasCost        bool
	Cost           int64 // millionths
	Lease, Release []string
	Set            Attributes
	// Invalid counts the values that could not be read, Wrong is the first header
	// that had one.
	Invalid int
	Wrong   string
}

// ParseVoice reads the values of the origin's headers; each may occur several
// times and hold a comma-separated list. What cannot be read is left out and
// counted in Invalid. Of several costs the largest counts.
func ParseVoice(cost, lease, release, set []string) Voice {
	var v Voice
	for item := range items(cost) {
		v.addCost(item)
	}
	v.blame(HeaderCost)
	v.Lease = v.names(lease)
	v.blame(HeaderLease)
	v.Release = v.names(release)
	v.blame(HeaderRelease)
	for item := range items(set) {
		v.addAttribute(item)
	}
	v.blame(HeaderSet)
	return v
}

// Unknown notes a header that says nothing to Weir.
func (v *Voice) Unknown(header string) {
	v.Invalid++
	v.blame(header)
}

// blame notes the header that was read last, if something in it was the first
// that could not be read.
func (v *Voice) blame(header string) {
	if v.Invalid > 0 && v.Wrong == "" {
		v.Wrong = header
	}
}

// items yields the members of comma-separated lists (RFC 9110, section 5.6.1).
func items(values []string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, value := range values {
			for item := range strings.SplitSeq(value, ",") {
				if item = strings.Trim(item, " \t"); item != "" && !yield(item) {
					return
				}
			}
		}
	}
}

// addCost reads a decimal number from 0; decimals past the sixth round up.
func (v *Voice) addCost(item string) {
	cost, ok := ParseCost(item)
	if !ok {
		v.Invalid++
		return
	}
	v.HasCost, v.Cost = true, max(v.Cost, cost)
}

// ParseCost reads a decimal cost from 0 as millionths; decimals past the sixth
// round up, so that no spending is lost.
func ParseCost(s string) (millionths int64, ok bool) {
	if strings.ContainsAny(s, "eE") {
		f, err := strconv.ParseFloat(s, 64)
		switch {
		case err != nil || f > float64(MaxAmount):
			return 0, false
		case f == 0 && !zeroMantissa(s):
			f = 1e-7 // rounds up
		}
		s = strconv.FormatFloat(f, 'f', -1, 64)
	}
	whole, frac, _ := strings.Cut(s, ".")
	up := int64(0)
	if len(frac) > 6 && digits(frac) {
		if strings.Trim(frac[6:], "0") != "" {
			up = 1
		}
		frac = frac[:6]
	}
	if whole == "" && frac != "" {
		whole = "0"
	}
	if frac != "" {
		whole += "." + frac
	}
	units, micro, err := parseDecimal(whole)
	if err != nil || strings.HasPrefix(whole, "-") || units > MaxAmount/Million {
		return 0, false
	}
	millionths = units*Million + micro + up
	return millionths, millionths <= MaxAmount
}

// names reads ids of leases.
func (v *Voice) names(values []string) (names []string) {
	for item := range items(values) {
		if len(names) == maxNames {
			v.Invalid++
			continue
		}
		names = append(names, item)
	}
	return names
}

// addAttribute reads NAME=VALUE; an empty value takes back what was set.
func (v *Voice) addAttribute(item string) {
	name, value, ok := strings.Cut(item, "=")
	name, value = strings.TrimRight(name, " \t"), strings.Trim(value, " \t")
	if !ok || !ValidAttributeName(name) || name == "id" || len(value) > maxTextLength || hasControls(value) || len(v.Set) == maxNames {
		v.Invalid++
		return
	}
	parsed := ParseValue(value)
	if n, number := parsed.amount(1); number && n != Unlimited && strings.HasPrefix(value, "-") {
		v.Invalid++
		return
	}
	v.Set = append(v.Set, Attribute{name, parsed})
}
