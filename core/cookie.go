package core

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Cookie returns the first value of the cookie in Cookie headers, without quotes and
// not decoded.
func Cookie(lines []string, name string) (string, bool) {
	f := findCookie(lines, name)
	value, _ := cookieValue(f.value)
	return value, f.n > 0
}

// RepeatsCookie reports whether nobody knows what the origin takes for the cookie:
// where Cookie headers have it several times, and where origins differ. Some part
// cookies by commas and white space, too, or take a semicolon within quotes for a part
// of the value; some decode, cut or leave out a value that holds other than cookie-
// octets (RFC 6265, section 4.1.1), or wrong escapes; some read JSON behind j:; some
// leave out all behind a number of them.
func RepeatsCookie(lines []string, name string) bool {
	f := findCookie(lines, name)
	return f.several()
}

// Cookies returns what some origin may take for the cookie: its values without
// quotes, as they came and decoded, and what is JSON behind j: (Express).
func Cookies(lines []string, name string) (values []string) {
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			for value, _, at := nextCookie(pair, name, 0); at > 0; value, _, at = nextCookie(pair, name, at) {
				if start := len(pair) - len(value); start > 0 {
					if _, _, next := nextCookie(pair, name, start); next > 0 {
						value = pair[start : next-1] // or each would hold all that follow
					}
				}
				value = strings.Trim(trimmed(value), `"`)
				values = append(values, value)
				decoded := looselyDecoded(value, false)
				if decoded != value {
					values = append(values, decoded)
				}
				if text, ok := strings.CutPrefix(decoded, "j:"); ok {
					values = append(values, jsonText(text))
				}
				if strings.Contains(value, `\`) {
					values = append(values, unslashed(value))
				}
			}
		}
	}
	return values
}

// CookieDecoded returns a cookie's value as Express, PHP and Rack read it, which
// percent-decode it. What cannot be decoded is as it came.
func CookieDecoded(value string) string {
	if strings.IndexByte(value, '%') < 0 {
		return value
	}
	if decoded, err := url.PathUnescape(value); err == nil {
		return decoded
	}
	return value
}

// unslashed decodes \" and \141, as Python does.
func unslashed(s string) string {
	var b strings.Builder
	for ; s != ""; s = s[1:] {
		if s[0] == '\\' && len(s) > 1 {
			s = s[1:]
			if len(s) >= 3 && octal(s[0]) && octal(s[1]) && octal(s[2]) {
				b.WriteByte((s[0]-'0')<<6 | (s[1]-'0')<<3 | (s[2] - '0'))
				s = s[2:]
				continue
			}
		}
		b.WriteByte(s[0])
	}
	return b.String()
}

func octal(c byte) bool { return c >= '0' && c <= '7' }

// findCookie looks for the cookie in Cookie headers. Its value is as it came.
func findCookie(lines []string, name string) (f find) {
	pairs := 0
	for _, line := range lines {
		open := false // within quotes that an earlier pair opened
		for more := true; more; pairs++ {
			var pair string
			pair, line, more = strings.Cut(line, ";")
			for value, clear, at := nextCookie(pair, name, 0); at > 0; value, clear, at = nextCookie(pair, name, at) {
				text, octets := cookieValue(value)
				if f.add(value, open || !clear || !octets || !decodesAlike(text)); f.several() {
					return f
				}
			}
			open = open || opensQuotes(pair)
		}
	}
	f.doubtful = f.doubtful || pairs > maxPairs
	return f
}

// decodesAlike reports whether all origins that decode a cookie's value read a text in
// it, and the same.
func decodesAlike(value string) bool {
	const json = "j:"
	if strings.IndexByte(value, '%') < 0 {
		return !strings.HasPrefix(value, json)
	}
	var buf [128]byte
	decoded := appendDecoded(buf[:0], value, false)
	return escapes(value) && utf8.Valid(decoded) && !bytes.HasPrefix(decoded, []byte(json))
}

// jsonText returns the text that s is in JSON, in any number of brackets.
func jsonText(s string) (text string) {
	s = strings.Trim(s, "[] \t\r\n")
	if json.Unmarshal([]byte(s), &text) == nil {
		return text
	}
	return s
}

// opensQuotes reports whether a pair's value begins with a quote, and does not end
// within the pair. A quote behind a backslash is a part of the value.
func opensQuotes(pair string) (open bool) {
	i := strings.IndexByte(pair, '"')
	if i < 0 || !strings.HasSuffix(strings.TrimRight(pair[:i], " \t"), "=") {
		return false
	}
	for ; i < len(pair); i++ {
		switch pair[i] {
		case '"':
			open = !open
		case '\\':
			i++
		}
	}
	return open
}

// nextCookie finds the next cookie of the name, from the index at on, that some origin
// may find in what stands between two semicolons. It returns its value as it came, to
// the end, whether all origins find it, and the index behind that where it begins; none
// is left where that is 0. A word within another cookie's value is none without a value.
func nextCookie(pair, name string, at int) (value string, clear bool, next int) {
	first := -1
	if at == 0 {
		first = len(pair) - len(strings.TrimLeft(pair, " \t"))
		at = first
	}
	for i := at; i < len(pair); i++ {
		if pair[i] != name[0] && pair[i] != '%' && !alike(pair[i], name[0]) || divides(pair[i]) || i > 0 && !divides(pair[i-1]) {
			continue
		}
		if value, exact, ok := cookieNamed(pair[i:], name); ok && (i == first || value != "") {
			return value, exact && i == first, i + 1
		}
	}
	return "", false, 0
}

// divides reports whether some origin parts cookies at the character, or trims it off.
func divides(c byte) bool { return !visible(c) || c == ',' }

// cookieNamed reads a cookie of the name at the beginning of s. exact says that all
// origins take it for that.
func cookieNamed(s, name string) (value string, exact, ok bool) {
	exact = true
	for i := range len(name) {
		switch {
		case s == "":
			return "", false, false
		case s[0] == name[i]:
			s = s[1:]
			continue
		}
		exact = false
		if c, ok := escaped(s); ok && alike(c, name[i]) {
			s = s[3:]
		} else if alike(s[0], name[i]) {
			s = s[1:]
		} else {
			return "", false, false
		}
	}
	if strings.HasPrefix(s, "[") { // name[] and name[a] are PHP's lists
		exact = false
		s = s[strings.IndexByte(s[:min(len(s), 256)], ']')+1:]
	}
	for s != "" && s[0] != ',' && divides(s[0]) {
		exact = exact && (s[0] == ' ' || s[0] == '\t')
		s = s[1:]
	}
	switch {
	case s == "":
		return "", exact, true
	case s[0] == '=':
		return s[1:], exact, true
	}
	return "", false, s[0] == ','
}

// cookieValue returns a value without white space and quotes around it, and whether
// all of it are cookie-octets.
func cookieValue(s string) (value string, octets bool) {
	s = strings.Trim(s, " \t")
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	for i := range len(s) {
		if c := s[i]; !visible(c) || c == '"' || c == ',' || c == '\\' {
			return strings.Trim(s, `"`), false
		}
	}
	return s, true
}
