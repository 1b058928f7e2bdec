package caddymodule

import (
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/weirhq/weir/core"
)

// Sampled returns a logger that writes of every message ten a second, and then
// one in a thousand: what any client can cause must not fill the disk.
func Sampled(l *zap.Logger) *zap.Logger {
	return l.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(c, time.Second, 10, 1000)
	}))
}

// logAccess adds the decision to the request's line in the access log, if its
// server writes one. Of several policies the last decision is told.
func (h *Handler) logAccess(r *http.Request, d *core.Decision) {
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || server.Logs == nil {
		return
	}
	extra, ok := r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields)
	if !ok {
		return
	}
	limit, _ := h.page.contract.Placeholder(d, "weir.limit")
	extra.Set(zap.String("weir_policy", d.Policy.Name))
	extra.Set(zap.String("weir_limit", limit))
	extra.Set(zap.String("weir_outcome", d.Outcome.String()))
	extra.Set(zap.String("weir_subject", d.SubjectID()))
}

// logDenial logs a refusal by a limit.
func (a *App) logDenial(d *core.Decision) {
	entry := a.frequent.Check(zap.InfoLevel, "request refused")
	if entry == nil {
		return
	}
	c := d.Refuser()
	fields := []zap.Field{
		zap.String("policy", d.Policy.Name),
		zap.String("limit", c.Limit.Name),
		zap.String("subject", d.SubjectID()),
		zap.String("used", core.FormatAmount(c.Used, c.Limit.Scale())),
		zap.String("max", core.FormatAmount(c.Max, c.Limit.Scale())),
		zap.Bool(neverFits, c.NeverFits),
	}
	if c.Wait != core.Unknown {
		fields = append(fields, zap.Duration("wait", time.Duration(c.Wait)*time.Microsecond))
	}
	entry.Write(fields...)
}

// logFailure logs that the store or the directory failed.
func (a *App) logFailure(d *core.Decision) {
	a.frequent.Error("request decided without store or directory",
		zap.String("policy", d.Policy.Name),
		zap.Stringer("outcome", d.Outcome),
		zap.Error(d.Err))
}

// logUnsettled logs that the store did not take what became known of a request.
func (a *App) logUnsettled(d *core.Decision, err error) {
	a.frequent.Error("settling a request; it is tried again",
		zap.String("policy", d.Policy.Name), zap.Error(err))
}

// logHeard logs what the origin said in vain.
func (a *App) logHeard(d *core.Decision, heard *core.Heard) {
	if heard.Err != nil {
		a.logUnsettled(d, heard.Err)
	}
	if heard.Ignored+heard.Invalid == 0 {
		return
	}
	fields := []zap.Field{
		zap.String("policy", d.Policy.Name),
		zap.Int("ignored", heard.Ignored),
		zap.Int("invalid", heard.Invalid),
	}
	if heard.Wrong != "" {
		fields = append(fields, zap.String("header", heard.Wrong))
	}
	a.frequent.Warn("the origin's Weir-* headers had no effect", fields...)
}
