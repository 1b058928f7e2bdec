package caddymodule

import (
	"fmt"
	"strings"

	"github.com/weirhq/weir/core"
)

// length reads `rolling DURATION` and `fixed DURATION`.
func (p *parser) length(c *core.LimitConfig, at string, d *directive) {
	p.kind(c, at, d)
	c.Window = p.duration(d.args[0], at+".window")
}

// kind sets the kind that the directive is named after.
func (p *parser) kind(c *core.LimitConfig, at string, d *directive) {
	p.mark(at+".kind", d.name)
	c.Kind = d.name.Text
}

// calendar reads `calendar UNIT ZONE [ANCHOR]`.
func (p *parser) calendar(c *core.LimitConfig, at string, d *directive) {
	p.kind(c, at, d)
	p.mark(at+".unit", d.args[0])
	p.mark(at+".zone", d.args[1])
	c.Unit, c.Zone = d.args[0].Text, d.args[1].Text
	if len(d.args) > 2 {
		p.mark(at+".anchor", d.args[2])
		c.Anchor = d.args[2].Text
	}
}

// bucket reads `bucket N/DURATION [burst AMOUNT]`.
func (p *parser) bucket(c *core.LimitConfig, at string, d *directive) {
	p.kind(c, at, d)
	rate := d.args[0]
	i := strings.LastIndexByte(rate.Text, '/')
	if i < 0 {
		p.errorf(rate, "%q is not a rate such as 10/1s, 100/1m or {subject.rate}/1m", clip(rate.Text))
		return
	}
	c.Rate = p.amount(rate.Text[:i], rate, at+".rate")
	rate.Text = rate.Text[i+1:]
	c.Window = p.duration(rate, at+".window")
	p.burst(c, at, d)
}

// burst reads the bucket's maximum, which may also be given as max.
func (p *parser) burst(c *core.LimitConfig, at string, d *directive) {
	if len(d.args) == 1 {
		return
	}
	if len(d.args) == 2 || d.args[1].Text != "burst" {
		p.errorf(d.args[1], "expected %q, got %q", "bucket N/DURATION burst AMOUNT", d.spoken())
		return
	}
	if !c.Max.IsZero() {
		p.errorf(d.args[1], "the limit has a max already, which is a bucket's burst")
		return
	}
	c.Max = p.amount(d.text(2), d.args[2], at+".max")
}

// hold reads `hold response` and `hold released`.
func (p *parser) hold(c *core.LimitConfig, at string, d *directive) {
	p.kind(c, at, d)
	p.mark(at+".until", d.args[0])
	c.Until = d.args[0].Text
}

// ever reads `ever`, the window of counts that never end.
func (p *parser) ever(c *core.LimitConfig, at string, d *directive) { p.kind(c, at, d) }

// windows are those of counts.
var windowGrammar = grammar[core.LimitConfig]{
	{"rolling", "DURATION", 1, 1, false, "", (*parser).length},
	{"fixed", "DURATION", 1, 1, false, "", (*parser).length},
	{"calendar", "day|week|month|year ZONE [ANCHOR]", 2, 3, false, "", (*parser).calendar},
	{"ever", "", 0, 0, false, "", (*parser).ever},
}

var countGrammar = grammar[core.LimitConfig]{
	{"match", "METHOD|PATH|LIMIT...", 1, many, true, "", (*parser).match},
	{"except", "LIMIT...", 1, many, false, "except", (*parser).except},
	{"per", "key|subject|all|{ATTRIBUTE}...", 1, many, false, "per", (*parser).limitPer},
	{"cost", costSyntax, 1, 3, false, "cost", (*parser).limitCost},
}

// count reads `count NAME WINDOW... [refused] [{ ... }]`.
func (p *parser) count(policy *core.PolicyConfig, at string, d *directive) {
	at = fmt.Sprintf("%s.limits[%d]", at, len(policy.Limits))
	p.mark(at, d.name)
	p.mark(at+".name", d.args[0])
	c := core.LimitConfig{Name: d.args[0].Text, Count: true}
	window := directive{name: d.args[1], args: d.args[2:]}
	if n := len(window.args); n > 0 && window.args[n-1].Text == "refused" {
		p.mark(at+".refused", window.args[n-1])
		window.args, c.Refused = window.args[:n-1], true
	} else if n > 0 {
		if hint := core.Suggest(window.args[n-1].Text, "refused"); hint != "" {
			p.errorf(window.args[n-1], "unknown word %q%s", clip(window.args[n-1].Text), hint)
			return
		}
	}
	parseBlock(p, windowGrammar, "a count", []directive{window}, &c, at)
	parseBlock(p, countGrammar, "a count", d.block, &c, at)
	policy.Limits = append(policy.Limits, c)
}
