package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/directory"
)

// UnmarshalCaddyfile sets up the directory from Caddyfile tokens. Syntax:
//
//	file <path> {
//		poll <duration>
//	}
func (f *FileDirectory) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	p := newParser()
	dir := p.moduleDirective(d)
	if p.counts(&dir, "directory file PATH", 1, 1, true) {
		f.Path = p.filled(dir.args[0], "path")
		parseBlock(p, fileGrammar, "a file directory", dir.block, f, "")
	}
	return p.err()
}

var fileGrammar = grammar[FileDirectory]{
	{"poll", "DURATION", 1, 1, false, "poll", (*parser).poll},
}

func (p *parser) poll(f *FileDirectory, _ string, d *directive) {
	if f.Poll = p.duration(d.args[0], "poll"); f.Poll < 0 {
		p.errorf(d.args[0], "%s is below 0", f.Poll)
	}
}

// UnmarshalCaddyfile sets up the directory from Caddyfile tokens. Syntax:
//
//	inline {
//		<credential> id <id> [plan <plan>] [<attribute> <value>]...
//	}
func (i *InlineDirectory) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	p := newParser()
	dir := p.moduleDirective(d)
	if !p.counts(&dir, "directory inline { ... }", 0, 0, true) {
		return p.err()
	}
	if len(dir.block) == 0 {
		p.errorf(dir.name, "expected lines of %q in a block, got none", inlineSyntax)
	}
	i.Subjects = make(directory.Subjects, len(dir.block))
	for j := range dir.block {
		p.inlineSubject(i.Subjects, &dir.block[j])
	}
	if len(p.mistakes) == 0 {
		p.mark("", dir.name)
		_, err := directory.NewInline(i.InlineConfig)
		p.translate("", err)
	}
	return p.err()
}

const inlineSyntax = "CREDENTIAL id ID [plan PLAN] [ATTRIBUTE VALUE]..."

// inlineSubject reads one credential. It is secret: messages don't repeat it.
func (p *parser) inlineSubject(subjects directory.Subjects, d *directive) {
	_, twice := subjects[d.name.Text]
	switch {
	case len(d.args) < 2 || len(d.args)%2 != 0 || d.args[0].Text != "id":
		p.errorf(d.name, "expected %q, got %d words after the credential", inlineSyntax, len(d.args))
		return
	case d.braced():
		p.errorf(d.open, "a subject has no block")
		return
	case d.name.Text == "":
		p.errorf(d.name, "the credential is empty")
		return
	case twice:
		p.errorf(d.name, "the credential is repeated")
		return
	}
	var subject directory.Record
	for j := 0; j < len(d.args); j += 2 {
		p.inlineAttribute(&subject, d.args[j], d.args[j+1])
	}
	subjects[d.name.Text] = subject
}

// inlineAttribute adds what a subject has under a name.
func (p *parser) inlineAttribute(subject *directory.Record, name, value caddyfile.Token) {
	text := p.filled(value, name.Text)
	var repeated bool
	switch name.Text {
	case "id":
		repeated, subject.ID = subject.ID != "", text
	case "plan":
		repeated, subject.Plan = subject.Plan != "", text
	default:
		repeated = !subject.Attributes.Get(name.Text).IsZero()
		subject.Attributes = append(subject.Attributes, core.Attribute{Name: name.Text, Value: p.value(value)})
	}
	if !core.ValidAttributeName(name.Text) {
		p.errorf(name, "%q: the name of an attribute has letters, digits, _ and -, at most 64", clip(name.Text))
	}
	if repeated {
		p.errorf(name, "%q is repeated", clip(name.Text))
	}
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*FileDirectory)(nil)
	_ caddyfile.Unmarshaler = (*InlineDirectory)(nil)
)
