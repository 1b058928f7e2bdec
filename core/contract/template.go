package contract

import (
	"encoding/json"
	"fmt"
	"mime"
	"regexp"
	"slices"
	"strings"

	"github.com/weirhq/weir/core"
)

const jsonType = "application/json"

// A scope says what a template can speak of.
type scope uint8

const (
	denyScope     scope = iota // the limit that refuses
	fallbackScope              // no limit: nobody was counted
	usageScope                 // limits that it names
)

// An encoding is how a placeholder's value is written at its place.
type encoding uint8

const (
	asText   encoding = iota
	asJSON            // a JSON value
	asString          // inside a JSON string
)

// A segment of a template: literal text, or else a placeholder.
type segment struct {
	literal string
	place   placeholder
	as      encoding
}

// A body is a compiled template.
type body struct {
	contentType string
	segments    []segment
	limits      []string // those that it names
}

// append writes the body of the answer to d.
func (b *body) append(buf []byte, c *Contract, d *core.Decision) []byte {
	refuser := d.Refuser()
	for i := range b.segments {
		s := &b.segments[i]
		if s.literal != "" {
			buf = append(buf, s.literal...)
			continue
		}
		v := s.place.value(c, d, refuser)
		switch s.as {
		case asJSON:
			buf = v.appendJSON(buf)
		case asString:
			buf = v.appendString(buf)
		default:
			buf = v.appendText(buf)
		}
	}
	return buf
}

// incomplete reports whether the body names a limit that d has no charge of.
func (b *body) incomplete(d *core.Decision) bool {
	return slices.ContainsFunc(b.limits, func(name string) bool { return find(d, name) == nil })
}

// body compiles a template and the type of what it becomes.
func (k *compiler) body(path, contentType, template string, s scope) *body {
	b := &body{contentType: contentType}
	if contentType == "" {
		b.contentType = jsonType
	}
	mediaType, _, err := mime.ParseMediaType(b.contentType)
	if err != nil || !strings.Contains(mediaType, "/") || strings.ContainsFunc(b.contentType, notPrintable) {
		k.fail(path+".content_type", "%q is no media type such as %s", core.Clip(contentType), jsonType)
		return nil
	}
	if template == "" { // a usage answer without one: core refuses it
		return nil
	}
	if template = strings.TrimSpace(template); template == "" {
		k.fail(path+".body", "is empty")
		return nil
	}
	isJSON := mediaType == jsonType || strings.HasSuffix(mediaType, "+json")
	k.parse(path+".body", template, b, s)
	if isJSON {
		b.encode()
		k.checkJSON(path+".body", b)
	}
	return b
}

func notPrintable(r rune) bool { return r < 0x20 || r > 0x7e }

// parse cuts a template into segments.
func (k *compiler) parse(path, template string, b *body, s scope) {
	const open = "{weir."
	for {
		before, rest, found := strings.Cut(template, open)
		k.bare(path, before)
		if before != "" {
			b.segments = append(b.segments, segment{literal: before})
		}
		if !found {
			return
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || strings.ContainsAny(name, "{\" \t\r\n") {
			k.fail(path, "%q has no closing brace", open+core.Clip(untilSpace(rest)))
			return
		}
		template = after
		p, err := parsePlaceholder("weir." + name)
		if err == nil {
			err = k.allowed(&p, s)
		}
		if err != nil {
			k.fail(path, "%w", err)
		}
		if p.limit != "" && !slices.Contains(b.limits, p.limit) {
			b.limits = append(b.limits, p.limit)
		}
		b.segments = append(b.segments, segment{place: p})
	}
}

// bareForm is what a placeholder looks like that lacks its prefix, or has another
// spelling.
var bareForm = regexp.MustCompile(`\{\s*(?i:weir\.)?([\w.-]+)\s*\}`)

// bare refuses literal text that was meant for a placeholder, and would reach
// clients as it stands.
func (k *compiler) bare(path, literal string) {
	for _, m := range bareForm.FindAllStringSubmatch(literal, -1) {
		meant := strings.ToLower(m[1])
		if _, err := parsePlaceholder("weir." + meant); err == nil {
			k.fail(path, "%s would be sent as it stands; did you mean \"{weir.%s}\"?", core.Clip(m[0]), core.Clip(meant))
		}
	}
}

// untilSpace returns what of s comes before a space or quote.
func untilSpace(s string) string {
	if i := strings.IndexAny(s, "{\" \t\r\n"); i >= 0 {
		return s[:i]
	}
	return s
}

// allowed reports why a template of that scope cannot have the placeholder.
func (k *compiler) allowed(p *placeholder, s scope) error {
	switch {
	case p.limit != "":
		if s == fallbackScope {
			return fmt.Errorf("{weir.limits.%s.%s}: without a subject no limit has a state", core.Clip(p.limit), words[p.what])
		}
		if names := k.limitNames(true); !slices.Contains(names, p.limit) {
			return fmt.Errorf("%q is no limit of this policy%s", core.Clip(p.limit), core.DidYouMean(p.limit, names))
		}
	case p.what > whatLimit:
		return nil
	case s == fallbackScope:
		return fmt.Errorf("{weir.%s}: no limit refuses here", words[p.what])
	case s == usageScope:
		return fmt.Errorf("{weir.%s}: say of which limit: {weir.limits.NAME.%s}", words[p.what], words[min(p.what, whatWindow)])
	}
	return nil
}

// encode finds out which placeholders stand inside JSON strings.
func (b *body) encode() {
	inString := false
	for i := range b.segments {
		s := &b.segments[i]
		if s.literal != "" {
			inString = endsInString(s.literal, inString)
			continue
		}
		s.as = asJSON
		if inString {
			s.as = asString
		}
	}
}

// endsInString reports whether a JSON text is inside a string after s, given
// whether it was before.
func endsInString(s string, inString bool) bool {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			inString = !inString
		case s[i] == '\\' && inString:
			i++
		}
	}
	return inString
}

// notMeant says what to do about a body that was not meant to be JSON, if it
// begins unlike any.
func notMeant(b *body) string {
	if len(b.segments) == 0 || b.contentType != jsonType {
		return ""
	}
	if first := b.segments[0].literal; first == "" || strings.ContainsAny(first[:1], "{[\"") {
		return ""
	}
	return "; a body of another sort needs a type, such as text/plain"
}

// checkJSON checks that the template is JSON whatever its placeholders become:
// null can stand only where any value can, and a tilde in a string only where
// any text can, not in the middle of an escape.
func (k *compiler) checkJSON(path string, b *body) {
	var sample strings.Builder
	for i := range b.segments {
		switch s := &b.segments[i]; {
		case s.literal != "":
			sample.WriteString(s.literal)
		case s.as == asString:
			sample.WriteByte('~')
		default:
			sample.WriteString("null")
		}
	}
	var v any
	if err := json.Unmarshal([]byte(sample.String()), &v); err != nil {
		k.fail(path, "is no JSON once its placeholders are filled in: %w%s", err, notMeant(b))
	}
}
