package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirhq/weir/core"
)

func (p *parser) store(a *App, _ string, d *directive) {
	a.StoreRaw = p.module("weir.stores", "store", d)
}

func (p *parser) directory(a *App, _ string, d *directive) {
	a.DirectoryRaw = p.module("weir.directories", "directory", d)
}

func (p *parser) door(a *App, _ string, d *directive) {
	if door := p.unmarshal("weir.doors", "door", d.name.Text, d, d.tokens()); door != nil {
		a.DoorsRaw = append(a.DoorsRaw, door)
	}
}

// withDoors returns the grammar with a clause for every door there is.
func withDoors(g grammar[App]) grammar[App] {
	g = slices.Clone(g)
	for _, name := range moduleNames("weir.doors") {
		g = append(g, clause[App]{name, "...", 0, many, true, "", (*parser).door})
	}
	return g
}

// module lets the module that d's first argument names in the namespace read
// what follows, and returns it with its name under key.
func (p *parser) module(namespace, key string, d *directive) json.RawMessage {
	name := d.args[0].Text
	names := moduleNames(namespace)
	if !slices.Contains(names, name) {
		p.errorf(d.args[0], "unknown %s %q%s", key, clip(name), core.DidYouMean(name, names))
		return nil
	}
	return p.unmarshal(namespace, key, name, d, d.tokens()[1:])
}

// unmarshal lets the named module read tokens, which are d's.
func (p *parser) unmarshal(namespace, key, name string, d *directive, tokens []caddyfile.Token) json.RawMessage {
	segment := caddyfile.NewDispenser(tokens)
	segment.Next()
	module, err := caddyfile.UnmarshalModule(segment, namespace+"."+name)
	if err != nil {
		p.blame(d, err)
		return nil
	}
	return caddyconfig.JSONModuleObject(module, key, name, nil)
}

// blame records what a module says of its directive: mistakes of ours with the
// places they have, others as the directive's.
func (p *parser) blame(d *directive, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			p.blame(d, e)
		}
		return
	}
	var m mistake
	if errors.As(err, &m) {
		p.mistakes = append(p.mistakes, m)
		return
	}
	place := fmt.Sprintf(", at %s:%d", d.name.File, d.name.Line)
	p.errorf(d.name, "%s", strings.TrimSuffix(err.Error(), place))
}

// moduleNames returns the names of the modules of a namespace.
func moduleNames(namespace string) []string {
	var names []string
	for _, m := range caddy.GetModules(namespace) {
		names = append(names, m.ID.Name())
	}
	return names
}

// moduleDirective reads the directive of a module, from its name on.
func (p *parser) moduleDirective(d *caddyfile.Dispenser) directive {
	d.Next()
	return readDirective(d)
}

// filled returns the token's text, which must not be empty.
func (p *parser) filled(t caddyfile.Token, what string) string {
	if t.Text == "" {
		p.errorf(t, "the %s is empty", what)
	}
	return t.Text
}
