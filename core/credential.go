package core

import (
	"slices"
	"strings"
)

// A subjectRule says how a request's subject is found.
type subjectRule struct {
	sources          []credentialSource
	missing, unknown fallback
}

// A credentialSource is one place where a credential may be.
type credentialSource struct {
	ref    Ref
	bearer bool // after the authorization scheme Bearer (RFC 6750, section 2.1)
	scheme bool // with an authorization scheme before it, or none
}

// newCredentialSource returns the source that ref is.
func newCredentialSource(ref Ref, bearer bool) credentialSource {
	authorization := ref.Kind == RefHeader && strings.EqualFold(ref.Name, "Authorization")
	return credentialSource{ref: ref, bearer: bearer, scheme: authorization && !bearer}
}

type fallbackKind uint8

const (
	denyFallback fallbackKind = iota
	countByIP
	countTogether
	countByKey
)

// A fallback is what becomes of a request without a known credential.
type fallback struct {
	kind fallbackKind
	plan string
}

// A credential is what a request carries of one.
type credential struct {
	text    string
	encoded string // as it came, where that is not text
	from    *Ref
	scheme  bool // its first word may be an authorization scheme
}

// credential returns the first credential that the request carries. What stands
// there several times, is too long, or is written so that origins read it in several
// ways or not at all, is none, and the search ends: the origin might take another one
// than is counted.
func (s *subjectRule) credential(r *Request) credential {
	for i := range s.sources {
		source := &s.sources[i]
		v, ok := r.attribute(&source.ref)
		if (len(v) > maxCredential || r.Source.Several(&source.ref)) && !source.passesOver(v) {
			return credential{}
		}
		if !ok {
			continue
		}
		c, clear := source.read(v)
		if !clear || c.text != "" {
			return c
		}
	}
	return credential{}
}

// passesOver reports whether v is an Authorization header of another scheme, whose
// commas part no values.
func (s *credentialSource) passesOver(v string) bool {
	return s.bearer && s.ref.Kind == RefHeader && otherScheme(v)
}

// read takes the credential out of the source's value. clear is false where origins
// read it in several ways.
func (s *credentialSource) read(v string) (c credential, clear bool) {
	if s.bearer {
		if v, clear = bearerToken(v); !clear {
			return credential{}, false
		}
	}
	c = credential{text: s.ref.plain(v), from: &s.ref, scheme: s.scheme}
	switch s.ref.Kind {
	case RefCookie:
		if c.text != trimmed(v) { // it was decoded
			c.encoded = v
		}
	case RefHeader, RefQuery:
	default:
		return c, true
	}
	if hasControls(c.text) {
		return credential{}, false
	}
	return c, true
}

// sum hashes the credential in a domain, for where no directory knows it: all spellings
// alike of an Authorization header with its scheme, which may be in any case with any
// white space behind it (RFC 9110, section 11; some origins take more than spaces).
func (c *credential) sum(h Hasher, domain uint64) Scope {
	end := -1
	if c.scheme {
		end = firstBlank(c.text)
	}
	if end < 0 {
		return h.sumString(domain, c.text)
	}
	var buf [64]byte
	scheme := buf[:0]
	for _, letter := range []byte(c.text[:end]) {
		if letter >= 'A' && letter <= 'Z' {
			letter += 'a' - 'A'
		}
		scheme = append(scheme, letter)
	}
	return h.sumString(domain^h.sumBytes(domain, scheme).Lo, trimmed(c.text[end:]))
}

// mayHaveScheme reports whether a credential of the rule may have a scheme before it.
func (s *subjectRule) mayHaveScheme() bool {
	return s != nil && slices.ContainsFunc(s.sources, func(c credentialSource) bool { return c.scheme })
}

// secret reports whether what the rule finds may be a credential.
func (s *subjectRule) secret() bool {
	return s != nil && slices.ContainsFunc(s.sources, func(c credentialSource) bool { return c.ref.Secret() })
}
