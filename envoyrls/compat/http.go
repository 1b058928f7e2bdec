package compat

import (
	"context"
	"io"
	"net/http"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"go.uber.org/zap"
	"google.golang.org/protobuf/encoding/protojson"
)

// maxBody is how long a call is at most, in bytes: gRPC's own bound.
const maxBody = 4 << 20

// An Answerer answers calls: ShouldRateLimit of the protocol's service.
type Answerer func(context.Context, *rls.RateLimitRequest) (*rls.RateLimitResponse, error)

// Handler returns what envoyproxy/ratelimit serves over HTTP: /healthcheck, and
// /json, where calls and replies are JSON.
func Handler(answer Answerer, logger *zap.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthcheck", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "OK")
	})
	mux.HandleFunc("/json", func(w http.ResponseWriter, r *http.Request) {
		call := new(rls.RateLimitRequest)
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err == nil {
			err = protojson.Unmarshal(body, call)
		}
		var reply *rls.RateLimitResponse
		if err == nil {
			reply, err = answer(r.Context(), call)
		}
		if err != nil {
			logger.Debug("a call over HTTP", zap.Error(err))
			http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
			return
		}
		text, err := protojson.Marshal(reply)
		if err != nil {
			logger.Error("a reply over HTTP", zap.Error(err))
			http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if reply.GetOverallCode() == over {
			w.WriteHeader(http.StatusTooManyRequests)
		}
		_, _ = w.Write(text)
	})
	return mux
}
