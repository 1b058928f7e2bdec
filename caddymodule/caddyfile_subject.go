package caddymodule

import (
	"fmt"

	"github.com/weirhq/weir/core"
)

const (
	missingSyntax = "STATUS [BODY|problem]|[all|ip] [plan NAME]"
	unknownSyntax = "STATUS [BODY|problem]|[all|ip|key] [plan NAME]"
)

var subjectGrammar = grammar[core.SubjectConfig]{
	{"or", "{ATTRIBUTE} [bearer]", 1, 2, false, "", (*parser).source},
	{"missing", missingSyntax, 1, 3, true, "missing", (*parser).missing},
	{"unknown", unknownSyntax, 1, 3, true, "unknown", (*parser).unknown},
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
	// Nobody can be counted by a key that is missing.
	c.Missing = p.fallback(d, at+".missing", missingSyntax, map[string]string{"all": "all", "ip": "client_ip"})
}

func (p *parser) unknown(c *core.SubjectConfig, at string, d *directive) {
	c.Unknown = p.fallback(d, at+".unknown", unknownSyntax, map[string]string{"all": "all", "ip": "client_ip", "key": "key"})
}

// fallback reads what becomes of requests without a known credential: an
// answer, or a word for what they are counted by, and their plan.
func (p *parser) fallback(d *directive, at, syntax string, countBy map[string]string) *core.FallbackConfig {
	p.mark(at, d.name)
	c, args := new(core.FallbackConfig), d.args
	if isNumber(args[0]) && len(args) < 3 {
		c.Deny = p.deny(d, args, at+".deny")
		return c
	}
	if d.braced() {
		p.errorf(d.open, "only an answer has a block")
	}
	c.CountBy = "all"
	if by, ok := countBy[args[0].Text]; ok {
		p.mark(at+".count_by", args[0])
		c.CountBy, args = by, args[1:]
	}
	switch {
	case len(args) == 0:
	case len(args) == 2 && args[0].Text == "plan":
		p.mark(at+".plan", args[1])
		c.Plan = args[1].Text
	default:
		p.errorf(args[0], "expected \"%s %s\", got %q", d.name.Text, syntax, d.spoken())
	}
	return c
}
