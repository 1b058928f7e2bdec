package core

import (
	"path"
	"strings"
)

// NormalizePath returns the form of a decoded URL path that policies match:
// lower case, without doubled slashes and dot segments, a trailing slash kept;
// as Caddy's path matcher has it, so that no spelling is a way around a limit.
// Paths that are in this form already are returned without an allocation.
func NormalizePath(p string) string {
	if normalized(p) {
		return p
	}
	if p == "" {
		return "/"
	}
	p = strings.ToLower(p)
	cleaned := path.Clean(p)
	if cleaned != "/" && strings.HasSuffix(p, "/") {
		cleaned += "/"
	}
	return cleaned
}

// normalized reports whether p surely is in normal form.
func normalized(p string) bool {
	if p == "" || p[0] != '/' {
		return false
	}
	for i := range len(p) {
		switch c := p[i]; {
		case c >= 'A' && c <= 'Z' || c >= 0x80:
			return false
		case i > 0 && p[i-1] == '/' && (c == '/' || c == '.'):
			return false
		}
	}
	return true
}

// matchPath reports whether a normalised path matches a pattern: a `*` inside
// is any part of one segment, at the end anything. Only the last star needs to
// be tried again, for a star cannot cross a slash.
func matchPath(pattern, p string) bool {
	i, j, star, mark := 0, 0, -1, 0
	for j < len(p) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			if i == len(pattern)-1 {
				return true
			}
			star, mark = i, j
			i++
		case i < len(pattern) && pattern[i] == p[j]:
			if p[j] == '/' {
				star = -1
			}
			i++
			j++
		case star >= 0 && p[mark] != '/':
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}
