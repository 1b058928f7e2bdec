package core

import (
	"net/url"
	"strings"
)

// maxCredential in bytes: what is longer is no credential, and not even hashed.
const maxCredential = 16 << 10

// RepeatsParameter reports whether a raw query has several parameters of the
// name. Pairs that Go's parser leaves out count, and a semicolon parts them as an
// ampersand does: some origins take it so.
func RepeatsParameter(query, name string) bool {
	n := 0
	for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		key, _, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(key); err == nil {
			key = decoded
		}
		if key == name {
			n++
		}
	}
	return n > 1
}

// RepeatsCookie reports whether Cookie headers have several cookies of the name.
func RepeatsCookie(lines []string, name string) bool {
	n := 0
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			if key, _, _ := strings.Cut(pair, "="); strings.TrimSpace(key) == name {
				n++
			}
		}
	}
	return n > 1
}
