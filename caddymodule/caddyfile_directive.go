package caddymodule

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// A directive is one line of a Caddyfile: its name, its arguments, and the
// lines of its block.
type directive struct {
	name  caddyfile.Token
	args  []caddyfile.Token
	block []directive
	// open and end are the block's braces; the zero Token without a block.
	open, end caddyfile.Token
}

// readDirective reads the directive that starts at d's current token. What
// stands behind a closing brace is added to the arguments, so that whoever
// counts them finds it.
func readDirective(d *caddyfile.Dispenser) directive {
	dir := directive{name: d.Token()}
	for d.NextArg() {
		dir.args = append(dir.args, d.Token())
	}
	if !opensBlock(d) {
		return dir
	}
	dir.open = d.Token()
	for d.Next() {
		if isBrace(d.Token(), "}") {
			dir.end = d.Token()
			for d.NextArg() {
				dir.args = append(dir.args, d.Token())
			}
			return dir
		}
		dir.block = append(dir.block, readDirective(d))
	}
	return dir
}

// opensBlock moves to the brace that opens a block on d's current line, if
// there is one.
func opensBlock(d *caddyfile.Dispenser) bool {
	if d.NextLine() {
		d.Prev()
		return false
	}
	return d.Next()
}

func isBrace(t caddyfile.Token, brace string) bool {
	return t.Text == brace && !t.Quoted()
}

// braced reports whether the directive has a block, if only an empty one.
func (d *directive) braced() bool { return d.open.Text != "" }

// tokens returns the directive as it was read.
func (d *directive) tokens() []caddyfile.Token {
	all := append([]caddyfile.Token{d.name}, d.args...)
	if !d.braced() {
		return all
	}
	all = append(all, d.open)
	for i := range d.block {
		all = append(all, d.block[i].tokens()...)
	}
	if d.end.Text == "" {
		return all
	}
	return append(all, d.end)
}

// expand expands the shorthands in all tokens.
func (d *directive) expand(shorthands httpcaddyfile.ShorthandReplacer) {
	name := caddyfile.Segment{d.name}
	shorthands.ApplyToSegment(&name)
	d.name = name[0]
	shorthands.ApplyToSegment((*caddyfile.Segment)(&d.args))
	for i := range d.block {
		d.block[i].expand(shorthands)
	}
}

// text returns the arguments from the i-th on, with a space between them.
func (d *directive) text(i int) string {
	return strings.Join(words(d.args[i:]), " ")
}

// spoken returns the directive as messages repeat it.
func (d *directive) spoken() string {
	texts := []string{clip(d.name.Text)}
	for _, a := range d.args {
		texts = append(texts, clip(a.Text))
	}
	return strings.Join(texts, " ")
}

// heredoc reports whether one of the arguments is a heredoc.
func (d *directive) heredoc() bool {
	for _, a := range d.args {
		if isHeredoc(a) {
			return true
		}
	}
	return false
}

// isHeredoc reports whether the token is a heredoc: quoted, but not by quotes.
func isHeredoc(t caddyfile.Token) bool {
	d := caddyfile.NewDispenser([]caddyfile.Token{t})
	d.Next()
	return t.Quoted() && d.ValRaw() == t.Text
}

func words(tokens []caddyfile.Token) []string {
	texts := make([]string, len(tokens))
	for i, t := range tokens {
		texts[i] = t.Text
	}
	return texts
}

// clip shortens what a message repeats of a Caddyfile.
func clip(s string) string {
	s, _, more := strings.Cut(s, "\n")
	if len(s) > 40 {
		s, more = strings.ToValidUTF8(s[:40], ""), true
	}
	if more {
		s += "…"
	}
	if s == "" {
		return `""`
	}
	return s
}
