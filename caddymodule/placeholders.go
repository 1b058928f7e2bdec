package caddymodule

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// provide makes the placeholders {weir.*} known to the request's replacer. Of
// several policies the first that has the value answers, but a refusal speaks
// for itself.
func (w *writer) provide(r *http.Request) {
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(w.placeholder)
	}
}

// placeholder returns the value of a placeholder.
func (w *writer) placeholder(name string) (any, bool) {
	if !strings.HasPrefix(name, "weir.") || w.muted {
		return nil, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.visit == nil {
		return nil, false
	}
	d := &w.visit.decision
	switch name {
	case "weir.outcome":
		return d.Outcome.String(), true
	case "weir.id":
		return d.ID.String(), true
	case "weir.subject.id":
		return d.SubjectID(), true
	}
	text, ok := w.handler.page.contract.Placeholder(d, name)
	if !ok {
		return nil, false
	}
	return text, true
}
