package envoyrls_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"testing"
	"time"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"
)

// A wire is a connection to the door on which tests write frames.
type wire struct {
	t      *testing.T
	framer *http2.Framer
	next   uint32
}

func (g *gateway) wire() *wire {
	g.t.Helper()
	c, err := net.Dial("tcp", g.target)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	_, err = c.Write([]byte(http2.ClientPreface))
	w := &wire{g.t, http2.NewFramer(c, c), 1}
	w.must(err)
	w.must(w.framer.WriteSettings())
	return w
}

func (w *wire) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// ask writes a call, and returns its stream.
func (w *wire) ask(d *descriptor) (stream uint32) {
	w.t.Helper()
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, f := range [][2]string{
		{":method", "POST"},
		{":scheme", "http"},
		{":path", rls.RateLimitService_ShouldRateLimit_FullMethodName},
		{":authority", "weir"},
		{"content-type", "application/grpc"},
		{"te", "trailers"},
	} {
		w.must(enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	message, err := proto.Marshal(&rls.RateLimitRequest{Domain: "api", Descriptors: []*descriptor{d}})
	w.must(err)
	stream, w.next = w.next, w.next+2
	w.must(w.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true}))
	w.must(w.framer.WriteData(stream, true, append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)))
	return stream
}

// answered reads until the stream is over.
func (w *wire) answered(stream uint32) {
	w.t.Helper()
	for {
		f, err := w.framer.ReadFrame()
		w.must(err)
		if f.Header().StreamID == stream && f.Header().Flags.Has(http2.FlagHeadersEndStream) {
			return
		}
	}
}

// TestTakenBack: Envoy takes back a call whose reply is on the wire already. It
// will tell no end, and the slot must be free.
func TestTakenBack(t *testing.T) {
	g := start(t, slots)
	w := g.wire()
	first := w.ask(post("/x", "k"))
	w.answered(first)
	second := w.ask(post("/x", "k"))
	w.answered(second)
	g.wantUsed("k", "slots", "2")
	w.must(w.framer.WriteRSTStream(first, http2.ErrCodeCancel))
	eventually(t, "the slot is free", func() bool { return g.used("k", "slots") == "1" })
	w.must(w.framer.WriteRSTStream(first, http2.ErrCodeCancel))
	w.must(w.framer.WriteRSTStream(second, http2.ErrCodeCancel))
	eventually(t, "both are free", func() bool { return g.used("k", "slots") == "0" })
	if n := g.scrape("weir_streams"); n != "0" {
		t.Errorf("%s under way", n)
	}
}

// TestTakenBackAfterTheEnd: a stream that has ended frees nothing of another.
func TestTakenBackAfterTheEnd(t *testing.T) {
	g := start(t, slots)
	w := g.wire()
	first := w.ask(post("/x", "k"))
	w.answered(first)
	g.admit(post("/x", "k"))
	g.wantUsed("k", "slots", "2")
	w.must(w.framer.WriteRSTStream(first+100, http2.ErrCodeCancel))
	w.must(w.framer.WritePing(false, [8]byte{}))
	for {
		f, err := w.framer.ReadFrame()
		w.must(err)
		if p, pong := f.(*http2.PingFrame); pong && p.IsAck() {
			break
		}
	}
	g.wantUsed("k", "slots", "2")
}

// TestTakenBackAtOnce: a call that is cancelled before it is answered.
func TestTakenBackAtOnce(t *testing.T) {
	g := start(t, slots)
	w := g.wire()
	for range 200 {
		w.must(w.framer.WriteRSTStream(w.ask(post("/x", "k")), http2.ErrCodeCancel))
	}
	last := w.ask(entries("method", "GET", "path", "/", "header.x-api-key", "other"))
	w.answered(last)
	eventually(t, "all slots are free", func() bool { return g.used("k", "slots") == "0" && g.scrape("weir_streams") == "0" })
}

// TestDeadline: nothing is held for calls that were not answered in time.
func TestDeadline(t *testing.T) {
	g := start(t, slots)
	for range 50 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		if _, err := g.client.ShouldRateLimit(ctx, &rls.RateLimitRequest{Domain: "api", Descriptors: []*descriptor{post("/x", "k")}}); err == nil {
			t.Error("answered")
		}
		cancel()
	}
	eventually(t, "all slots are free", func() bool { return g.used("k", "slots") == "0" && g.scrape("weir_streams") == "0" })
}
