package envoyrls_test

import (
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"

	limit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// message writes a call with these descriptors.
func message(t testing.TB, r *rls.RateLimitRequest) string {
	t.Helper()
	text, err := proto.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestHostileMessages: whatever is sent gets the status that fits, and the next
// call is answered.
func TestHostileMessages(t *testing.T) {
	g := start(t, keyed)
	conn := g.dial()
	call := func(domain string, descriptors ...*descriptor) string {
		return message(t, &rls.RateLimitRequest{Domain: domain, Descriptors: descriptors})
	}
	plain, field := call("api", by("x")), func(number protowire.Number, wire protowire.Type, rest string) string {
		return string(protowire.AppendTag(nil, number, wire)) + rest
	}
	for name, tc := range map[string]struct {
		message string
		code    codes.Code
		overall rls.RateLimitResponse_Code
	}{
		"nothing":                     {"", codes.Unknown, 0},
		"no domain":                   {call("", by("x")), codes.Unknown, 0},
		"no descriptors":              {call("api"), codes.Unknown, 0},
		"a descriptor of nothing":     {call("api", entries()), codes.OK, over}, // no key: 401
		"an entry of nothing":         {call("api", entries("", "")), codes.OK, over},
		"elsewhere, of nothing":       {call("other", entries()), codes.OK, ok},
		"5 MB":                        {call("api", by(strings.Repeat("x", 5_000_000))), codes.ResourceExhausted, 0},
		"5 MB of domain":              {call(strings.Repeat("x", 5_000_000), by("x")), codes.ResourceExhausted, 0},
		"4 MB":                        {call("api", entries("header.x-api-key", "4", "other", strings.Repeat("x", 4_000_000))), codes.OK, ok},
		"64 descriptors":              {call("api", repeated(by("64"), 64)...), codes.OK, over}, // max 10
		"65 descriptors":              {call("api", repeated(by("x"), 65)...), codes.InvalidArgument, 0},
		"10,000 descriptors":          {call("api", repeated(by("x"), 10_000)...), codes.InvalidArgument, 0},
		"100,000 entries":             {call("api", entries(strings.Split(strings.Repeat("k,v,", 100_000), ",")...)), codes.OK, over},
		"unknown fields":              {plain + field(100, protowire.BytesType, "\x03abc") + field(7, protowire.VarintType, "\x01"), codes.OK, ok},
		"an unknown group":            {plain + field(9, protowire.StartGroupType, "") + field(9, protowire.EndGroupType, ""), codes.OK, ok},
		"a group that never ends":     {plain + strings.Repeat(field(9, protowire.StartGroupType, ""), 100_000), codes.Internal, 0},
		"a cut message":               {plain[:len(plain)-3], codes.Internal, 0},
		"a length beyond everything":  {field(2, protowire.BytesType, "\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), codes.Internal, 0},
		"a varint without an end":     {field(3, protowire.VarintType, strings.Repeat("\xff", 20)), codes.Internal, 0},
		"a domain that is a number":   {field(1, protowire.VarintType, "\x01"), codes.Unknown, 0}, // an unknown field
		"no message at all":           {strings.Repeat("\x00", 1000), codes.Internal, 0},
		"a domain that is no UTF-8":   {field(1, protowire.BytesType, "\x02\xff\xfe") + call("", by("x")), codes.OK, ok},
		"hits of 2^32-1":              {message(t, &rls.RateLimitRequest{Domain: "api", HitsAddend: math.MaxUint32, Descriptors: []*descriptor{by("h")}}), codes.OK, over},
		"hits of 2^64-1":              {call("api", hits(by("h"), math.MaxUint64)), codes.OK, over},
		"hits of 2^64-1, 64 times":    {call("api", repeated(hits(by("h"), math.MaxUint64), 64)...), codes.OK, over},
		"hits of 2^64-1, given back":  {call("api", back(hits(by("h"), math.MaxUint64))), codes.OK, ok},
		"hits that are a big varint":  {plain + field(3, protowire.VarintType, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), codes.OK, over},
		"an override that is nothing": {call("api", &descriptor{Entries: by("x").GetEntries(), Limit: new(limit.RateLimitDescriptor_RateLimitOverride)}), codes.OK, ok},
	} {
		var r rls.RateLimitResponse
		err := conn.Invoke(t.Context(), rls.RateLimitService_ShouldRateLimit_FullMethodName, tc.message, &r,
			grpc.ForceCodec(raw{}), grpc.MaxCallSendMsgSize(math.MaxInt32))
		if status.Code(err) != tc.code || err == nil && r.GetOverallCode() != tc.overall {
			t.Errorf("%s: %s %.200v, %.200v; want %s %s", name, status.Code(err), err, &r, tc.code, tc.overall)
		}
	}
	if r := g.want(ok, "api", by("fresh")); r.GetStatuses()[0].GetLimitRemaining() != 9 {
		t.Errorf("%v", r)
	}
}

func repeated(d *descriptor, n int) []*descriptor {
	all := make([]*descriptor, n)
	for i := range all {
		all[i] = d
	}
	return all
}

// back makes hits negative.
func back(d *descriptor) *descriptor {
	d.IsNegativeHits = true
	return d
}

// burstSize is how many calls a burst has.
const burstSize = 16

// TestMemory: a burst of the largest messages leaves nothing behind.
func TestMemory(t *testing.T) {
	g := start(t, strings.ReplaceAll(keyed, "max 10", "max 1000000"))
	conn := g.dial()
	large := message(t, &rls.RateLimitRequest{Domain: "api", Descriptors: repeated(entries("header.x-api-key", "k", "other", strings.Repeat("x", 60<<10)), 64)})
	wide := message(t, &rls.RateLimitRequest{Domain: "api", Descriptors: repeated(entries(strings.Split(strings.Repeat("k,v,", 4_000), ",")...), 64)})
	burst := func(message string) {
		var group sync.WaitGroup
		for range burstSize {
			group.Go(func() {
				var r rls.RateLimitResponse
				err := conn.Invoke(t.Context(), rls.RateLimitService_ShouldRateLimit_FullMethodName, message, &r,
					grpc.ForceCodec(raw{}), grpc.MaxCallSendMsgSize(math.MaxInt32))
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	burst(message(t, &rls.RateLimitRequest{Domain: "api", Descriptors: repeated(by("k"), 64)}))
	before := heap()
	for range 2 {
		burst(large)
		burst(wide)
	}
	if grown := int64(heap()) - int64(before); grown > 8<<20 {
		t.Errorf("%d MB are kept of messages of %d MB", grown>>20, 4*burstSize*len(large)>>20)
	}
}

// heap returns how much memory is in use, but for what pools would give back.
func heap() uint64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
