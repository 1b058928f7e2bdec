package caddymodule

import (
	"fmt"

	"github.com/weirhq/weir/core"
)

var limitGrammar = grammar[core.LimitConfig]{
	{"match", "METHOD|PATH|LIMIT...", 1, many, true, "", (*parser).match},
	{"except", "LIMIT...", 1, many, false, "except", (*parser).except},
	{"refuse", "METHOD|PATH|LIMIT...", 1, many, false, "", (*parser).refuse},
	{"per", "key|subject|all|{ATTRIBUTE}...", 1, many, false, "per", (*parser).limitPer},
	{"rolling", "DURATION", 1, 1, false, "kind", (*parser).length},
	{"fixed", "DURATION", 1, 1, false, "kind", (*parser).length},
	{"calendar", "day|week|month|year ZONE [ANCHOR]", 2, 3, false, "kind", (*parser).calendar},
	{"bucket", "N/DURATION [burst AMOUNT]", 1, many, false, "kind", (*parser).bucket},
	{"hold", "response|released", 1, 1, false, "kind", (*parser).hold},
	{"ttl", "DURATION", 1, 1, false, "ttl", (*parser).ttl},
	{"max", "N|unlimited|{subject.ATTRIBUTE} [* FACTOR] [else N]", 1, 5, false, "max", (*parser).max},
	{"cost", costSyntax, 1, 3, false, "cost", (*parser).limitCost},
	{"reserve", "N", 1, 1, false, "reserve", (*parser).reserve},
	{"retry", "DURATION", 1, 1, false, "retry", (*parser).retry},
	{"shadow", "", 0, 0, false, "shadow", (*parser).limitShadow},
	{"deny", denySyntax, 1, 2, true, "deny", (*parser).limitDeny},
}

// limit reads a limit.
func (p *parser) limit(policy *core.PolicyConfig, at string, d *directive) {
	at = fmt.Sprintf("%s.limits[%d]", at, len(policy.Limits))
	p.mark(at, d.name)
	p.mark(at+".name", d.args[0])
	c := core.LimitConfig{Name: d.args[0].Text}
	parseBlock(p, limitGrammar, "a limit", d.block, &c, at)
	policy.Limits = append(policy.Limits, c)
}

func (p *parser) limitPer(c *core.LimitConfig, at string, d *directive) {
	c.Per = p.per(d, at+".per")
}

func (p *parser) max(c *core.LimitConfig, at string, d *directive) {
	if !c.Max.IsZero() {
		p.errorf(d.name, "the bucket has a burst already, which is its max")
		return
	}
	c.Max = p.amount(d.text(0), d.args[0], at+".max")
}

func (p *parser) ttl(c *core.LimitConfig, at string, d *directive) {
	c.TTL = p.lasting(d.args[0], at+".ttl")
}

func (p *parser) retry(c *core.LimitConfig, at string, d *directive) {
	c.Retry = p.lasting(d.args[0], at+".retry")
}

func (p *parser) limitShadow(c *core.LimitConfig, at string, d *directive) {
	p.mark(at+".shadow", d.name)
	c.Shadow = true
}
