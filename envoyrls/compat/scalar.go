package compat

import (
	"math"
	"slices"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/weirhq/weir/core"
)

// text returns what reads a text; a number or the like is the text that it was
// written as, null none.
func (r *reader) text(to *string) func(*node) {
	return func(n *node) {
		switch {
		case n.Kind != yaml.ScalarNode, !slices.Contains([]string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp", "!!null"}, n.ShortTag()):
			r.errorf(r.place(n), "expected a text")
		case !n.isNull():
			*to = n.Value
		}
	}
}

// word is text that keeps its place.
func (r *reader) word(to *word) func(*node) {
	return func(n *node) {
		to.at = r.place(n)
		r.text(&to.text)(n)
	}
}

// flag returns what reads true or false, in any of YAML 1.1's words.
func (r *reader) flag(to *bool) func(*node) {
	return func(n *node) {
		if n.isNull() {
			return
		}
		if n.Kind != yaml.ScalarNode || n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 || n.Decode(to) != nil {
			r.errorf(r.place(n), "expected true or false, not %q", core.Clip(n.Value))
		}
	}
}

// number returns what reads a whole number.
func (r *reader) number(to *uint32, least, most uint32) func(*node) {
	return func(n *node) {
		if n.isNull() {
			return
		}
		var value uint32
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Decode(&value) != nil || value < least || value > most {
			r.errorf(r.place(n), "expected a whole number from %d to %d, not %q", least, most, core.Clip(n.Value))
			return
		}
		*to = value
	}
}

// metadata returns what reads a mapping of anything.
func (r *reader) metadata(to **structpb.Struct) func(*node) {
	return func(n *node) {
		switch {
		case n.isNull(), n.Kind == yaml.MappingNode && len(n.Content) == 0:
		case n.Kind != yaml.MappingNode:
			r.errorf(r.place(n), "expected metadata: keys with values")
		default:
			*to = r.anything(n).GetStructValue()
		}
	}
}

// anything returns a value of metadata.
func (r *reader) anything(n *node) *structpb.Value {
	r.depth++
	defer func() { r.depth-- }()
	switch n.Kind {
	case yaml.MappingNode:
		fields := make(map[string]*structpb.Value)
		r.pairs(n, make(map[string]bool), func(name string, _ place, value *node) { fields[name] = r.anything(value) })
		return structpb.NewStructValue(&structpb.Struct{Fields: fields})
	case yaml.SequenceNode:
		list := new(structpb.ListValue)
		for _, item := range n.Content {
			if one := r.enter(item); one != nil {
				list.Values = append(list.Values, r.anything(one))
			}
		}
		return structpb.NewListValue(list)
	}
	return r.scalar(n)
}

// scalar returns a scalar of metadata. Protobuf's numbers are doubles, but have
// no infinity.
func (r *reader) scalar(n *node) *structpb.Value {
	switch n.ShortTag() {
	case "!!null":
		return structpb.NewNullValue()
	case "!!bool":
		return structpb.NewBoolValue(n.Value == "true" || n.Value == "True" || n.Value == "TRUE")
	case "!!int", "!!float":
		var f float64
		if err := n.Decode(&f); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return structpb.NewNumberValue(f)
		}
	}
	return structpb.NewStringValue(n.Value)
}
