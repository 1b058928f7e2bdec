package core

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
)

var clientIPRef = Ref{Kind: RefClientIP, Text: "client_ip"}

// identify finds d's subject. It returns false where the request is denied for
// want of one, and sets the outcome.
func (e *Engine) identify(ctx context.Context, d *Decision) bool {
	p := d.Policy
	if p.subject == nil {
		d.Subject = &d.anonymous
		return true
	}
	found := p.subject.credential(d.request)
	if found.text == "" {
		return e.fallback(ctx, d, &p.subject.missing, &found, MissingCredential)
	}
	if e.directory == nil {
		e.ownSubject(d, &found)
		return e.hasPlan(ctx, d)
	}
	subject, known, err := e.lookup(ctx, &found)
	switch {
	case errors.Is(err, ErrUnknownCredential):
		return e.fallback(ctx, d, &p.subject.unknown, &found, UnknownCredential)
	case err != nil:
		d.Outcome, d.Err = DirectoryFailed, err
		return false
	}
	d.Subject = subject
	d.Owner = e.hasher.sumString(domainSubject, subject.ID)
	if p.perKey {
		d.Key = e.hasher.sumString(domainKey, known)
	}
	return e.hasPlan(ctx, d)
}

// lookup asks the directory whose the credential is, and returns the spelling that it
// knows: the one that an origin reads which decodes cookies or, if it does not know
// that, the one that came.
func (e *Engine) lookup(ctx context.Context, found *credential) (s *Subject, known string, err error) {
	s, err = e.directory.Lookup(ctx, found.text)
	if found.encoded != "" && errors.Is(err, ErrUnknownCredential) {
		s, err = e.directory.Lookup(ctx, found.encoded)
		return s, found.encoded, err
	}
	return s, found.text, err
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
func (e *Engine) ownSubject(d *Decision, c *credential) {
	d.Subject = &d.anonymous
	if !c.from.Secret() {
		d.anonymous.ID = c.text
	}
	if c.from.address() {
		d.Owner = e.addressOwner(c.text)
		d.Key = d.Owner
		return
	}
	d.Key = c.sum(e.hasher, domainKey)
	d.Owner = Scope{d.Key.Hi ^ d.Policy.domain, d.Key.Lo}
}

// fallback counts a request without a known credential, or denies it.
func (e *Engine) fallback(ctx context.Context, d *Decision, f *fallback, c *credential, denied Outcome) bool {
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
		d.Owner = c.sum(e.hasher, domainUnknownKey)
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
