package acceptance

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The headers of a request that script the origin's answer to it. They pass
// the gateway like any others.
const (
	scriptStatus = "X-Test-Status" // the status, 200 unless told
	scriptSet    = "X-Test-Set"    // "Name: value" of a response header; repeatable
	scriptBody   = "X-Test-Body"   // the body, {"ok":true} unless told
	scriptGate   = "X-Test-Gate"   // wait at this gate before answering
	scriptHalf   = "X-Test-Half"   // wait at the gate after half of the body
	scriptBreak  = "X-Test-Break"  // "before" or "within" the response: drop the connection
	scriptOpen   = "X-Test-Open"   // open this gate
)

// Origin is the API behind the gateway. It answers as the requests script it,
// or as a handler given for a path says.
type Origin struct {
	server *httptest.Server

	mu       sync.Mutex
	seen     []Arrival
	gates    map[string]*Gate
	handlers map[string]http.HandlerFunc
}

// Arrival is one request as it reached the origin.
type Arrival struct {
	Method  string
	URI     string // path and query, as sent
	Host    string
	Header  http.Header
	Trailer http.Header
	Body    []byte
	Chunked bool
}

func newOrigin(t testing.TB) *Origin {
	o := &Origin{gates: map[string]*Gate{}, handlers: map[string]http.HandlerFunc{}}
	o.server = httptest.NewServer(o)
	t.Cleanup(func() {
		o.openAll()
		o.server.Close()
	})
	return o
}

// Address is the origin's host and port.
func (o *Origin) Address() string { return o.server.Listener.Addr().String() }

// On answers requests for exactly this path with h instead of the script.
func (o *Origin) On(path string, h http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.handlers[path] = h
}

// Seen are the arrivals that keep accepts, oldest first.
func (o *Origin) Seen(keep func(Arrival) bool) []Arrival {
	o.mu.Lock()
	defer o.mu.Unlock()
	var kept []Arrival
	for _, a := range o.seen {
		if keep(a) {
			kept = append(kept, a)
		}
	}
	return kept
}

// From are the arrivals with this key.
func (o *Origin) From(key string) []Arrival {
	return o.Seen(func(a Arrival) bool {
		return a.Header.Get("X-API-Key") == key || a.Header.Get("Authorization") == "Bearer "+key
	})
}

func (o *Origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	o.mu.Lock()
	o.seen = append(o.seen, Arrival{
		Method: r.Method, URI: r.RequestURI, Host: r.Host, Header: r.Header.Clone(),
		Trailer: r.Trailer.Clone(), Body: body, Chunked: slices.Contains(r.TransferEncoding, "chunked"),
	})
	handler := o.handlers[r.URL.Path]
	gate := o.gates[r.Header.Get(scriptGate)]
	open := o.gates[r.Header.Get(scriptOpen)]
	o.mu.Unlock()

	if open != nil {
		open.Open()
	}
	if handler != nil {
		handler(w, r)
		return
	}
	half := r.Header.Get(scriptHalf) != ""
	if gate != nil && !half && !gate.wait(r) {
		return
	}
	o.answer(w, r, gate, half)
}

// answer writes the scripted response, waiting at the gate after half of the
// body if half says so.
func (o *Origin) answer(w http.ResponseWriter, r *http.Request, gate *Gate, half bool) {
	body := `{"ok":true}`
	if b := r.Header.Get(scriptBody); b != "" {
		body = b
	}
	w.Header().Set("Content-Type", "application/json")
	for _, line := range r.Header.Values(scriptSet) {
		name, value, _ := strings.Cut(line, ":")
		w.Header().Add(name, strings.TrimSpace(value))
	}
	breaks := r.Header.Get(scriptBreak)
	if breaks == "before" {
		panic(http.ErrAbortHandler)
	}
	status := http.StatusOK
	if s, err := strconv.Atoi(r.Header.Get(scriptStatus)); err == nil {
		status = s
	}
	switch {
	case breaks == "within":
		w.Header().Set("Content-Length", strconv.Itoa(2*len(body)))
	case !half && status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified:
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	if !half {
		_, _ = io.WriteString(w, body)
	} else {
		_, _ = io.WriteString(w, body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		if gate.wait(r) {
			_, _ = io.WriteString(w, body[len(body)/2:])
		}
	}
	if breaks == "within" {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// Gate keeps requests at the origin until it is opened, and tells when they
// have come. Requests given up by the gateway leave it.
type Gate struct {
	name    string
	arrived chan struct{}
	left    chan struct{}
	opened  chan struct{}
	once    sync.Once
}

// Gate makes a gate with a name of its own.
func (o *Origin) Gate() *Gate {
	o.mu.Lock()
	defer o.mu.Unlock()
	g := &Gate{
		name:    "gate" + strconv.Itoa(len(o.gates)),
		arrived: make(chan struct{}, 4096),
		left:    make(chan struct{}, 4096),
		opened:  make(chan struct{}),
	}
	o.gates[g.name] = g
	return g
}

func (o *Origin) openAll() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, g := range o.gates {
		g.Open()
	}
}

// Open lets everybody through, now and later.
func (g *Gate) Open() { g.once.Do(func() { close(g.opened) }) }

// Arrived waits until n more requests stand at the gate.
func (g *Gate) Arrived(t testing.TB, n int) {
	t.Helper()
	g.await(t, g.arrived, n, "come to")
}

// Left waits until the gateway has given up n more of the requests at the gate.
func (g *Gate) Left(t testing.TB, n int) {
	t.Helper()
	g.await(t, g.left, n, "been given up at")
}

func (g *Gate) await(t testing.TB, c chan struct{}, n int, what string) {
	t.Helper()
	deadline := time.After(patience)
	for i := range n {
		select {
		case <-c:
		case <-deadline:
			t.Fatalf("%d of %d requests have %s the origin's gate", i, n, what)
		}
	}
}

// wait reports whether the gate opened before the request was given up.
func (g *Gate) wait(r *http.Request) bool {
	g.arrived <- struct{}{}
	select {
	case <-g.opened:
		return true
	case <-r.Context().Done():
		g.left <- struct{}{}
		return false
	}
}
