package compat

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	limitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/memory"
)

// newCounted returns a service of one file, which is not watched.
func newCounted(t testing.TB, text string) *Service {
	t.Helper()
	config, err := Compile([]File{{"f.yaml", []byte(text)}}, false)
	if err != nil {
		t.Fatal(err)
	}
	m := newMetrics()
	config.rules(func(r *rule) { r.series = m.declare(r.path, map[labels]struct{}{}) })
	store := memory.New(memory.Options{})
	t.Cleanup(func() { _ = store.Close() })
	s := &Service{Options: Options{Logger: zap.NewNop()}, metrics: m, counting: Counting{
		Now:  func() core.Instant { return core.Instant{Wall: 1_700_000_000_000_000, Steady: 1_700_000_000_000_000} },
		Take: store.Take, Decided: func(string, string, bool) {}, Hasher: core.NewHasher([16]byte{1}),
	}}
	s.config.Store(config)
	return s
}

// hit makes a call of one descriptor: pairs of keys and values.
func (s *Service) hit(t testing.TB, hits uint64, pairs ...string) *rls.RateLimitResponse {
	t.Helper()
	d := &limitv3.RateLimitDescriptor{HitsAddend: wrapperspb.UInt64(hits)}
	for i := 0; i < len(pairs); i += 2 {
		d.Entries = append(d.Entries, &limitv3.RateLimitDescriptor_Entry{Key: pairs[i], Value: pairs[i+1]})
	}
	domain := s.config.Load().Domains()[0]
	r, _, err := s.Answer(context.Background(), &rls.RateLimitRequest{Domain: domain, Descriptors: []*limitv3.RateLimitDescriptor{d}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// exposed returns the series that are not 0, as Prometheus reads them, without
// the prefix that all have.
func exposed(t testing.TB, m *Metrics) (all []string) {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	if err := m.Register(r); err != nil {
		t.Fatal(err)
	}
	if err := m.Register(r); err != nil { // a second door's
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		name, found := strings.CutPrefix(f.GetName(), "ratelimit_service_rate_limit_")
		for _, one := range f.GetMetric() {
			if !found || one.GetCounter().GetValue() == 0 {
				continue
			}
			var labels []string
			for _, l := range one.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			all = append(all, fmt.Sprintf("%s{%s} %v", name, strings.Join(labels, ","), one.GetCounter().GetValue()))
		}
	}
	slices.Sort(all)
	return all
}

// TestSeries: hits within, near and over a limit, as
// test/limiter/base_limiter_test.go of envoyproxy/ratelimit has them.
func TestSeries(t *testing.T) {
	const config = "domain: d\ndescriptors:\n" +
		"  - {key: k, rate_limit: {unit: day, requests_per_unit: 10}}\n" +
		"  - {key: odd, rate_limit: {unit: day, requests_per_unit: 7}}\n" +
		"  - {key: s, shadow_mode: true, rate_limit: {unit: day, requests_per_unit: 5}}\n" +
		"  - {key: a, rate_limit: {unit: day, requests_per_unit: 10, charge: allowed}}\n" +
		"  - {key: u, rate_limit: {unlimited: true}}\n"
	for name, tc := range map[string]struct {
		key  string
		hits []uint64
		want string
	}{
		"within":            {"k", []uint64{1, 7}, "total_hits 8, within_limit 8"},
		"near":              {"k", []uint64{8, 1, 1}, "near_limit 2, total_hits 10, within_limit 10"},
		"partly near":       {"k", []uint64{6, 4}, "near_limit 2, total_hits 10, within_limit 10"},
		"over":              {"k", []uint64{10, 1, 3}, "near_limit 2, over_limit 4, total_hits 14, within_limit 10"},
		"partly over":       {"k", []uint64{6, 7}, "near_limit 2, over_limit 3, total_hits 13, within_limit 6"},
		"near, partly over": {"k", []uint64{9, 3}, "near_limit 2, over_limit 2, total_hits 12, within_limit 9"},
		"over at once":      {"k", []uint64{15}, "near_limit 2, over_limit 5, total_hits 15"},
		"a peek":            {"k", []uint64{0}, ""},
		"shadow":            {"s", []uint64{4, 3, 2}, "over_limit 4, shadow_mode 4, near_limit 1, total_hits 9, within_limit 4"},
		"allowed":           {"a", []uint64{9, 2, 1, 5}, "near_limit 2, over_limit 7, total_hits 17, within_limit 10"},
		"rounded down":      {"odd", []uint64{5, 1}, "near_limit 1, total_hits 6, within_limit 6"},
		"unlimited":         {"u", []uint64{3}, ""},
		"none":              {"none", []uint64{3}, ""},
	} {
		s := newCounted(t, config)
		for _, n := range tc.hits {
			s.hit(t, n, tc.key, "v")
		}
		var want []string
		for part := range strings.SplitSeq(tc.want, ", ") {
			if metric, n, found := strings.Cut(part, " "); found {
				want = append(want, fmt.Sprintf("%s{domain=d,key1=%s} %s", metric, tc.key, n))
			}
		}
		slices.Sort(want)
		if got := exposed(t, s.metrics); !slices.Equal(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", name, got, want)
		}
	}
}

// TestGivenBackIsNoHit: counters only grow.
func TestGivenBackIsNoHit(t *testing.T) {
	s := newCounted(t, "domain: d\ndescriptors:\n  - {key: k, rate_limit: {unit: day, requests_per_unit: 10}}\n")
	s.hit(t, 5, "k", "v")
	_, _, err := s.Answer(t.Context(), &rls.RateLimitRequest{Domain: "d", Descriptors: []*limitv3.RateLimitDescriptor{{
		Entries: []*limitv3.RateLimitDescriptor_Entry{{Key: "k", Value: "v"}}, IsNegativeHits: true,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := exposed(t, s.metrics), []string{"total_hits{domain=d,key1=k} 5", "within_limit{domain=d,key1=k} 5"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// TestGivenBackInTheSameCall: hits over the limit that the same call gives back
// are no more of them than there were, and no fewer than none.
func TestGivenBackInTheSameCall(t *testing.T) {
	s := newCounted(t, "domain: d\ndescriptors:\n  - {key: k, rate_limit: {unit: day, requests_per_unit: 5}}\n")
	s.hit(t, 3, "k", "v")
	entries := []*limitv3.RateLimitDescriptor_Entry{{Key: "k", Value: "v"}}
	_, _, err := s.Answer(t.Context(), &rls.RateLimitRequest{Domain: "d", HitsAddend: 5, Descriptors: []*limitv3.RateLimitDescriptor{
		{Entries: entries}, {Entries: entries, IsNegativeHits: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range exposed(t, s.metrics) {
		_, n, _ := strings.Cut(got, " ")
		if hits, err := strconv.ParseFloat(n, 64); err != nil || hits > 8 {
			t.Errorf("%s, of 8 hits in all", got)
		}
	}
}

// TestLabels: the names of rules, from envoyproxy/ratelimit's README and
// test/config/config_test.go, as its default_mapper.yaml makes labels of them.
func TestLabels(t *testing.T) {
	leaf := "rate_limit: {unit: day, requests_per_unit: 9}"
	for _, tc := range []struct {
		what, config string
		ask          string
		want         string
	}{
		{"a key", "- {key: k, " + leaf + "}", "k=v", "domain=d,key1=k"},
		{"a value", "- {key: k, value: v, " + leaf + "}", "k=v", "domain=d,key1=k_v"},
		{"two keys", "- {key: k, value: v, descriptors: [{key: l, " + leaf + "}]}", "k=v l=w", "domain=d,key1=k_v,key2=l"},
		{"three keys", "- {key: k, descriptors: [{key: l, value: x, descriptors: [{key: m, " + leaf + "}]}]}", "k=v l=x m=z", "domain=d,key1=k,key2=l_x"},
		{"a wildcard", "- {key: wild, value: foo*, " + leaf + "}", "wild=foo1", "domain=d,key1=wild_foo*"},
		{"an address", "- {key: remote_address, value: 50.0.0.5, " + leaf + "}", "remote_address=50.0.0.5", "domain=d,key1=remote_address_50_0_0_5"},
		{"marks", "- {key: 'a:b|c', " + leaf + "}", "a:b|c=1", "domain=d,key1=a_b_c"},
		{"dots", "- {key: a.b.c, " + leaf + "}", "a.b.c=1", "domain=d,key1=a,key2=b"},
		{"Example 8", "- {key: key1, detailed_metric: true, " + leaf + "}", "key1=unspecified_value", "domain=d,key1=key1_unspecified_value"},
		{"detailed, no value", "- {key: key1, detailed_metric: true, " + leaf + "}", "key1=", "domain=d,key1=key1_"},
		{
			"detailed_metric at two levels", "- {key: key_2, detailed_metric: true, " + leaf + ", descriptors: [{key: key_3, value: v3, detailed_metric: true, " + leaf + "}]}",
			"key_2=v2 key_3=v3", "domain=d,key1=key_2_v2,key2=key_3_v3",
		},
		{
			"detailed_metric above the limit only", "- {key: key-1, detailed_metric: true, descriptors: [{key: key-2, " + leaf + "}]}",
			"key-1=v1 key-2=v2", "domain=d,key1=key-1,key2=key-2",
		},
		{
			"Example 10", "- {key: route, value_to_metric: true, descriptors: [{key: http_method, value_to_metric: true, descriptors: [{key: subject_id, " + leaf + "}]}]}",
			"route=api http_method=GET subject_id=123", "domain=d,key1=route_api,key2=http_method_GET",
		},
		{
			"Example 10, no value", "- {key: route, value_to_metric: true, descriptors: [{key: http_method, " + leaf + "}]}",
			"route= http_method=GET", "domain=d,key1=route,key2=http_method",
		},
		{
			"Example 10 with a wildcard", "- {key: user, value_to_metric: true, descriptors: [{key: action, value: read*, value_to_metric: true, descriptors: [{key: resource, " + leaf + "}]}]}",
			"user=alice action=readfile resource=documents", "domain=d,key1=user_alice,key2=action_readfile",
		},
		{
			"a wildcard below a value that is told", "- {key: user, value_to_metric: true, descriptors: [{key: action, value: read*, " + leaf + "}]}",
			"user=alice action=readfile", "domain=d,key1=user_alice,key2=action_read*",
		},
		{
			"a value below a value that is told", "- {key: user, value_to_metric: true, descriptors: [{key: action, value: read, " + leaf + "}]}",
			"user=alice action=read", "domain=d,key1=user_alice,key2=action_read",
		},
		{
			"Example 11", "- {key: route, value: api/*, share_threshold: true, value_to_metric: true, descriptors: [{key: method, " + leaf + "}]}",
			"route=api/v1 method=GET", "domain=d,key1=route_api/*,key2=method",
		},
		{
			"share_threshold and detailed_metric", "- {key: service, value: svc/*, share_threshold: true, descriptors: [{key: endpoint, detailed_metric: true, " + leaf + "}]}",
			"service=svc/a endpoint=get", "domain=d,key1=service_svc/*,key2=endpoint_get",
		},
	} {
		s := newCounted(t, "domain: d\ndescriptors:\n  "+tc.config+"\n")
		var pairs []string
		for word := range strings.FieldsSeq(tc.ask) {
			key, value, _ := strings.Cut(word, "=")
			pairs = append(pairs, key, value)
		}
		s.hit(t, 1, pairs...)
		want := []string{"total_hits{" + tc.want + "} 1", "within_limit{" + tc.want + "} 1"}
		if got := exposed(t, s.metrics); !slices.Equal(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", tc.what, got, want)
		}
	}
}

// TestSeriesAreBounded: values that clients make up have series of their own,
// but not without end.
func TestSeriesAreBounded(t *testing.T) {
	s := newCounted(t, "domain: d\ndescriptors:\n  - {key: k, detailed_metric: true, rate_limit: {unit: day, requests_per_unit: 9}}\n")
	const beyond = 50
	for i := range maxNames + beyond {
		s.hit(t, 1, "k", fmt.Sprint(i))
	}
	s.hit(t, 1, "k", strings.Repeat("x", 5000))
	s.hit(t, 1, "k", "0") // which has one
	if n := len(s.metrics.series); n != maxNames+1 {
		t.Errorf("%d series", n)
	}
	got := exposed(t, s.metrics)
	if !slices.Contains(got, fmt.Sprintf("total_hits{domain=d,key1=k} %d", beyond+1)) || !slices.Contains(got, "total_hits{domain=d,key1=k_0} 2") {
		t.Error("hits are missing")
	}
	if n := value(t, s.metrics.crowded); n != beyond+1 {
		t.Errorf("%v omitted", n)
	}
}

// TestMetadata: what envoyproxy/ratelimit's service/ratelimit_test.go,
// TestRatelimitToMetadata, has in dynamic metadata.
func TestMetadata(t *testing.T) {
	s := newCounted(t, "domain: d\ndescriptors:\n"+
		"  - {key: a, metadata: {name: service_1, nested: {x: 1}}, rate_limit: {unit: day, requests_per_unit: 1}}\n"+
		"  - {key: b, metadata: {name: service_2, nested: {y: [true, null, 2.5, text]}}, detailed_metric: true, rate_limit: {unit: day, requests_per_unit: 9}}\n")
	s.Metadata = true
	ask := func(domain string) string {
		entry := func(key string) *limitv3.RateLimitDescriptor {
			return &limitv3.RateLimitDescriptor{Entries: []*limitv3.RateLimitDescriptor_Entry{{Key: key, Value: "1"}}}
		}
		r, _, err := s.Answer(t.Context(), &rls.RateLimitRequest{
			Domain: domain, HitsAddend: 1, Descriptors: []*limitv3.RateLimitDescriptor{entry("a"), entry("b")},
		})
		if err != nil {
			t.Fatal(err)
		}
		text, err := r.GetDynamicMetadata().MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(text), `": `, `":`)
	}
	const call = `"descriptors":[{"entries":["a=1"]},{"entries":["b=1"]}],"domain":"d","hitsAddend":1`
	for i, want := range []string{
		`{` + call + `,"metadata":{"name":"service_1","nested":{"x":1,"y":[true,null,2.5,"text"]}}}`,
		`{` + call + `,"metadata":{"name":"service_2","nested":{"y":[true,null,2.5,"text"]}}}`,
	} {
		if got := strings.ReplaceAll(ask("d"), ", ", ","); got != want {
			t.Errorf("call %d:\n got %s\nwant %s", i, got, want)
		}
	}
}

// TestMetadataOfOverride: a descriptor's own limit is told as protobuf's text,
// which leaves out what is zero.
func TestMetadataOfOverride(t *testing.T) {
	for want, l := range map[string]*limitv3.RateLimitDescriptor_RateLimitOverride{
		"requests_per_unit:5 unit:HOUR": {RequestsPerUnit: 5, Unit: typev3.RateLimitUnit_HOUR},
		"unit:DAY":                      {Unit: typev3.RateLimitUnit_DAY},
		"requests_per_unit:5":           {RequestsPerUnit: 5},
		"requests_per_unit:5 unit:DAY unit_multiplier:{value:7}": {
			RequestsPerUnit: 5, Unit: typev3.RateLimitUnit_DAY, UnitMultiplier: wrapperspb.UInt32(7),
		},
	} {
		if got := described(&limitv3.RateLimitDescriptor{Limit: l}).GetFields()["limit"].GetStringValue(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestStoreFails: calls that nobody can decide fail, or pass, as on_store_error
// has it; those that nothing limits are OK.
func TestStoreFails(t *testing.T) {
	const config = "domain: d\ndescriptors:\n  - {key: k, rate_limit: {unit: day, requests_per_unit: 1}}\n  - {key: u, rate_limit: {unlimited: true}}\n"
	ask := func(s *Service, key string) (*rls.RateLimitResponse, error) {
		r, _, err := s.Answer(t.Context(), &rls.RateLimitRequest{Domain: "d", Descriptors: []*limitv3.RateLimitDescriptor{{
			Entries: []*limitv3.RateLimitDescriptor_Entry{{Key: key, Value: "v"}},
		}}})
		return r, err
	}
	for _, allow := range []bool{true, false} {
		s := newCounted(t, config)
		s.counting.Take = func(context.Context, *core.Take) error { return core.ErrClosed }
		s.counting.AllowOnError = allow
		r, err := ask(s, "k")
		switch {
		case allow && (err != nil || r.GetOverallCode() != ok || r.GetStatuses()[0].GetCurrentLimit() != nil):
			t.Errorf("allow: %v, %v", r, err)
		case !allow && status.Code(err) != codes.Unavailable:
			t.Errorf("deny: %v, %v", r, err)
		}
		for _, key := range []string{"u", "none"} {
			if r, err := ask(s, key); err != nil || r.GetOverallCode() != ok {
				t.Errorf("%s: %v, %v", key, r, err)
			}
		}
		want := 1.0
		if allow {
			want = 0
		}
		if n := value(t, s.metrics.failed); n != want {
			t.Errorf("%v failed", n)
		}
	}
}

// TestAllocations pins what a call allocates: its reply alone.
func TestAllocations(t *testing.T) {
	s := newCounted(t, "domain: d\ndescriptors:\n  - {key: k, rate_limit: {unit: day, requests_per_unit: 9}}\n")
	s.Poll = time.Hour
	call := &rls.RateLimitRequest{Domain: "d", Descriptors: []*limitv3.RateLimitDescriptor{{
		Entries: []*limitv3.RateLimitDescriptor_Entry{{Key: "k", Value: "v"}},
	}}}
	got := testing.AllocsPerRun(1000, func() {
		if _, _, err := s.Answer(t.Context(), call); err != nil {
			t.Fatal(err)
		}
	})
	if got > 5 { // the reply, its list, one standing, its duration; t.Context
		t.Errorf("%v allocations", got)
	}
	t.Logf("%v allocations", got)
}
