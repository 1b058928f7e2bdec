package caddymodule

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestAttackHangUpBeforeTheCost: a client that is gone before the origin has said
// what the request costs has paid what was reserved; its slot is free.
func TestAttackHangUpBeforeTheCost(t *testing.T) {
	reached := make(chan struct{}, 1)
	up := origin(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else net/http does not notice that the client is gone
		if r.Header.Get("X-Headers") != "" {
			w.Header().Set("Trailer", "Weir-Cost")
			w.(http.Flusher).Flush()
		}
		reached <- struct{}{}
		<-r.Context().Done()
		w.Header().Set("Weir-Cost", "1")
		w.Header().Set("Weir-Lease", "job")
	})
	g := start(t, `weir {
		store memory volatile
		policy api {
			subject {header.X-API-Key}
			limit spending {
				rolling 1h
				max 100
				cost settled reserve 5
			}
			limit jobs {
				hold released
				ttl 1h
				max 5
			}
			usage GET /usage <<BODY
				[{weir.limits.spending.used},{weir.limits.jobs.used}]
				BODY
		}
	}`, "weir api\nreverse_proxy "+up)
	for name, line := range map[string]string{"before the response": "", "before its trailers": "X-Headers: 1\r\n"} {
		key := strings.ReplaceAll(name, " ", "-")
		conn, err := net.Dial("tcp", g.site)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: %s\r\nX-API-Key: %s\r\n%sContent-Length: 0\r\n\r\n", g.site, key, line)
		<-reached
		used := func() string { return strings.TrimSpace(g.do("GET", "/usage", "X-API-Key: "+key).body) }
		if got := used(); got != "[5,1]" {
			t.Errorf("%s, meanwhile: %s is used, want [5,1]", name, got)
		}
		if err := conn.(*net.TCPConn).SetLinger(0); err != nil { // it is reset
			t.Fatal(err)
		}
		_ = conn.Close()
		eventually(t, name+" the slot is free", func() bool { return used() == "[5,0]" })
	}
}
