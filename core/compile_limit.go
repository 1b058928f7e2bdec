package core

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// A limitCompiler compiles one policy's limits.
type limitCompiler struct {
	*compiler
	policy     *Policy
	path       string // of the limit at hand
	policyPath string
	index      map[string]int // limits by name
	refs       []uint64       // which limits each one refers to
}

// limit compiles one limit.
func (k *limitCompiler) limit(i int, c *LimitConfig) *Limit {
	l := &Limit{
		Policy: k.policy.Name, Name: c.Name, Index: i,
		Count: c.Count, CountRefused: c.Refused,
		Shadow: c.Shadow || k.policy.Config.Shadow,
		Retry:  c.Retry.Micro(), Max: c.Max,
	}
	if c.Refused && !c.Count {
		k.errorf(k.path+".refused", "only a count counts refused requests")
	}
	if c.Retry < 0 {
		k.errorf(k.path+".retry", "%s is below 0", c.Retry)
	}
	k.kind(l, c)
	k.cost(l, c)
	k.max(l, c)
	l.scope = k.scope(c)
	k.policy.perKey = k.policy.perKey || l.scope.kind == perKey
	k.matching(i, l, c)
	l.ID = l.identity()
	return l
}

// identity hashes what a limit's cells depend on.
func (l *Limit) identity() uint64 {
	text := fmt.Sprintf("%q %q %d %d %v %v %v", l.Policy, l.Name, l.Kind, l.Length, l.Schedule, l.Released, l.Settled)
	return hashText(text)
}

func hashText(s string) uint64 {
	sum := sha256.Sum256([]byte(s))
	return binary.LittleEndian.Uint64(sum[:])
}

// cost compiles the limit's own cost.
func (k *limitCompiler) cost(l *Limit, c *LimitConfig) {
	if c.Cost == nil {
		return
	}
	at := k.path + ".cost"
	if !c.Cost.Settled {
		if !c.Cost.Reserve.IsZero() {
			k.errorf(at+".reserve", "only a settled cost is reserved")
		}
		l.cost = k.costRule(at, c.Cost)
		return
	}
	l.Settled = true
	if l.Kind == Hold || l.Count {
		k.errorf(at+".settled", "a settled cost is for limits that count amounts, not for a hold or a count")
	}
	if c.Cost.Amount != 0 || c.Cost.From != "" || c.Cost.Min != nil {
		k.errorf(at, "a cost is settled, or known in advance, not both")
	}
	reserve, ok := c.Cost.Reserve.amount(Million)
	switch {
	case c.Cost.Reserve.IsZero():
	case !ok || reserve == Unlimited || strings.HasPrefix(c.Cost.Reserve.String(), "-"):
		k.errorf(at+".reserve", "%q is not a number from 0", Clip(c.Cost.Reserve.String()))
	default:
		l.Reserve = reserve
	}
}

// costRule compiles a cost that is known in advance.
func (k *compiler) costRule(path string, c *CostConfig) *cost {
	if c.Settled {
		k.errorf(path+".settled", "a settled cost is the limit's, not a match's")
		return nil
	}
	least := int64(1)
	if c.Min != nil {
		least = *c.Min
	}
	if least < 0 || least > MaxAmount {
		k.errorf(path+".min", "%d is not from 0 to %d", least, MaxAmount)
	}
	if c.From == "" {
		if c.Min != nil {
			k.errorf(path+".min", "only a cost read from the request has a min")
		}
		if c.Amount < 0 || c.Amount > MaxAmount {
			k.errorf(path, "%d is not from 0 to %d", c.Amount, MaxAmount)
		}
		return &cost{amount: c.Amount}
	}
	if c.Amount != 0 {
		k.errorf(path, "a cost is a number, or read from the request, not both")
	}
	ref, err := ParseRef(c.From)
	if err != nil {
		k.fail(path+".from", err)
	}
	return &cost{ref: &ref, min: least}
}

// max checks that a limit has a maximum, and every attribute in it a default.
func (k *limitCompiler) max(l *Limit, c *LimitConfig) {
	switch {
	case c.Count && !c.Max.IsZero():
		k.errorf(k.path+".max", "a count never refuses, so it has no max")
	case c.Count:
		l.Max = Amount{Value: UnlimitedValue()}
	case c.Max.IsZero():
		k.errorf(k.path+".max", "a limit needs a max: a number, unlimited, or {subject.ATTRIBUTE}")
	case c.Max.Attribute == "" && c.Max.Value.IsText():
		k.errorf(k.path+".max", "%q is not a number, unlimited, or {subject.ATTRIBUTE}", Clip(c.Max.Value.String()))
	}
	switch {
	case !l.Settled:
		k.whole(k.path+".max", c.Max)
	case c.Max.Value.kind == numberValue && c.Max.Value.units > MaxAmount/Million:
		k.errorf(k.path+".max", "%s is larger than %d, the most that settled costs can add up to", c.Max.Value, MaxAmount/Million)
	}
	k.attributeDefault(k.path+".max", c.Max)
}

// whole checks that an amount that is a number has no decimals.
func (k *compiler) whole(path string, a Amount) {
	if a.Value.micro != 0 {
		k.errorf(path, "%s is not a whole number; only settled costs have decimals", a.Value)
	}
}

// attributeDefault checks that an amount's attribute has a default for every
// subject: in every plan's row, in the default row, or after else.
func (k *limitCompiler) attributeDefault(path string, a Amount) {
	if a.Attribute == "" || !a.Value.IsZero() {
		return
	}
	rows := k.policy.Config.Plans
	row, hasDefault := rows[DefaultPlan]
	if v := row[a.Attribute]; hasDefault && !v.IsZero() {
		k.numeric(path, a.Attribute, rows)
		return
	}
	var all []string
	for _, name := range sortedKeys(rows) {
		if v := rows[name][a.Attribute]; v.IsZero() {
			k.errorf(path, "plan %q has no attribute %q, and there is neither a default row with it nor an `else`", name, a.Attribute)
			return
		}
		all = append(all, name)
	}
	if len(all) == 0 {
		hint := ""
		if w := Nearest(a.Attribute, k.planAttributes()); w != "" {
			hint = fmt.Sprintf("; did you mean %q?", w)
		}
		k.errorf(path, "attribute %q has no default: give it a column in `plans`, or add `else N`%s", a.Attribute, hint)
		return
	}
	k.numeric(path, a.Attribute, rows)
}

// numeric checks that no plan gives a text for an attribute that caps.
func (k *limitCompiler) numeric(path, attribute string, rows map[string]map[string]Value) {
	for _, name := range sortedKeys(rows) {
		if v := rows[name][attribute]; v.IsText() {
			k.errorf(path, "plan %q has the text %q for %q, which must be a number or unlimited%s", name, Clip(v.String()), attribute, Suggest(v.String(), "unlimited"))
		}
	}
}

func (k *limitCompiler) planAttributes() []string {
	var names []string
	for _, row := range k.policy.Config.Plans {
		names = append(names, sortedKeys(row)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// scope compiles what the limit counts by.
func (k *limitCompiler) scope(c *LimitConfig) scopeRule {
	per, at := c.Per, k.path+".per"
	if len(per) == 0 && len(k.policy.Config.Per) > 0 {
		per, at = k.policy.Config.Per, k.policyPath+".per"
	}
	if len(per) == 0 {
		per = []string{"subject"}
	}
	words := map[string]scopeKind{"subject": perSubject, "key": perKey, "all": perAll}
	if kind, ok := words[per[0]]; ok {
		if len(per) > 1 {
			k.errorf(at, "%q stands alone", per[0])
		}
		if kind != perAll && k.policy.Config.Subject == nil {
			k.fail(at, errNobody)
		}
		return scopeRule{kind: kind}
	}
	s := scopeRule{kind: perAttributes}
	for i, p := range per {
		if !strings.HasPrefix(p, "{") {
			k.errorf(at, "unknown word %q%s", Clip(p), DidYouMean(p, []string{"key", "subject", "all", "{attribute}"}))
			continue
		}
		ref, err := ParseRef(p)
		switch {
		case err != nil:
			k.fail(fmt.Sprintf("%s[%d]", at, i), err)
		case ref.Kind == RefJSON:
			k.errorf(fmt.Sprintf("%s[%d]", at, i), "%s: a limit cannot count by what is in the body", p)
		case slices.ContainsFunc(s.refs, func(r Ref) bool { return r.Text == ref.Text }):
			k.errorf(fmt.Sprintf("%s[%d]", at, i), "{%s} is repeated", ref.Text)
		}
		s.refs = append(s.refs, ref)
	}
	return s
}

// matching compiles which requests are charged, and which may be refused.
func (k *limitCompiler) matching(i int, l *Limit, c *LimitConfig) {
	for j := range c.Match {
		at := fmt.Sprintf("%s.match[%d]", k.path, j)
		r := k.rule(at, &c.Match[j])
		l.ruleCosts = l.ruleCosts || r.cost != nil
		if r.cost != nil && l.Settled {
			k.errorf(at+".cost", "the limit's cost is settled afterwards")
		}
		k.refs[i] |= r.limits
		l.match = append(l.match, r)
	}
	if len(l.match) == 0 {
		l.match = []rule{{}}
	}
	for j, name := range c.Except {
		l.except |= k.limitBit(fmt.Sprintf("%s.except[%d]", k.path, j), name)
	}
	if l.except&(1<<i) != 0 {
		k.errorf(k.path+".except", "a limit cannot leave out its own requests")
		l.except &^= 1 << i
	}
	for j := range c.Refuse {
		at := fmt.Sprintf("%s.refuse[%d]", k.path, j)
		r := k.rule(at, &c.Refuse[j])
		if c.Refuse[j].Cost != nil {
			k.errorf(at+".cost", "what is refused has no cost of its own")
		}
		k.refs[i] |= r.limits &^ (1 << i)
		l.refuse = append(l.refuse, r)
	}
	if c.Count && len(c.Refuse) > 0 {
		k.errorf(k.path+".refuse", "a count never refuses")
	}
	k.refs[i] |= l.except
}

// rule compiles one match.
func (k *limitCompiler) rule(path string, c *MatchConfig) rule {
	r := rule{methods: c.Methods}
	for i, m := range c.Methods {
		if m == "" || strings.ToUpper(m) != m || strings.ContainsAny(m, " /{}*,") {
			k.errorf(fmt.Sprintf("%s.methods[%d]", path, i), "%q is not a method in upper case", Clip(m))
		} else if w := nearMethod(m); w != "" {
			k.errorf(fmt.Sprintf("%s.methods[%d]", path, i), "unknown method %q; did you mean %q?", Clip(m), w)
		}
	}
	for i, p := range c.Paths {
		r.paths = append(r.paths, k.pathPattern(fmt.Sprintf("%s.paths[%d]", path, i), p))
	}
	for i, name := range c.Limits {
		r.limits |= k.limitBit(fmt.Sprintf("%s.limits[%d]", path, i), name)
	}
	if c.Cost != nil {
		r.cost = k.costRule(path+".cost", c.Cost)
	}
	return r
}

// pathPattern checks a pattern and brings it into normal form.
func (k *compiler) pathPattern(path, pattern string) string {
	switch {
	case pattern == "*":
		return pattern
	case !strings.HasPrefix(pattern, "/"):
		k.errorf(path, "%q is not a path: it starts with a slash, or is *", Clip(pattern))
	case strings.ContainsAny(pattern, "?#%{} \t\r\n"):
		k.errorf(path, "%q: a path pattern is decoded, and has no query, fragment or placeholder", Clip(pattern))
	case strings.Contains(pattern, "/:"):
		k.errorf(path, "%q: a * is any part of a segment, as in /users/*/files; there are no names for it", Clip(pattern))
	case strings.Contains(pattern, ",/") || strings.HasSuffix(pattern, ","):
		k.errorf(path, "%q: paths have spaces between them, no commas", Clip(pattern))
	case strings.ContainsAny(pattern, "[]|^"):
		k.errorf(path, "%q: a path pattern has * and nothing else that is special", Clip(pattern))
	case NormalizePath(pattern) != strings.ToLower(pattern):
		k.errorf(path, "%q can match nothing: paths are matched without doubled slashes and dot segments, as %q", Clip(pattern), NormalizePath(pattern))
	}
	return strings.ToLower(pattern)
}

// limitBit returns the set of the named limit alone.
func (k *limitCompiler) limitBit(path, name string) uint64 {
	if i, ok := k.index[name]; ok {
		return 1 << i
	}
	if upper := strings.ToUpper(name); slices.Contains(methods, upper) {
		k.errorf(path, "there is no limit %q; did you mean the method %q?", Clip(name), upper)
		return 0
	}
	k.errorf(path, "there is no limit %q%s", Clip(name), DidYouMean(name, sortedKeys(k.index)))
	return 0
}

// methods are those of RFC 9110, section 9, and RFC 5789.
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"}

// nearMethod returns the method that an unknown one was most likely meant to be:
// one letter away.
func nearMethod(m string) string {
	if slices.Contains(methods, m) {
		return ""
	}
	for _, w := range methods {
		if editDistance(m, w) == 1 {
			return w
		}
	}
	return ""
}
