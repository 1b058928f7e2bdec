package caddymodule

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/contract"
)

// unknownLength is what is left of a body whose length nobody announced.
const unknownLength = -1

// A writer watches the response to a request: it tells the limits in the
// headers, acts on what the origin says and takes it out, and ends the request's
// slots before the last byte goes out.
type writer struct {
	*caddyhttp.ResponseWriterWrapper
	wrapper caddyhttp.ResponseWriterWrapper // what the pointer above points to

	handler *Handler
	engine  *core.Engine
	ctx     context.Context
	method  string
	chain   *atomic.Pointer[writer]
	outer   *writer // of another policy's handler, around this one's

	outcome  core.Outcome
	fields   contract.Fields
	values   [6][1]string // of fields, as header maps hold them
	refusal  error        // of a request that was refused
	borrowed bool         // the visit is that of an earlier run
	running  bool         // next has not returned
	muted    bool         // a policy further in refused: it tells its limits
	wrote    bool         // the final status
	left     int64        // of the announced body, or unknownLength

	mu    sync.Mutex // guards visit: flushes come from other goroutines
	visit *visit     // nil when it was recycled
}

// newWriter returns the writer of a visit that was decided.
func newWriter(h *Handler, e *core.Engine, w http.ResponseWriter, r *http.Request, v *visit) *writer {
	rw := &writer{
		wrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
		handler: h, engine: e, visit: v,
		ctx: r.Context(), method: v.request.Method, left: unknownLength,
		outcome: v.decision.Outcome, fields: h.page.contract.Headers(&v.decision),
	}
	rw.ResponseWriterWrapper = &rw.wrapper
	rw.chain = chainOf(rw.ctx)
	rw.outer = rw.chain.Load()
	for i, f := range rw.fields.All() {
		rw.values[i][0] = f.Value
	}
	return rw
}

// WriteHeader implements http.ResponseWriter.
func (w *writer) WriteHeader(status int) {
	if w.wrote {
		return
	}
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		w.inform(status)
		return
	}
	w.wrote = true
	h := w.Header()
	w.hear(h)
	leases := w.silenceTrailers(h)
	w.announce()
	if !leases { // else what comes behind the body needs the slot
		w.left = bodyLength(w.method, status, h)
	}
	if w.left == 0 {
		w.finish()
	}
	w.ResponseWriter.WriteHeader(status)
}

// inform passes an informational response on. It tells no limits, and what it
// says to Weir is not heard.
func (w *writer) inform(status int) {
	h := w.Header()
	silence(h)
	w.disown(h)
	w.ResponseWriter.WriteHeader(status)
	w.announce()
}

// bodyLength returns the length of the response's body, or unknownLength.
func bodyLength(method string, status int, h http.Header) int64 {
	if method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified {
		return 0
	}
	if status == http.StatusSwitchingProtocols {
		return unknownLength
	}
	values := h["Content-Length"]
	if len(values) != 1 {
		return unknownLength
	}
	n, err := strconv.ParseInt(strings.TrimSpace(values[0]), 10, 64)
	if err != nil || n < 0 {
		return unknownLength
	}
	return n
}

// Write implements http.ResponseWriter.
func (w *writer) Write(p []byte) (int, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	if w.left >= 0 && int64(len(p)) >= w.left {
		w.finish()
	}
	n, err := w.ResponseWriter.Write(p)
	w.count(int64(n))
	return n, err
}

// count notes that n bytes of the body were written.
func (w *writer) count(n int64) {
	if w.left >= 0 {
		w.left = max(0, w.left-n)
	}
}

// ReadFrom implements io.ReaderFrom. While a slot is held the last byte of an
// announced body is written by itself, once it is there and the slot is free;
// what comes before goes the fast way, from file to socket where it can.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	if w.left <= 0 || !w.holding() {
		n, err := w.ResponseWriterWrapper.ReadFrom(r)
		w.count(n)
		return n, err
	}
	n, err := w.readFromAtMost(r, w.left-1)
	if err != nil || w.left > 1 {
		return n, err
	}
	var last [1]byte
	if _, err := io.ReadFull(r, last[:]); err != nil {
		if err == io.EOF {
			err = nil
		}
		return n, err
	}
	m, err := w.Write(last[:])
	return n + int64(m), err
}

// readFromAtMost copies up to limit bytes. A reader that is limited already is
// not wrapped twice: net/http looks for a file in the first only.
func (w *writer) readFromAtMost(r io.Reader, limit int64) (int64, error) {
	if limit <= 0 {
		return 0, nil
	}
	part := &io.LimitedReader{R: r, N: limit}
	outer, limited := r.(*io.LimitedReader)
	if limited {
		part.R, part.N = outer.R, min(limit, outer.N)
	}
	n, err := w.ResponseWriterWrapper.ReadFrom(part)
	if limited {
		outer.N -= n
	}
	w.count(n)
	return n, err
}

// FlushError implements what http.ResponseController looks for.
func (w *writer) FlushError() error {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements http.Flusher.
func (w *writer) Flush() { _ = w.FlushError() }

// Hijack implements http.Hijacker. The request ends when its handler returns.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Interface guards
var (
	_ http.ResponseWriter = (*writer)(nil)
	_ http.Flusher        = (*writer)(nil)
	_ http.Hijacker       = (*writer)(nil)
	_ http.Pusher         = (*writer)(nil)
	_ io.ReaderFrom       = (*writer)(nil)
)
