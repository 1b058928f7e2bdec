package compat

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	limitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	envoytype "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"pgregory.net/rapid"

	"github.com/weirhq/weir/core"
)

var (
	modelKeys   = []string{"a", "b", "a_b", "c"}
	modelValues = []string{"x", "y", "x_y", "xx", "", "x*", "b_x", "\x00", "x\ny"}
)

// drawNodes draws a list of descriptors.
func drawNodes(t *rapid.T, depth int) (nodes []*modelNode) {
	for range rapid.IntRange(0, 5).Draw(t, "descriptors") {
		n := &modelNode{
			key:    rapid.SampledFrom(modelKeys).Draw(t, "key"),
			value:  rapid.SampledFrom([]string{"", "", "x", "y", "x_y", "x*", "*", "*y", "x*y", "b_x", "*x*"}).Draw(t, "value"),
			shadow: rapid.IntRange(0, 5).Draw(t, "shadow") == 0,
			quota:  rapid.IntRange(0, 3).Draw(t, "quota") == 0,
		}
		for _, other := range nodes {
			if other.key == n.key && other.value == n.value {
				n = nil
				break
			}
		}
		if n == nil {
			continue
		}
		n.share = modelWild(n.value) && rapid.Bool().Draw(t, "share")
		if rapid.IntRange(0, 4).Draw(t, "limit") > 0 {
			n.limit = drawLimit(t)
		}
		if depth > 0 && rapid.IntRange(0, 2).Draw(t, "nested") == 0 {
			n.children = drawNodes(t, depth-1)
		}
		nodes = append(nodes, n)
	}
	return nodes
}

func modelWild(value string) bool {
	for _, r := range value {
		if r == '*' {
			return true
		}
	}
	return false
}

func drawLimit(t *rapid.T) *modelLimit {
	names := []string{"", "", "one", "two"}
	l := &modelLimit{
		unit:      rapid.SampledFrom(unitNames).Draw(t, "unit"),
		requests:  rapid.SampledFrom([]uint32{0, 1, 2, 3, 5, 10}).Draw(t, "requests"),
		unlimited: rapid.IntRange(0, 9).Draw(t, "unlimited") == 0,
		allowed:   rapid.IntRange(0, 3).Draw(t, "allowed") == 0,
		name:      rapid.SampledFrom(names).Draw(t, "name"),
	}
	if other := rapid.SampledFrom(names).Draw(t, "replaces"); other != "" && other != l.name && rapid.Bool().Draw(t, "at all") {
		l.replaces = []string{other}
	}
	return l
}

// drawCall draws a call; one that gives back has one descriptor.
func drawCall(t *rapid.T) *rls.RateLimitRequest {
	r := &rls.RateLimitRequest{Domain: "d", HitsAddend: rapid.SampledFrom([]uint32{0, 0, 0, 1, 2, 4}).Draw(t, "hits")}
	for range rapid.SampledFrom([]int{1, 1, 2, 3, 4}).Draw(t, "descriptors") {
		d := new(limitv3.RateLimitDescriptor)
		for range rapid.SampledFrom([]int{1, 1, 2, 3, 0}).Draw(t, "entries") {
			d.Entries = append(d.Entries, &limitv3.RateLimitDescriptor_Entry{
				Key: rapid.SampledFrom(modelKeys).Draw(t, "key"), Value: rapid.SampledFrom(modelValues).Draw(t, "value"),
			})
		}
		if rapid.IntRange(0, 5).Draw(t, "own hits") == 0 {
			d.HitsAddend = wrapperspb.UInt64(rapid.SampledFrom([]uint64{0, 0, 1, 3, 7}).Draw(t, "addend"))
		}
		if rapid.IntRange(0, 7).Draw(t, "override") == 0 {
			d.Limit = &limitv3.RateLimitDescriptor_RateLimitOverride{
				RequestsPerUnit: rapid.Uint32Range(0, 6).Draw(t, "requests"),
				Unit:            envoytype.RateLimitUnit(rapid.Int32Range(1, 7).Draw(t, "unit")),
			}
		}
		r.Descriptors = append(r.Descriptors, d)
	}
	if len(r.GetDescriptors()) == 1 {
		r.Descriptors[0].IsNegativeHits = rapid.IntRange(0, 9).Draw(t, "back") == 0
	}
	return r
}

// TestScopes: no two descriptors of few bytes, which could be lengths, have one
// counter.
func TestScopes(t *testing.T) {
	var texts []string
	for _, a := range []string{"", "\x00", "\x01", "k"} {
		for _, b := range []string{"", "\x00", "\x01", "k"} {
			texts = append(texts, a+b)
		}
	}
	slices.Sort(texts)
	texts = slices.Compact(texts)
	var all [][]*limitv3.RateLimitDescriptor_Entry
	for _, key := range texts {
		for _, value := range texts {
			one := []*limitv3.RateLimitDescriptor_Entry{{Key: key, Value: value}}
			all = append(all, one)
			for _, next := range texts {
				all = append(all, append(slices.Clone(one), &limitv3.RateLimitDescriptor_Entry{Key: "k", Value: next}))
			}
			all = append(all, []*limitv3.RateLimitDescriptor_Entry{{Key: "k", Value: "k" + key + "k" + value}})
		}
	}
	c := &call{service: newCounted(t, "domain: d\n")}
	seen := make(map[core.Scope]string)
	for _, entries := range all {
		what := ""
		for _, e := range entries {
			what += fmt.Sprintf("(%q, %q)", e.GetKey(), e.GetValue())
		}
		scope := c.scope(&limitv3.RateLimitDescriptor{Entries: entries}, false)
		if other := seen[scope]; other != "" && other != what {
			t.Fatalf("%s and %s", what, other)
		}
		seen[scope] = what
	}
}

// TestDifferential compares random calls by random files with the model's
// answers.
func TestDifferential(t *testing.T) {
	limited, refused := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{nodes: drawNodes(rt, 2), counters: map[string]int64{}}
		text := "domain: d\ndescriptors:\n" + modelYAML(m.nodes, "  ")
		s := newCounted(t, text)
		now := time.Unix(1_700_000_000+rapid.Int64Range(0, 400*86400).Draw(rt, "start"), rapid.Int64Range(0, 999_999).Draw(rt, "µs")*1000)
		s.counting.Now = func() core.Instant { return core.Instant{Wall: now.UnixMicro(), Steady: now.UnixMicro()} }
		rt.Logf("%s", text)
		for range rapid.IntRange(1, 60).Draw(rt, "calls") {
			if rapid.IntRange(0, 7).Draw(rt, "wait") == 0 {
				now = now.Add(time.Duration(rapid.SampledFrom([]int64{1, 500_000, 1_000_000, 59_000_000, 3_600_000_000, 86_400_000_000, 31 * 86_400_000_000}).Draw(rt, "µs")) * time.Microsecond)
			}
			call := drawCall(rt)
			want := m.answer(call, now)
			got, served, err := s.Answer(context.Background(), call)
			if err != nil || !served || !proto.Equal(got, want) {
				rt.Fatalf("at %s: %v\n got %v, %v\nwant %v", now.UTC(), call, got, err, want)
			}
			for _, status := range got.GetStatuses() {
				if l := status.GetCurrentLimit(); l != nil {
					limited++
					if most := map[string]int64{"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400, "WEEK": 604800, "MONTH": 31 * 86400, "YEAR": 366 * 86400}[l.GetUnit().String()]; status.GetDurationUntilReset().GetSeconds() < 1 || status.GetDurationUntilReset().GetSeconds() > most {
						rt.Fatalf("%v is not within its window", status)
					}
				}
			}
			if got.GetOverallCode() == rls.RateLimitResponse_OVER_LIMIT {
				refused++
			}
		}
	})
	t.Logf("%d limits told, %d calls refused", limited, refused)
	if limited < 500 || refused < 100 {
		t.Error("the calls are lopsided")
	}
}
