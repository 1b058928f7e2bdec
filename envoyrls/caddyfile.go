package envoyrls

import (
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirhq/weir/core"
)

// UnmarshalCaddyfile sets up the door from Caddyfile tokens. Syntax:
//
//	envoy <address> {
//		drain <duration>
//		ttl   <duration>
//		tls <certificate> <key> {
//			client_ca <file...>
//		}
//		reflection
//		ratelimit <directory> {
//			headers       on|off
//			metadata      on|off
//			shadow_mode   on|off
//			merge_domains on|off
//			http          <address>
//			poll          <duration>
//		}
//	}
func (d *Door) UnmarshalCaddyfile(c *caddyfile.Dispenser) error {
	c.Next()
	if !c.Args(&d.Address) {
		return c.Errf(`expected "envoy ADDRESS { ... }", such as "envoy :8081"`)
	}
	if c.NextArg() {
		return c.Errf("%q is too much: envoy listens on one address", c.Val())
	}
	given := make(map[string]bool)
	for c.NextBlock(0) {
		name := c.Val()
		read := options[name]
		if read == nil {
			return c.Errf("unknown directive %q in envoy%s", name, core.DidYouMean(name, slices.Sorted(maps.Keys(options))))
		}
		if given[name] {
			return c.Errf("%q is repeated", name)
		}
		given[name] = true
		if err := read(d, c); err != nil {
			return err
		}
	}
	return nil
}

// options read the lines of the block.
var options = map[string]func(*Door, *caddyfile.Dispenser) error{
	"drain":      func(d *Door, c *caddyfile.Dispenser) error { return readDuration(&d.Drain, c) },
	"ttl":        func(d *Door, c *caddyfile.Dispenser) error { return readDuration(&d.TTL, c) },
	"tls":        (*Door).readTLS,
	"reflection": (*Door).readReflection,
	"ratelimit":  (*Door).readRateLimit,
}

func readDuration(into *caddy.Duration, c *caddyfile.Dispenser) error {
	name := c.Val()
	var text string
	if !c.Args(&text) || c.NextArg() {
		return c.Errf(`expected "%s DURATION"`, name)
	}
	duration, err := caddy.ParseDuration(text)
	if err != nil || duration <= 0 {
		return c.Errf("%q is not a duration such as 5s", text)
	}
	*into = caddy.Duration(duration)
	return nil
}

func (d *Door) readReflection(c *caddyfile.Dispenser) error {
	if c.NextArg() {
		return c.Errf(`expected "reflection"`)
	}
	d.Reflection = true
	return nil
}

func (d *Door) readTLS(c *caddyfile.Dispenser) error {
	d.TLS = new(TLS)
	if !c.Args(&d.TLS.Certificate, &d.TLS.Key) || c.NextArg() {
		return c.Errf(`expected "tls CERTIFICATE KEY { ... }", two PEM files`)
	}
	for nesting := c.Nesting(); c.NextBlock(nesting); {
		if c.Val() != "client_ca" {
			return c.Errf("unknown directive %q in tls%s", c.Val(), core.DidYouMean(c.Val(), []string{"client_ca"}))
		}
		files := c.RemainingArgs()
		if len(files) == 0 {
			return c.Errf(`expected "client_ca FILE ...", PEM files`)
		}
		d.TLS.ClientCA = append(d.TLS.ClientCA, files...)
	}
	return nil
}

func (d *Door) readRateLimit(c *caddyfile.Dispenser) error {
	l := new(RateLimit)
	d.RateLimit = l
	if !c.Args(&l.Dir) || c.NextArg() {
		return c.Errf(`expected "ratelimit DIRECTORY { ... }", a directory of envoyproxy/ratelimit's YAML files`)
	}
	flags := map[string]*bool{
		"headers": &l.Headers, "metadata": &l.Metadata, "shadow_mode": &l.ShadowMode, "merge_domains": &l.MergeDomains,
	}
	given := make(map[string]bool)
	for nesting := c.Nesting(); c.NextBlock(nesting); {
		name := c.Val()
		if given[name] {
			return c.Errf("%q is repeated", name)
		}
		given[name] = true
		var err error
		switch flag := flags[name]; {
		case flag != nil:
			err = readSwitch(flag, c)
		case name == "http":
			if !c.Args(&l.HTTP) || c.NextArg() {
				err = c.Errf(`expected "http ADDRESS", such as "http :8080"`)
			}
		case name == "poll":
			err = readDuration(&l.Poll, c)
		default:
			names := append(slices.Sorted(maps.Keys(flags)), "http", "poll")
			err = c.Errf("unknown directive %q in ratelimit%s", name, core.DidYouMean(name, names))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readSwitch reads on or off.
func readSwitch(into *bool, c *caddyfile.Dispenser) error {
	name := c.Val()
	var word string
	if !c.Args(&word) || c.NextArg() || word != "on" && word != "off" {
		return c.Errf(`expected "%s on" or "%s off"`, name, name)
	}
	*into = word == "on"
	return nil
}

// Interface guards
var _ caddyfile.Unmarshaler = (*Door)(nil)
