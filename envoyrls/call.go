package envoyrls

import (
	"sync"

	limit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"

	"github.com/weirhq/weir/core"
)

// A visit is what is known of one descriptor.
type visit struct {
	decision core.Decision
	request  core.Request
	source   source
}

// A call is what is known of one call. Calls are used again and again.
type call struct {
	visits    []*visit
	requests  []*core.Request
	decisions []*core.Decision
	lasting   bool // Envoy will tell the end of a request
}

var calls = sync.Pool{New: func() any { return new(call) }}

// keptVisits is how many visits a call keeps for the next one.
const keptVisits = 4

// add adds a descriptor that stands for hits, unless it says itself for how many.
func (c *call) add(d *limit.RateLimitDescriptor, hits int64) {
	n := len(c.requests)
	if n == len(c.visits) {
		c.visits = append(c.visits, new(visit))
	}
	v := c.visits[n]
	v.source.entries = d.GetEntries()
	v.request = v.source.request()
	v.request.Hits = hits
	v.request.Endless = kind(d) != KindStream
	c.lasting = c.lasting || !v.request.Endless
	v.request.GiveBack = d.GetIsNegativeHits()
	v.request.Cap = override(d.GetLimit())
	switch addend := d.GetHitsAddend(); {
	case addend == nil:
	case addend.GetValue() == 0:
		v.request.Hits = core.NoHits
	default:
		v.request.Hits = int64(min(addend.GetValue(), uint64(core.MaxAmount)))
	}
	c.requests = append(c.requests, &v.request)
	c.decisions = append(c.decisions, &v.decision)
}

// recycle gives the call back. Nobody may refer to it any more.
func (c *call) recycle() {
	for _, v := range c.visits[:len(c.requests)] {
		v.decision.Reset()
		v.source, v.request = source{}, core.Request{}
	}
	if len(c.visits) > keptVisits {
		clear(c.visits[keptVisits:])
		c.visits = c.visits[:keptVisits]
		c.requests, c.decisions = nil, nil
	}
	c.requests, c.decisions, c.lasting = c.requests[:0], c.decisions[:0], false
	calls.Put(c)
}
