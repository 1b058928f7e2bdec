package envoyrls

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirhq/weir/caddymodule"
)

// newService returns a service of an app with the policy api.
func newService(f *testing.F, policy string) *service {
	f.Helper()
	f.Setenv("XDG_DATA_HOME", f.TempDir())
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte("{\nadmin off\npersist_config off\nstorage file_system "+f.TempDir()+
		"\nlog {\noutput discard\n}\nweir {\nstore memory volatile\npolicy api {\n"+policy+"\n}\n}\n}\n"), nil)
	if err == nil {
		err = caddy.Load(json.RawMessage(adapted), true)
	}
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = caddy.Stop() })
	app, err := caddy.ActiveContext().App("weir")
	if err != nil {
		f.Fatal(err)
	}
	return &service{app: app.(*caddymodule.App), stays: newStays(1000), ttl: time.Second}
}

// FuzzCalls: whatever bytes are sent, they get an error or a reply that answers
// every descriptor.
func FuzzCalls(f *testing.F) {
	s := newService(f, everything)
	for _, m := range messages(f) {
		f.Add(m.text)
	}
	for _, change := range []func(*rls.RateLimitRequest){
		func(r *rls.RateLimitRequest) { r.Descriptors[0].Entries[2].Value = "\U0010FFFF" },
		func(r *rls.RateLimitRequest) {
			r.Descriptors[0].Entries[0].Key, r.Descriptors[0].Entries[0].Value = EntryKind, KindStream
		},
		func(r *rls.RateLimitRequest) {
			r.Descriptors[0].Entries[0].Key, r.Descriptors[0].Entries[0].Value = EntryKind, KindDone
		},
		func(r *rls.RateLimitRequest) { r.Descriptors[0].HitsAddend = wrapperspb.UInt64(1<<64 - 1) },
	} {
		f.Add(usual(f, change))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		q := new(question)
		if err := (codec{}).Unmarshal(mem.BufferSlice{mem.SliceBuffer(text)}, q); err != nil {
			return
		}
		answer, err := s.answer(t.Context(), &q.RateLimitRequest)
		if err != nil {
			return
		}
		sent, err := codec{}.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		r := new(rls.RateLimitResponse)
		if err := proto.Unmarshal(sent.Materialize(), r); err != nil || len(r.GetStatuses()) != len(q.GetDescriptors()) {
			t.Errorf("%v, %v for %v", err, r, &q.RateLimitRequest)
		}
		over := false
		for _, status := range r.GetStatuses() {
			over = over || status.GetCode() == rls.RateLimitResponse_OVER_LIMIT
		}
		if over != (r.GetOverallCode() == rls.RateLimitResponse_OVER_LIMIT) {
			t.Errorf("%v", r)
		}
		sent.Free()
	})
}
