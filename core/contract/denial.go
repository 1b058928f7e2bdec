package contract

import (
	"net/http"

	"github.com/weirhq/weir/core"
)

// A denial is a compiled DenyConfig. Its body is nil where the door answers.
type denial struct {
	status int
	body   *body
}

// denial compiles a DenyConfig; nil stays nil.
func (k *compiler) denial(path string, d *core.DenyConfig, s scope) *denial {
	if d == nil {
		return nil
	}
	out := &denial{status: d.Status}
	if d.Status == 0 {
		out.status = http.StatusTooManyRequests
		if s == fallbackScope {
			out.status = http.StatusUnauthorized
		}
	}
	if s != fallbackScope && (out.status < 400 || out.status > 599) { // core checks those
		k.fail(path+".status", "%d is no status from 400 to 599", d.Status)
	}
	switch {
	case d.Problem:
		k.problem(path, d)
		out.body = newProblem(out.status, s)
	case d.Body != "":
		out.body = k.body(path, d.ContentType, d.Body, s)
	case d.ContentType != "":
		k.fail(path+".content_type", "there is no body that this is the type of")
	}
	return out
}

// fallback compiles the answer to a credential that is missing or unknown.
func (k *compiler) fallback(path string, f *core.FallbackConfig) *denial {
	if f == nil {
		return nil
	}
	return k.denial(path+".deny", f.Deny, fallbackScope)
}
