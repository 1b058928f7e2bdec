package envoyrls

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// UnmarshalCaddyfile sets up the door from Caddyfile tokens. Syntax:
//
//	envoy <address> {
//		drain <duration>
//	}
func (d *Door) UnmarshalCaddyfile(c *caddyfile.Dispenser) error {
	c.Next()
	if !c.Args(&d.Address) {
		return c.Errf(`expected "envoy ADDRESS { ... }", such as "envoy :8081"`)
	}
	if c.NextArg() {
		return c.Errf("%q is too much: envoy listens on one address", c.Val())
	}
	for c.NextBlock(0) {
		if err := d.option(c); err != nil {
			return err
		}
	}
	return nil
}

// option reads one line of the block.
func (d *Door) option(c *caddyfile.Dispenser) error {
	if c.Val() != "drain" {
		return c.Errf("unknown directive %q in envoy; expected drain", c.Val())
	}
	if d.Drain != 0 {
		return c.Errf(`"drain" is repeated`)
	}
	var text string
	if !c.Args(&text) || c.NextArg() {
		return c.Errf(`expected "drain DURATION"`)
	}
	drain, err := caddy.ParseDuration(text)
	if err != nil || drain <= 0 {
		return c.Errf("%q is not a duration such as 5s", text)
	}
	d.Drain = caddy.Duration(drain)
	return nil
}

// Interface guards
var _ caddyfile.Unmarshaler = (*Door)(nil)
