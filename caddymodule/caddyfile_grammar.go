package caddymodule

import (
	"errors"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirhq/weir/core"
)

// A parser turns directives into their JSON types. It goes on after a mistake,
// so that all of them are told at once.
type parser struct {
	mistakes []mistake
	// places of what was read, by its path in the JSON form.
	places map[string]caddyfile.Token
}

func newParser() *parser {
	return &parser{places: make(map[string]caddyfile.Token)}
}

// A grammar lists the directives that may stand in a block that fills in a T.
type grammar[T any] []clause[T]

// A clause is one directive of a grammar.
type clause[T any] struct {
	name string
	// syntax of the arguments, as messages spell it, and how many there may
	// be: from least to most, or any number if most is many.
	syntax      string
	least, most int
	// block says that the directive may have a block.
	block bool
	// once groups directives of which a block has at most one; a directive
	// whose group is empty may be repeated.
	once string
	// parse reads d into to, whose path in the JSON form is at.
	parse func(p *parser, to *T, at string, d *directive)
}

// many arguments, as a clause's most.
const many = -1

// parseBlock reads lines, the block of what, by the grammar into to.
func parseBlock[T any](p *parser, g grammar[T], what string, lines []directive, to *T, at string) {
	given := make(map[string]*directive)
	for i := range lines {
		d := &lines[i]
		c := g.clause(d.name.Text)
		if c == nil {
			p.errorf(d.name, "unknown directive %q in %s%s", clip(d.name.Text), what, core.DidYouMean(d.name.Text, g.names()))
			continue
		}
		if first := given[c.once]; first != nil && c.once != "" {
			p.repeated(first, d)
			continue
		}
		given[c.once] = d
		if !p.counts(d, c.name+spaced(c.syntax), c.least, c.most, c.block) {
			continue
		}
		c.parse(p, to, at, d)
	}
}

func (g grammar[T]) clause(name string) *clause[T] {
	for i := range g {
		if g[i].name == name {
			return &g[i]
		}
	}
	return nil
}

func (g grammar[T]) names() []string {
	names := make([]string, len(g))
	for i := range g {
		names[i] = g[i].name
	}
	return names
}

func spaced(s string) string {
	if s == "" {
		return ""
	}
	return " " + s
}

// counts checks the number of arguments and whether there is a block.
func (p *parser) counts(d *directive, syntax string, least, most int, block bool) bool {
	if n := len(d.args); n < least || most != many && n > most {
		hint := ""
		if d.heredoc() {
			hint = "; a heredoc ends at its marker, wherever that stands"
		}
		p.errorf(d.name, "expected %q, got %q%s", syntax, d.spoken(), hint)
		return false
	}
	if d.braced() && !block {
		p.errorf(d.open, "%q has no block", d.name.Text)
		return false
	}
	return true
}

// repeated tells that d stands where only first may.
func (p *parser) repeated(first, d *directive) {
	if d.name.Text == first.name.Text {
		p.errorf(d.name, "%q is repeated; it stands in line %d already", d.name.Text, first.name.Line)
		return
	}
	p.errorf(d.name, "%q contradicts %q in line %d; one of them must go", d.name.Text, first.name.Text, first.name.Line)
}

// mark remembers that the value at path comes from t.
func (p *parser) mark(path string, t caddyfile.Token) { p.places[path] = t }

// ref reads an attribute of requests into its canonical form.
func (p *parser) ref(t caddyfile.Token, path string) string {
	p.mark(path, t)
	r, err := core.ParseRef(t.Text)
	if err != nil {
		p.errorf(t, "%w", err)
		return ""
	}
	return "{" + r.Text + "}"
}

// duration reads a duration such as 60s.
func (p *parser) duration(t caddyfile.Token, path string) core.Duration {
	p.mark(path, t)
	d, err := core.ParseDuration(t.Text)
	if err != nil {
		p.errorf(t, "%w", err)
	}
	return d
}

// lasting reads a duration above 0: to have none is to leave it out.
func (p *parser) lasting(t caddyfile.Token, path string) core.Duration {
	before := len(p.mistakes)
	d := p.duration(t, path)
	if d == 0 && len(p.mistakes) == before {
		p.errorf(t, "%q is not above 0", clip(t.Text))
	}
	return d
}

// value reads an attribute's value. A number that is none of ours is no text.
func (p *parser) value(t caddyfile.Token) core.Value {
	v := core.ParseValue(t.Text)
	if _, err := strconv.ParseFloat(t.Text, 64); v.IsText() && !t.Quoted() && consists(t.Text, isNumeral) &&
		(err == nil || errors.Is(err, strconv.ErrRange)) {
		p.errorf(t, "%q is not a number up to %d with at most six decimals", clip(t.Text), core.MaxAmount)
	}
	return v
}

// isNumeral tells the bytes of numbers.
func isNumeral(c byte) bool {
	return c >= '0' && c <= '9' || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E'
}

// amount reads an amount from the words of its text form.
func (p *parser) amount(words string, t caddyfile.Token, path string) core.Amount {
	p.mark(path, t)
	a, err := core.ParseAmount(words)
	if err != nil {
		p.errorf(t, "%w", err)
	}
	return a
}
