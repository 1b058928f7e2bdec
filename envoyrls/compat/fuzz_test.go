package compat

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

var placed = regexp.MustCompile(`^(f\.yaml(:[1-9]\d*)?: |and \d+ more)`)

// FuzzRateLimitFile: whatever a file says, it compiles, or each of its mistakes
// is told with its place. What compiles finds the same rule for every call.
func FuzzRateLimitFile(f *testing.F) {
	for _, tc := range rejected {
		f.Add(tc.text)
	}
	f.Add("domain: d\ndescriptors:\n" + modelYAML([]*modelNode{
		{key: "a", value: "x*", share: true, limit: &modelLimit{unit: "day", requests: 5}, children: []*modelNode{{key: "b", shadow: true}}},
		{key: "a_b", quota: true, limit: &modelLimit{unlimited: true, name: "one", replaces: []string{"two"}}},
	}, "  "))
	f.Add(limited("unit: day\nrequests_per_unit: 10\nalgorithm: bucket\nburst: 3\ncharge: all"))
	paths, err := filepath.Glob("../../examples/envoy-ratelimit/config/*.yaml")
	if err != nil || len(paths) == 0 {
		f.Fatal(paths, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		files := []File{{"f.yaml", []byte(text)}}
		c, err := Compile(files, true)
		if err != nil {
			for _, mistake := range err.(interface{ Unwrap() []error }).Unwrap() {
				if !placed.MatchString(mistake.Error()) {
					t.Errorf("a mistake without its place: %q", mistake)
				}
			}
			return
		}
		again, err := Compile(files, true)
		if err != nil || len(again.Domains()) != len(c.Domains()) || len(c.Domains()) > 1 {
			t.Fatalf("%v, %v, %v", c.Domains(), again, err)
		}
		c.rules(func(r *rule) {
			if r.limit == nil || r.plain == nil || r.limit.ID != r.plain.ID || r.told.GetUnit() == noUnit {
				t.Errorf("%+v", r)
			}
		})
	})
}

// fuzzed is a file with everything that a rule can say.
const fuzzed = `
domain: d
descriptors:
  - {key: a, rate_limit: {unit: second, requests_per_unit: 3, name: one}}
  - {key: a, value: x*, share_threshold: true, value_to_metric: true, rate_limit: {unit: month, requests_per_unit: 3}}
  - {key: a, value: x, shadow_mode: true, rate_limit: {unit: minute, requests_per_unit: 0, charge: allowed}}
  - {key: b, quota_mode: true, detailed_metric: true, rate_limit: {unit: week, requests_per_unit: 3, algorithm: rolling}}
  - {key: c, metadata: {x: [1, {y: z}]}, rate_limit: {unit: hour, requests_per_unit: 3, algorithm: bucket, burst: 2, replaces: [{name: one}]}}
  - {key: d, rate_limit: {unlimited: true}}
  - key: "*"
    descriptors:
      - {key: a, quota_mode: true, rate_limit: {unit: year, requests_per_unit: 4294967295}}
`

// FuzzRateLimitCall: whatever a call says, there is a standing for each of its
// descriptors, and what remains is within the limit.
func FuzzRateLimitCall(f *testing.F) {
	for _, text := range []string{
		`{"domain":"d","descriptors":[{"entries":[{"key":"a","value":"x"}]},{"entries":[{"key":"a","value":"xy"}],"hitsAddend":"3"}]}`,
		`{"domain":"d","hitsAddend":4294967295,"descriptors":[{"entries":[{"key":"b"}],"isNegativeHits":true},{"entries":[{"key":"b"}]}]}`,
		`{"domain":"d","descriptors":[{"entries":[{"key":"c","value":"1"}],"limit":{"requestsPerUnit":2,"unit":"HOUR"}},{"entries":[{"key":"a"}]}]}`,
		`{"domain":"d","descriptors":[{"entries":[{"key":"d"}],"limit":{"requestsPerUnit":2}}]}`,
		`{"domain":"d","descriptors":[{},{"entries":[{"key":"z"},{"key":"a"}],"hitsAddend":"18446744073709551615"},{"entries":[{"key":"z"},{"key":"a"}]}]}`,
	} {
		call := new(rls.RateLimitRequest)
		if err := protojson.Unmarshal([]byte(text), call); err != nil {
			f.Fatal(err)
		}
		wire, err := proto.Marshal(call)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		call := new(rls.RateLimitRequest)
		if proto.Unmarshal(wire, call) != nil || len(call.GetDescriptors()) > 64 {
			return
		}
		s := newCounted(t, fuzzed)
		s.Headers, s.Metadata = true, true
		for range 3 {
			reply, served, err := s.Answer(t.Context(), call)
			if served != (call.GetDomain() == "d") {
				t.Fatalf("served %t", served)
			}
			if err != nil || !served {
				return
			}
			if len(reply.GetStatuses()) != len(call.GetDescriptors()) || reply.GetOverallCode() != ok && reply.GetOverallCode() != over {
				t.Fatalf("%v", reply)
			}
			refused := false
			for _, status := range reply.GetStatuses() {
				refused = refused || status.GetCode() == over
				l := status.GetCurrentLimit()
				if l != nil && (status.GetLimitRemaining() > max(l.GetRequestsPerUnit(), 2) || status.GetDurationUntilReset().GetSeconds() < 0) {
					t.Fatalf("%v", status)
				}
			}
			if !refused && reply.GetOverallCode() == over {
				t.Fatalf("refused by nobody: %v", reply)
			}
			if _, err := proto.Marshal(reply); err != nil {
				t.Fatal(err)
			}
		}
	})
}
