package compat

import (
	"encoding/binary"
	"sync"

	limitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weirhq/weir/core"
)

// An ask is what one descriptor asks.
type ask struct {
	descriptor *limitv3.RateLimitDescriptor
	rule       *rule // nil: none, or one that another replaces
	// told is the rule's limit, or the descriptor's own; nil: nothing limits it.
	told      *rls.RateLimitResponse_RateLimit
	hits      int64 // below 0: given back
	unlimited bool
	series    *series
	charge    core.Charge
	// layer is how many charges of the same cell are before this one, and place
	// where it is among its layer's.
	layer, place int
	used         int64 // what the cell counts after this charge
}

// A taken is a step that took an entry. shared: its wildcard stands for all
// values, which share a counter.
type taken struct {
	*step
	shared bool
}

// A call is what is known of one call. Calls are used again and again.
type call struct {
	service *Service
	domain  *domain
	now     core.Instant
	asks    []ask
	layers  []core.Take
	denied  bool    // by what the charges came to
	steps   []taken // of the descriptor at hand
	buf     []byte
}

var calls = sync.Pool{New: func() any { return new(call) }}

// recycle gives the call back. Nobody may refer to it any more.
func (c *call) recycle() {
	clear(c.asks)
	clear(c.steps)
	for i := range c.layers {
		charges := c.layers[i].Charges[:cap(c.layers[i].Charges)]
		clear(charges)
		c.layers[i] = core.Take{Charges: charges[:0]}
	}
	c.service, c.domain, c.denied = nil, nil, false
	c.asks, c.layers, c.steps = c.asks[:0], c.layers[:0], c.steps[:0]
	if cap(c.buf) <= 1<<12 && cap(c.asks) <= 1<<4 {
		calls.Put(c)
	}
}

// read finds what r's descriptors ask.
func (c *call) read(r *rls.RateLimitRequest) error {
	hits := int64(max(1, r.GetHitsAddend()))
	for i, d := range r.GetDescriptors() {
		c.asks = append(c.asks, ask{descriptor: d, hits: hits})
		a := &c.asks[i]
		if addend := d.GetHitsAddend(); addend != nil {
			a.hits = int64(min(addend.GetValue(), uint64(core.MaxAmount)))
		}
		if d.GetIsNegativeHits() {
			a.hits = -a.hits
		}
		rule := c.find(d.GetEntries())
		if d.GetLimit() == nil {
			c.apply(a, rule)
		} else if err := c.override(a, rule); err != nil {
			return status.Errorf(codes.InvalidArgument, "descriptor %d: %s", i, err)
		}
	}
	c.replace()
	return nil
}

// find returns the rule for a descriptor of these entries, nil if there is none,
// and sets steps.
func (c *call) find(entries []*limitv3.RateLimitDescriptor_Entry) (found *rule) {
	c.steps = c.steps[:0]
	l := &c.domain.root
	for _, e := range entries {
		s, wildcard := l.find(e.GetKey(), e.GetValue())
		if s == nil {
			return nil
		}
		c.steps = append(c.steps, taken{s, wildcard && s.shareThreshold})
		l, found = &s.next, s.rule
	}
	return found
}

// apply asks what rule says.
func (c *call) apply(a *ask, r *rule) {
	if a.rule = r; r == nil {
		return
	}
	if r.unlimited {
		a.unlimited = true
		return
	}
	a.told = r.told
	limit := int64(r.told.GetRequestsPerUnit())
	a.charge = core.Charge{Limit: r.limit, Max: limit, Rate: limit, Always: r.always, Quota: r.quota}
	if r.burst != 0 {
		a.charge.Max = r.burst
	}
	a.charge.Scope = c.scope(a.descriptor, true)
	a.series = c.seriesOf(a)
}

// scope hashes the entries of a descriptor, each length first, so that different
// ones never share a counter. shared: values that share one are one.
func (c *call) scope(d *limitv3.RateLimitDescriptor, shared bool) core.Scope {
	b := c.buf[:0]
	for i, e := range d.GetEntries() {
		value := e.GetValue()
		if shared && c.steps[i].shared {
			value = c.steps[i].shown()
		}
		b = binary.AppendUvarint(b, uint64(len(e.GetKey())))
		b = append(b, e.GetKey()...)
		b = binary.AppendUvarint(b, uint64(len(value)))
		b = append(b, value...)
	}
	c.buf = b
	return c.service.counting.Hasher.Sum(b)
}

// replace leaves out the rules whose names others of the call replace.
func (c *call) replace() {
	for i := range c.asks {
		if c.asks[i].rule == nil {
			continue
		}
		for _, name := range c.asks[i].rule.replaces {
			for j := range c.asks {
				if a := &c.asks[j]; a.told != nil && a.rule != nil && a.rule.name == name {
					a.told = nil
				}
			}
		}
	}
}

// layer puts the charges into layers, those of one cell into different ones.
func (c *call) layer() {
	for i := range c.asks {
		a := &c.asks[i]
		if a.told == nil {
			continue
		}
		for j := range i {
			if b := &c.asks[j]; b.told != nil && sameCell(&b.charge, &a.charge) {
				a.layer++
			}
		}
		a.charge.Cost, a.charge.Refusable = a.hits, a.hits >= 0
		if s := a.charge.Limit.Schedule; s != nil {
			a.charge.Window = s.At(c.now.Wall)
		}
		if a.layer == len(c.layers) {
			c.addLayer()
		}
		l := &c.layers[a.layer]
		a.place = len(l.Charges)
		l.Charges = append(l.Charges, a.charge)
	}
	for i := 1; i < len(c.layers); i++ {
		c.layers[i-1].Next = &c.layers[i]
	}
}

// addLayer adds a layer, with the slice of a former one.
func (c *call) addLayer() {
	n := len(c.layers)
	if n < cap(c.layers) {
		c.layers = c.layers[:n+1]
	} else {
		c.layers = append(c.layers, core.Take{})
	}
	l := &c.layers[n]
	l.Now, l.Policy = c.now, c.domain.name
}

// settle hands what became of the charges to their asks. A cell is told as it is
// after all of them, and so is what those before left. Who gives hits back is over
// the limit if what is left is.
func (c *call) settle() {
	for i := range c.asks {
		a := &c.asks[i]
		if a.told == nil {
			continue
		}
		charge := c.charge(a)
		a.used = charge.Used
		for j := i + 1; j < len(c.asks); j++ {
			b := &c.asks[j]
			if b.told == nil || b.hits <= 0 {
				continue
			}
			if after := c.charge(b); after.Taken && sameCell(after, charge) {
				a.used = max(0, a.used-b.hits)
			}
		}
		if a.hits < 0 {
			charge.Refused = a.used > charge.Max
		}
		a.charge = *charge
	}
	c.denied = c.layers[0].Denied()
}

// charge returns a's charge in its layer.
func (c *call) charge(a *ask) *core.Charge { return &c.layers[a.layer].Charges[a.place] }

func sameCell(a, b *core.Charge) bool { return a.Limit.ID == b.Limit.ID && a.Scope == b.Scope }
