package core

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"
)

// bearerToken takes the token out of an Authorization header's value. Credentials of
// another scheme that no origin takes for one hold none. Of anything else that is no
// token behind the word Bearer and white space, some origins take a part for one: clear
// is false. So it is where Rails finds parameters, of which it takes the first.
func bearerToken(v string) (token string, clear bool) {
	const scheme = "bearer"
	v = trimmed(v)
	switch {
	case len(v) > len(scheme) && strings.EqualFold(v[:len(scheme)], scheme):
		token = strings.TrimLeft(v[len(scheme):], " \t")
		clear = token != v[len(scheme):] && isVisible(token)
		return token, clear && !strings.ContainsAny(token, `,;"`) && !strings.HasPrefix(token, "token=")
	case v == "" || strings.EqualFold(v, scheme):
		return "", true
	}
	return "", otherScheme(v)
}

// isVisible reports whether s holds visible ASCII characters only.
func isVisible(s string) bool {
	for i := range len(s) {
		if !visible(s[i]) {
			return false
		}
	}
	return true
}

// otherScheme reports whether an Authorization header's value holds credentials of a
// scheme in wide use that no origin takes for a bearer's, though it may take for that
// whatever stands behind the first word, or the first seven characters, or is the last
// word.
func otherScheme(v string) bool {
	scheme, text, _ := strings.Cut(trimmed(v), " ")
	text = strings.TrimLeft(text, " ")
	is := func(name string) bool { return strings.EqualFold(scheme, name) }
	switch {
	case is("Basic"):
		return isNameAndPassword(text)
	case is("Negotiate"), is("NTLM"):
		return isTicket(text)
	case is("Digest"), is("Hawk"), is("OAuth"), is("Signature"), strings.HasPrefix(scheme, "AWS4-"), strings.Contains(scheme, "-HMAC-"):
		return areParameters(text)
	}
	return false
}

// isNameAndPassword reports whether s are Basic credentials: RFC 7617, section 2. Others
// with a colon may be a key that is base64, too.
func isNameAndPassword(s string) bool {
	decoded, err := base64.StdEncoding.DecodeString(s)
	return err == nil && bytes.IndexByte(decoded, ':') >= 0 && utf8.Valid(decoded) && !hasControls(string(decoded))
}

// tickets are the marks of NTLM and the object identifiers of SPNEGO and Kerberos.
var tickets = []string{"NTLMSSP\x00", "\x06\x06\x2b\x06\x01\x05\x05\x02", "\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"}

// isTicket reports whether s is a token of NTLM, SPNEGO (RFC 4559, section 4) or
// Kerberos alone.
func isTicket(s string) bool {
	decoded, err := base64.StdEncoding.DecodeString(s)
	return err == nil && slices.ContainsFunc(tickets, func(mark string) bool { return bytes.Contains(decoded, []byte(mark)) })
}

// areParameters reports whether s are two or more auth-params (RFC 9110, section 11.2),
// none of them a word that may be a key, or in which is the word Bearer and something
// behind it that goes on as no word and no path does.
func areParameters(s string) bool {
	const scheme = "bearer"
	for i := range len(s) - min(len(s), len(scheme)) {
		if c := s[i+len(scheme)]; strings.EqualFold(s[i:i+len(scheme)], scheme) && !IsToken(string(c)) && strings.IndexByte(`/?"`, c) < 0 {
			return false
		}
	}
	for n := 1; ; n++ {
		name, value, _ := strings.Cut(strings.TrimLeft(s, " "), "=")
		end := parameterEnd(value)
		if end == 0 || !IsToken(name) {
			return false
		}
		s = strings.TrimLeft(value[end:], " ")
		if s == "" {
			return n > 1
		}
		if s[0] != ',' {
			return false
		}
		s = s[1:]
	}
}

// parameterEnd returns the length of the text in quotes, or of the word, that s begins
// with, and 0 where there is none.
func parameterEnd(s string) int {
	if !strings.HasPrefix(s, `"`) {
		n := 0
		for n < len(s) && visible(s[n]) && s[n] != ',' && s[n] != '"' && (n > 0 || s[n] != '=') {
			n++
		}
		return n
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return 0
}
