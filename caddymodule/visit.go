package caddymodule

import (
	"net/http"
	"sync"

	"github.com/weirhq/weir/core"
)

// A visit is what a policy knows of one request while it is on its way. Visits
// are used again and again; their writers are not, for others may hold on to
// those.
type visit struct {
	decision core.Decision
	request  core.Request
	source   source
}

var visits = sync.Pool{New: func() any { return new(visit) }}

// newVisit returns the visit of r.
func newVisit(r *http.Request) *visit {
	v := visits.Get().(*visit)
	v.source = source{request: r}
	v.request = core.Request{
		Method: originalMethod(r),
		Path:   core.NormalizePath(originalPath(r)),
		Source: &v.source,
	}
	return v
}

// recycle gives the visit back. Nobody may refer to it any more.
func (v *visit) recycle() {
	v.decision.Reset()
	v.source, v.request = source{}, core.Request{}
	visits.Put(v)
}
