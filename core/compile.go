package core

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

var onStoreError = []string{"allow", "deny", "local"}

// nameForm is what names of policies and limits look like.
var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

const nameHint = "a name is up to 63 lower-case letters, digits, _ and -, and starts with a letter"

// A compiler checks a configuration and gathers what is wrong with it.
type compiler struct {
	errs []error
}

func (k *compiler) errorf(path, format string, args ...any) {
	k.errs = append(k.errs, &ConfigError{Path: path, Err: fmt.Errorf(format, args...)})
}

func (k *compiler) fail(path string, err error) {
	k.errs = append(k.errs, &ConfigError{Path: path, Err: err})
}

// oneOf checks that word is one of the valid words.
func (k *compiler) oneOf(path, word string, valid []string) bool {
	if slices.Contains(valid, word) {
		return true
	}
	k.errorf(path, "unknown word %q%s", Clip(word), DidYouMean(word, valid))
	return false
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

// policy compiles one policy, as far as it can be.
func (k *compiler) policy(path, name string, c *PolicyConfig) *Policy {
	p := &Policy{
		Name: name, Config: *c, domain: hashText(name) << 8,
		bodyLimit: c.BodyLimit, oversize: c.OversizeCost,
	}
	p.Config.Limits = slices.Clone(c.Limits)
	if !nameForm.MatchString(name) {
		k.errorf(path, "invalid policy name %q: %s", Clip(name), nameHint)
	}
	if p.bodyLimit == 0 {
		p.bodyLimit = defaultBodyLimit
	}
	if p.bodyLimit < 0 || p.bodyLimit > 1<<30 {
		k.errorf(path+".body_limit", "must be from 1 byte to 1 GiB")
	}
	if p.oversize != nil && (*p.oversize < 0 || *p.oversize > MaxAmount) {
		k.errorf(path+".oversize_cost", "must be from 0 to %d", MaxAmount)
	}
	p.Plans = k.plans(path+".plans", c.Plans)
	if c.Subject != nil {
		p.subject = k.subject(path+".subject", c.Subject, p)
	}
	k.limits(path, p)
	k.usages(path+".usage", p)
	return p
}

// plans checks the rows; each has the attributes of all others.
func (k *compiler) plans(path string, rows map[string]map[string]Value) *Plans {
	if len(rows) == 0 {
		return nil
	}
	plans := &Plans{rows: make(map[string]Attributes, len(rows))}
	for _, plan := range sortedKeys(rows) {
		var row Attributes
		for _, name := range sortedKeys(rows[plan]) {
			k.attributeName(path+"."+plan+"."+name, name)
			v := rows[plan][name]
			if n, ok := v.amount(1); ok && n < 0 || strings.HasPrefix(v.String(), "-") && !v.IsText() {
				k.errorf(path+"."+plan+"."+name, "%s is below 0", v)
			}
			row = append(row, Attribute{name, v})
		}
		plans.rows[plan] = row
	}
	return plans
}

func (k *compiler) attributeName(path, name string) {
	switch {
	case name == "id" || name == "plan":
		k.errorf(path, "%q is what a subject has anyway; an attribute needs another name", name)
	case !ValidAttributeName(name):
		k.errorf(path, "invalid attribute name %q: letters, digits, _ and - only", Clip(name))
	}
}

// limits compiles the limits and the order in which to match them.
func (k *compiler) limits(path string, p *Policy) {
	if n := len(p.Config.Limits); n > maxLimits {
		k.errorf(path+".limits", "a policy has at most %d limits, not %d", maxLimits, n)
		p.Config.Limits = p.Config.Limits[:maxLimits]
	}
	index := make(map[string]int, len(p.Config.Limits))
	for i := range p.Config.Limits {
		c := &p.Config.Limits[i]
		at := fmt.Sprintf("%s.limits[%d]", path, i)
		if !nameForm.MatchString(c.Name) {
			k.errorf(at+".name", "invalid limit name %q: %s", Clip(c.Name), nameHint)
		} else if _, twice := index[c.Name]; twice {
			k.errorf(at+".name", "a limit named %q exists already", c.Name)
		}
		index[c.Name] = i
	}
	lk := &limitCompiler{compiler: k, policy: p, policyPath: path, index: index, refs: make([]uint64, len(p.Config.Limits))}
	for i := range p.Config.Limits {
		lk.path = fmt.Sprintf("%s.limits[%d]", path, i)
		p.Limits = append(p.Limits, lk.limit(i, &p.Config.Limits[i]))
	}
	p.order = lk.order(path)
}

// order sorts the limits such that those a limit refers to come before it.
func (lk *limitCompiler) order(path string) []int {
	var order []int
	var done uint64
	for len(order) < len(lk.refs) {
		before := len(order)
		for i, refs := range lk.refs {
			if done&(1<<i) == 0 && refs&^done == 0 {
				order = append(order, i)
				done |= 1 << i
			}
		}
		if len(order) == before {
			var names []string
			for i := range lk.refs {
				if done&(1<<i) == 0 {
					names = append(names, lk.policy.Config.Limits[i].Name)
				}
			}
			lk.errorf(path+".limits", "limits match each other's requests in a circle: %s", strings.Join(names, ", "))
			return nil
		}
	}
	return order
}

// usages compiles the requests that are answered with what was used.
func (k *compiler) usages(path string, p *Policy) {
	for i := range p.Config.Usage {
		c := &p.Config.Usage[i]
		at := fmt.Sprintf("%s[%d]", path, i)
		if len(c.Paths) == 0 {
			k.errorf(at+".paths", "a usage answer needs a path, such as /usage")
		}
		if c.Body == "" {
			k.errorf(at+".body", "a usage answer needs a body")
		}
		if slices.ContainsFunc(p.Config.Usage[:i], func(o UsageConfig) bool {
			return slices.Equal(o.Methods, c.Methods) && slices.Equal(o.Paths, c.Paths)
		}) {
			k.errorf(at, "another usage answers these requests already")
		}
		lk := &limitCompiler{compiler: k, policy: p, path: at}
		p.usage = append(p.usage, lk.rule(at, &MatchConfig{Methods: c.Methods, Paths: c.Paths}))
	}
}

// subject compiles where credentials come from.
func (k *compiler) subject(path string, c *SubjectConfig, p *Policy) *subjectRule {
	s := &subjectRule{}
	if len(c.Sources) == 0 {
		k.errorf(path+".sources", "a subject needs a source, such as {header.Authorization}")
	}
	for i, source := range c.Sources {
		at := fmt.Sprintf("%s.sources[%d]", path, i)
		ref, err := ParseRef(source.From)
		if err != nil {
			k.fail(at+".from", err)
		}
		if ref.Kind == RefJSON {
			k.errorf(at+".from", "a credential cannot come from the body")
		}
		if source.Scheme != "" {
			k.oneOf(at+".scheme", source.Scheme, []string{"bearer"})
		}
		if err == nil && slices.ContainsFunc(s.sources, func(o credentialSource) bool {
			return o.ref.Text == ref.Text && o.bearer == (source.Scheme != "")
		}) {
			k.errorf(at+".from", "{%s} is repeated", ref.Text)
		}
		s.sources = append(s.sources, newCredentialSource(ref, source.Scheme != ""))
	}
	s.missing = k.fallback(path+".missing", c.Missing, p, false)
	s.unknown = k.fallback(path+".unknown", c.Unknown, p, true)
	return s
}

// fallback compiles what becomes of a request without a known credential.
func (k *compiler) fallback(path string, c *FallbackConfig, p *Policy, hasKey bool) fallback {
	switch {
	case c == nil:
		return fallback{}
	case c.CountBy == "" && c.Plan != "":
		k.errorf(path+".count_by", "a plan needs to know who is counted: key, client_ip or all")
		return fallback{}
	case c.CountBy == "":
		if c.Deny != nil && c.Deny.Status != 0 && (c.Deny.Status < 400 || c.Deny.Status > 599) {
			k.errorf(path+".deny.status", "%d is not a status from 400 to 599", c.Deny.Status)
		}
		return fallback{}
	case c.Deny != nil:
		k.errorf(path, "a request is denied or counted, not both")
	}
	valid := []string{"client_ip", "all"}
	if hasKey {
		valid = append(valid, "key")
	}
	if !k.oneOf(path+".count_by", c.CountBy, valid) {
		return fallback{}
	}
	if _, ok := p.Plans.Row(c.Plan); !ok {
		k.errorf(path+".plan", "there is no plan %q%s", Clip(c.Plan), DidYouMean(c.Plan, sortedKeys(p.Config.Plans)))
	}
	by := map[string]fallbackKind{"client_ip": countByIP, "all": countTogether, "key": countByKey}[c.CountBy]
	return fallback{kind: by, plan: c.Plan}
}

var errNobody = errors.New("nobody to count: give the policy a `subject`, or count `per` an attribute such as {client_ip}, or `per all`")
