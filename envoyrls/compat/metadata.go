package compat

import (
	"strings"

	limitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// metadata tells the call, and the metadata of the rules whose limits it is
// within, as envoyproxy/ratelimit does where its RESPONSE_DYNAMIC_METADATA is
// set.
func (c *call) metadata(r *rls.RateLimitRequest, statuses []*standing) *structpb.Struct {
	descriptors := new(structpb.ListValue)
	passed := new(structpb.Struct)
	for i, d := range r.GetDescriptors() {
		descriptors.Values = append(descriptors.Values, structpb.NewStructValue(described(d)))
		if a := &c.asks[i]; a.told != nil && a.rule != nil && statuses[i].GetCode() == ok {
			merge(passed, a.rule.metadata)
		}
	}
	fields := map[string]*structpb.Value{
		"domain":      structpb.NewStringValue(r.GetDomain()),
		"descriptors": structpb.NewListValue(descriptors),
	}
	if n := r.GetHitsAddend(); n != 0 {
		fields["hitsAddend"] = structpb.NewNumberValue(float64(n))
	}
	if len(passed.GetFields()) > 0 {
		fields["metadata"] = structpb.NewStructValue(passed)
	}
	return &structpb.Struct{Fields: fields}
}

// described tells a descriptor.
func described(d *limitv3.RateLimitDescriptor) *structpb.Struct {
	entries := new(structpb.ListValue)
	for _, e := range d.GetEntries() {
		entries.Values = append(entries.Values, structpb.NewStringValue(e.GetKey()+"="+e.GetValue()))
	}
	fields := map[string]*structpb.Value{"entries": structpb.NewListValue(entries)}
	if l := d.GetLimit(); l != nil {
		// Protobuf's text has one space or two, by chance.
		fields["limit"] = structpb.NewStringValue(strings.Join(strings.Fields(l.String()), " "))
	}
	if n := d.GetHitsAddend(); n != nil {
		fields["hitsAddend"] = structpb.NewNumberValue(float64(n.GetValue()))
	}
	return &structpb.Struct{Fields: fields}
}

// merge adds what from has and to has not. It leaves from as it is.
func merge(to, from *structpb.Struct) {
	for name, value := range from.GetFields() {
		had := to.GetFields()[name]
		switch {
		case had == nil:
			if to.Fields == nil {
				to.Fields = make(map[string]*structpb.Value)
			}
			to.Fields[name] = proto.CloneOf(value)
		case had.GetStructValue() != nil && value.GetStructValue() != nil:
			merge(had.GetStructValue(), value.GetStructValue())
		}
	}
}
