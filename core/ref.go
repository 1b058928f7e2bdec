package core

import (
	"fmt"
	"slices"
	"strings"
)

// A RefKind says where an attribute of a request comes from.
type RefKind uint8

// The kinds of attribute.
const (
	RefMethod   RefKind = iota + 1 // {method}
	RefPath                        // {path}
	RefHost                        // {host}, without port
	RefClientIP                    // {client_ip}; IPv6 counts by /64
	RefHeader                      // {header.NAME}
	RefQuery                       // {query.NAME}
	RefCookie                      // {cookie.NAME}
	RefJSON                        // {json.PATH} of the body
	RefOther                       // any other placeholder, for the door to resolve
)

// A Ref names an attribute of a request, compiled from its placeholder.
type Ref struct {
	Kind RefKind
	// Name is the header's, query parameter's or cookie's name, the path in
	// the JSON body, or the whole placeholder without braces.
	Name string
	// Text is the canonical placeholder without braces, such as header.X-API-Key.
	Text string

	path []string // of RefJSON
}

var (
	methodRef    = Ref{Kind: RefMethod, Text: "method"}
	pathRef      = Ref{Kind: RefPath, Text: "path"}
	preflightRef = Ref{Kind: RefHeader, Name: "Access-Control-Request-Method", Text: "header.Access-Control-Request-Method"}
)

// prefixes of placeholders, with what Caddy's Caddyfile makes of its shorthands
// in sites, so that a policy means the same wherever it stands.
var refPrefixes = []struct {
	kind  RefKind
	short string
	long  string
}{
	{RefHeader, "header.", "http.request.header."},
	{RefQuery, "query.", "http.request.uri.query."},
	{RefCookie, "cookie.", "http.request.cookie."},
	{RefJSON, "json.", ""},
}

var refNames = []struct {
	kind  RefKind
	short string
	long  string
}{
	{RefMethod, "method", "http.request.method"},
	{RefPath, "path", "http.request.uri.path"},
	{RefHost, "host", "http.request.host"},
	{RefClientIP, "client_ip", "http.vars.client_ip"},
}

// ParseRef reads a placeholder such as {header.X-API-Key}; its canonical form
// is Text in braces.
func ParseRef(s string) (Ref, error) {
	body, opened := strings.CutPrefix(s, "{")
	body, closed := strings.CutSuffix(body, "}")
	if !opened || !closed || body == "" || strings.ContainsAny(body, "{} \t\r\n") {
		return Ref{}, fmt.Errorf("%q is not an attribute such as {header.X-API-Key} or {client_ip}", Clip(s))
	}
	for _, n := range refNames {
		if body == n.short || body == n.long {
			return Ref{Kind: n.kind, Text: n.short}, nil
		}
	}
	for _, p := range refPrefixes {
		name, ok := strings.CutPrefix(body, p.short)
		if !ok && p.long != "" {
			name, ok = strings.CutPrefix(body, p.long)
		}
		if ok && name == "" {
			return Ref{}, fmt.Errorf("%q names no %s", Clip(s), strings.TrimSuffix(p.short, "."))
		}
		if ok && p.kind == RefJSON {
			if err := checkBodyPath(s, name); err != nil {
				return Ref{}, err
			}
			return Ref{Kind: p.kind, Name: name, Text: p.short + name, path: bodyPath(name)}, nil
		}
		if ok {
			return Ref{Kind: p.kind, Name: name, Text: p.short + name}, nil
		}
	}
	switch {
	case strings.HasPrefix(body, "subject."):
		return Ref{}, fmt.Errorf("%q is of the subject, and may stand in a max; expected an attribute of the request, such as {header.X-API-Key} or {client_ip}", Clip(s))
	case strings.HasPrefix(body, "http.request.body"):
		return Ref{}, fmt.Errorf("%q has no bound; what a cost may read of a body is {json.PATH}", Clip(s))
	}
	if meant := mistyped(body); meant != "" {
		return Ref{}, fmt.Errorf("unknown attribute %q; did you mean {%s}?", Clip(s), Clip(meant))
	}
	return Ref{Kind: RefOther, Name: body, Text: body}, nil
}

// plain returns the one spelling, of all that origins read alike, by which a value of
// the reference is counted.
func (r *Ref) plain(v string) string {
	switch r.Kind {
	case RefCookie:
		return trimmed(CookieDecoded(v))
	case RefHeader, RefQuery:
		return trimmed(v)
	default:
		return v
	}
}

// Secret reports whether the attribute may carry a credential, so that it is
// never told to anybody: all may but an address, a host, a method, and who
// Caddy has authenticated.
func (r *Ref) Secret() bool {
	switch r.Kind {
	case RefMethod, RefHost, RefClientIP:
		return false
	case RefOther:
		return !strings.HasPrefix(r.Text, "http.auth.user.") && r.Text != "http.request.remote.host"
	}
	return true
}

// address reports whether the attribute is a client's address, by the proxies or by
// the connection.
func (r *Ref) address() bool {
	return r.Kind == RefClientIP || r.Kind == RefOther && r.Text == "http.request.remote.host"
}

// mistyped returns the placeholder that one which nobody knows was most likely
// meant to be: one letter away from a known one.
func mistyped(body string) string {
	for _, n := range refNames {
		if len(n.short) > 5 && editDistance(body, n.short) == 1 {
			return n.short
		}
	}
	word, name, dotted := strings.Cut(strings.TrimPrefix(body, "http.request."), ".")
	if dotted && word == "body" {
		return "json." + name
	}
	for _, p := range refPrefixes {
		if short := strings.TrimSuffix(p.short, "."); dotted && editDistance(word, short) == 1 {
			return p.short + name
		}
	}
	return ""
}

// checkBodyPath refuses what looks like a path in a body, and would find nothing.
func checkBodyPath(s, name string) error {
	if strings.ContainsAny(name, "[]") || slices.Contains(bodyPath(name), "") {
		return fmt.Errorf("%q: a path has names with dots between them, such as {json.images.length}, and no indexes", Clip(s))
	}
	return nil
}
