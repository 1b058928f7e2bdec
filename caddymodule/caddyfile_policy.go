package caddymodule

import (
	"fmt"
	"math"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"

	"github.com/weirhq/weir/core"
)

var policyGrammar = grammar[core.PolicyConfig]{
	{"subject", "{ATTRIBUTE} [bearer]", 1, 2, true, "subject", (*parser).subject},
	{"per", "key|subject|all|{ATTRIBUTE}...", 1, many, false, "per", (*parser).policyPer},
	{"plans", "ATTRIBUTE... { PLAN VALUE... }", 1, many, true, "plans", (*parser).plans},
	{"limit", "NAME { ... }", 1, 1, true, "", (*parser).limit},
	{"count", "NAME WINDOW... [refused]", 2, 6, true, "", (*parser).count},
	{"headers", "DIALECT [unix|delta|iso]", 1, 2, true, "headers", (*parser).headers},
	{"deny", denySyntax, 1, 2, true, "deny", (*parser).policyDeny},
	{"usage", "[METHOD...] PATH... BODY", 2, many, true, "", (*parser).usage},
	{"shadow", "", 0, 0, false, "shadow", (*parser).policyShadow},
	{"body_limit", "SIZE", 1, 1, false, "body_limit", (*parser).bodyLimit},
	{"oversize", "cost N", 2, 2, false, "oversize", (*parser).oversize},
}

// policy reads a policy's block, and checks it if it could be read.
func (p *parser) policy(d *directive, name caddyfile.Token) *core.PolicyConfig {
	c, at := new(core.PolicyConfig), "policies."+name.Text
	p.mark(at, name)
	found := len(p.mistakes)
	parseBlock(p, policyGrammar, "a policy", d.block, c, at)
	if len(p.mistakes) == found {
		p.check(at, name.Text, c)
	}
	return c
}

func (p *parser) policyPer(c *core.PolicyConfig, at string, d *directive) {
	c.Per = p.per(d, at+".per")
}

// per reads whom limits count by.
func (p *parser) per(d *directive, at string) []string {
	p.mark(at, d.name)
	texts := make([]string, len(d.args))
	for i, t := range d.args {
		path := fmt.Sprintf("%s[%d]", at, i)
		p.mark(path, t)
		texts[i] = t.Text
		if isPlaceholder(t) {
			texts[i] = p.ref(t, path)
		}
	}
	return texts
}

func isPlaceholder(t caddyfile.Token) bool {
	return len(t.Text) > 1 && t.Text[0] == '{'
}

// plans reads a table: the attributes' names, and below each plan's values.
func (p *parser) plans(c *core.PolicyConfig, at string, d *directive) {
	at += ".plans"
	p.mark(at, d.name)
	if len(d.block) == 0 {
		p.errorf(d.name, "expected %q, got no plans", "plans ATTRIBUTE... { PLAN VALUE... }")
	}
	columns := make(map[string]bool, len(d.args))
	for _, t := range d.args {
		if columns[t.Text] {
			p.errorf(t, "the attribute %q is repeated", clip(t.Text))
		}
		columns[t.Text] = true
	}
	c.Plans = make(map[string]map[string]core.Value, len(d.block))
	for i := range d.block {
		p.plan(c.Plans, at, d.args, &d.block[i])
	}
}

// plan reads one row.
func (p *parser) plan(plans map[string]map[string]core.Value, at string, columns []caddyfile.Token, d *directive) {
	name := d.name.Text
	at += "." + name
	if _, twice := plans[name]; twice {
		p.errorf(d.name, "the plan %q is repeated", clip(name))
		return
	}
	if d.braced() {
		p.errorf(d.open, "a plan has no block")
		return
	}
	if len(d.args) != len(columns) {
		p.errorf(d.name, "the plan %q needs %d values (%s), got %d", clip(name), len(columns), list(words(columns)), len(d.args))
		return
	}
	p.mark(at, d.name)
	plans[name] = make(map[string]core.Value, len(columns))
	for i, t := range d.args {
		column := columns[i].Text
		p.mark(at+"."+column, t)
		if t.Text == "" {
			p.errorf(t, "the value of %q is empty", clip(column))
		}
		plans[name][column] = p.value(t)
	}
}

func (p *parser) policyShadow(c *core.PolicyConfig, at string, d *directive) {
	p.mark(at+".shadow", d.name)
	c.Shadow = true
}

func (p *parser) bodyLimit(c *core.PolicyConfig, at string, d *directive) {
	p.mark(at+".body_limit", d.args[0])
	n, err := humanize.ParseBytes(d.args[0].Text)
	if err != nil || n < 1 || n > math.MaxInt64 {
		p.errorf(d.args[0], "%q is not a size such as 64KiB or 1MiB", clip(d.args[0].Text))
		return
	}
	c.BodyLimit = int64(n)
}

func (p *parser) oversize(c *core.PolicyConfig, at string, d *directive) {
	if d.args[0].Text != "cost" {
		p.errorf(d.args[0], "expected \"oversize cost N\", got %q", d.spoken())
		return
	}
	n := p.whole(d.args[1], at+".oversize_cost")
	c.OversizeCost = &n
}

// whole reads a whole number.
func (p *parser) whole(t caddyfile.Token, path string) int64 {
	p.mark(path, t)
	n, err := strconv.ParseInt(t.Text, 10, 64)
	if err != nil {
		p.errorf(t, "%q is not a whole number", clip(t.Text))
	}
	return n
}
