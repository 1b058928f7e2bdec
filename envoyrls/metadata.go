package envoyrls

import (
	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/contract"
)

// metadata tells d to Envoy's access logs and local replies, and the id under
// which it tells the end of an admitted request. status is that of the policy's
// answer, 0 where the request goes on.
func (e *encoder) metadata(c *contract.Contract, d *core.Decision, id core.ID, status int) {
	all := e.open(replyMetadata)
	e.stringMember("policy", d.Policy.Name)
	e.stringMember("outcome", d.Outcome.String())
	if status != 0 {
		e.numberMember("status", float64(status))
	}
	if charge := c.Speaker(d); charge != nil {
		e.stringMember("limit", charge.Limit.Name)
	}
	if id != (core.ID{}) {
		var text [32]byte
		e.stringMember(MetadataID, string(id.Append(text[:0])))
	}
	if id := d.SubjectID(); id != "" {
		e.subject(d, id)
	}
	e.standings(d)
	e.close(all)
}

// subject tells who is counted, never by a key.
func (e *encoder) subject(d *core.Decision, id string) {
	s := e.openStruct("subject")
	e.stringMember("id", id)
	if d.Plans != nil {
		e.stringMember("plan", d.Value("plan").String())
	}
	e.closeStruct(s)
}

// standings tells how the limits stand that the request was charged to.
func (e *encoder) standings(d *core.Decision) {
	if !told(d) {
		return
	}
	limits := e.openStruct("limits")
	for i := range d.Charges {
		c := &d.Charges[i]
		if c.Peek {
			continue
		}
		limit := e.openStruct(c.Limit.Name)
		e.numberMember("used", number(c, c.Used))
		if c.Max != core.Unlimited {
			e.numberMember("max", number(c, c.Max))
			e.numberMember("remaining", number(c, c.Remaining()))
		}
		e.closeStruct(limit)
	}
	e.closeStruct(limits)
}

// told reports whether there is a limit whose standing is told.
func told(d *core.Decision) bool {
	for i := range d.Charges {
		if !d.Charges[i].Peek {
			return true
		}
	}
	return false
}

// number returns an amount in configured units.
func number(c *core.Charge, n int64) float64 {
	return float64(n) / float64(c.Limit.Scale())
}
