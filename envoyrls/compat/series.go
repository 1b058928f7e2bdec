package compat

import (
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/weirhq/weir/core"
)

// A series has the counters of one rule in envoyproxy/ratelimit's metrics.
type series struct {
	totalHits, overLimit, nearLimit, withinLimit, shadowMode atomic.Uint64
	// holders is how many services, and names with values of calls, have it;
	// Metrics.mu guards it.
	holders int
}

// empty reports whether nothing was counted.
func (s *series) empty() bool { return s.totalHits.Load() == 0 }

// labels are a series' labels, as envoyproxy/ratelimit's mapping makes them of
// the dots in a rule's name: what is deeper than key2 is counted there.
type labels struct{ domain, key1, key2 string }

var ipv4 = regexp.MustCompile(`\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}`)

// labelsOf returns the labels of a name: a domain, and keys with values, with
// dots between.
func labelsOf(name string) labels {
	name = strings.NewReplacer(":", "_", "|", "_").Replace(name)
	name = ipv4.ReplaceAllStringFunc(name, func(ip string) string { return strings.ReplaceAll(ip, ".", "_") })
	parts := append(strings.SplitN(name, ".", 4), "", "")
	return labels{parts[0], parts[1], parts[2]}
}

// count counts a charge of hits against limit. Of hits that pass the limit those
// below it are near it, as all are that pass four fifths of it. used is what the
// cell counts after the charge, or less where the same call gave hits back.
func (s *series) count(c *core.Charge, hits, used, limit int64) {
	if hits < 0 {
		return
	}
	s.totalHits.Add(uint64(hits))
	before, after := used-hits, used
	if !c.Taken {
		before, after = used, used+hits
	}
	near := limit/5*4 + limit%5*4/5
	if !c.Refused {
		s.withinLimit.Add(uint64(hits))
		s.nearLimit.Add(uint64(min(hits, max(0, after-near))))
		return
	}
	over := hits
	if c.Taken && before < limit {
		over = min(hits, max(0, after-limit))
		s.nearLimit.Add(uint64(min(hits-over, limit-max(near, before))))
	}
	s.overLimit.Add(uint64(over))
	if c.Limit.Shadow {
		s.shadowMode.Add(uint64(over))
	}
}
