package core

import (
	"iter"
	"net/url"
	"strings"
)

// maxCredential in bytes: what is longer is no credential, and not even hashed.
const maxCredential = 16 << 10

// RepeatsParameter reports whether a raw query has several parameters of the
// name. Pairs that Go's parser leaves out count, and a semicolon parts them as an
// ampersand does: some origins take it so.
func RepeatsParameter(query, name string) bool { return several(parameters(query, "&;", name)) }

// Parameters returns the values that some origin may take for that of the query
// parameter: parted by ampersands alone, and by semicolons too. What cannot be
// decoded is as it came.
func Parameters(query, name string) (values []string) {
	for _, separators := range []string{"&", "&;"} {
		for value := range parameters(query, separators, name) {
			values = append(values, unescaped(value))
		}
	}
	return values
}

// parameters yields the values, as they came, of the parameter in a raw query that
// any of the separators parts.
func parameters(query, separators, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
			key, value, _ := strings.Cut(pair, "=")
			if unescaped(key) == name && !yield(value) {
				return
			}
		}
	}
}

// unescaped decodes a part of a query, if it can be decoded.
func unescaped(s string) string {
	if decoded, err := url.QueryUnescape(s); err == nil {
		return decoded
	}
	return s
}

// Cookies returns the values of all cookies of the name, without quotes.
func Cookies(lines []string, name string) (values []string) {
	for value := range cookies(lines, name) {
		values = append(values, strings.Trim(strings.TrimSpace(value), `"`))
	}
	return values
}

// cookies yields the values, as they came, of the cookies of the name.
func cookies(lines []string, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range lines {
			for pair := range strings.SplitSeq(line, ";") {
				if key, value, _ := strings.Cut(pair, "="); strings.TrimSpace(key) == name && !yield(value) {
					return
				}
			}
		}
	}
}

// ListOf returns the members of a header's values, which are lists or none.
func ListOf(lines []string) (values []string) {
	for _, line := range lines {
		values = append(values, strings.Split(line, ",")...)
	}
	return values
}

// RepeatsCookie reports whether Cookie headers have several cookies of the name.
func RepeatsCookie(lines []string, name string) bool { return several(cookies(lines, name)) }

// several reports whether all has more than one value.
func several(all iter.Seq[string]) bool {
	n := 0
	for range all {
		n++
	}
	return n > 1
}
