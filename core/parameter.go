package core

import (
	"iter"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Parameter returns the first value of the parameter in a raw query.
func Parameter(query, name string) (string, bool) {
	f := findParameter(query, name)
	return unescaped(f.value), f.n > 0
}

// RepeatsParameter reports whether nobody knows what the origin takes for the
// parameter of a raw query: where it stands there several times, and where origins
// differ. Some part parameters by semicolons, too, or leave out a pair that holds one
// or a wrong escape, or all behind a number of them, or a # and what follows; some
// take name[], [name] and %20name for name, and what comes before a ]= for all of it.
func RepeatsParameter(query, name string) bool {
	f := findParameter(query, name)
	return f.several()
}

// Parameters returns the values that some origin may take for that of the query
// parameter: parted by ampersands alone, and by semicolons too. What cannot be
// decoded is as it came, and what is beside that is decoded.
func Parameters(query, name string) (values []string) {
	for _, separators := range []string{"&", "&;"} {
		for value := range parameters(query, separators, name) {
			values = append(values, looselyDecoded(value, true))
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
			if exact, loose := parameterNamed(key, name); (exact || loose) && !yield(value) {
				return
			}
		}
	}
}

// findParameter looks for the parameter in a raw query. Its value is as it came.
func findParameter(query, name string) (f find) {
	before := byte('&')
	for pairs := 1; query != ""; pairs++ {
		end := 0
		for end < len(query) && query[end] != '&' && query[end] != ';' && query[end] != '#' {
			end++
		}
		pair, after := query[:end], byte('&')
		if query = query[end:]; query != "" {
			after, query = query[0], query[1:]
		}
		key, value, _ := strings.Cut(pair, "=")
		if exact, loose := parameterNamed(key, name); exact || loose {
			f.add(value, loose || before == ';' || after == ';' || !escapes(value) || closesBracket(value))
		}
		f.doubtful = f.doubtful || after == '#' || pairs > maxPairs
		before = after
	}
	return f
}

// parameterNamed reports whether all origins, or only some, take a raw key for the
// name.
func parameterNamed(key, name string) (exact, loose bool) {
	if key == name {
		return true, false
	}
	if len(key) < len(name) {
		return false, false
	}
	if key = unescaped(key); key == name {
		return true, false
	}
	key, _, _ = strings.Cut(looselyDecoded(key, true), "\x00")
	if key = strings.TrimLeft(trimmed(key), "[]"); len(key) < len(name) {
		return false, false
	}
	for i := range len(name) {
		if !alike(key[i], name[i]) {
			return false, false
		}
	}
	return false, len(key) == len(name) || key[len(name)] == '[' || key[len(name)] == ']'
}

// closesBracket reports whether s has a ]=, where qs (Express) parts a name, which may
// have brackets, from its value.
func closesBracket(s string) bool {
	for i := strings.IndexByte(s, '='); i >= 0; {
		if before := s[:i]; strings.HasSuffix(before, "]") || len(before) > 2 && strings.EqualFold(before[len(before)-3:], "%5d") {
			return true
		}
		next := strings.IndexByte(s[i+1:], '=')
		if next < 0 {
			return false
		}
		i += 1 + next
	}
	return false
}

// unescaped decodes a part of a query, if it can be decoded.
func unescaped(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	if decoded, err := url.QueryUnescape(s); err == nil {
		return decoded
	}
	return s
}

// looselyDecoded decodes those escapes that are right, as PHP and Node.js do, and those
// of UTF-16 (%u0041, ASP.NET); a plus becomes a space where that is asked for.
func looselyDecoded(s string, plus bool) string {
	if strings.IndexByte(s, '%') < 0 && (!plus || strings.IndexByte(s, '+') < 0) {
		return s
	}
	return string(appendDecoded(make([]byte, 0, len(s)), s, plus))
}

// appendDecoded appends to b what looselyDecoded returns of s.
func appendDecoded(b []byte, s string, plus bool) []byte {
	for s != "" {
		if wide, ok := wideEscaped(s); ok {
			b, s = utf8.AppendRune(b, wide), s[6:]
			continue
		}
		c, ok := escaped(s)
		switch {
		case ok:
			s = s[2:]
		case plus && s[0] == '+':
			c = ' '
		default:
			c = s[0]
		}
		b, s = append(b, c), s[1:]
	}
	return b
}

// wideEscaped returns the character whose escape s begins with.
func wideEscaped(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '%' || s[1]|0x20 != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(n), err == nil
}

// escapes reports whether each % in s is followed by two hexadecimal digits.
func escapes(s string) bool {
	for {
		i := strings.IndexByte(s, '%')
		if i < 0 {
			return true
		}
		if _, ok := escaped(s[i:]); !ok {
			return false
		}
		s = s[i+3:]
	}
}

// escaped returns the byte whose escape s, which is not empty, begins with.
func escaped(s string) (byte, bool) {
	if s[0] != '%' || len(s) < 3 {
		return 0, false
	}
	hi, lo := hexDigit(s[1]), hexDigit(s[2])
	return hi<<4 | lo, hi < 16 && lo < 16
}

// hexDigit returns the value of a hexadecimal digit, 255 of another character.
func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}
