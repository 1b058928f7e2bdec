package caddymodule

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirhq/weir/core"
)

// A source yields the facts of an HTTP request. It tells of the URL as the
// client sent it, whatever was rewritten since.
type source struct {
	request *http.Request
	body    body
}

// originalURL returns the URL as the client sent it.
func originalURL(r *http.Request) *url.URL {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && original.URL != nil {
		return original.URL
	}
	return r.URL
}

// originalPath returns the decoded path as the client sent it. A target such as
// http:v1/jobs, whose path begins with no slash, goes to the origin as v1/jobs, and
// some origins take that for /v1/jobs.
func originalPath(r *http.Request) string {
	u := originalURL(r)
	if u.Opaque == "" {
		return u.Path
	}
	rootless := u.Opaque
	if decoded, err := url.PathUnescape(rootless); err == nil {
		rootless = decoded
	}
	return "/" + rootless
}

// originalMethod returns the method as the client sent it.
func originalMethod(r *http.Request) string {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && original.Method != "" {
		return original.Method
	}
	return r.Method
}

// Attribute implements core.Source.
func (s *source) Attribute(a *core.Ref) (string, bool) {
	switch a.Kind {
	case core.RefHost:
		return core.HostOf(s.request.Host), true
	case core.RefClientIP:
		return s.clientIP(), true
	case core.RefHeader:
		return header(s.request, a.Name)
	case core.RefQuery:
		return core.Parameter(originalURL(s.request).RawQuery, a.Name)
	case core.RefCookie:
		return core.Cookie(fieldValues(s.request.Header, "Cookie"), a.Name)
	case core.RefOther:
		return s.placeholder(a.Name)
	default:
		return "", false
	}
}

// Several implements core.Source. A header that the client has proxies remove on
// the way (Connection: RFC 9110, section 7.6.1) is one of those of which nobody
// knows whether the origin gets it.
func (s *source) Several(a *core.Ref) bool {
	switch a.Kind {
	case core.RefHeader:
		n := len(fieldValues(s.request.Header, a.Name))
		return n > 1 || n == 1 && s.removable(a.Name)
	case core.RefQuery:
		return core.RepeatsParameter(originalURL(s.request).RawQuery, a.Name)
	case core.RefCookie:
		lines := fieldValues(s.request.Header, "Cookie")
		return len(lines) > 0 && s.removable("Cookie") || core.RepeatsCookie(lines, a.Name)
	default:
		return false
	}
}

// All implements core.Source.
func (s *source) All(a *core.Ref) []string {
	switch a.Kind {
	case core.RefHeader:
		return core.ListOf(fieldValues(s.request.Header, a.Name))
	case core.RefQuery:
		return core.Parameters(originalURL(s.request).RawQuery, a.Name)
	case core.RefCookie:
		return core.Cookies(fieldValues(s.request.Header, "Cookie"), a.Name)
	default:
		return nil
	}
}

// removable reports whether the request's Connection names the header.
func (s *source) removable(name string) bool {
	for _, line := range s.request.Header["Connection"] {
		for option := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(option), name) {
				return true
			}
		}
	}
	return false
}

// Body implements core.Source.
func (s *source) Body(limit int64) ([][]byte, error) {
	return s.body.read(s.request, limit)
}

// clientIP returns the client's address as Caddy's trusted proxies tell it.
func (s *source) clientIP() string {
	address, ok := caddyhttp.GetVar(s.request.Context(), caddyhttp.ClientIPVarKey).(string)
	if !ok {
		address = s.request.RemoteAddr
	}
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	address, _, _ = strings.Cut(address, "%") // an interface is no part of who it is
	return address
}

// header returns the field's values as one, as RFC 9110, section 5.3 has it.
func header(r *http.Request, name string) (string, bool) {
	if strings.EqualFold(name, "Host") {
		return r.Host, true
	}
	switch values := fieldValues(r.Header, name); len(values) {
	case 0:
		return "", false
	case 1:
		return values[0], true
	default:
		return strings.Join(values, ","), true
	}
}

// fieldValues returns the values of the field, whose name may be spelled in any
// case; without an allocation, unlike http.Header.Values.
func fieldValues(h http.Header, name string) []string {
	if values, ok := h[name]; ok {
		return values
	}
	for key, values := range h {
		if len(key) == len(name) && strings.EqualFold(key, name) {
			return values
		}
	}
	return nil
}

// placeholder returns the value of any other of Caddy's placeholders.
func (s *source) placeholder(name string) (string, bool) {
	repl, ok := s.request.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok || strings.HasPrefix(name, "http.request.body") { // which has no bound
		return "", false
	}
	value, ok := repl.Get(name)
	if !ok || value == nil {
		return "", false
	}
	return caddy.ToString(value), true
}

// Interface guards
var _ core.Source = (*source)(nil)
