package acceptance

import (
	"bytes"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A resetter sends requests over HTTP/2 and takes each back at once.
type resetter struct {
	t       testing.TB
	address string
	conn    net.Conn
	framer  *http2.Framer
	gone    chan struct{} // the server has closed the connection, or is about to
	stream  uint32
}

// connect begins a connection, whose frames are read and ignored.
func (r *resetter) connect() {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.conn, r.framer, r.gone, r.stream = conn, http2.NewFramer(conn, conn), make(chan struct{}), 1
	_, err = conn.Write([]byte(http2.ClientPreface))
	if err == nil {
		err = r.framer.WriteSettings()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	go func(framer *http2.Framer, gone chan struct{}) {
		defer close(gone)
		for {
			if frame, err := framer.ReadFrame(); err != nil || frame.Header().Type == http2.FrameGoAway {
				return
			}
		}
	}(r.framer, r.gone)
}

// reset sends a request and takes it back. It reports false where the server has
// had enough of this connection.
func (r *resetter) reset(method, path, key string) bool {
	if r.left() {
		return false
	}
	err := r.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: r.stream, BlockFragment: r.request(method, path, key), EndHeaders: true, EndStream: method == http.MethodGet,
	})
	if err == nil {
		err = r.framer.WriteRSTStream(r.stream, http2.ErrCodeCancel)
	}
	r.stream += 2
	return err == nil
}

// left reports whether the server has had enough of this connection.
func (r *resetter) left() bool {
	select {
	case <-r.gone:
		return true
	default:
		return false
	}
}

// request returns the header block of a request.
func (r *resetter) request(method, path, key string) []byte {
	return headerBlock(
		hpack.HeaderField{Name: ":method", Value: method},
		hpack.HeaderField{Name: ":scheme", Value: "http"},
		hpack.HeaderField{Name: ":authority", Value: r.address},
		hpack.HeaderField{Name: ":path", Value: path},
		hpack.HeaderField{Name: "x-api-key", Value: key},
	)
}

// headerBlock encodes fields without the connection's table.
func headerBlock(fields ...hpack.HeaderField) []byte {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encoder.SetMaxDynamicTableSize(0)
	for _, f := range fields {
		_ = encoder.WriteField(f) // to a buffer
	}
	return block.Bytes()
}

// TestAttackRapidReset: requests that are taken back at once, ten thousand of them
// over HTTP/2 (CVE-2023-44487), are charged once each or not at all, hold no slot
// afterwards, and leave neither goroutines nor memory behind; meanwhile and then
// others are served.
func TestAttackRapidReset(t *testing.T) {
	t.Parallel()
	const requests = 10_000
	for name, call := range map[string]struct{ method, path, limit string }{
		"hold response": {"GET", "/response", "response"},
		"hold released": {"POST", "/released", "released"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := StartConfig(t, "attack", attackSite, Subjects{"k": {"id": "attacker"}, "other": {"id": "other"}})
			g.Origin.On(call.path, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			other := get("", "/x").with("X-Api-Key", "other")
			g.Send(t, other).want(t, 200)
			before, memory := g.footprint(t), g.memory(t)
			r := &resetter{t: t, address: strings.TrimPrefix(g.URL, "http://")}
			r.connect()
			connections := 1
			for i := range requests {
				for !r.reset(call.method, call.path, "k") {
					_ = r.conn.Close()
					r.connect()
					connections++
				}
				if i%1000 == 0 {
					g.Send(t, other).want(t, 200)
				}
			}
			_ = r.conn.Close()
			var used map[string]int
			admitted := 0
			for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
				used = g.used(t, "k")
				admitted = g.metric(t, `weir_decisions_total\{.*outcome="admitted"`) - requests/1000 - 1
				if used["all"] == admitted && used[call.limit] == 0 { // the last ones have ended
					break
				}
			}
			if used["all"] != admitted || admitted == 0 || admitted > requests || used[call.limit] != 0 {
				t.Errorf("of %d requests %d were admitted and %d charged; %d slots are held", requests, admitted, used["all"], used[call.limit])
			}
			g.wantFootprint(t, before, 3)
			if grown := g.memory(t) - memory; grown > 256<<20 {
				t.Errorf("the process has grown by %d MiB", grown>>20)
			}
			t.Logf("%d requests on %d connections, %d of them charged", requests, connections, used["all"])
			g.Send(t, other).want(t, 200)
		})
	}
}

// TestAttackContinuations: header blocks over HTTP/2 that never end (CVE-2023-45288),
// of frames that are full, small or empty, are charged nothing and leave nothing
// behind; meanwhile and then others are served.
func TestAttackContinuations(t *testing.T) {
	t.Parallel()
	g := StartConfig(t, "attack", attackSite, Subjects{"k": {"id": "attacker"}, "other": {"id": "other"}})
	other := get("", "/x").with("X-Api-Key", "other")
	for name, field := range map[string]string{"full": strings.Repeat("a", 16_000), "small": "b", "empty": ""} {
		t.Run(name, func(t *testing.T) {
			g.Send(t, other).want(t, 200)
			before, memory := g.footprint(t), g.memory(t)
			charged := g.used(t, "k")["all"]
			r := &resetter{t: t, address: strings.TrimPrefix(g.URL, "http://")}
			r.connect()
			sent := 0
			for r.continues(field, sent == 0) && sent < 20_000 {
				if sent++; sent%5000 == 0 {
					g.Send(t, other).want(t, 200)
				}
			}
			if name == "full" && sent > 1000 {
				t.Errorf("%d frames of %d bytes were taken", sent, len(field))
			}
			if grown := g.memory(t) - memory; grown > 64<<20 {
				t.Errorf("the process has grown by %d MiB", grown>>20)
			}
			_ = r.conn.Close()
			if n := g.used(t, "k")["all"]; n != charged {
				t.Errorf("%d requests were charged that never came", n-charged)
			}
			g.wantFootprint(t, before, 3)
			g.Send(t, other).want(t, 200)
			t.Logf("%d frames", sent)
		})
	}
}

// continues sends a header block without its end: its beginning, or another frame,
// with a header field of this value if there is one. It reports false where the
// server has had enough of this connection.
func (r *resetter) continues(value string, first bool) bool {
	if r.left() {
		return false
	}
	if first {
		return r.framer.WriteHeaders(http2.HeadersFrameParam{
			StreamID: r.stream, BlockFragment: r.request("GET", "/x", "k"), EndStream: true,
		}) == nil
	}
	var block []byte
	if value != "" {
		block = headerBlock(hpack.HeaderField{Name: "x-filler", Value: value})
	}
	return r.framer.WriteContinuation(r.stream, false, block) == nil
}

// TestAttackResetWhileTheBodyIsRead: a request that is taken back while its body is
// read for a cost is not charged.
func TestAttackResetWhileTheBodyIsRead(t *testing.T) {
	t.Parallel()
	g := StartConfig(t, "attack", attackSite, Subjects{"k": {"id": "attacker"}})
	g.Send(t, get("", "/x").with("X-Api-Key", "k")).want(t, 200)
	before := g.footprint(t)
	r := &resetter{t: t, address: strings.TrimPrefix(g.URL, "http://")}
	r.connect()
	for range 2000 {
		for !r.reset("POST", "/images", "k") {
			_ = r.conn.Close()
			r.connect()
		}
	}
	_ = r.conn.Close()
	g.wantFootprint(t, before, 0)
	if g.metric(t, `weir_decisions_total\{.*outcome="body_broken"`) == 0 {
		t.Error("no body was being read when its request was taken back")
	}
	if used := g.used(t, "k"); used["all"] != 1 || used["images"] != 0 || used["one"] != 0 {
		t.Errorf("charged %v, and 1 of all was before", used)
	}
}
