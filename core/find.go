package core

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxCredential in bytes: what is longer is no credential, and not even hashed.
	maxCredential = 16 << 10
	// maxPairs is how many parameters or cookies every origin in wide use reads. PHP
	// and Express leave out what comes behind a thousand; Go leaves out all of more
	// than 10,000 parameters or 3,000 cookies.
	maxPairs = 1000
)

// A find is what a query or the Cookie headers hold of a name.
type find struct {
	value    string // of the first one
	n        int
	doubtful bool // origins read it in several ways, or not at all
}

// add notes one more value.
func (f *find) add(value string, doubtful bool) {
	if f.n == 0 {
		f.value = value
	}
	f.n++
	f.doubtful = f.doubtful || doubtful
}

// several reports whether nobody knows what the origin takes.
func (f *find) several() bool { return f.n > 1 || f.n == 1 && f.doubtful }

// alike reports whether an origin may take the character for the name's: PHP writes
// some of them as _.
func alike(c, name byte) bool {
	return c == name || name == '_' && (c == '.' || c == ' ' || c == '+' || c == '[')
}

// trimmed returns s without what some origin takes for white space around it: that
// of Unicode, of Latin-1, U+FEFF (ECMAScript), and controls (Java, PHP).
func trimmed(s string) string {
	if s != "" && visible(s[0]) && visible(s[len(s)-1]) {
		return s
	}
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		if !blank(r, s[0]) {
			break
		}
		s = s[size:]
	}
	for s != "" {
		r, size := utf8.DecodeLastRuneInString(s)
		if !blank(r, s[len(s)-1]) {
			break
		}
		s = s[:len(s)-size]
	}
	return s
}

// visible reports whether c is a visible character of ASCII.
func visible(c byte) bool { return c > ' ' && c < 0x7f }

// firstBlank returns where the first rune is that trimmed takes for white space, or −1.
func firstBlank(s string) int {
	for i, r := range s {
		if blank(r, s[i]) {
			return i
		}
	}
	return -1
}

// blank reports whether a rune is white space for trimmed; b is its byte where it
// is no UTF-8.
func blank(r rune, b byte) bool {
	if r == utf8.RuneError {
		return b == 0xa0 || b == 0x85
	}
	return r <= ' ' || r > '~' && (r == 0x7f || r == 0xfeff || unicode.IsSpace(r))
}

// ListOf returns the members of a header's values, which are lists or none. Proxies make
// one list of several values.
func ListOf(lines []string) (values []string) {
	for _, line := range lines {
		values = append(values, strings.Split(line, ",")...)
	}
	return values
}
