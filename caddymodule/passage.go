package caddymodule

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirhq/weir/core"
)

// innermost is the request's variable that has the running writer which is
// furthest in, where several policies apply.
const innermost = "weir"

// applies reports whether something of the policy applies to the request.
func (w *writer) applies() bool { return w.outcome != core.Passed }

// pass hands the request on and sees to its end, whatever becomes of it.
func (w *writer) pass(r *http.Request, next caddyhttp.Handler) error {
	w.running = true
	w.enter(w)
	returned := false
	defer func() {
		w.running = false
		w.enter(w.outer)
		w.finish()
		if returned {
			w.retire()
		}
	}()
	w.announce()
	err := next.ServeHTTP(w, r)
	w.last()
	returned = err == nil
	return err
}

// enter makes inner the innermost running writer.
func (w *writer) enter(inner *writer) { w.chain.Store(inner) }

// chainOf returns the request's variable; it is set before any handler runs
// that could go on reading the variables after the request.
func chainOf(ctx context.Context) *atomic.Pointer[writer] {
	chain, ok := caddyhttp.GetVar(ctx, innermost).(*atomic.Pointer[writer])
	if !ok {
		chain = new(atomic.Pointer[writer])
		caddyhttp.SetVar(ctx, innermost, chain)
	}
	return chain
}

// admits reports whether the request may go on.
func (w *writer) admits() bool { return w.outcome == core.Passed || w.outcome == core.Admitted }

// again passes on a request that the policy decided before; one that it did not
// let through only in an error route.
func (w *writer) again(rw http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if w.running {
		return next.ServeHTTP(rw, r)
	}
	second := &writer{
		wrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: rw},
		handler: w.handler, engine: w.engine, visit: w.visit, borrowed: true,
		ctx: r.Context(), method: w.method, left: unknownLength,
		outcome: w.outcome, fields: w.fields, values: w.values, muted: w.muted,
	}
	second.ResponseWriterWrapper = &second.wrapper
	second.chain = chainOf(second.ctx)
	second.outer = second.chain.Load()
	if !w.admits() && r.Context().Value(caddyhttp.ErrorCtxKey) == nil {
		second.announce()
		return w.refusal
	}
	return second.pass(r, next)
}

// hear acts on what the origin says in h, and takes it out. All policies that
// the request passed hear it.
func (w *writer) hear(h http.Header) {
	v, spoken := voiceOf(h)
	silence(h)
	if !spoken {
		return
	}
	for listener := w; listener != nil; listener = listener.outer {
		listener.heed(&v)
	}
}

// heed acts on what the origin said, also if the client is gone.
func (w *writer) heed(v *core.Voice) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.visit == nil {
		return
	}
	now := w.handler.app.state.clock.Now()
	d := &w.visit.decision
	w.handler.app.heard(w.handler.page, d, w.engine.Hear(context.WithoutCancel(w.ctx), now, d, v))
}

// last acts on what the origin said in trailers, or in the headers of a
// response that nobody has written yet.
func (w *writer) last() {
	w.hear(w.Header())
	w.disownTrailers(w.Header())
	if !w.wrote {
		w.silenceTrailers(w.Header())
		w.announce()
	}
}

// finish ends the request's slots. It may be called more than once.
func (w *writer) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.visit == nil || !w.applies() {
		return
	}
	w.handler.app.finish(w.engine, w.handler.page, &w.visit.decision)
}

// holding reports whether finish would free anything.
func (w *writer) holding() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.visit != nil && w.visit.decision.Holding()
}

// retire recycles the visit, if nobody can ask about it any more: error routes
// and access logs do after the handler has returned.
func (w *writer) retire() {
	if server, ok := w.ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); !ok || server.Logs != nil || w.borrowed {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.visit != nil {
		w.visit.recycle()
		w.visit = nil
	}
}
