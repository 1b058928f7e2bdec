package compat

import (
	"cmp"
	"slices"
	"strings"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"

	"github.com/weirhq/weir/core"
)

// A Config is what a directory's files say. It is immutable.
type Config struct {
	domains map[string]*domain
	// Warnings tell what has no effect, each with its place.
	Warnings []string
}

// A File is one YAML file: its name, for messages, and its text.
type File struct {
	Name string
	Text []byte
}

// Compile compiles files. Two may have the same domain only if merge is set: the
// descriptors of the later one then follow. The error has all mistakes, each
// with its file and line.
func Compile(files []File, merge bool) (*Config, error) {
	k := &compiler{config: &Config{domains: make(map[string]*domain)}, merge: merge}
	for _, f := range files {
		r := &reader{mistakes: &k.mistakes, file: f.Name}
		if d, ok := r.document(f.Text); ok {
			k.document(&d)
		}
	}
	k.config.Warnings = k.warnings
	return k.config, k.err()
}

// Domains returns the names of the domains, sorted.
func (c *Config) Domains() []string {
	var all []string
	for name := range c.domains {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// rules calls each with all rules that limit.
func (c *Config) rules(each func(*rule)) {
	for _, d := range c.domains {
		d.root.rules(each)
	}
}

func (l *level) rules(each func(*rule)) {
	visit := func(s *step) {
		if s.rule != nil && !s.rule.unlimited {
			each(s.rule)
		}
		s.next.rules(each)
	}
	for _, s := range l.exact {
		visit(s)
	}
	for _, s := range l.bare {
		visit(s)
	}
}

// A compiler compiles documents.
type compiler struct {
	mistakes
	config *Config
	merge  bool
}

// document compiles one file.
func (k *compiler) document(d *document) {
	at := d.at
	if d.domain.at != (place{}) {
		at = d.domain.at
	}
	name := d.domain.text
	known := k.config.domains[name]
	switch {
	case name == "":
		k.errorf(at, "config file cannot have empty domain")
		return
	case known != nil && !k.merge:
		k.errorf(at, "duplicate domain '%s' in config file; domains of several files are one only where the configuration says so", core.Clip(name))
		return
	case known == nil:
		known = newDomain(name)
		known.at = at
		k.config.domains[name] = known
	}
	c := &domainCompiler{compiler: k, domain: known, limits: make(limits)}
	c.level(&known.root, name+".", d.descriptors, false)
}

// newDomain returns a domain without descriptors.
func newDomain(name string) *domain {
	d := &domain{name: name, overrides: make(limits)}
	for _, u := range unitNames {
		d.overrides.of(name, count{unit: unitOf(u)})
	}
	return d
}

// A domainCompiler compiles the descriptors of one domain.
type domainCompiler struct {
	*compiler
	domain *domain
	limits limits
}

// level compiles a list of descriptors below path. variable: a step above shows
// the values of calls in metrics.
func (k *domainCompiler) level(l *level, path string, descriptors []descriptor, variable bool) {
	for i := range descriptors {
		d := &descriptors[i]
		if d.key == "" {
			k.errorf(d.at, "descriptor has empty key")
			continue
		}
		name := d.key
		if d.value != "" {
			name += "_" + d.value
		}
		s := &step{pair: pair{d.key, d.value}, at: d.at, shareThreshold: d.shareThreshold, valueToMetric: d.valueToMetric}
		if before := l.add(s); before != nil {
			k.errorf(d.at, "duplicate descriptor composite key '%s'; the first is at %s", core.Clip(path+name), before.at)
			continue
		}
		if s.shareThreshold && !s.wild() {
			k.errorf(d.at, "share_threshold can only be used with wildcard values (containing '*'), but found key '%s'", core.Clip(name))
		}
		below := variable || s.valueToMetric && (s.value == "" || s.wild() && !s.shareThreshold)
		if d.limit != nil {
			s.rule = k.rule(d, path+name)
			s.rule.variable = below
		}
		k.level(&s.next, path+name+".", d.descriptors, below)
	}
}

// rule compiles a rate_limit.
func (k *domainCompiler) rule(d *descriptor, path string) *rule {
	l := d.limit
	r := &rule{
		unlimited: l.unlimited, name: l.name, metadata: d.metadata,
		shadow: d.shadowMode, quota: d.quotaMode, detailed: d.detailedMetric, path: path,
	}
	for _, w := range l.replaces {
		switch w.text {
		case "":
			k.errorf(w.at, "should not have an empty replaces entry")
		case l.name:
			k.errorf(w.at, "replaces should not contain name of same descriptor")
		}
		r.replaces = append(r.replaces, w.text)
	}
	if l.unlimited {
		k.unlimited(l)
		return r
	}
	u := unitOf(l.unit.text)
	if u == noUnit {
		at := cmp.Or(l.unit.at, l.at)
		k.errorf(at, "invalid rate limit unit '%s'%s", core.Clip(l.unit.text), core.DidYouMean(l.unit.text, unitNames))
	}
	k.counting(r, l, u)
	r.told = &rls.RateLimitResponse_RateLimit{Name: l.name, RequestsPerUnit: l.requests, Unit: u}
	return r
}

// unlimited refuses what belongs to limits. A unit that there is none of has no
// effect, as with envoyproxy/ratelimit.
func (k *compiler) unlimited(l *rateLimit) {
	known := unitOf(l.unit.text) != noUnit
	if l.unit.text != "" && !known {
		k.warnf(l.unit.at, "unit '%s' has no effect when unlimited", core.Clip(l.unit.text))
	}
	switch {
	case known:
		k.errorf(l.unit.at, "should not specify rate limit unit when unlimited")
	case l.algorithm.text != "":
		k.errorf(l.algorithm.at, "should not specify an algorithm when unlimited")
	case l.charge.text != "":
		k.errorf(l.charge.at, "should not specify what is charged when unlimited")
	case l.burst != 0:
		k.errorf(l.burstAt, "should not specify a burst when unlimited")
	}
}

// counting compiles how a rule counts: Weir's own keys.
func (k *domainCompiler) counting(r *rule, l *rateLimit, u unit) {
	i := slices.Index(algorithmNames, cmp.Or(l.algorithm.text, "fixed"))
	if i < 0 {
		k.errorf(l.algorithm.at, "unknown algorithm %q%s", core.Clip(l.algorithm.text), core.DidYouMean(l.algorithm.text, algorithmNames))
		return
	}
	r.algorithm = algorithm(i)
	switch l.charge.text {
	case "all", "allowed":
		r.always = l.charge.text == "all"
	case "":
		r.always = r.algorithm == fixed
	default:
		k.errorf(l.charge.at, "unknown charge %q%s", core.Clip(l.charge.text), core.DidYouMean(l.charge.text, []string{"all", "allowed"}))
	}
	switch {
	case r.algorithm == bucket && l.requests == 0:
		k.errorf(l.at, "a bucket drains: it needs requests_per_unit from 1")
	case r.algorithm != bucket && l.burst != 0:
		k.errorf(l.burstAt, "a burst is a bucket's (algorithm: bucket); %s has none", algorithmNames[i])
	}
	r.burst = int64(l.burst)
	if u == noUnit {
		return
	}
	r.plain = k.limits.of(k.domain.name, count{unit: u, algorithm: r.algorithm})
	if r.limit = k.limits.of(k.domain.name, count{unit: u, algorithm: r.algorithm, shadow: r.shadow}); r.limit == nil {
		k.errorf(l.unit.at, "a %s has no one length: %s needs a unit from second to week", strings.ToLower(u.String()), algorithmNames[i])
	}
}
