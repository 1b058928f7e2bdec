package caddymodule

import (
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirhq/weir/core"
)

var matchGrammar = grammar[core.MatchConfig]{
	{"cost", matchCostSyntax, 1, 3, false, "cost", (*parser).matchCost},
}

// match reads which requests are charged.
func (p *parser) match(c *core.LimitConfig, at string, d *directive) {
	at = fmt.Sprintf("%s.match[%d]", at, len(c.Match))
	m := p.requests(d.args, at, d)
	parseBlock(p, matchGrammar, "a match", d.block, &m, at)
	c.Match = append(c.Match, m)
}

// refuse reads which requests may be refused.
func (p *parser) refuse(c *core.LimitConfig, at string, d *directive) {
	at = fmt.Sprintf("%s.refuse[%d]", at, len(c.Refuse))
	c.Refuse = append(c.Refuse, p.requests(d.args, at, d))
}

// except reads whose requests are not this limit's.
func (p *parser) except(c *core.LimitConfig, at string, d *directive) {
	p.mark(at+".except", d.name)
	for i, t := range d.args {
		p.mark(fmt.Sprintf("%s.except[%d]", at, i), t)
	}
	c.Except = words(d.args)
}

// requests sorts words into methods in UPPER case, paths, and limits in lower
// case.
func (p *parser) requests(args []caddyfile.Token, at string, d *directive) core.MatchConfig {
	var m core.MatchConfig
	p.mark(at, d.name)
	for _, t := range args {
		switch {
		case t.Text == "*" || strings.HasPrefix(t.Text, "/"):
			p.mark(fmt.Sprintf("%s.paths[%d]", at, len(m.Paths)), t)
			m.Paths = append(m.Paths, t.Text)
		case consists(t.Text, isUpper):
			for method := range strings.SplitSeq(t.Text, ",") {
				p.mark(fmt.Sprintf("%s.methods[%d]", at, len(m.Methods)), t)
				m.Methods = append(m.Methods, method)
			}
		case consists(t.Text, isLower):
			p.mark(fmt.Sprintf("%s.limits[%d]", at, len(m.Limits)), t)
			m.Limits = append(m.Limits, t.Text)
		default:
			p.errorf(t, "%q is neither a METHOD in upper case, nor a /path or *, nor a limit in lower case", clip(t.Text))
		}
	}
	return m
}

// consists reports whether s is not empty and all of its bytes are of the class.
func consists(s string, class func(byte) bool) bool {
	for i := range len(s) {
		if !class(s[i]) {
			return false
		}
	}
	return s != ""
}

// isUpper tells the bytes of methods, and the comma between several.
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c == ',' }

// isLower tells the bytes of limits' names.
func isLower(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}
