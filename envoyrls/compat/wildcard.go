package compat

import "strings"

// A pattern is a text with wildcards: each `*` stands for any text, also none.
type pattern []string // what is between the wildcards

// newPattern returns the pattern that text is.
func newPattern(text string) pattern { return strings.Split(text, "*") }

// matches reports whether text is one that the pattern stands for.
func (p pattern) matches(text string) bool {
	first, rest := p[0], p[1:]
	text, ok := strings.CutPrefix(text, first)
	if !ok || len(rest) == 0 {
		return ok && text == ""
	}
	last, middle := rest[len(rest)-1], rest[:len(rest)-1]
	if text, ok = strings.CutSuffix(text, last); !ok {
		return false
	}
	for _, part := range middle {
		if _, text, ok = strings.Cut(text, part); !ok {
			return false
		}
	}
	return true
}
