package caddymodule

import (
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/contract"
)

// A page is a policy with the contract that its answers follow, and, once the
// app is open, its counters. It belongs to a configuration.
type page struct {
	policy   *core.Policy
	contract *contract.Contract
	inline   bool // defined by a handler
	tally    *tally
	endless  sync.Once // warns of holds, for doors that are told no end
	refusals []error   // by limit, what error handlers are told
}

// newPage makes the page of a policy.
func newPage(p *core.Policy) (*page, error) {
	c, err := contract.Compile(p)
	if err != nil {
		return nil, err
	}
	pg := &page{policy: p, contract: c}
	for _, l := range p.Limits {
		pg.refusals = append(pg.refusals, fmt.Errorf("policy %s: refused by limit %s", p.Name, l.Name))
	}
	return pg, nil
}

// pages compiles the configured policies.
func pages(c *core.Config) (map[string]*page, error) {
	policies, err := core.Compile(c)
	if err != nil {
		return nil, err
	}
	all := make(map[string]*page, len(policies))
	var errs []error
	for _, name := range sortedNames(policies) {
		pg, err := newPage(policies[name])
		errs = append(errs, err)
		all[name] = pg
	}
	return all, errors.Join(errs...)
}

// same reports whether the page is that of an equal definition.
func (pg *page) same(c *core.PolicyConfig) bool {
	other, err := core.CompilePolicy("", pg.policy.Name, c)
	return err == nil && reflect.DeepEqual(other.Config, pg.policy.Config)
}

// failures are what error handlers are told of outcomes that no limit decides.
var failures = map[core.Outcome]error{
	core.MissingCredential: errors.New("the request carries no credential"),
	core.UnknownCredential: errors.New("the request's credential is unknown"),
	core.UnknownPlan:       errors.New("the subject's plan is unknown, and there is no default one"),
	core.BodyTooLarge:      core.ErrBodyTooLarge,
	core.BodyEncoding:      core.ErrBodyEncoding,
	core.BodyBroken:        core.ErrBodyBroken,
	core.StoreFailed:       errors.New("the store failed"),
	core.DirectoryFailed:   errors.New("the directory failed"),
}

// refusal returns what error handlers are told of d.
func (pg *page) refusal(d *core.Decision) error {
	if r := d.Refuser(); r != nil {
		return pg.refusals[r.Limit.Index]
	}
	if d.Err != nil {
		return fmt.Errorf("policy %s: %w: %w", pg.policy.Name, failures[d.Outcome], d.Err)
	}
	return fmt.Errorf("policy %s: %w", pg.policy.Name, failures[d.Outcome])
}
