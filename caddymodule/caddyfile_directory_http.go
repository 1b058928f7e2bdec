package caddymodule

import (
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/directory"
)

var httpGrammar = grammar[HTTPDirectory]{
	{"header", "NAME [PREFIX]", 1, 2, false, "header", (*parser).httpHeader},
	{"header_up", "NAME VALUE", 0, many, false, "", (*parser).httpHeaderUp},
	{"unknown_status", "STATUS...", 1, many, false, "unknown_status", (*parser).httpUnknownStatus},
	httpDuration("ttl", func(h *HTTPDirectory) *core.Duration { return &h.TTL }),
	httpDuration("negative_ttl", func(h *HTTPDirectory) *core.Duration { return &h.NegativeTTL }),
	httpDuration("stale", func(h *HTTPDirectory) *core.Duration { return &h.Stale }),
	httpDuration("timeout", func(h *HTTPDirectory) *core.Duration { return &h.Timeout }),
	httpNumber("max_known", func(h *HTTPDirectory) *int { return &h.MaxKnown }),
	httpNumber("max_unknown", func(h *HTTPDirectory) *int { return &h.MaxUnknown }),
	httpNumber("max_connections", func(h *HTTPDirectory) *int { return &h.MaxConnections }),
}

// UnmarshalCaddyfile sets up the directory from Caddyfile tokens. Syntax:
//
//	http <url> {
//		header          <name> [<prefix>]
//		header_up       <name> <value>
//		unknown_status  <status...>
//		ttl             <duration>
//		negative_ttl    <duration>
//		stale           <duration>
//		timeout         <duration>
//		max_known       <n>
//		max_unknown     <n>
//		max_connections <n>
//	}
func (h *HTTPDirectory) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	p := newParser()
	dir := p.moduleDirective(d)
	if !p.counts(&dir, "directory http URL", 1, 1, true) {
		return p.err()
	}
	p.mark("", dir.name)
	p.mark("url", dir.args[0])
	h.URL = dir.args[0].Text
	parseBlock(p, httpGrammar, "an HTTP directory", dir.block, h, "")
	if len(p.mistakes) == 0 {
		p.checkHTTP(h.HTTPConfig)
	}
	return p.err()
}

// checkHTTP records what is wrong with the directory. What its URL will be is
// not known yet if it has a placeholder.
func (p *parser) checkHTTP(c directory.HTTPConfig) {
	if strings.Contains(c.URL, "{") {
		c.URL = "http://localhost"
	}
	made, err := directory.NewHTTP(c, directory.HTTPOptions{})
	p.translate("", err)
	if err == nil {
		_ = made.Close()
	}
}

func (p *parser) httpHeader(h *HTTPDirectory, _ string, d *directive) {
	p.mark("header", d.args[0])
	h.Header = p.filled(d.args[0], "header")
	if len(d.args) > 1 {
		p.mark("prefix", d.args[1])
		h.Prefix = d.args[1].Text
	}
}

// httpHeaderUp reads a header that is sent to the service. Its value may be
// secret: messages don't repeat it.
func (p *parser) httpHeaderUp(h *HTTPDirectory, _ string, d *directive) {
	if len(d.args) != 2 {
		p.errorf(d.name, "expected \"header_up NAME VALUE\", got %d words", len(d.args))
		return
	}
	p.mark("headers", d.name)
	name := d.args[0].Text
	if _, twice := h.Headers[name]; twice {
		p.errorf(d.args[0], "the header %q is repeated", clip(name))
	}
	if h.Headers == nil {
		h.Headers = make(map[string]string)
	}
	h.Headers[name] = d.args[1].Text
}

func (p *parser) httpUnknownStatus(h *HTTPDirectory, _ string, d *directive) {
	p.mark("unknown_status", d.name)
	for _, t := range d.args {
		n, err := strconv.Atoi(t.Text)
		if err != nil {
			p.errorf(t, "%q is not a status from 400 to 499", clip(t.Text))
		}
		h.UnknownStatus = append(h.UnknownStatus, n)
	}
}

// httpDuration returns the clause of an option that is a duration.
func httpDuration(name string, option func(*HTTPDirectory) *core.Duration) clause[HTTPDirectory] {
	return clause[HTTPDirectory]{name, "DURATION", 1, 1, false, name, func(p *parser, h *HTTPDirectory, _ string, d *directive) {
		*option(h) = p.duration(d.args[0], name)
	}}
}

// httpNumber returns the clause of an option that is a number.
func httpNumber(name string, option func(*HTTPDirectory) *int) clause[HTTPDirectory] {
	return clause[HTTPDirectory]{name, "N", 1, 1, false, name, func(p *parser, h *HTTPDirectory, _ string, d *directive) {
		*option(h) = int(p.whole(d.args[0], name))
	}}
}

// Interface guards
var _ caddyfile.Unmarshaler = (*HTTPDirectory)(nil)
