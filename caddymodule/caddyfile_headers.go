package caddymodule

import (
	"github.com/weirhq/weir/core"
)

const whenSyntax = "[always|on_denial|never]"

var headersGrammar = grammar[core.HeadersConfig]{
	{"for", "LIMIT|tightest", 1, 1, false, "for", (*parser).headersFor},
	{"limit", whenSyntax, 0, 1, false, "limit", (*parser).headersWhen},
	{"remaining", whenSyntax, 0, 1, false, "remaining", (*parser).headersWhen},
	{"reset", whenSyntax, 0, 1, false, "reset", (*parser).headersWhen},
	{"window", whenSyntax, 0, 1, false, "window", (*parser).headersWhen},
	{"retry_after", whenSyntax, 0, 1, false, "retry_after", (*parser).headersWhen},
	{"name", "limit|remaining|reset|window HEADER", 2, 2, false, "", (*parser).headersName},
}

// headers reads `headers DIALECT [unix|delta|iso] [{ ... }]`.
func (p *parser) headers(policy *core.PolicyConfig, at string, d *directive) {
	at += ".headers"
	p.mark(at, d.name)
	p.mark(at+".dialect", d.args[0])
	c := &core.HeadersConfig{Dialect: d.args[0].Text}
	if len(d.args) > 1 {
		p.mark(at+".reset", d.args[1])
		c.Reset = d.args[1].Text
	}
	parseBlock(p, headersGrammar, "headers", d.block, c, at)
	policy.Headers = c
}

func (p *parser) headersFor(c *core.HeadersConfig, at string, d *directive) {
	p.mark(at+".for", d.args[0])
	c.For = d.args[0].Text
}

// headersWhen reads when a header appears: always, unless it says otherwise.
func (p *parser) headersWhen(c *core.HeadersConfig, at string, d *directive) {
	t, when := d.name, "always"
	if len(d.args) > 0 {
		t, when = d.args[0], d.args[0].Text
	}
	p.mark(at+".when."+d.name.Text, t)
	if c.When == nil {
		c.When = make(map[string]string)
	}
	c.When[d.name.Text] = when
}

func (p *parser) headersName(c *core.HeadersConfig, at string, d *directive) {
	field, name := d.args[0].Text, d.args[1].Text
	p.mark(at+".names."+field, d.args[0])
	if _, twice := c.Names[field]; twice {
		p.errorf(d.name, "the name of %q is repeated", clip(field))
		return
	}
	if c.Names == nil {
		c.Names = make(map[string]string)
	}
	c.Names[field] = name
}
