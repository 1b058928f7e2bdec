package envoyrls

import (
	"testing"

	limit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// usual returns the message of one descriptor, as Envoy sends it.
func usual(t testing.TB, change func(*rls.RateLimitRequest)) []byte {
	t.Helper()
	r := &rls.RateLimitRequest{Domain: "api", Descriptors: []*limit.RateLimitDescriptor{{Entries: []*limit.RateLimitDescriptor_Entry{
		{Key: "method", Value: "GET"}, {Key: "path", Value: "/v1/items?x=é"}, {Key: "header.x-api-key", Value: ""},
	}}}}
	change(r)
	text, err := proto.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// messages are texts that questions are tested with; quick says that they are
// read without messages of protobuf.
func messages(t testing.TB) map[string]struct {
	text  []byte
	quick bool
} {
	t.Helper()
	first := func(r *rls.RateLimitRequest) *limit.RateLimitDescriptor { return r.Descriptors[0] }
	return map[string]struct {
		text  []byte
		quick bool
	}{
		"empty":                   {nil, true},
		"usual":                   {usual(t, func(*rls.RateLimitRequest) {}), true},
		"hits":                    {usual(t, func(r *rls.RateLimitRequest) { r.HitsAddend = 1<<32 - 1 }), true},
		"many":                    {usual(t, func(r *rls.RateLimitRequest) { r.Descriptors = append(r.Descriptors, r.Descriptors...) }), true},
		"negative":                {usual(t, func(r *rls.RateLimitRequest) { first(r).IsNegativeHits = true }), false},
		"own hits":                {usual(t, func(r *rls.RateLimitRequest) { first(r).HitsAddend = wrapperspb.UInt64(0) }), false},
		"override":                {usual(t, func(r *rls.RateLimitRequest) { first(r).Limit = new(limit.RateLimitDescriptor_RateLimitOverride) }), false},
		"unknown":                 {usual(t, func(r *rls.RateLimitRequest) { r.ProtoReflect().SetUnknown([]byte{0xfa, 1, 1, 'x'}) }), false},
		"unknown in a descriptor": {usual(t, func(r *rls.RateLimitRequest) { first(r).ProtoReflect().SetUnknown([]byte{0xfa, 1, 1, 'x'}) }), false},
		"unknown in an entry":     {usual(t, func(r *rls.RateLimitRequest) { first(r).Entries[0].ProtoReflect().SetUnknown([]byte{0xfa, 1, 1, 'x'}) }), false},
		"overlong":                {[]byte{0x0a, 0x81, 0x80, 0x00, 'x'}, true},
		"cut":                     {[]byte{0x0a, 5, 'x'}, false},
		"no varint":               {[]byte{0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, false},
		"twice":                   {[]byte{0x0a, 1, 'x', 0x0a, 1, 'y'}, true},
		"zero":                    {[]byte{0x00}, false},
		"huge hits":               {[]byte{0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, true},
	}
}

// TestQuestion compares questions with messages of protobuf, one after the other
// in the same memory.
func TestQuestion(t *testing.T) {
	q := new(question)
	for range 2 {
		for name, m := range messages(t) {
			want := new(rls.RateLimitRequest)
			wrong := proto.Unmarshal(m.text, want)
			if quick := new(question).read(string(m.text)); quick != m.quick {
				t.Errorf("%s: quick %t", name, quick)
			}
			err := codec{}.Unmarshal(mem.BufferSlice{mem.SliceBuffer(m.text)}, q)
			if (err == nil) != (wrong == nil) || err == nil && !proto.Equal(&q.RateLimitRequest, want) {
				t.Errorf("%s: %v, %v\nwant %v, %v", name, err, &q.RateLimitRequest, wrong, want)
			}
			q.forget()
			if !proto.Equal(&q.RateLimitRequest, new(rls.RateLimitRequest)) {
				t.Errorf("%s: %v is not forgotten", name, &q.RateLimitRequest)
			}
		}
	}
}

// TestQuestionRoom: what was long is not kept.
func TestQuestionRoom(t *testing.T) {
	q := new(question)
	long := usual(t, func(r *rls.RateLimitRequest) {
		for range 100 {
			r.Descriptors = append(r.Descriptors, r.Descriptors[0])
			r.Descriptors[0].Entries = append(r.Descriptors[0].Entries, r.Descriptors[0].Entries[0])
		}
	})
	if !q.read(string(long)) || len(q.Descriptors) != 101 {
		t.Fatal("not read")
	}
	q.forget()
	if cap(q.Descriptors) > 0 {
		t.Errorf("room for %d descriptors is kept", cap(q.Descriptors))
	}
	text := string(usual(t, func(*rls.RateLimitRequest) {}))
	if n := testing.AllocsPerRun(100, func() { q.read(text); q.forget() }); n > 0 {
		t.Errorf("%v allocations for a usual message", n)
	}
}

// FuzzQuestion: whatever is read without messages of protobuf is what they say.
func FuzzQuestion(f *testing.F) {
	for _, m := range messages(f) {
		f.Add(m.text)
	}
	q := new(question)
	f.Fuzz(func(t *testing.T, text []byte) {
		defer q.forget()
		want := new(rls.RateLimitRequest)
		wrong := proto.Unmarshal(text, want)
		if q.read(string(text)) && (wrong != nil || !proto.Equal(&q.RateLimitRequest, want)) {
			t.Errorf("%v, want %v, %v", &q.RateLimitRequest, want, wrong)
		}
	})
}
