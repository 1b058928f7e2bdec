package compat

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"go.uber.org/zap"
)

// TestLongBody: what is longer than a message of gRPC is not read.
func TestLongBody(t *testing.T) {
	asked := false
	h := Handler(func(context.Context, *rls.RateLimitRequest) (*rls.RateLimitResponse, error) {
		asked = true
		return new(rls.RateLimitResponse), nil
	}, zap.NewNop())
	for size, want := range map[int]int{maxBody / 2: http.StatusOK, maxBody: http.StatusBadRequest} {
		asked = false
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/json", strings.NewReader(`{"domain":"`+strings.Repeat("x", size)+`"}`)))
		if w.Code != want || asked != (want == http.StatusOK) {
			t.Errorf("%d bytes: %d", size, w.Code)
		}
	}
}
