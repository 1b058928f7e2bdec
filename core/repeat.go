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
		if unescaped(key) == name {
			n++
		}
	}
	return n > 1
}

// Parameters returns the values that some origin may take for that of the query
// parameter: parted by ampersands alone, and by semicolons too. What cannot be
// decoded is as it came.
func Parameters(query, name string) (values []string) {
	for _, separators := range []string{"&", "&;"} {
		for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
			key, value, _ := strings.Cut(pair, "=")
			if unescaped(key) == name {
				values = append(values, unescaped(value))
			}
		}
	}
	return values
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
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			if key, value, _ := strings.Cut(pair, "="); strings.TrimSpace(key) == name {
				values = append(values, strings.Trim(strings.TrimSpace(value), `"`))
			}
		}
	}
	return values
}

// ListOf returns the members of a header's values, which are lists or none.
func ListOf(lines []string) (values []string) {
	for _, line := range lines {
		values = append(values, strings.Split(line, ",")...)
	}
	return values
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
