package envoyrls

import (
	"bytes"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers what codec wraps
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A codec is gRPC's for protobuf, but for two things. A question is read and a
// reply written without messages. And texts need not be UTF-8: a header of a
// client may hold such bytes, which Envoy passes on; an error would let its
// request pass where Envoy is told to admit what cannot be decided. Such bytes
// are read as U+FFFD.
type codec struct{}

var protobuf = encoding.GetCodecV2("proto")

// Name implements encoding.CodecV2.
func (codec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	if r, ok := v.(*reply); ok {
		return mem.BufferSlice{mem.NewBuffer((*[]byte)(r), replies)}, nil
	}
	return protobuf.Marshal(v)
}

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if q, ok := v.(*question); ok {
		if q.read(text(data)) {
			return nil
		}
		q.forget()
		v = &q.RateLimitRequest
	}
	err := protobuf.Unmarshal(data, v)
	message, ok := v.(proto.Message)
	if err == nil || !ok {
		return err
	}
	repaired, ok := repair(nil, data.Materialize(), message.ProtoReflect().Descriptor())
	if !ok {
		return err
	}
	return proto.Unmarshal(repaired, message)
}

// text returns a message's bytes.
func text(data mem.BufferSlice) string {
	if len(data) == 1 {
		return string(data[0].ReadOnlyData())
	}
	return string(data.Materialize())
}

// repair appends to out a message in wire format, with valid texts; ok is false
// where it is no message.
func repair(out, in []byte, message protoreflect.MessageDescriptor) (_ []byte, ok bool) {
	for len(in) > 0 {
		number, wire, n := protowire.ConsumeField(in)
		if n < 0 {
			return nil, false
		}
		field := message.Fields().ByNumber(number)
		switch {
		case wire != protowire.BytesType || field == nil:
			out = append(out, in[:n]...)
		default:
			if out, ok = repairField(out, in[:n], field); !ok {
				return nil, false
			}
		}
		in = in[n:]
	}
	return out, true
}

// repairField is repair for one field that has a length.
func repairField(out, in []byte, field protoreflect.FieldDescriptor) (_ []byte, ok bool) {
	number, wire, n := protowire.ConsumeTag(in)
	value, _ := protowire.ConsumeBytes(in[n:])
	switch field.Kind() {
	case protoreflect.MessageKind:
		if value, ok = repair(nil, value, field.Message()); !ok {
			return nil, false
		}
	case protoreflect.StringKind:
		value = bytes.ToValidUTF8(value, []byte("\uFFFD"))
	}
	return protowire.AppendBytes(protowire.AppendTag(out, number, wire), value), true
}

// Interface guards
var _ encoding.CodecV2 = codec{}
