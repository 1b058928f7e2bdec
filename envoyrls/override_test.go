package envoyrls_test

import (
	"math"
	"testing"

	limit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// limited gives a descriptor a maximum of its own.
func limited(d *descriptor, most uint32, unit rls.RateLimitUnit, units uint32) *descriptor {
	d.Limit = &limit.RateLimitDescriptor_RateLimitOverride{RequestsPerUnit: most, Unit: unit}
	if units > 0 {
		d.Limit.UnitMultiplier = wrapperspb.UInt32(units)
	}
	return d
}

// TestOverride: a descriptor's own maximum stands for that of the limit whose
// window it names, for that request.
func TestOverride(t *testing.T) {
	g := start(t, fixed(1)+`
		policy minute {
			subject {header.X-API-Key}
			limit requests {
				rolling 1m
				max 10
			}
			headers x-ratelimit delta
		}
		policy ninety {
			per all
			limit requests {
				fixed 90s
				max 10
			}
		}
		policy month {
			per all
			limit requests {
				calendar month UTC
				max 10
			}
		}
		policy bucket {
			per all
			limit requests {
				bucket 10/1s burst 100
			}
		}
		policy week {
			per all
			limit requests {
				calendar week UTC
				max 10
			}
		}
		policy fortnight {
			per all
			limit requests {
				rolling 14d
				max 10
			}
		}`)
	none := func() *descriptor { return entries("path", "/") }
	for _, tc := range []struct {
		domain    string
		d         *descriptor
		most      uint32
		remaining uint32
	}{
		{"minute", by("k"), 10, 9},
		{"minute", limited(by("k"), 5, rls.RateLimitUnit_MINUTE, 0), 5, 3},
		{"minute", limited(by("k"), 5, rls.RateLimitUnit_SECOND, 60), 5, 2},
		{"minute", by("k"), 10, 6},
		{"minute", limited(by("k"), 5, rls.RateLimitUnit_UNKNOWN, 0), 10, 5}, // ignored, as the next ones
		{"minute", limited(by("k"), 5, rls.RateLimitUnit_HOUR, 0), 10, 4},
		{"minute", limited(by("k"), 5, 99, 0), 10, 3},
		{"minute", limited(by("k"), 5, rls.RateLimitUnit_MINUTE, math.MaxUint32), 10, 2},
		{"minute", limited(by("k"), math.MaxUint32, rls.RateLimitUnit_MINUTE, 1), math.MaxUint32, math.MaxUint32 - 9},
		{"ninety", limited(none(), 3, rls.RateLimitUnit_SECOND, 90), 3, 2},
		{"month", limited(none(), 3, rls.RateLimitUnit_MONTH, 0), 3, 2},
		{"month", limited(none(), 3, rls.RateLimitUnit_MONTH, 2), 10, 8}, // ignored
		{"bucket", limited(none(), 3, rls.RateLimitUnit_SECOND, 0), 3, 2},
		{"week", limited(none(), 3, rls.RateLimitUnit_DAY, 7), 3, 2},
		{"fortnight", limited(none(), 3, rls.RateLimitUnit_DAY, 14), 3, 2},
	} {
		s := g.want(ok, tc.domain, tc.d).GetStatuses()[0]
		if s.GetCurrentLimit().GetRequestsPerUnit() != tc.most || s.GetLimitRemaining() != tc.remaining {
			t.Errorf("%s, %v: %v, want %d of %d", tc.domain, tc.d.GetLimit(), s, tc.remaining, tc.most)
		}
	}
	r := g.want(over, "minute", limited(by("k"), 5, rls.RateLimitUnit_MINUTE, 0))
	wantTold(t, r, "X-RateLimit-Limit", "5", "metadata.limit", "requests")
	r = g.want(over, "minute", by("k2"), limited(by("k"), 0, rls.RateLimitUnit_MINUTE, 0))
	if r.GetStatuses()[0].GetCode() != ok {
		t.Errorf("%v", r)
	}
	if n := g.scrape(`weir_overrides_ignored_total{policy="minute"}`); n != "4" {
		t.Errorf("%s overrides ignored", n)
	}
}
