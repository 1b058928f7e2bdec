package core

import (
	"encoding/binary"
	"net/netip"
)

type scopeKind uint8

const (
	perSubject scopeKind = iota
	perKey
	perAll
	perAttributes
)

// A scopeRule says what a limit counts by.
type scopeRule struct {
	kind scopeKind
	refs []Ref
}

// Domains keep hashes of different things apart.
const (
	domainKey = iota + 1
	domainSubject
	domainAttributes
	domainClientIP
	domainUnknownKey
	domainAnonymous
	domainAmend
)

// scope returns whom the rule counts for d's request.
func (s *scopeRule) scope(h Hasher, r *Request, d *Decision) Scope {
	switch s.kind {
	case perKey:
		return d.Key
	case perSubject:
		return d.Owner
	case perAll:
		return Scope{}
	}
	var buf [256]byte
	b := buf[:0]
	for i := range s.refs {
		b = appendScopeValue(b, &s.refs[i], r)
	}
	return h.sumBytes(domainAttributes, b)
}

// appendScopeValue appends one attribute's value, length first, so that
// different lists of values never look alike. A missing value is an empty one, and so
// is a parameter or cookie of which nobody knows what the origin takes for it. White
// space around a value and a cookie's escapes make no other one. Client addresses are
// binary, IPv6 by /64.
func appendScopeValue(b []byte, ref *Ref, r *Request) []byte {
	v, _ := r.attribute(ref)
	if (ref.Kind == RefQuery || ref.Kind == RefCookie) && r.Source.Several(ref) {
		v = ""
	}
	v = ref.plain(v)
	if ref.address() {
		return appendAddress(b, v)
	}
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

// appendAddress appends an address; text that is none counts as it is.
func appendAddress(b []byte, text string) []byte {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		b = binary.AppendUvarint(b, uint64(len(text)))
		return append(b, text...)
	}
	if addr = addr.Unmap(); addr.Is4() {
		a := addr.As4()
		return append(append(b, 4), a[:]...)
	}
	a := addr.As16()
	return append(append(b, 8), a[:8]...)
}

// attribute returns a fact of the request.
func (r *Request) attribute(ref *Ref) (string, bool) {
	switch ref.Kind {
	case RefMethod:
		return r.Method, true
	case RefPath:
		return r.Path, true
	}
	return r.Source.Attribute(ref)
}
