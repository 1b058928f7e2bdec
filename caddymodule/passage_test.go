package caddymodule

import (
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TestVariablesAreNotWrittenOnceOthersMayRead: a dial of the proxy's can outlive
// its request, and reads the request's variables. Only the race detector sees.
func TestVariablesAreNotWrittenOnceOthersMayRead(t *testing.T) {
	read := make(chan struct{})
	setProbe(t, "dial", func(_ http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
		go func() {
			defer close(read)
			_ = caddyhttp.GetVar(r.Context(), "anything")
		}()
		return nil
	})
	g := start(t, "weir {\nstore memory volatile\n}", "route {\nweir one {\nper all\nlimit one {\nrolling 1m\nmax 10\n}\n}\nprobe dial\n}")
	g.do("GET", "/")
	<-read
}
