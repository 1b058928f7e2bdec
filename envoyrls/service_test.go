package envoyrls_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// keyed has a policy api of ten an hour for each key.
const keyed = "store memory volatile\npolicy api {\nsubject {header.X-API-Key}\nlimit requests {\nfixed 1h\nmax 10\n}\nheaders x-ratelimit delta\n}"

// by is a request by key.
func by(key string) *descriptor { return entries("header.x-api-key", key) }

func TestErrors(t *testing.T) {
	g := start(t, keyed)
	g.wantError(codes.Unknown, "rate limit domain must not be empty", &rls.RateLimitRequest{})
	g.wantError(codes.Unknown, "rate limit descriptor list must not be empty", &rls.RateLimitRequest{Domain: "api"})
	many := make([]*descriptor, 10_000)
	for i := range many {
		many[i] = by("k")
	}
	g.wantError(codes.InvalidArgument, "10000 descriptors", &rls.RateLimitRequest{Domain: "api", Descriptors: many})
	g.wantError(codes.ResourceExhausted, "", &rls.RateLimitRequest{
		Domain: "api", Descriptors: []*descriptor{by(strings.Repeat("x", 5<<20))},
	})
	if r := g.want(ok, "api", by("k")); r.GetStatuses()[0].GetLimitRemaining() != 9 {
		t.Errorf("failed calls were counted: %v", r)
	}
}

// TestMalformed sends what is no message, and goes on.
func TestMalformed(t *testing.T) {
	g := start(t, keyed)
	conn := g.dial()
	for _, message := range []string{"\x0a\xff", "\x0b", "\x12\x03\x0a\x05a", strings.Repeat("\x0b", 20_000)} {
		if err := invoke(t.Context(), conn, message, nil); status.Code(err) != codes.Internal {
			t.Errorf("%.10q: %v", message, err)
		}
	}
	g.want(ok, "api", by("k"))
}

// TestInvalidUTF8: bytes that are no text do not keep a request from being
// decided, and limited.
func TestInvalidUTF8(t *testing.T) {
	g := start(t, strings.Replace(keyed, "max 10", "max 1", 1))
	entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "header.x-api-key")
	entry = protowire.AppendString(protowire.AppendTag(entry, 2, protowire.BytesType), "\xff\xfe")
	descriptor := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), entry)
	message := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "api")
	message = protowire.AppendBytes(protowire.AppendTag(message, 2, protowire.BytesType), descriptor)
	conn := g.dial()
	for _, want := range []rls.RateLimitResponse_Code{ok, over} {
		var r rls.RateLimitResponse
		if err := invoke(t.Context(), conn, string(message), &r); err != nil || r.GetOverallCode() != want {
			t.Errorf("%v, %v; want %s", err, &r, want)
		}
	}
}

// raw is a codec of messages that are sent as they are.
type raw struct{}

func (raw) Name() string                  { return "proto" }
func (raw) Marshal(v any) ([]byte, error) { return []byte(v.(string)), nil }
func (raw) Unmarshal(data []byte, v any) error {
	if m, wanted := v.(proto.Message); wanted {
		return proto.Unmarshal(data, m)
	}
	return nil
}

// invoke sends the bytes of a message.
func invoke(ctx context.Context, conn *grpc.ClientConn, message string, reply any) error {
	return conn.Invoke(ctx, rls.RateLimitService_ShouldRateLimit_FullMethodName, message, reply, grpc.ForceCodec(raw{}))
}

func TestUnknownDomain(t *testing.T) {
	g := start(t, keyed)
	for range 3 {
		r := g.want(ok, "elsewhere", by("a"), by("b"))
		if r.GetStatuses()[1].GetCode() != ok || r.GetStatuses()[1].GetCurrentLimit() != nil {
			t.Errorf("limited: %v", r)
		}
	}
	if n := g.scrape("weir_unknown_policies_total"); n != "3" {
		t.Errorf("%s unknown domains counted", n)
	}
}

// TestDescriptors: all descriptors of a call are admitted, or none is charged.
func TestDescriptors(t *testing.T) {
	g := start(t, keyed)
	r := g.want(ok, "api", hits(by("a"), 9), by("b"), by("a"))
	for i, want := range []uint32{0, 9, 0} {
		if got := r.GetStatuses()[i].GetLimitRemaining(); got != want {
			t.Errorf("descriptor %d: %d remain, want %d", i, got, want)
		}
	}
	r = g.want(over, "api", by("b"), by("a"))
	if r.GetStatuses()[0].GetCode() != ok || r.GetStatuses()[0].GetLimitRemaining() != 9 || r.GetStatuses()[1].GetCode() != over {
		t.Errorf("statuses %v", r.GetStatuses())
	}
	wantTold(t, r, "X-RateLimit-Remaining", "0", "metadata.outcome", "denied")
	r = g.want(over, "api", by("b"), entries("path", "/"))
	wantTold(t, r, "metadata.status", "401")
	if r.GetStatuses()[0].GetCode() != ok || r.GetStatuses()[1].GetCode() != over {
		t.Errorf("statuses %v", r.GetStatuses())
	}
	wantTold(t, g.want(ok, "api", by("b")), "X-RateLimit-Remaining", "8")
}

func TestHitsAddend(t *testing.T) {
	g := start(t, keyed)
	call := func(addend uint32, d *descriptor) *rls.RateLimitResponse {
		t.Helper()
		r, err := g.client.ShouldRateLimit(t.Context(), &rls.RateLimitRequest{Domain: "api", HitsAddend: addend, Descriptors: []*descriptor{d}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, tc := range []struct {
		what      string
		addend    uint32
		d         *descriptor
		code      rls.RateLimitResponse_Code
		remaining uint32
	}{
		{"of the request", 4, by("k"), ok, 6},
		{"of the descriptor", 4, hits(by("k"), 3), ok, 3},
		{"a peek", 4, hits(by("k"), 0), ok, 3},
		{"too many", 4, by("k"), over, 3},
		{"huge", math.MaxUint32, by("k"), over, 3},
		{"huger", 0, hits(by("k"), math.MaxUint64), over, 3},
		{"none", 0, by("k"), ok, 2},
		{"the rest", 2, by("k"), ok, 0},
		{"a peek at the limit", 0, hits(by("k"), 0), ok, 0},
		{"one more", 0, by("k"), over, 0},
	} {
		r := call(tc.addend, tc.d)
		if r.GetOverallCode() != tc.code || r.GetStatuses()[0].GetLimitRemaining() != tc.remaining {
			t.Errorf("%s: %v", tc.what, r)
		}
	}
}

// TestNegativeHits: hits are given back, in a step with what else the call asks.
func TestNegativeHits(t *testing.T) {
	g := start(t, keyed)
	back := func(d *descriptor) *descriptor { d.IsNegativeHits = true; return d }
	for _, tc := range []struct {
		what      string
		d         *descriptor
		code      rls.RateLimitResponse_Code
		remaining uint32
	}{
		{"all", hits(by("k"), 10), ok, 0},
		{"one more", by("k"), over, 0},
		{"three back", back(hits(by("k"), 3)), ok, 3},
		{"one back, where nobody says how many", back(by("k")), ok, 4},
		{"none back", back(hits(by("k"), 0)), ok, 4},
		{"four again", hits(by("k"), 4), ok, 0},
		{"more than there were", back(hits(by("k"), math.MaxUint64)), ok, 10},
		{"never below 0", hits(by("k"), 11), over, 10},
		{"of somebody else", back(by("other")), ok, 10},
	} {
		if r := g.want(tc.code, "api", tc.d); r.GetStatuses()[0].GetLimitRemaining() != tc.remaining {
			t.Errorf("%s: %v", tc.what, r)
		}
	}
	g.want(ok, "api", hits(by("k"), 10))
	g.want(over, "api", back(by("k")), by("k"), by("k"))
	g.want(over, "api", by("k"))
	g.want(ok, "api", back(hits(by("k"), 2)), by("k"), by("k"))
}

// TestStandings tells windows that the protocol has units for, and others.
func TestStandings(t *testing.T) {
	limits := map[string]string{
		"rolling 60s\nmax 5":                  "5 MINUTE",
		"rolling 90s\nmax 5":                  "5 SECOND×90",
		"rolling 100ms\nmax 5":                "5 SECOND",
		"rolling 1500ms\nmax 5":               "5 SECOND×2",
		"fixed 1h\nmax 5":                     "5 HOUR",
		"fixed 36h\nmax 5":                    "5 HOUR×36",
		"fixed 30d\nmax 5":                    "5 DAY×30",
		"fixed 14d\nmax 5":                    "5 WEEK×2",
		"calendar month Europe/Berlin\nmax 5": "5 MONTH",
		"calendar year UTC\nmax 5":            "5 YEAR",
		"bucket 10/1s burst 100":              "10 SECOND",
		"fixed 1h\nmax 9007199254740991":      "4294967295 HOUR",
		"fixed 1h\ncost settled\nmax 2.5":     "2 HOUR",
		"fixed 1h\nmax unlimited":             "0 UNKNOWN",
	}
	text, names := "store memory volatile\npolicy api {\nper all\ncount all ever\n}\n", map[string]string{}
	for l := range limits {
		name := "p" + string(rune('a'+len(names)))
		names[name] = l
		text += "policy " + name + " {\nper all\nlimit l {\n" + l + "\n}\n}\n"
	}
	g := start(t, text)
	for name, l := range names {
		s := g.want(ok, name, entries("path", "/")).GetStatuses()[0]
		got := describe(s.GetCurrentLimit())
		if got != limits[l] {
			t.Errorf("%q: %s, want %s", l, got, limits[l])
		}
		if d := s.GetDurationUntilReset().AsDuration(); s.GetCurrentLimit() != nil && (d <= 0 && !strings.Contains(l, "settled") || d%time.Second != 0) {
			t.Errorf("%q resets in %s", l, d)
		}
	}
}
