package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TestLeaseInTrailers: trailers may lease the request's slot, also behind a body whose
// length was announced, as HTTP/2 has it.
func TestLeaseInTrailers(t *testing.T) {
	for _, length := range []string{"", "2", "0"} {
		t.Run("length "+length, func(t *testing.T) {
			h := provisioned(t, `weir {
				store memory volatile
				policy api {
					subject {header.X-API-Key}
					limit concurrent {
						hold released
						ttl 1h
						max 1
					}
				}
			}`, "weir api")
			rec := httptest.NewRecorder()
			err := h.ServeHTTP(rec, prepared("POST", "/", rec, nil), caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("Trailer", "X-Sum, weir-lease")
				if length != "" {
					w.Header().Set("Content-Length", length)
				}
				if length == "0" {
					w.WriteHeader(http.StatusOK)
				} else {
					_, _ = w.Write([]byte("ok"))
				}
				w.Header().Set("Weir-Lease", "job")
				return nil
			}))
			if err != nil {
				t.Fatal(err)
			}
			if n := inUse(t); n != 1 {
				t.Errorf("%d slots are taken, want the lease's", n)
			}
		})
	}
}
