package envoyrls

import (
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/contract"
)

// metadata tells d to Envoy's access logs and local replies, and the id under
// which it tells the end of an admitted request. status is that of the policy's
// answer, 0 where the request goes on.
func metadata(c *contract.Contract, d *core.Decision, id core.ID, status int) *structpb.Struct {
	all := map[string]*structpb.Value{
		"policy":  structpb.NewStringValue(d.Policy.Name),
		"outcome": structpb.NewStringValue(d.Outcome.String()),
	}
	if status != 0 {
		all["status"] = structpb.NewNumberValue(float64(status))
	}
	if charge := c.Speaker(d); charge != nil {
		all["limit"] = structpb.NewStringValue(charge.Limit.Name)
	}
	if id != (core.ID{}) {
		all[MetadataID] = structpb.NewStringValue(id.String())
	}
	if id := d.SubjectID(); id != "" {
		all["subject"] = structpb.NewStructValue(subject(d, id))
	}
	if limits := standings(d); len(limits) > 0 {
		all["limits"] = structpb.NewStructValue(&structpb.Struct{Fields: limits})
	}
	return &structpb.Struct{Fields: all}
}

// subject tells who is counted, never by a key.
func subject(d *core.Decision, id string) *structpb.Struct {
	fields := map[string]*structpb.Value{"id": structpb.NewStringValue(id)}
	if d.Plans != nil {
		fields["plan"] = structpb.NewStringValue(d.Value("plan").String())
	}
	return &structpb.Struct{Fields: fields}
}

// standings tells how the limits stand that the request was charged to.
func standings(d *core.Decision) map[string]*structpb.Value {
	limits := make(map[string]*structpb.Value, len(d.Charges))
	for i := range d.Charges {
		c := &d.Charges[i]
		if c.Peek {
			continue
		}
		fields := map[string]*structpb.Value{"used": number(c, c.Used)}
		if c.Max != core.Unlimited {
			fields["max"], fields["remaining"] = number(c, c.Max), number(c, c.Remaining())
		}
		limits[c.Limit.Name] = structpb.NewStructValue(&structpb.Struct{Fields: fields})
	}
	return limits
}

// number returns an amount in configured units.
func number(c *core.Charge, n int64) *structpb.Value {
	return structpb.NewNumberValue(float64(n) / float64(c.Limit.Scale()))
}
