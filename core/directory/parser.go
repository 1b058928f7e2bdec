package directory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/weirhq/weir/core"
)

// A ParseError is a mistake in a JSON text. It does not repeat the text, which
// may be a credential wherever it stands.
type ParseError struct {
	// Line and Column, both from 1, are where the mistake is. Columns are bytes.
	Line, Column int
	// Entry is the number of the subject, from 1 in the file's order; 0 where
	// the mistake is in none.
	Entry int
	// Err says what was expected.
	Err error
}

// Error returns "LINE:COLUMN: subject ENTRY: what was expected".
func (e *ParseError) Error() string {
	if e.Entry > 0 {
		return fmt.Sprintf("%d:%d: subject %d: %v", e.Line, e.Column, e.Entry, e.Err)
	}
	return fmt.Sprintf("%d:%d: %v", e.Line, e.Column, e.Err)
}

// Unwrap returns Err.
func (e *ParseError) Unwrap() error { return e.Err }

// A parser reads a text that is known to be JSON.
type parser struct {
	data  []byte
	dec   *json.Decoder
	at    int // where the token at hand begins
	entry int
}

// parseAll lets read parse data, which must be one JSON value.
func parseAll(data []byte, read func(*parser) error) error {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	p := &parser{data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	p.dec.UseNumber()
	if !utf8.Valid(data) { // of which two credentials or ids might read alike
		for r, n := utf8.DecodeRune(data); r != utf8.RuneError || n > 1; r, n = utf8.DecodeRune(data[p.at:]) {
			p.at += n
		}
		return p.fail(errors.New("this is no UTF-8"))
	}
	var syntax *json.SyntaxError
	if err := json.Unmarshal(data, new(json.RawMessage)); errors.As(err, &syntax) {
		p.at = max(0, int(syntax.Offset)-1)
		return p.fail(errors.New(syntax.Error())) // it names one character at most
	}
	return read(p)
}

// fail returns the mistake err at the token at hand.
func (p *parser) fail(err error) error {
	before := p.data[:min(p.at, len(p.data))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return &ParseError{Line: line, Column: column, Entry: p.entry, Err: err}
}

// next reads a token. Texts and numbers are a string and a json.Number.
func (p *parser) next() (json.Token, error) {
	p.at = int(p.dec.InputOffset())
	for p.at < len(p.data) && bytes.IndexByte([]byte(" \t\r\n,:"), p.data[p.at]) >= 0 {
		p.at++
	}
	t, err := p.dec.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, p.fail(err)
	}
	return t, nil
}

// object reads an object and calls member with each name, to read its value.
func (p *parser) object(what string, member func(name string) error) error {
	t, err := p.next()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return p.fail(fmt.Errorf("expected %s", what))
	}
	for p.dec.More() {
		t, err := p.next()
		if err != nil {
			return err
		}
		name, ok := t.(string)
		if !ok {
			return p.fail(errors.New("expected a name"))
		}
		if err := member(name); err != nil {
			return err
		}
	}
	_, err = p.next()
	return err
}

// subjects reads {"CREDENTIAL": RECORD, …}.
func (p *parser) subjects(each func(credential string, r Record) error) error {
	defer func() { p.entry = 0 }()
	return p.object("an object of credentials and subjects", func(credential string) error {
		p.entry++
		at := p.at
		if credential == "" {
			return p.fail(errors.New("the credential is empty"))
		}
		r, err := p.record()
		if err != nil {
			return err
		}
		if err := each(credential, r); err != nil {
			p.at = at
			return p.fail(err)
		}
		return nil
	})
}

// record reads one subject.
func (p *parser) record() (r Record, err error) {
	at := -1
	err = p.object("an object such as {\"id\": \"org_1\", \"plan\": \"pro\"}", func(name string) error {
		if at < 0 {
			at = p.at
		}
		switch name {
		case "id":
			return p.text(name, &r.ID)
		case "plan":
			return p.text(name, &r.Plan)
		}
		return p.attribute(&r, name)
	})
	if err == nil && r.ID == "" {
		if at >= 0 {
			p.at = at
		}
		err = p.fail(errNoID)
	}
	return r, err
}

// text reads an id or a plan. Whole numbers will do.
func (p *parser) text(name string, to *string) error {
	if *to != "" {
		return p.fail(fmt.Errorf("a second %s", name))
	}
	t, err := p.next()
	if err != nil {
		return err
	}
	switch v := t.(type) {
	case string:
		*to = v
	case json.Number:
		if _, err := v.Int64(); err != nil {
			return p.fail(fmt.Errorf("%s must be a text or a whole number", name))
		}
		*to = v.String()
	case nil:
	default:
		return p.fail(fmt.Errorf("%s must be a text or a whole number", name))
	}
	return nil
}

// attribute reads a value and adds it to the record.
func (p *parser) attribute(r *Record, name string) error {
	if !core.ValidAttributeName(name) {
		return p.fail(errName)
	}
	for i := range r.Attributes {
		if r.Attributes[i].Name == name {
			return p.fail(errors.New("this attribute stands twice"))
		}
	}
	t, err := p.next()
	if err != nil {
		return err
	}
	v, err := value(t)
	if err != nil {
		return p.fail(err)
	}
	if !v.IsZero() {
		r.Attributes = append(r.Attributes, core.Attribute{Name: name, Value: v})
	}
	return nil
}

// value returns what an attribute's token says.
func value(t json.Token) (v core.Value, err error) {
	switch t := t.(type) {
	case nil:
	case bool:
		v = core.Text(strconv.FormatBool(t))
	case string:
		switch t {
		case "":
		case "unlimited":
			v = core.UnlimitedValue()
		default:
			v = core.Text(t)
		}
	case json.Number:
		if err := v.UnmarshalJSON([]byte(t)); err != nil {
			return v, fmt.Errorf("expected a number up to %d with at most six decimals", core.MaxAmount)
		}
	default:
		return v, errors.New("an attribute is a number, a text or a boolean")
	}
	return v, nil
}
