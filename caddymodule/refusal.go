package caddymodule

import (
	"net/http"
	"strconv"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/contract"
)

// refuse answers a request that does not go on. Without an answer of the
// policy's own it returns an error, for error routes to answer.
func (w *writer) refuse() error {
	w.finish()
	d, c := &w.visit.decision, w.handler.page.contract
	w.handler.app.complete(w.ctx, w.engine, w.handler.page, d)
	if d.Outcome == core.Usage {
		w.announce()
		return w.answer(c.Usage(d, nil))
	}
	for o := w.outer; o != nil; o = o.outer {
		o.muted = true
	}
	w.announce()
	if d.Outcome == core.BodyEncoding { // RFC 9110, section 15.5.16
		w.Header().Set("Accept-Encoding", decodable)
	}
	a, ok := c.Answer(d, nil)
	w.refusal = caddyhttp.Error(a.Status, w.handler.page.refusal(d))
	if !ok {
		return w.refusal
	}
	return w.answer(a)
}

// answer writes the policy's own answer.
func (w *writer) answer(a contract.Answer) error {
	defer w.retire()
	h := w.Header()
	h["Content-Type"] = []string{a.ContentType}
	h["Content-Length"] = []string{strconv.Itoa(len(a.Body))}
	silence(h)
	w.ResponseWriter.WriteHeader(a.Status)
	if w.method == http.MethodHead {
		return nil
	}
	_, err := w.ResponseWriter.Write(a.Body)
	return err
}
