package caddymodule

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirhq/weir/core"
)

const denySyntax = "[STATUS] [BODY|problem]"

func (p *parser) policyDeny(c *core.PolicyConfig, at string, d *directive) {
	c.Deny = p.deny(d, d.args, at+".deny")
}

func (p *parser) limitDeny(c *core.LimitConfig, at string, d *directive) {
	c.Deny = p.deny(d, d.args, at+".deny")
}

var denyGrammar = grammar[core.DenyConfig]{
	{"type", "CONTENT_TYPE", 1, 1, false, "type", (*parser).denyType},
}

// deny reads the answer to a refused request: a status, a body, or both.
func (p *parser) deny(d *directive, args []caddyfile.Token, at string) *core.DenyConfig {
	c := new(core.DenyConfig)
	p.mark(at, d.name)
	if isNumber(args[0]) {
		p.mark(at+".status", args[0])
		c.Status, _ = strconv.Atoi(args[0].Text)
		args = args[1:]
	}
	switch {
	case len(args) == 1 && args[0].Text == "problem" && !args[0].Quoted():
		p.mark(at+".problem", args[0])
		c.Problem = true
	case len(args) == 1:
		c.Body = p.body(args[0], at+".body", []string{"problem"})
	case len(args) > 1:
		p.errorf(args[0], "%q is not a status from 400 to 599", clip(args[0].Text))
	}
	parseBlock(p, denyGrammar, "an answer", d.block, c, at)
	return c
}

// isNumber reports whether the token is a short number without quotes.
func isNumber(t caddyfile.Token) bool {
	return !t.Quoted() && len(t.Text) < 10 && consists(t.Text, func(c byte) bool { return c >= '0' && c <= '9' })
}

// body reads a template. A bare word may be meant for one of those that are
// valid.
func (p *parser) body(t caddyfile.Token, path string, valid []string) string {
	p.mark(path, t)
	switch {
	case t.Text == "":
		p.errorf(t, "the body is empty; a heredoc ends at its marker, wherever that stands")
	case !t.Quoted() && consists(t.Text, isLower):
		p.errorf(t, "%q is no body; quote it, or expected %s", clip(t.Text), list(valid))
	}
	if _, after, found := strings.Cut(t.Text, "{http."); found {
		name, _, _ := strings.Cut(after, "}")
		p.errorf(t, "a body tells {weir.…} only; {http.%s} would be sent as it stands", clip(name))
	}
	return t.Text
}

func (p *parser) denyType(c *core.DenyConfig, at string, d *directive) {
	p.mark(at+".content_type", d.args[0])
	c.ContentType = d.args[0].Text
}

var usageGrammar = grammar[core.UsageConfig]{
	{"type", "CONTENT_TYPE", 1, 1, false, "type", (*parser).usageType},
}

// usage reads requests that are answered with what was used.
func (p *parser) usage(policy *core.PolicyConfig, at string, d *directive) {
	at = fmt.Sprintf("%s.usage[%d]", at, len(policy.Usage))
	last := len(d.args) - 1
	if t := d.args[last]; !t.Quoted() && strings.HasPrefix(t.Text, "/") {
		p.errorf(t, "expected %q, got %q", "usage [METHOD...] PATH... BODY", d.spoken())
		return
	}
	m := p.requests(d.args[:last], at, d)
	for _, l := range m.Limits {
		p.errorf(d.name, "%q is neither a METHOD in upper case nor a /path", clip(l))
	}
	c := core.UsageConfig{Methods: m.Methods, Paths: m.Paths, Body: p.body(d.args[last], at+".body", nil)}
	parseBlock(p, usageGrammar, "an answer", d.block, &c, at)
	policy.Usage = append(policy.Usage, c)
}

func (p *parser) usageType(c *core.UsageConfig, at string, d *directive) {
	p.mark(at+".content_type", d.args[0])
	c.ContentType = d.args[0].Text
}
