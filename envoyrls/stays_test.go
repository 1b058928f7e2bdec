package envoyrls

import (
	"context"
	"testing"

	limit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
)

// A call whose deciding panics keeps no place of those under way.
func TestPanicTakesNoPlace(t *testing.T) {
	s := &service{stays: newStays(1)} // without an app
	r := &rls.RateLimitRequest{Domain: "api", Descriptors: []*limit.RateLimitDescriptor{
		{Entries: []*limit.RateLimitDescriptor_Entry{{Key: "weir", Value: "stream"}}},
	}}
	func() {
		defer func() {
			if recover() == nil {
				t.Fatal("no panic")
			}
		}()
		_, _ = s.ask(context.Background(), r, new(call))
	}()
	if s.stays.places != 0 {
		t.Errorf("%d places taken", s.stays.places)
	}
}
