package core

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
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

// credential returns the first credential that the request carries. What stands
// there several times, or is too long, is none, and the search ends: the origin
// might take another one than is counted.
func (s *subjectRule) credential(r *Request) (credential string, from *Ref) {
	for i := range s.sources {
		source := &s.sources[i]
		v, ok := r.attribute(&source.ref)
		if ok && (len(v) > maxCredential || r.Source.Several(&source.ref)) {
			return "", nil
		}
		if ok && source.bearer {
			v, ok = bearerToken(v)
		}
		if ok && v != "" {
			return v, &source.ref
		}
	}
	return "", nil
}

// secret reports whether what the rule finds may be a credential.
func (s *subjectRule) secret() bool {
	return s != nil && slices.ContainsFunc(s.sources, func(c credentialSource) bool { return c.ref.Secret() })
}

// bearerToken takes the token out of an Authorization header's value.
func bearerToken(v string) (string, bool) {
	const scheme = "bearer "
	if len(v) < len(scheme) || !strings.EqualFold(v[:len(scheme)], scheme) {
		return "", false
	}
	return strings.Trim(v[len(scheme):], " "), true
}

var clientIPRef = Ref{Kind: RefClientIP, Text: "client_ip"}

// identify finds d's subject. It returns false where the request is denied for
// want of one, and sets the outcome.
func (e *Engine) identify(ctx context.Context, d *Decision) bool {
	p := d.Policy
	if p.subject == nil {
		d.Subject = &d.anonymous
		return true
	}
	credential, from := p.subject.credential(d.request)
	if credential == "" {
		return e.fallback(ctx, d, &p.subject.missing, "", MissingCredential)
	}
	if e.directory == nil {
		e.ownSubject(d, credential, from)
		return e.hasPlan(ctx, d)
	}
	subject, err := e.directory.Lookup(ctx, credential)
	switch {
	case errors.Is(err, ErrUnknownCredential):
		return e.fallback(ctx, d, &p.subject.unknown, credential, UnknownCredential)
	case err != nil:
		d.Outcome, d.Err = DirectoryFailed, err
		return false
	}
	d.Subject = subject
	d.Owner = e.hasher.sumString(domainSubject, subject.ID)
	if p.perKey {
		d.Key = e.hasher.sumString(domainKey, credential)
	}
	return e.hasPlan(ctx, d)
}

// hasPlan reports whether d's subject has a row of plans: that of its record,
// the default one, or that of a plan that was set on it. It sets the outcome
// where there is none.
func (e *Engine) hasPlan(ctx context.Context, d *Decision) bool {
	if _, ok := d.Plans.Row(d.Subject.Plan); ok {
		return true
	}
	read := Take{Now: d.Now, Owner: d.Owner, Policy: d.Policy.Name}
	if err := e.store.Read(ctx, &read); err == nil {
		if _, ok := d.Plans.rows[read.Overrides.Get("plan").String()]; ok {
			return true
		}
	}
	d.Outcome = UnknownPlan
	return false
}

// ownSubject makes a credential its own subject, as where there is no
// directory. A secret one is known by its hash only.
func (e *Engine) ownSubject(d *Decision, credential string, from *Ref) {
	d.Subject = &d.anonymous
	if !from.Secret() {
		d.anonymous.ID = credential
	}
	if from.address() {
		d.Owner = e.addressOwner(credential)
		d.Key = d.Owner
		return
	}
	d.Key = e.hasher.sumString(domainKey, credential)
	d.Owner = Scope{d.Key.Hi ^ d.Policy.domain, d.Key.Lo}
}

// fallback counts a request without a known credential, or denies it.
func (e *Engine) fallback(ctx context.Context, d *Decision, f *fallback, credential string, denied Outcome) bool {
	switch f.kind {
	case denyFallback:
		d.Outcome = denied
		return false
	case countByIP:
		ip, _ := d.request.attribute(&clientIPRef)
		d.anonymous.ID = ip
		d.Owner = e.addressOwner(ip)
	case countTogether:
		d.anonymous.ID = denied.String()
		d.Owner = e.togetherOwner(d.Policy, denied)
	case countByKey:
		d.Owner = e.hasher.sumString(domainUnknownKey, credential)
	}
	d.anonymous.Plan = f.plan
	d.Subject = &d.anonymous
	d.Key = d.Owner
	return e.hasPlan(ctx, d)
}

// addressOwner returns the owner of an address: IPv6 by /64.
func (e *Engine) addressOwner(ip string) Scope {
	var buf [64]byte
	return e.hasher.sumBytes(domainClientIP, appendAddress(buf[:0], ip))
}

// togetherOwner returns the owner of all who are counted together.
func (e *Engine) togetherOwner(p *Policy, denied Outcome) Scope {
	return e.hasher.sumString(domainAnonymous^p.domain, denied.String())
}

// SubjectID returns the subject's id for logs and answers: what the directory
// calls it, an address, or part of the keyed hash of a key that is its own
// subject. It is "" where nobody is asked who they are.
func (d *Decision) SubjectID() string {
	switch {
	case d.Subject == nil:
		return ""
	case d.Subject.ID == "" && d.Owner != Scope{}:
		return d.Owner.String()
	case d.Subject == &d.anonymous:
		if addr, err := netip.ParseAddr(d.anonymous.ID); err == nil && addr.Unmap().Is6() {
			prefix, _ := addr.Prefix(64)
			return prefix.String()
		}
	}
	return d.Subject.ID
}

// String returns the scope as 32 hexadecimal digits.
func (s Scope) String() string { return hex128(s.Hi, s.Lo) }

// String returns the id as 32 hexadecimal digits.
func (id ID) String() string { return hex128(id.Hi, id.Lo) }

func hex128(hi, lo uint64) string {
	var b [32]byte
	return string(appendHex128(b[:0], hi, lo))
}

// Append appends the id as String returns it.
func (id ID) Append(b []byte) []byte { return appendHex128(b, id.Hi, id.Lo) }

func appendHex128(b []byte, hi, lo uint64) []byte {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], hi)
	binary.BigEndian.PutUint64(raw[8:], lo)
	return hex.AppendEncode(b, raw[:])
}
