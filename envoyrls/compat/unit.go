package compat

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"

	"github.com/weirhq/weir/core"
)

// unit is one of the protocol's.
type unit = rls.RateLimitResponse_RateLimit_Unit

const noUnit = rls.RateLimitResponse_RateLimit_UNKNOWN

const second = 1_000_000 // µs

// lengths of the units that have one, in µs. Weeks are those since the epoch,
// which began on a Thursday.
var lengths = map[unit]int64{
	rls.RateLimitResponse_RateLimit_SECOND: second,
	rls.RateLimitResponse_RateLimit_MINUTE: 60 * second,
	rls.RateLimitResponse_RateLimit_HOUR:   60 * 60 * second,
	rls.RateLimitResponse_RateLimit_DAY:    24 * 60 * 60 * second,
	rls.RateLimitResponse_RateLimit_WEEK:   7 * 24 * 60 * 60 * second,
}

// maxLength bounds windows of several units, in µs: a hundred years.
const maxLength = 36_525 * 24 * 60 * 60 * second

// unitNames are the units as configurations spell them, shortest first.
var unitNames = []string{"second", "minute", "hour", "day", "week", "month", "year"}

// unitOf returns the unit of that name, in any case; noUnit for others.
func unitOf(name string) unit {
	return unit(rls.RateLimitResponse_RateLimit_Unit_value[strings.ToUpper(name)])
}

// An algorithm is a way of counting.
type algorithm int

const (
	fixed algorithm = iota
	rolling
	bucket
)

var algorithmNames = []string{"fixed", "rolling", "bucket"}

// A count is how a rule counts: which cells, and how one of them is held
// against a maximum.
type count struct {
	unit      unit
	units     uint32 // above 1: windows are of so many
	algorithm algorithm
	shadow    bool
}

// limits are a domain's, by how they count.
type limits map[count]*core.Limit

// of returns the limit that counts so; nil where a unit has no length for the
// algorithm.
func (l limits) of(domain string, c count) *core.Limit {
	if limit := l[c]; limit != nil {
		return limit
	}
	limit := newLimit(domain, c)
	l[c] = limit
	return limit
}

// newLimit returns a limit of a domain. Its maximum comes with each charge.
func newLimit(domain string, c count) *core.Limit {
	units := int64(max(1, c.units))
	if units > 1 && units > maxLength/max(1, lengths[c.unit]) {
		return nil
	}
	l := &core.Limit{Policy: domain, Shadow: c.shadow, Length: units * lengths[c.unit]}
	switch {
	case c.algorithm == rolling:
		l.Kind = core.Rolling
	case c.algorithm == bucket:
		l.Kind = core.Bucket
	case l.Length > 0:
		l.Kind = core.Fixed
	case units == 1:
		l.Kind = core.Calendar
		l.Schedule, _ = core.NewSchedule(strings.ToLower(c.unit.String()), "UTC", "")
	}
	if l.Length == 0 && l.Schedule == nil {
		return nil
	}
	l.Name = fmt.Sprintf("%s %s", l.Kind, strings.ToLower(c.unit.String()))
	if units > 1 {
		l.Name = fmt.Sprintf("%s %d %s", l.Kind, units, strings.ToLower(c.unit.String()))
	}
	// A policy's limits are never named so: see core.Limit.ID.
	sum := sha256.Sum256(fmt.Appendf(nil, "envoyproxy/ratelimit %q %s", domain, l.Name))
	l.ID = binary.LittleEndian.Uint64(sum[:])
	return l
}
