package envoyrls

import (
	"math"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/contract"
)

// The fields of RateLimitResponse, of its DescriptorStatus and RateLimit, and of
// the headers', durations' and wrappers' messages.
const (
	replyCode     protowire.Number = 1
	replyStatuses protowire.Number = 2
	replyHeaders  protowire.Number = 3
	replyBody     protowire.Number = 5
	replyMetadata protowire.Number = 6

	statusCode      protowire.Number = 1
	statusLimit     protowire.Number = 2
	statusRemaining protowire.Number = 3
	statusReset     protowire.Number = 4

	limitRequests   protowire.Number = 1
	limitUnit       protowire.Number = 2
	limitName       protowire.Number = 3
	limitMultiplier protowire.Number = 4

	headerKey       protowire.Number = 1
	headerValue     protowire.Number = 2
	durationSeconds protowire.Number = 1
	wrapped         protowire.Number = 1
)

// unlimited returns the reply to n descriptors that nothing limits.
func unlimited(n int) *reply {
	b := replies.Get(0)
	e := encoder{out: *b}
	e.number(replyCode, uint64(rls.RateLimitResponse_OK))
	for range n {
		s := e.open(replyStatuses)
		e.number(statusCode, uint64(rls.RateLimitResponse_OK))
		e.close(s)
	}
	*b = e.out
	return (*reply)(b)
}

// newReply tells the decisions as the contract has it, and the id of their stay,
// zero for none.
func newReply(c *contract.Contract, decisions []*core.Decision, id core.ID) *reply {
	b := replies.Get(0)
	e := encoder{out: *b}
	e.tell(c, decisions, id)
	*b = e.out
	return (*reply)(b)
}

// tell writes what newReply tells.
func (e *encoder) tell(c *contract.Contract, decisions []*core.Decision, id core.ID) {
	lead := leading(decisions)
	over := refuses(lead)
	e.number(replyCode, uint64(code(over)))
	for _, d := range decisions {
		e.status(c, d)
	}
	fields := c.Headers(lead)
	for _, f := range fields.All() {
		e.header(f.Name, f.Value)
	}
	status := 0
	if over {
		status = e.answer(c, lead)
	}
	if id == (core.ID{}) && lead.Outcome == core.Admitted {
		id = lead.ID
	}
	e.metadata(c, lead, id, status)
}

// code returns the protocol's word for a refusal, or for none.
func code(over bool) rls.RateLimitResponse_Code {
	if over {
		return rls.RateLimitResponse_OVER_LIMIT
	}
	return rls.RateLimitResponse_OK
}

// answer writes the policy's own answer to d, and returns its HTTP status.
func (e *encoder) answer(c *contract.Contract, d *core.Decision) int {
	a, ok := c.Answer(d, nil)
	if d.Outcome == core.Usage {
		a, ok = c.Usage(d, nil), true
	}
	if ok {
		e.header("Content-Type", a.ContentType)
		e.bytes(replyBody, a.Body)
	}
	return a.Status
}

// header writes a header of the response that the client gets.
func (e *encoder) header(name, value string) {
	h := e.open(replyHeaders)
	e.name(headerKey, name)
	e.text(headerValue, value)
	e.close(h)
}

// status tells how the limit stands that d speaks of.
func (e *encoder) status(c *contract.Contract, d *core.Decision) {
	s := e.open(replyStatuses)
	defer func() { e.close(s) }()
	e.number(statusCode, uint64(code(refuses(d))))
	charge := c.Speaker(d)
	if charge == nil {
		return
	}
	e.limit(d.Policy, charge)
	e.number(statusRemaining, uint64(whole(charge, charge.Remaining())))
	if seconds, ok := contract.Reset(d, charge); ok {
		reset := e.open(statusReset)
		e.number(durationSeconds, uint64(seconds))
		e.close(reset)
	}
}

// limit tells charge's limit.
func (e *encoder) limit(p *core.Policy, charge *core.Charge) {
	l := termsOf(p, charge)
	start := e.open(statusLimit)
	e.number(limitRequests, uint64(l.requests))
	e.number(limitUnit, uint64(l.unit))
	e.name(limitName, charge.Limit.Name)
	if l.units > 1 {
		multiplier := e.open(limitMultiplier)
		e.number(wrapped, uint64(l.units))
		e.close(multiplier)
	}
	e.close(start)
}

// refuses reports whether the request of d must not go on: a refusal, or an
// answer that is the policy's to give.
func refuses(d *core.Decision) bool {
	switch d.Outcome {
	case core.Passed, core.Admitted, core.Withheld:
		return false
	}
	return true
}

// leading returns the decision that the answer to all of them tells: the first
// that refuses but by no limit; of those that limits refuse the one whose wait is
// longest, waits that nobody knows last; else the first that something of the
// policy applies to.
func leading(decisions []*core.Decision) *core.Decision {
	lead := decisions[0]
	for _, d := range decisions[1:] {
		if before(d, lead) {
			lead = d
		}
	}
	return lead
}

// before reports whether d is told rather than lead, which comes before it.
func before(d, lead *core.Decision) bool {
	r, s := d.Refuser(), lead.Refuser()
	switch {
	case refuses(d) != refuses(lead):
		return refuses(d)
	case !refuses(d):
		return lead.Outcome == core.Passed && d.Outcome != core.Passed
	case r == nil || s == nil:
		return r == nil && s != nil
	}
	return r.Wait > s.Wait
}

// whole returns n of charge's scale in whole units, as far as the protocol can
// count.
func whole(charge *core.Charge, n int64) uint32 {
	return uint32(min(n/charge.Limit.Scale(), math.MaxUint32))
}
