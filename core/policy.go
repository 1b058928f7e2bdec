package core

import "errors"

// maxLimits is how many limits a policy can have: sets of them are words.
const maxLimits = 64

// defaultBodyLimit in bytes is how much of a body is read for a cost.
const defaultBodyLimit = 1 << 20

// A Policy is a compiled PolicyConfig. It is immutable.
type Policy struct {
	// Name of the policy.
	Name string
	// Config as given, with texts in their canonical form.
	Config PolicyConfig
	// Limits in policy order; Limits[i].Index is i and Config.Limits[i] its
	// configuration.
	Limits []*Limit
	// Plans of the policy; nil if it has none.
	Plans *Plans

	domain    uint64       // keeps ids apart that no directory shares
	subject   *subjectRule // nil: nobody is asked who they are
	usage     []rule       // Config.Usage
	order     []int        // of Limits, such that references come first
	perKey    bool         // some limit counts per key
	bodyLimit int64
	oversize  *int64
}

// Limit returns the named limit, or nil.
func (p *Policy) Limit(name string) *Limit {
	for _, l := range p.Limits {
		if l.Name == name {
			return l
		}
	}
	return nil
}

// Compile checks a configuration and compiles its policies. The error joins a
// ConfigError for every mistake in it.
func Compile(c *Config) (map[string]*Policy, error) {
	k := &compiler{}
	if c.OnStoreError != "" {
		k.oneOf("on_store_error", c.OnStoreError, onStoreError)
	}
	policies := make(map[string]*Policy, len(c.Policies))
	for _, name := range sortedKeys(c.Policies) {
		config := c.Policies[name]
		p := k.policy("policies."+name, name, &config)
		policies[name] = p
	}
	return policies, errors.Join(k.errs...)
}

// CompilePolicy compiles one policy; its errors' paths start with prefix.
func CompilePolicy(prefix, name string, c *PolicyConfig) (*Policy, error) {
	k := &compiler{}
	p := k.policy(prefix, name, c)
	return p, errors.Join(k.errs...)
}
