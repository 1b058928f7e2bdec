package caddymodule

import (
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirhq/weir/core"
)

const fallbackSyntax = "STATUS [BODY|problem]|[all|ip|key] [plan NAME]"

var subjectGrammar = grammar[core.SubjectConfig]{
	{"or", "{ATTRIBUTE} [bearer]", 1, 2, false, "", (*parser).source},
	{"missing", fallbackSyntax, 1, 3, true, "missing", (*parser).missing},
	{"unknown", fallbackSyntax, 1, 3, true, "unknown", (*parser).unknown},
}

// subject reads who is counted.
func (p *parser) subject(policy *core.PolicyConfig, at string, d *directive) {
	at += ".subject"
	p.mark(at, d.name)
	c := new(core.SubjectConfig)
	p.source(c, at, d)
	parseBlock(p, subjectGrammar, "a subject", d.block, c, at)
	policy.Subject = c
}

// source reads one place where a credential may be.
func (p *parser) source(c *core.SubjectConfig, at string, d *directive) {
	at = fmt.Sprintf("%s.sources[%d]", at, len(c.Sources))
	p.mark(at, d.name)
	s := core.SourceConfig{From: p.ref(d.args[0], at+".from")}
	if len(d.args) > 1 {
		p.mark(at+".scheme", d.args[1])
		s.Scheme = d.args[1].Text
	}
	c.Sources = append(c.Sources, s)
}

func (p *parser) missing(c *core.SubjectConfig, at string, d *directive) {
	c.Missing = p.fallback(d, at+".missing")
}

func (p *parser) unknown(c *core.SubjectConfig, at string, d *directive) {
	c.Unknown = p.fallback(d, at+".unknown")
}

// countWords are those of count_by.
var countWords = map[string]string{"all": "all", "ip": "client_ip", "key": "key"}

// fallback reads what becomes of requests without a known credential: an
// answer, or by what they are counted, and with which plan.
func (p *parser) fallback(d *directive, at string) *core.FallbackConfig {
	p.mark(at, d.name)
	c, args := new(core.FallbackConfig), d.args
	if isNumber(args[0]) && len(args) < 3 {
		c.Deny = p.deny(d, args, at+".deny")
		return c
	}
	if d.braced() {
		p.errorf(d.open, "only an answer has a block")
	}
	by, ok := countWords[args[0].Text]
	if ok {
		p.mark(at+".count_by", args[0])
		args = args[1:]
	} else {
		by = "all"
	}
	c.CountBy = by
	p.fallbackPlan(c, at, args, d)
	return c
}

// fallbackPlan reads `plan NAME`, or nothing.
func (p *parser) fallbackPlan(c *core.FallbackConfig, at string, args []caddyfile.Token, d *directive) {
	if len(args) == 0 {
		return
	}
	if len(args) != 2 || args[0].Text != "plan" {
		p.errorf(args[0], "expected \"%s %s\", got %q", d.name.Text, fallbackSyntax, d.spoken())
		return
	}
	p.mark(at+".plan", args[1])
	c.Plan = args[1].Text
}
