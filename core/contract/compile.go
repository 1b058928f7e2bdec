package contract

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weirhq/weir/core"
)

// Compile returns the contract of a compiled policy. Its error joins a
// *core.ConfigError for each mistake, with paths from policies.NAME.
func Compile(p *core.Policy) (*Contract, error) {
	return CompileAt("policies."+p.Name, p)
}

// CompileAt is Compile for a policy that stands elsewhere: its errors' paths
// start with prefix.
func CompileAt(prefix string, p *core.Policy) (*Contract, error) {
	k := &compiler{policy: p, root: prefix}
	c := &Contract{policy: p.Name, headers: k.headers(p.Config.Headers)}
	common := k.denial(k.root+".deny", p.Config.Deny, denyScope)
	c.limits = make([]*denial, len(p.Limits))
	for i := range c.limits {
		c.limits[i] = common
		if i < len(p.Config.Limits) && p.Config.Limits[i].Deny != nil {
			path := fmt.Sprintf("%s.limits[%d].deny", k.root, i)
			c.limits[i] = k.denial(path, p.Config.Limits[i].Deny, denyScope)
		}
	}
	if s := p.Config.Subject; s != nil {
		c.missing = k.fallback(k.root+".subject.missing", s.Missing)
		c.unknown = k.fallback(k.root+".subject.unknown", s.Unknown)
		c.challenge = newChallenge(s)
	}
	for i := range p.Config.Usage {
		u := &p.Config.Usage[i]
		path := fmt.Sprintf("%s.usage[%d]", k.root, i)
		c.usage = append(c.usage, k.body(path, u.ContentType, u.Body, usageScope))
	}
	if err := errors.Join(k.errs...); err != nil {
		return nil, err
	}
	c.possible = c.possibleStatuses(p)
	return c, nil
}

// A compiler collects the mistakes of one policy.
type compiler struct {
	policy *core.Policy
	root   string
	errs   []error
}

// fail notes a mistake.
func (k *compiler) fail(path, format string, args ...any) {
	k.errs = append(k.errs, &core.ConfigError{Path: path, Err: fmt.Errorf(format, args...)})
}

// word returns the index of got in words, 0 for "", and notes what is neither.
func (k *compiler) word(path, got string, words []string) int {
	if got == "" {
		return 0
	}
	i := slices.Index(words, got)
	if i < 0 {
		k.fail(path, "unknown word %q%s", core.Clip(got), core.DidYouMean(got, words))
		return 0
	}
	return i
}

// limitNames returns the names of the policy's limits; counts too, if asked.
func (k *compiler) limitNames(counts bool) []string {
	var names []string
	for _, l := range k.policy.Limits {
		if counts || !l.Count {
			names = append(names, l.Name)
		}
	}
	return names
}

// headers compiles a HeadersConfig. Without one, only Retry-After is told.
func (k *compiler) headers(h *core.HeadersConfig) headers {
	out := headers{names: xNames}
	out.when[partWindow], out.when[partRetryAfter], out.when[partKey] = never, onDenial, never
	if h == nil {
		return out
	}
	path := k.root + ".headers"
	if h.Dialect == "" {
		k.fail(path+".dialect", "missing; expected one of %s", strings.Join(dialects, ", "))
	}
	out.dialect = dialect(k.word(path+".dialect", h.Dialect, dialects))
	out.form = form(k.word(path+".reset", h.Reset, forms))
	if out.dialect == ietf {
		out.when[partWindow] = always
		out.names = ietfNames
		k.ietf(path, h, &out)
	}
	k.speaker(path+".for", h.For, &out)
	k.when(path+".when", h.When, &out)
	k.names(path+".names", h.Names, &out)
	if out.dialect != noDialect {
		out.owned = out.owns()
	}
	return out
}

// ietf checks what the IETF's dialect leaves no choice of.
func (k *compiler) ietf(path string, h *core.HeadersConfig, out *headers) {
	out.form = delta
	if h.Reset != "" && h.Reset != forms[delta] {
		k.fail(path+".reset", "the ratelimit dialect tells times in seconds from now; leave reset out")
	}
	if len(h.Names) > 0 {
		k.fail(path+".names", "the ratelimit dialect has names of its own; leave names out")
	}
	for i, l := range k.policy.Limits {
		it, err := newItem(l)
		if err != nil {
			k.fail(fmt.Sprintf("%s.limits[%d].name", k.root, i), "%q cannot be told in a header: %w", core.Clip(l.Name), err)
		}
		out.items = append(out.items, it)
	}
}

// speaker compiles `for`.
func (k *compiler) speaker(path, name string, out *headers) {
	names := k.limitNames(false)
	switch {
	case name == tightest:
		out.tightest = true
	case name != "" && !slices.Contains(names, name):
		k.fail(path, "%q is no limit of this policy%s", core.Clip(name), core.DidYouMean(name, append(names, tightest)))
	default:
		out.limit = name
	}
}

// when compiles the when-settings, in the order of the parts.
func (k *compiler) when(path string, settings map[string]string, out *headers) {
	known := partNames
	if out.dialect != ietf {
		known = partNames[:partKey]
	}
	for _, name := range sorted(settings) {
		part := slices.Index(known, name)
		if part < 0 {
			k.fail(path+"."+core.Clip(name), "unknown%s", core.DidYouMean(name, known))
			continue
		}
		setting := when(k.word(path+"."+name, settings[name], whens))
		if part == partRetryAfter && setting == always {
			k.fail(path+"."+name, "Retry-After is only told on a refusal: on_denial or never")
			continue
		}
		out.when[part] = setting
	}
}

// framing are the fields that no limit may be told in: without them, or with
// other values, the response is another one.
var framing = []string{
	"connection", "content-encoding", "content-length", "content-range", "content-type", "date", "keep-alive",
	"location", "proxy-authenticate", "retry-after", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "www-authenticate",
}

// names compiles the names that override the dialect's.
func (k *compiler) names(path string, names map[string]string, out *headers) {
	if out.dialect == ietf {
		return
	}
	for _, name := range sorted(names) {
		at := path + "." + core.Clip(name)
		part := slices.Index(partNames[:partRetryAfter], name)
		field := names[name]
		switch {
		case part < 0:
			k.fail(at, "unknown%s", core.DidYouMean(name, partNames[:partRetryAfter]))
		case !core.IsToken(field):
			k.fail(at, "%q is no name of a header field (RFC 9110, section 5.6.2)", core.Clip(field))
		case strings.HasPrefix(strings.ToLower(field), strings.ToLower(core.HeaderPrefix)):
			k.fail(at, "%q is the origin's voice, and never reaches a client", core.Clip(field))
		case slices.Contains(framing, strings.ToLower(field)):
			k.fail(at, "%q frames or describes the response itself", core.Clip(field))
		default:
			out.names[part] = field
		}
	}
	for i, a := range out.names {
		for _, b := range out.names[:i] {
			if a != "" && strings.EqualFold(a, b) {
				k.fail(path, "two fields are named %q", core.Clip(a))
			}
		}
	}
}

// sorted returns a map's keys in order.
func sorted(m map[string]string) []string {
	return slices.Sorted(maps.Keys(m))
}
