package caddymodule

import (
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirhq/weir/core"
)

const (
	matchCostSyntax = "N|{ATTRIBUTE} [min N]"
	costSyntax      = "N|{ATTRIBUTE} [min N]|settled [reserve N]"
)

func (p *parser) matchCost(c *core.MatchConfig, at string, d *directive) {
	c.Cost = p.cost(d, at+".cost")
}

func (p *parser) limitCost(c *core.LimitConfig, at string, d *directive) {
	cost := p.cost(d, at+".cost")
	if c.Cost != nil {
		p.setReserve(d.name, cost, c.Cost.Reserve)
	}
	c.Cost = cost
}

// cost reads what a request costs.
func (p *parser) cost(d *directive, at string) *core.CostConfig {
	p.mark(at, d.name)
	c, option := &core.CostConfig{}, ""
	switch first := d.args[0]; {
	case isPlaceholder(first):
		c.From, option = p.ref(first, at+".from"), "min"
	case first.Text == "settled":
		p.mark(at+".settled", first)
		c.Settled, option = true, "reserve"
	default:
		p.constant(c, first)
	}
	if len(d.args) == 1 {
		return c
	}
	if len(d.args) == 2 || d.args[1].Text != option {
		p.errorf(d.args[1], "expected \"cost %s\", got %q", costSyntax, d.spoken())
		return c
	}
	p.costOption(c, option, d.args[2], at)
	return c
}

// constant reads a cost that is a number.
func (p *parser) constant(c *core.CostConfig, t caddyfile.Token) {
	n, err := strconv.ParseInt(t.Text, 10, 64)
	if err != nil {
		p.errorf(t, "%q is not a cost: a whole number, an attribute such as {json.images.length}, or settled%s", clip(t.Text), core.Suggest(t.Text, "settled"))
	}
	c.Amount = n
}

// costOption reads what stands behind min or reserve.
func (p *parser) costOption(c *core.CostConfig, option string, t caddyfile.Token, at string) {
	if option == "min" {
		n := p.whole(t, at+".min")
		c.Min = &n
		return
	}
	p.setReserve(t, c, p.reservation(t, at+".reserve"))
}

// reservation reads an amount that is taken in advance.
func (p *parser) reservation(t caddyfile.Token, path string) core.Value {
	p.mark(path, t)
	v := core.ParseValue(t.Text)
	if v.IsText() || v.IsZero() {
		p.errorf(t, "%q is not a number", clip(t.Text))
		return core.Value{}
	}
	return v
}

// reserve reads `reserve N`, which may stand before or behind `cost settled`.
func (p *parser) reserve(c *core.LimitConfig, at string, d *directive) {
	v := p.reservation(d.args[0], at+".cost.reserve")
	if c.Cost == nil {
		c.Cost = &core.CostConfig{Reserve: v}
		return
	}
	p.setReserve(d.name, c.Cost, v)
}

func (p *parser) setReserve(t caddyfile.Token, c *core.CostConfig, v core.Value) {
	if !c.Reserve.IsZero() && !v.IsZero() {
		p.errorf(t, "the reserve is repeated")
		return
	}
	if c.Reserve.IsZero() {
		c.Reserve = v
	}
}
