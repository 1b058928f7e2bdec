package core

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// A Who names somebody to an administrator's call: by subject id, or by key, as
// limits per key need it.
type Who struct {
	Subject, Key string
}

// ErrNobody is what administrator's calls answer to a Who that names nobody.
var ErrNobody = errors.New("name a subject or a key")

// Guessed reports that c's maximum is not known: it depends on an attribute of
// a subject of whom Inspect knew nothing but the id.
func (d *Decision) Guessed(c *Charge) bool {
	return d.Subject == &d.anonymous && c.Limit.guessed(d.Overrides) && d.Policy.subject != nil
}

// guessed reports whether the maximum depends on an attribute of the subject that
// is not among those that are set.
func (l *Limit) guessed(set Attributes) bool {
	return l.Max.Attribute != "" && set.Get(l.Max.Attribute).IsZero()
}

// Inspect fills d with the state of all limits of p as they stand for who,
// except those that count by attributes of a request.
func (e *Engine) Inspect(ctx context.Context, now Instant, p *Policy, who Who, d *Decision) error {
	if err := e.begin(ctx, now, p, who, d); err != nil {
		return err
	}
	for _, l := range p.Limits {
		if d.countable(l) {
			c := e.newCharge(d, l)
			c.Peek = true
		}
	}
	return e.store.Read(ctx, &d.Take)
}

// Amend applies op to who in p, as for work that ends outside any request: the
// caller sets what op has to do, and an ID (of ParseID) for a cost; Amend the
// rest. A cost goes to the settled limits of limits, or to all if that is
// empty; so does a reset, of all limits. Limits that are not among limits can be
// settled by the same ID still.
func (e *Engine) Amend(ctx context.Context, now Instant, p *Policy, who Who, limits []string, op *Settle) error {
	var d Decision
	if err := e.begin(ctx, now, p, who, &d); err != nil {
		return err
	}
	for _, l := range p.Limits {
		switch named := slices.Contains(limits, l.Name); {
		case !wanted(l, limits, op):
		case !d.countable(l) && named:
			return fmt.Errorf("%w: %s counts %s", ErrUncountable, l.Name, l.scope.kind)
		case d.countable(l) && (l.scope.kind != perAll || op.HasCost || named):
			e.newCharge(&d, l)
		}
	}
	if op.Reset && len(d.Charges) == 0 {
		return fmt.Errorf("%w: none of the policy's limits counts per subject", ErrUncountable)
	}
	op.Now, op.Policy, op.Owner, op.Charges = now, p.Name, d.Owner, d.Charges
	op.Subject, op.Plans, op.Part = d.known(), d.Plans, len(limits) > 0
	op.Guessed = op.Subject == nil && who.Key == "" && e.directory != nil
	if op.HasCost && !op.settles() {
		return errors.New("the policy has no limit with a settled cost for whom this names; one that counts per key needs the key")
	}
	err := e.retries.amend(ctx, e.store, op)
	return errors.Join(err, e.settleLocal(ctx, op))
}

// ErrUncountable is what Amend answers where it cannot know whom a limit counts.
var ErrUncountable = errors.New("whom a limit counts is not known from this; one that counts per key needs the key")

// String returns the kind as configurations spell it.
func (k scopeKind) String() string {
	return [...]string{"per subject", "per key", "per all", "per attributes of a request"}[k]
}

// wanted reports whether op is about l.
func wanted(l *Limit, limits []string, op *Settle) bool {
	named := len(limits) == 0
	for _, name := range limits {
		named = named || name == l.Name
	}
	return named && (op.Reset || op.HasCost && l.Settled)
}

// countable reports whether it is known whom l counts for d.
func (d *Decision) countable(l *Limit) bool {
	switch l.scope.kind {
	case perKey:
		return d.Key != Scope{}
	case perSubject:
		return d.Owner != Scope{}
	}
	return l.scope.kind == perAll
}

// begin prepares d for who.
func (e *Engine) begin(ctx context.Context, now Instant, p *Policy, who Who, d *Decision) error {
	d.Policy, d.Plans, d.Take.Policy, d.Now = p, p.Plans, p.Name, now
	d.store, d.Charges, d.request = e.store, d.empty(), &Request{}
	d.Subject = &d.anonymous
	if who.Key == "" && who.Subject == "" {
		return ErrNobody
	}
	if who.Key == "" {
		owner, err := e.ownerOf(p, who.Subject)
		if err != nil {
			return err
		}
		d.anonymous.ID, d.Owner = who.Subject, owner
		if roster, ok := e.directory.(Roster); ok {
			if subject, known := roster.Subject(who.Subject); known {
				d.Subject = subject
			}
		}
		return nil
	}
	if e.directory == nil {
		e.ownSubject(d, &credential{text: who.Key, from: &Ref{Kind: RefHeader}, scheme: p.subject.mayHaveScheme()})
		return nil
	}
	subject, err := e.directory.Lookup(ctx, who.Key)
	if err != nil {
		return err
	}
	d.Subject = subject
	d.Owner = e.hasher.sumString(domainSubject, subject.ID)
	d.Key = e.hasher.sumString(domainKey, who.Key)
	return nil
}

// ErrNoID is what administrator's calls answer where keys are their own
// subjects and something else than their hash is given for an id.
var ErrNoID = errors.New("without a directory a subject's id is the hash of 32 hexadecimal digits that logs and answers tell")

// ownerOf returns the owner of a subject id, as requests have it.
func (e *Engine) ownerOf(p *Policy, id string) (Scope, error) {
	if owner, ok := e.fallbackOwner(p, id); ok {
		return owner, nil
	}
	if e.directory != nil {
		return e.hasher.sumString(domainSubject, id), nil
	}
	if p.subject.secret() {
		return Scope{}, ErrNoID
	}
	key := e.hasher.sumString(domainKey, id)
	return Scope{key.Hi ^ p.domain, key.Lo}, nil
}

// fallbackOwner returns the owner of an id that logs tell of a subject whom no
// directory knows.
func (e *Engine) fallbackOwner(p *Policy, id string) (Scope, bool) {
	if roster, ok := e.directory.(Roster); ok {
		if _, known := roster.Subject(id); known {
			return Scope{}, false
		}
	}
	if p.subject.counts(countByIP) {
		if prefix, err := netip.ParsePrefix(id); err == nil {
			return e.addressOwner(prefix.Addr().String()), true
		}
		if addr, err := netip.ParseAddr(id); err == nil {
			return e.addressOwner(addr.String()), true
		}
	}
	for _, denied := range []Outcome{MissingCredential, UnknownCredential} {
		if p.subject.counts(countTogether) && id == denied.String() {
			return e.togetherOwner(p, denied), true
		}
	}
	if e.directory == nil || p.subject.counts(countByKey) {
		if hi, lo, ok := parseHex128(id); ok {
			return Scope{hi, lo}, true
		}
	}
	return Scope{}, false
}

// counts reports whether the rule counts somebody in this way.
func (s *subjectRule) counts(kind fallbackKind) bool {
	if s == nil {
		return false
	}
	byAddress := func(c credentialSource) bool { return c.ref.address() }
	return s.missing.kind == kind || s.unknown.kind == kind || kind == countByIP && slices.ContainsFunc(s.sources, byAddress)
}

// ParseID reads the text of a request's ID (as {weir.id} gives it), or makes an
// ID out of any other text, for work that has an id of its own.
func (e *Engine) ParseID(policy, text string) ID {
	if hi, lo, ok := parseHex128(text); ok {
		return ID{hi, lo}
	}
	return ID(e.hasher.sumString(domainAmend^hashText(policy), text))
}

// ReadID reads what ID.String writes.
func ReadID(text string) (id ID, ok bool) {
	id.Hi, id.Lo, ok = parseHex128(text)
	return id, ok
}

// parseHex128 reads what hex128 writes.
func parseHex128(text string) (hi, lo uint64, ok bool) {
	var b [16]byte
	if len(text) != 32 {
		return 0, 0, false
	}
	if _, err := hex.Decode(b[:], []byte(text)); err != nil {
		return 0, 0, false
	}
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:]), true
}
