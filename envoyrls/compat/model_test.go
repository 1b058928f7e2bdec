package compat

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"strings"
	"time"

	limitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/types/known/durationpb"
)

// The model answers calls as envoyproxy/ratelimit's README and its comments
// describe it, with the corrections of docs/envoy-ratelimit.md, in the plainest
// way: lists searched from end to end, regular expressions, a map of counters by
// text. It shares nothing with what it judges but the protocol's messages.

// A modelNode is a descriptor of the file.
type modelNode struct {
	key, value string
	share      bool
	shadow     bool
	quota      bool
	limit      *modelLimit
	children   []*modelNode
}

type modelLimit struct {
	unit      string
	requests  uint32
	unlimited bool
	allowed   bool
	name      string
	replaces  []string
}

// modelYAML writes nodes as a file has them.
func modelYAML(nodes []*modelNode, indent string) string {
	var b strings.Builder
	for _, n := range nodes {
		fmt.Fprintf(&b, "%s- key: %q\n", indent, n.key)
		line := func(format string, args ...any) { fmt.Fprintf(&b, indent+"  "+format+"\n", args...) }
		if n.value != "" {
			line("value: %q", n.value)
		}
		for name, set := range map[string]bool{"share_threshold": n.share, "shadow_mode": n.shadow, "quota_mode": n.quota} {
			if set {
				line("%s: true", name)
			}
		}
		if l := n.limit; l != nil {
			line("rate_limit:")
			if l.unlimited {
				line("  unlimited: true")
			} else {
				line("  unit: %s", l.unit)
				line("  requests_per_unit: %d", l.requests)
			}
			if l.allowed && !l.unlimited {
				line("  charge: allowed")
			}
			if l.name != "" {
				line("  name: %s", l.name)
			}
			for i, name := range l.replaces {
				if i == 0 {
					line("  replaces:")
				}
				line("    - name: %s", name)
			}
		}
		if len(n.children) > 0 {
			line("descriptors:")
			b.WriteString(modelYAML(n.children, indent+"    "))
		}
	}
	return b.String()
}

// A model has a file and its counters.
type model struct {
	nodes    []*modelNode
	counters map[string]int64
}

// find returns the node for entries, and the values that are counted.
func (m *model) find(entries []*limitv3.RateLimitDescriptor_Entry) (n *modelNode, values []string) {
	list := m.nodes
	for _, e := range entries {
		value := e.GetValue()
		n = nil
		for _, c := range list {
			if n == nil && c.key == e.GetKey() && c.value == e.GetValue() && c.value != "" {
				n = c
			}
		}
		for _, c := range list {
			pattern := "(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(c.value), `\*`, ".*") + "$"
			if n == nil && c.key == e.GetKey() && strings.Contains(c.value, "*") && regexp.MustCompile(pattern).MatchString(value) {
				n = c
				if n.share {
					value = n.value
				}
			}
		}
		for _, c := range list {
			if n == nil && c.key == e.GetKey() && c.value == "" {
				n = c
			}
		}
		if n == nil {
			return nil, nil
		}
		values = append(values, value)
		list = n.children
	}
	return n, values
}

// A modelAsk is what a descriptor comes to.
type modelAsk struct {
	node     *modelNode
	override bool
	limit    *rls.RateLimitResponse_RateLimit // nil: none applies
	counter  string
	end      time.Time
	hits     int64
	allowed  bool
	over     bool
	used     int64
}

// window returns when the window of a unit that now is in begins and ends.
func window(unit string, now time.Time) (begin, end time.Time) {
	now = now.UTC()
	length := map[string]int64{"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400, "WEEK": 604800}[unit]
	switch unit {
	case "MONTH":
		begin = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
		return begin, begin.AddDate(0, 1, 0)
	case "YEAR":
		begin = time.Date(now.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
		return begin, begin.AddDate(1, 0, 0)
	}
	begin = time.Unix(now.Unix()/length*length, 0).UTC()
	return begin, begin.Add(time.Duration(length) * time.Second)
}

// asks returns what r's descriptors come to.
func (m *model) asks(r *rls.RateLimitRequest, now time.Time) (asks []*modelAsk) {
	replaced := map[string]bool{}
	for _, d := range r.GetDescriptors() {
		a := &modelAsk{hits: max(1, int64(r.GetHitsAddend()))}
		asks = append(asks, a)
		if d.HitsAddend != nil {
			a.hits = int64(d.GetHitsAddend().GetValue())
		}
		if d.GetIsNegativeHits() {
			a.hits = -a.hits
		}
		n, values := m.find(d.GetEntries())
		if n != nil && n.limit != nil {
			a.node = n
		}
		switch own := d.GetLimit(); {
		case own != nil:
			a.override = true
			a.limit = &rls.RateLimitResponse_RateLimit{RequestsPerUnit: own.GetRequestsPerUnit(), Unit: unit(own.GetUnit())}
			a.allowed = a.node != nil && !a.node.limit.unlimited && a.node.limit.allowed && strings.ToUpper(a.node.limit.unit) == a.limit.GetUnit().String()
			values = nil
			for _, e := range d.GetEntries() {
				values = append(values, e.GetValue())
			}
		case a.node != nil:
			for _, name := range a.node.limit.replaces {
				replaced[name] = true
			}
			if !a.node.limit.unlimited {
				a.limit = &rls.RateLimitResponse_RateLimit{
					RequestsPerUnit: a.node.limit.requests, Name: a.node.limit.name,
					Unit: unit(rls.RateLimitResponse_RateLimit_Unit_value[strings.ToUpper(a.node.limit.unit)]),
				}
				a.allowed = a.node.limit.allowed
			}
		}
		if a.limit == nil {
			continue
		}
		var begin time.Time
		begin, a.end = window(a.limit.GetUnit().String(), now)
		for i, e := range d.GetEntries() {
			a.counter += fmt.Sprintf("%q=%q ", e.GetKey(), values[i])
		}
		a.counter += a.limit.GetUnit().String() + begin.String()
	}
	for _, a := range asks {
		if a.limit != nil && !a.override && a.limit.GetName() != "" && replaced[a.limit.GetName()] {
			a.limit = nil
		}
	}
	return asks
}

// charge charges asks one after another. Unless admitted it leaves out those
// that are charged only then.
func (m *model) charge(asks []*modelAsk, admitted bool) {
	for _, a := range asks {
		if a.limit == nil {
			continue
		}
		most := int64(a.limit.GetRequestsPerUnit())
		before := m.counters[a.counter]
		fits := a.hits < 0 || before+a.hits <= most
		if !a.allowed || admitted && fits {
			m.counters[a.counter] = max(0, before+a.hits)
		}
		if a.used = m.counters[a.counter]; admitted {
			a.over = a.used > most || a.allowed && !fits
		}
	}
}

// quota and shadow tell the modes of the rule that counts.
func (a *modelAsk) quota() bool {
	return a.limit != nil && !a.override && a.node.quota
}

func (a *modelAsk) shadow() bool {
	return a.limit != nil && !a.override && a.node.shadow
}

// answer answers a call.
func (m *model) answer(r *rls.RateLimitRequest, now time.Time) *rls.RateLimitResponse {
	asks := m.asks(r, now)
	before := maps.Clone(m.counters)
	m.charge(asks, true)
	quotas, exceeded, failed := 0, 0, 0
	for _, a := range asks {
		over := a.limit != nil && a.over && !a.shadow()
		switch {
		case a.quota():
			if quotas++; over {
				exceeded++
			}
		case over:
			failed++
		}
	}
	reply := &rls.RateLimitResponse{OverallCode: rls.RateLimitResponse_OK}
	if failed > 0 || quotas > 0 && quotas == exceeded {
		reply.OverallCode = rls.RateLimitResponse_OVER_LIMIT
		m.counters = before
		m.charge(asks, false)
	}
	for _, a := range asks {
		s := &rls.RateLimitResponse_DescriptorStatus{Code: rls.RateLimitResponse_OK, CurrentLimit: a.limit}
		reply.Statuses = append(reply.Statuses, s)
		switch {
		case a.limit != nil:
			s.LimitRemaining = uint32(max(0, int64(a.limit.GetRequestsPerUnit())-a.used))
			s.DurationUntilReset = &durationpb.Duration{Seconds: a.end.Unix() - now.Unix()}
			if a.over && !a.shadow() {
				s.Code = rls.RateLimitResponse_OVER_LIMIT
			}
		case a.node != nil && a.node.limit.unlimited && !a.override:
			s.LimitRemaining = math.MaxUint32
		}
	}
	return reply
}
