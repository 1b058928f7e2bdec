package contract

import (
	"strconv"
	"unicode/utf8"

	"github.com/weirhq/weir/core"
)

// A valueKind is how a value is written as JSON.
type valueKind uint8

const (
	none      valueKind = iota // null; no text
	number                     // its text
	text                       // a string
	unlimited                  // null; the word unlimited
	raw                        // JSON already
)

// A value is what a placeholder stands for.
type value struct {
	kind     valueKind
	n, scale int64  // of a number, unless text is set
	text     string // of a text; of a number as it is written
}

// amount returns the value of n/scale.
func amount(n, scale int64) value {
	if n == core.Unlimited {
		return value{kind: unlimited}
	}
	return value{kind: number, n: n, scale: scale}
}

// moment returns the value of the moment that is wait µs after now, as reset
// gave it for c.
func moment(f form, c *core.Charge, now, wait int64) value {
	switch f {
	case iso:
		return value{kind: text, text: string(f.append(nil, c, now, wait))}
	case delta:
		return amount(seconds(c, wait), 1)
	default:
		return amount(ceil(now+wait, second), 1)
	}
}

// ofAttribute returns the value of a subject's attribute.
func ofAttribute(v core.Value) value {
	switch s := v.String(); {
	case v.IsZero():
		return value{}
	case v.IsText():
		return value{kind: text, text: s}
	case s == "unlimited":
		return value{kind: unlimited}
	default:
		return value{kind: number, text: s}
	}
}

// appendText writes the value as plain text: nothing where there is none.
func (v *value) appendText(b []byte) []byte {
	switch {
	case v.kind == unlimited:
		return append(b, "unlimited"...)
	case v.kind == number && v.text == "":
		return appendAmount(b, v.n, v.scale)
	default:
		return append(b, v.text...)
	}
}

// appendJSON writes the value as a JSON value.
func (v *value) appendJSON(b []byte) []byte {
	switch v.kind {
	case none, unlimited:
		return append(b, "null"...)
	case text:
		return appendQuoted(b, v.text)
	default:
		return v.appendText(b)
	}
}

// appendString writes the value as a part of a JSON string.
func (v *value) appendString(b []byte) []byte {
	if v.kind == text {
		return appendEscaped(b, v.text)
	}
	return v.appendText(b)
}

// appendQuoted writes s as a JSON string.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	b = appendEscaped(b, s)
	return append(b, '"')
}

// appendEscaped writes s as the inside of a JSON string: RFC 8259, section 7.
// What is not UTF-8 becomes U+FFFD.
func appendEscaped(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < 0x20 || r == 0x7f:
			b = append(b, `\u00`...)
			b = append(b, "0123456789abcdef"[r>>4])
			b = strconv.AppendInt(b, int64(r&15), 16)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}
