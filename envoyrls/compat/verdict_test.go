package compat

import (
	"fmt"
	"testing"

	limitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// verdicts has a plain rule of five a day, one in shadow mode, and two quotas.
const verdicts = "domain: d\ndescriptors:\n" +
	"  - {key: k, rate_limit: {unit: day, requests_per_unit: 5}}\n" +
	"  - {key: s, shadow_mode: true, rate_limit: {unit: day, requests_per_unit: 5}}\n" +
	"  - {key: q, quota_mode: true, rate_limit: {unit: day, requests_per_unit: 5}}\n" +
	"  - {key: r, quota_mode: true, rate_limit: {unit: day, requests_per_unit: 9}}\n"

// askAll makes a call of one descriptor for each key with its hits, those below 0
// given back, and returns its codes: each descriptor's, and the overall one.
func (s *Service) askAll(t *testing.T, hits ...any) string {
	t.Helper()
	r := &rls.RateLimitRequest{Domain: "d"}
	for i := 0; i < len(hits); i += 2 {
		n := hits[i+1].(int)
		r.Descriptors = append(r.Descriptors, &limitv3.RateLimitDescriptor{
			Entries:    []*limitv3.RateLimitDescriptor_Entry{{Key: hits[i].(string)}},
			HitsAddend: wrapperspb.UInt64(uint64(max(n, -n))), IsNegativeHits: n < 0,
		})
	}
	answer, _, err := s.Answer(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, one := range answer.GetStatuses() {
		text += fmt.Sprint(one.GetCode() == over, " ")
	}
	return text + fmt.Sprint(answer.GetOverallCode() == over)
}

// TestVerdict: what the descriptors of a call come to, as in shouldRateLimitWorker
// of envoyproxy/ratelimit: whoever is over the limit refuses, quotas only together;
// who gives hits back is over the limit while what is left is.
func TestVerdict(t *testing.T) {
	for _, tc := range []struct {
		name  string
		calls [][]any
		want  []string // whether each descriptor is over its limit, and the call
	}{
		{"hits", [][]any{{"k", 5}, {"k", 1}}, []string{"false false", "true true"}},
		{"a peek", [][]any{{"k", 5}, {"k", 0}, {"k", 1}, {"k", 0}}, []string{"false false", "false false", "true true", "true true"}},
		{"given back", [][]any{{"k", 8}, {"k", -1}, {"k", -2}, {"k", -1}}, []string{"true true", "true true", "false false", "false false"}},
		{"given back in shadow", [][]any{{"s", 8}, {"s", -1}}, []string{"false false", "false false"}},
		{"given back to a quota", [][]any{{"q", 8}, {"q", -1, "r", 1}, {"q", -1}}, []string{"true true", "true false false", "true true"}},
		{"beside one that fits", [][]any{{"k", 8, "r", 1}, {"r", 1, "k", -1}}, []string{"true false true", "false true true"}},
		{"one of two quotas", [][]any{{"q", 6, "r", 6}, {"q", 1, "r", 4}}, []string{"true false false", "true true true"}},
		{"quotas beside a limit", [][]any{{"q", 6, "r", 10, "k", 1}, {"k", 5, "r", 1, "none", 1}}, []string{"true true false true", "true true false true"}},
		{"taken and given back", [][]any{{"k", 6, "k", -2}, {"k", 1, "k", -3, "k", 0}}, []string{"true false true", "false false false false"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newCounted(t, verdicts)
			for i, call := range tc.calls {
				if got := s.askAll(t, call...); got != tc.want[i] {
					t.Errorf("call %d, %v: %s, want %s", i, call, got, tc.want[i])
				}
			}
		})
	}
}
