package caddymodule

import (
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirhq/weir/core"
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler applies a policy to the requests that pass through it.
//
// It takes the headers that begin with `Weir-` out of requests, for only
// origins may speak to Weir, and out of responses, having acted on them.
//
// However often it runs for a request, a policy charges the request once. In an
// error route it charges nothing that was charged before; put it there too if
// the route asks an origin.
//
// Where several policies apply to a request, each decides for itself: what the
// outer ones charged stays charged if an inner one refuses. All of them hear the
// origin. Of fields that several of them tell, a refusal's stand, else those of
// the outermost.
//
// A refusal is an error that `handle_errors` can answer, unless the policy has
// an answer of its own. These placeholders are set:
//
// Placeholder | Description
// ------------|---------------
// `{weir.policy}` | The policy that decided
// `{weir.outcome}` | What became of the request: `admitted`, `denied`, …
// `{weir.limit}` | The limit that refused the request, or that the headers speak of
// `{weir.max}`, `{weir.used}`, `{weir.remaining}`, `{weir.reset}`, `{weir.retry_after}`, `{weir.window}` | How that limit stands
// `{weir.limits.NAME.max}` and so on | How another limit stands that the request is charged to
// `{weir.subject.id}`, `{weir.subject.plan}`, `{weir.subject.ATTRIBUTE}` | Who is counted
// `{weir.id}` | The request's id, under which its cost can be settled
type Handler struct {
	// Policy is the name of the policy that decides.
	Policy string `json:"policy"`

	// Define defines that policy in place. Its cells are found by its name, so
	// two definitions of one name must be the same.
	Define *core.PolicyConfig `json:"define,omitempty"`

	ctx  caddy.Context
	app  *App
	page *page
	key  string // of the request's variable that has the writer of this policy
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.weir", New: func() caddy.Module { return new(Handler) }}
}

// UnmarshalJSON implements json.Unmarshaler: of mistakes it tells where they are.
func (h *Handler) UnmarshalJSON(data []byte) error {
	type plain Handler
	return core.DecodeConfig(data, (*plain)(h))
}

// Provision implements caddy.Provisioner.
func (h *Handler) Provision(ctx caddy.Context) error {
	app, err := ctx.App("weir")
	if err != nil {
		return err
	}
	h.ctx, h.app, h.key = ctx, app.(*App), "weir."+h.Policy
	switch {
	case h.Policy == "":
		return errors.New("the policy's name is missing")
	case h.Define != nil:
		h.page, err = h.app.define(h.Policy, h.Define)
	default:
		h.page, err = h.app.page(h.Policy)
	}
	return err
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	h.app.enter()
	defer h.app.leave()
	silenceClient(r)
	if before, ok := caddyhttp.GetVar(r.Context(), h.key).(*writer); ok {
		return before.again(w, r, next)
	}
	engine, err := h.app.open()
	if err != nil {
		return caddyhttp.Error(http.StatusServiceUnavailable, err)
	}
	v := newVisit(r)
	h.decide(engine, r, v)
	rw := newWriter(h, engine, w, r, v)
	h.tell(r, rw)
	if rw.admits() {
		return rw.pass(r, next)
	}
	time.Sleep(time.Duration(v.decision.Delay) * time.Microsecond)
	return rw.refuse()
}

// decide has v decided.
func (h *Handler) decide(engine *core.Engine, r *http.Request, v *visit) {
	now := h.app.state.clock.Now()
	m := h.app.state.metrics
	if !m.sampled() {
		engine.Decide(r.Context(), now, h.page.policy, &v.request, &v.decision)
		return
	}
	start := time.Now()
	engine.Decide(r.Context(), now, h.page.policy, &v.request, &v.decision)
	m.observe(start)
}

// tell tells of the decision whoever wants to know, but for the client.
func (h *Handler) tell(r *http.Request, w *writer) {
	d := &w.visit.decision
	caddyhttp.SetVar(r.Context(), h.key, w)
	w.provide(r)
	h.logAccess(r, d)
	h.app.tell(h.ctx, h.page, d)
}

// Interface guards
var (
	_ caddy.Module                = (*Handler)(nil)
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
