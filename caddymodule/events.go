package caddymodule

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/weirhq/weir/core"
)

// eventDenied is the name of the event of a refusal by a limit. Its data are
// policy, limit, outcome and subject (the id, never a key).
const eventDenied = "weir.denied"

// emitDenial emits the event of a refusal, if anybody listens: Caddy's event
// handlers run before the client is answered.
func (a *App) emitDenial(ctx caddy.Context, d *core.Decision) {
	if !a.events.ShouldEmit(eventDenied) {
		return
	}
	c := d.Refuser()
	outcome := d.Outcome.String()
	if c.NeverFits {
		outcome = neverFits
	}
	a.events.Emit(ctx, eventDenied, map[string]any{
		"policy":  d.Policy.Name,
		"limit":   c.Limit.Name,
		"outcome": outcome,
		"subject": d.SubjectID(),
	})
}
