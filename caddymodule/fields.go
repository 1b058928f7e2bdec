package caddymodule

import (
	"net/http"
	"slices"
	"strings"
)

// announce sets the fields that tell of limits. It comes before the request is
// handed on, so that they are on whatever answers it, Caddy's own errors
// included, and again when the headers go out, for origins send such fields too.
//
// Header maps hold them as the policy spells them, which is how HTTP/1 writes
// them; so their canonical twins have to go.
func (w *writer) announce() {
	if w.muted {
		return
	}
	h := w.Header()
	w.disown(h)
	for i, f := range w.fields.All() {
		h[f.Name] = w.values[i][:1:1]
	}
}

// disown removes the fields that only the policy tells, however spelled.
func (w *writer) disown(h http.Header) {
	for key := range h {
		if w.owns(key) {
			delete(h, key)
		}
	}
}

// disownTrailers removes the trailers that nobody announced and that only the
// policy tells.
func (w *writer) disownTrailers(h http.Header) {
	for key := range h {
		if name, late := strings.CutPrefix(key, http.TrailerPrefix); late && w.owns(name) {
			delete(h, key)
		}
	}
}

// owns reports whether only the policy tells the field.
func (w *writer) owns(key string) bool {
	same := func(name string) bool { return len(name) == len(key) && strings.EqualFold(name, key) }
	for _, f := range w.fields.All() {
		if same(f.Name) {
			return true
		}
	}
	return w.applies() && slices.ContainsFunc(w.handler.page.contract.Owns(), same)
}
