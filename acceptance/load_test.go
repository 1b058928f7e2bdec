package acceptance

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// loadSite is a site with a path for every kind of limit, all of 1000.
const loadSite = `{
	admin {$WEIR_ADMIN}
	weir {
		store memory "{$WEIR_STATE}"
		policy load {
			per all
			limit rolling {
				match GET /rolling
				rolling 10m
				max 1000
			}
			limit fixed {
				match GET /fixed
				fixed 366d
				max 1000
			}
			limit calendar {
				match GET /calendar
				calendar year Pacific/Kiritimati
				max 1000
			}
			limit bucket {
				match GET /bucket
				bucket 1/24h burst 1000
			}
			limit response {
				match GET /response
				hold response
				max 1000
			}
			limit released {
				match GET /released
				hold released
				ttl 1h
				max 1000
			}
			limit settled {
				match GET /settled
				fixed 366d
				cost settled reserve 0.5
				max 500
			}
			limit first {
				match GET /all
				rolling 10m
				max 100000
			}
			limit second {
				match GET /all
				fixed 366d
				max 100000
			}
			limit third {
				match GET /all
				calendar year UTC
				max 100000
			}
			limit fourth {
				match GET /all
				bucket 1/24h burst 100000
			}
			limit last {
				match GET /all
				rolling 10m
				max 100
			}
			count every ever
			usage GET /usage <<BODY
				{"first":{weir.limits.first.used},"second":{weir.limits.second.used},"third":{weir.limits.third.used},"fourth":{weir.limits.fourth.used},"last":{weir.limits.last.used},"response":{weir.limits.response.used}}
				BODY
			headers x-ratelimit unix
		}
	}
}

:{$WEIR_PORT} {
	weir load
	reverse_proxy {$WEIR_ORIGIN}
}
`

const loadClients = 64

// flood sends n calls from 64 clients at once and counts the answers by status.
func (g *Gateway) flood(t *testing.T, n int, c Call) map[int]int {
	t.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	var mu sync.Mutex
	statuses := map[int]int{}
	var clients sync.WaitGroup
	for range loadClients {
		clients.Go(func() {
			for left.Add(-1) >= 0 {
				a, err := g.Do(context.Background(), c)
				mu.Lock()
				if err != nil {
					t.Errorf("%s %s: %v", c.Method, c.Path, err)
				} else {
					statuses[a.Status]++
				}
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	return statuses
}

// TestExactUnderLoad: 64 clients against a maximum of 1000: exactly 1000 are
// admitted, whatever the kind. (C14)
func TestExactUnderLoad(t *testing.T) {
	t.Parallel()
	g := StartConfig(t, "load", loadSite, nil)
	for _, kind := range []string{"rolling", "fixed", "calendar", "bucket", "settled"} {
		t.Run(kind, func(t *testing.T) {
			got := g.flood(t, 1300, get("", "/"+kind))
			if got[200] != 1000 || got[429] != 300 {
				t.Errorf("got %v, want 1000 of 200 and 300 of 429", got)
			}
		})
	}
	t.Run("hold", func(t *testing.T) { holdsUnderLoad(t, g) })
	t.Run("released", func(t *testing.T) {
		var id atomic.Int64
		g.Origin.On("/released", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Weir-Lease", "job-"+strconv.FormatInt(id.Add(1), 10))
		})
		if got := g.flood(t, 1300, get("", "/released")); got[200] != 1000 || got[429] != 300 {
			t.Errorf("got %v, want 1000 of 200 and 300 of 429", got)
		}
	})
}

// holdsUnderLoad: 64 clients at once against a hold of 1000 never meet it; with
// a gate that keeps requests at the origin, the one over the maximum is refused.
func holdsUnderLoad(t *testing.T, g *Gateway) {
	var inFlight, most atomic.Int64
	g.Origin.On("/response", func(http.ResponseWriter, *http.Request) {
		n := inFlight.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		inFlight.Add(-1)
	})
	small := strings.Replace(loadSite, "hold response\n\t\t\t\tmax 1000", "hold response\n\t\t\t\tmax 7", 1)
	if err := g.Load(small); err != nil {
		t.Fatal(err)
	}
	got := g.flood(t, 3000, get("", "/response"))
	if most.Load() > 7 || got[200]+got[429] != 3000 || got[200] == 0 {
		t.Errorf("%d at once of at most 7; got %v", most.Load(), got)
	}
	g.Send(t, get("", "/usage")).wantUsed(t, "response", 0)
}

// wantUsed checks a number of the usage answer.
func (a *Answer) wantUsed(t *testing.T, limit string, used int) {
	t.Helper()
	if want := fmt.Sprintf(`"%s":%d`, limit, used); !strings.Contains(string(a.Body), want) {
		t.Errorf("got %s, want %s in it", a.Body, want)
	}
}

// TestAllOrNothingUnderLoad: of five limits the last denies; the first four are
// charged for admitted requests alone, 64 at once. (C5, C6)
func TestAllOrNothingUnderLoad(t *testing.T) {
	t.Parallel()
	g := StartConfig(t, "load", loadSite, nil)
	got := g.flood(t, 2000, get("", "/all"))
	if got[200] != 100 || got[429] != 1900 {
		t.Errorf("got %v, want 100 of 200 and 1900 of 429", got)
	}
	usage := g.Send(t, get("", "/usage"))
	for _, limit := range []string{"first", "second", "third", "fourth", "last"} {
		usage.wantUsed(t, limit, 100)
	}
}

// TestSequentialRequestsUnderAHold: each request is sent the moment the last
// byte of the one before arrives; none is refused by a hold of 1. (O6)
func TestSequentialRequestsUnderAHold(t *testing.T) {
	t.Parallel()
	site := strings.Replace(loadSite, "hold response\n\t\t\t\tmax 1000", "hold response\n\t\t\t\tmax 1", 1)
	site = strings.Replace(site, "match GET /response", "match GET /sized /chunked /buffered", 1)
	g := StartConfig(t, "load", site, nil)
	const n = 1700 // × 6 = 10,200
	for _, size := range []int{8 << 10, 64 << 10} {
		body := strings.Repeat("x", size)
		g.Origin.On("/sized", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(size))
			_, _ = io.WriteString(w, body)
		})
		g.Origin.On("/chunked", func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, body)
		})
		for _, c := range []struct{ path, version string }{
			{"/sized", "HTTP/1.1"}, {"/chunked", "HTTP/1.1"}, {"/chunked", "HTTP/1.0"},
		} {
			t.Run(fmt.Sprintf("%s%s %d", c.version, c.path, size), func(t *testing.T) {
				address := strings.TrimPrefix(g.URL, "http://")
				for i := range n {
					if status := rawGet(t, address, c.path, c.version); status != 200 {
						t.Fatalf("request %d: status %d", i, status)
					}
				}
			})
		}
	}
}

// rawGet sends a request on a connection of its own and returns the status as
// soon as the last byte of the body is there: that of the announced length, of
// the last chunk, or of the connection.
func rawGet(t *testing.T, address, path, version string) int {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, err = fmt.Fprintf(c, "GET %s %s\r\nHost: %s\r\n\r\n", path, version, address)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodGet})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// TestReloadsUnderLoad: counters and holds survive 100 reloads under load, no
// request fails, and a rejected reload changes nothing. (C11)
//
// A connection that Caddy's old configuration has not read a request from when
// it stops is closed without an answer, with Weir or without; clients send such
// a request again. It must not have been charged: in the end as many requests
// were charged as were answered.
func TestReloadsUnderLoad(t *testing.T) {
	t.Parallel()
	g := StartConfig(t, "load", loadSite, nil)
	gate := g.Origin.Gate()
	held := make(chan *Answer, 1)
	go func() { held <- g.Send(t, get("", "/response").at(gate)) }()
	gate.Arrived(t, 1)

	stop := make(chan struct{})
	var admitted, again atomic.Int64
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() { g.requestUntil(t, stop, &admitted, &again) })
	}
	for i := range 100 {
		g.reloadDifferently(t, loadSite, i)
	}
	close(stop)
	clients.Wait()
	t.Logf("%d requests during 100 reloads, %d connections closed before an answer", admitted.Load(), again.Load())
	usage := g.Send(t, get("", "/usage"))
	usage.wantUsed(t, "response", 1)
	usage.wantUsed(t, "first", int(admitted.Load()))
	gate.Open()
	if a := <-held; a.Status != 200 {
		t.Errorf("the request in flight: %d", a.Status)
	}
	g.Send(t, get("", "/usage")).wantUsed(t, "response", 0)
}

// requestUntil sends one request after the other until stop is closed, and
// counts those that were admitted, all that were answered, and those that had
// to be sent again.
func (g *Gateway) requestUntil(t *testing.T, stop <-chan struct{}, admitted, again *atomic.Int64) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		switch a, err := g.Do(context.Background(), get("", "/all")); {
		case err != nil && a == nil && again.Add(1) < 1000:
		case err != nil || a.Status != 200:
			t.Errorf("%+v %v", a, err)
			return
		default:
			admitted.Add(1)
		}
	}
}

// reloadDifferently loads the site with other maxima than before, and every
// tenth time tries two configurations that are rejected: one that cannot be
// read, and one that fails after Weir was provisioned, or before.
func (g *Gateway) reloadDifferently(t *testing.T, site string, i int) {
	t.Helper()
	config := strings.Replace(site, "rolling 10m\n\t\t\t\tmax 100\n", "rolling 10m\n\t\t\t\tmax 10000000\n", 1)
	config = strings.ReplaceAll(config, "100000\n", strconv.Itoa(10000001+i)+"\n")
	if err := g.Load(config); err != nil {
		t.Fatal(err)
	}
	if i%10 != 0 {
		return
	}
	if err := g.Load(strings.Replace(config, "match GET /fixed", "match GET nonesuch", 1)); err == nil {
		t.Error("a configuration that cannot be read was loaded")
	}
	if err := g.Load(config + "\nhttps://localhost:1 {\n\ttls nonesuch.pem nonesuch.key\n}\n"); err == nil {
		t.Error("a configuration that cannot be provisioned was loaded")
	}
}
