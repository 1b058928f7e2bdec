package core

import "strings"

// Clip shortens what a message repeats of its input.
func Clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// OneLine returns a message without line breaks, for a message is a line.
func OneLine(message string) string { return lineBreaks.Replace(message) }

var lineBreaks = strings.NewReplacer("\n", `\n`, "\r", `\r`)

// ValidAttributeName reports whether an attribute of a subject can be named s:
// up to 64 letters, digits, _ and -.
func ValidAttributeName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && c != '_' && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// IsToken reports whether s is a token, such as the name of a header field: RFC
// 9110, section 5.6.2.
func IsToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// hasControls reports whether s has control characters, a CR or LF among them.
func hasControls(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f {
			return true
		}
	}
	return false
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
