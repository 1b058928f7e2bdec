package envoyrls

import (
	"sync"
	"unicode/utf8"

	limit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/encoding/protowire"
)

// A question is a call's message, which is used again and again: nobody may
// refer to it, or to its descriptors and entries, when the call has been
// answered. Their texts are theirs to keep.
type question struct {
	rls.RateLimitRequest
	plain bool // it has nothing but what read reads
}

var questions = sync.Pool{New: func() any { return new(question) }}

// What a question keeps for the next one.
const (
	keptDescriptors = 4
	keptEntries     = 16
)

// recycle gives the question back.
func (q *question) recycle() {
	q.forget()
	questions.Put(q)
}

// forget empties q, but for room.
func (q *question) forget() {
	if !q.plain || cap(q.Descriptors) > keptDescriptors {
		q.Reset()
		return
	}
	q.Domain, q.HitsAddend = "", 0
	for i, d := range q.Descriptors {
		if cap(d.Entries) > keptEntries {
			q.Descriptors[i] = new(limit.RateLimitDescriptor)
			continue
		}
		for _, e := range d.Entries {
			e.Key, e.Value = "", ""
		}
		d.Entries = d.Entries[:0]
	}
	q.Descriptors = q.Descriptors[:0]
}

// read reads a message that has nothing but what most have: the domain, hits,
// and descriptors of entries. It returns false where there is anything else, or
// anything wrong; q then holds some of it.
func (q *question) read(text string) bool {
	q.plain = q.readFields(text)
	return q.plain
}

// readFields is read.
func (q *question) readFields(text string) bool {
	f := fields{text}
	for f.more() {
		ok := false
		switch f.tag() {
		case 1<<3 | byte(protowire.BytesType):
			q.Domain, ok = f.string()
		case 2<<3 | byte(protowire.BytesType):
			var descriptor string
			descriptor, ok = f.bytes()
			ok = ok && readDescriptor(q.descriptor(), descriptor)
		case 3<<3 | byte(protowire.VarintType):
			var n uint64
			n, ok = f.varint()
			q.HitsAddend = uint32(n)
		}
		if !ok {
			return false
		}
	}
	return true
}

// descriptor adds a descriptor.
func (q *question) descriptor() *limit.RateLimitDescriptor {
	n := len(q.Descriptors)
	if n < cap(q.Descriptors) {
		q.Descriptors = q.Descriptors[:n+1]
	} else {
		q.Descriptors = append(q.Descriptors, nil)
	}
	if q.Descriptors[n] == nil {
		q.Descriptors[n] = new(limit.RateLimitDescriptor)
	}
	return q.Descriptors[n]
}

// readDescriptor is question.read for a descriptor.
func readDescriptor(d *limit.RateLimitDescriptor, text string) bool {
	f := fields{text}
	for f.more() {
		if f.tag() != 1<<3|byte(protowire.BytesType) {
			return false
		}
		e, ok := f.bytes()
		if !ok || !readEntry(newEntry(d), e) {
			return false
		}
	}
	return true
}

// newEntry adds an entry to d.
func newEntry(d *limit.RateLimitDescriptor) *limit.RateLimitDescriptor_Entry {
	n := len(d.Entries)
	if n < cap(d.Entries) {
		d.Entries = d.Entries[:n+1]
	} else {
		d.Entries = append(d.Entries, nil)
	}
	if d.Entries[n] == nil {
		d.Entries[n] = new(limit.RateLimitDescriptor_Entry)
	}
	return d.Entries[n]
}

// readEntry is question.read for an entry.
func readEntry(e *limit.RateLimitDescriptor_Entry, text string) bool {
	f := fields{text}
	for f.more() {
		ok := false
		switch f.tag() {
		case 1<<3 | byte(protowire.BytesType):
			e.Key, ok = f.string()
		case 2<<3 | byte(protowire.BytesType):
			e.Value, ok = f.string()
		}
		if !ok {
			return false
		}
	}
	return true
}

// fields are what is left to read of a message.
type fields struct{ rest string }

func (f *fields) more() bool { return f.rest != "" }

// tag reads the tag of a field up to number 15.
func (f *fields) tag() byte {
	tag := f.rest[0]
	f.rest = f.rest[1:]
	return tag
}

// varint reads a varint. Of those of more than nine bytes ok is false.
func (f *fields) varint() (n uint64, ok bool) {
	for i := range min(len(f.rest), 9) {
		b := f.rest[i]
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			f.rest = f.rest[i+1:]
			return n, true
		}
	}
	return 0, false
}

// bytes reads a length and as many bytes.
func (f *fields) bytes() (text string, ok bool) {
	n, ok := f.varint()
	if !ok || n > uint64(len(f.rest)) {
		return "", false
	}
	text, f.rest = f.rest[:n], f.rest[n:]
	return text, true
}

// string is bytes for a text, which must be UTF-8.
func (f *fields) string() (text string, ok bool) {
	text, ok = f.bytes()
	return text, ok && utf8.ValidString(text)
}
