package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/contract"
)

// A mistake is an error and the token that is to blame.
type mistake struct {
	at  caddyfile.Token
	err error
}

// Error returns "file:line: what was expected".
func (m mistake) Error() string {
	text := fmt.Sprintf("%s:%d: %s", m.at.File, m.at.Line, core.OneLine(m.err.Error()))
	d := caddyfile.NewDispenser([]caddyfile.Token{m.at})
	d.Next()
	if _, chain, imported := strings.Cut(d.Err("").Error(), " import chain "); imported {
		text += " (imported by " + chain + ")"
	}
	return text
}

// Unwrap returns the error without its place.
func (m mistake) Unwrap() error { return m.err }

// fail records a mistake.
func (p *parser) fail(at caddyfile.Token, err error) {
	p.mistakes = append(p.mistakes, mistake{at, err})
}

// errorf records a mistake.
func (p *parser) errorf(at caddyfile.Token, format string, args ...any) {
	p.fail(at, fmt.Errorf(format, args...))
}

// err joins all mistakes in the order of their lines.
func (p *parser) err() error {
	slices.SortStableFunc(p.mistakes, func(a, b mistake) int {
		return cmp.Or(cmp.Compare(a.at.File, b.at.File), cmp.Compare(a.at.Line, b.at.Line))
	})
	errs := make([]error, len(p.mistakes))
	for i, m := range p.mistakes {
		errs[i] = m
	}
	return errors.Join(errs...)
}

// check compiles a policy that could be read, and records what is wrong with it.
func (p *parser) check(at, name string, c *core.PolicyConfig) {
	policy, err := core.CompilePolicy(at, name, c)
	p.translate(at, err)
	_, err = contract.CompileAt(at, policy)
	p.translate(at, err)
}

// translate records the mistakes that err joins, each where the Caddyfile has
// what its path in the JSON form names. What has no place of its own is in root.
func (p *parser) translate(root string, err error) {
	for _, e := range core.ConfigErrors(err) {
		at := p.place(root, e.Path)
		if at == root || at != e.Path {
			p.fail(p.places[at], e.Err)
			continue
		}
		field, _, _ := strings.Cut(at[strings.LastIndexByte(at, '.')+1:], "[")
		p.errorf(p.places[at], "%s: %w", field, e.Err)
	}
}

// place returns the path itself, or of what holds it the innermost, that has a
// place; at least root.
func (p *parser) place(root, path string) string {
	for len(path) > len(root) {
		if _, ok := p.places[path]; ok {
			return path
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return root
}
