package envoyrls

import (
	"net"
	"net/url"
	"strings"

	limit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"

	"github.com/weirhq/weir/core"
)

// A source yields the facts of a descriptor. Of entries with the same key the
// first counts.
type source struct {
	entries []*limit.RateLimitDescriptor_Entry
}

// entry returns the value of the first entry with one of the keys; earlier keys
// come first.
func (s *source) entry(keys ...string) (string, bool) {
	for _, key := range keys {
		for _, e := range s.entries {
			if e.GetKey() == key {
				return e.GetValue(), true
			}
		}
	}
	return "", false
}

// field returns the value of the entry whose key is "header." and, in any case,
// name.
func (s *source) field(name string) (string, bool) {
	for _, e := range s.entries {
		rest, ok := strings.CutPrefix(e.GetKey(), "header.")
		if ok && len(rest) == len(name) && strings.EqualFold(rest, name) {
			return e.GetValue(), true
		}
	}
	return "", false
}

// Attribute implements core.Source.
func (s *source) Attribute(a *core.Ref) (string, bool) {
	switch a.Kind {
	case core.RefHost:
		return s.host()
	case core.RefClientIP:
		return s.clientIP()
	case core.RefHeader:
		return s.header(a.Name)
	case core.RefQuery:
		return s.parameter(a.Name)
	case core.RefCookie:
		return s.cookie(a.Name)
	case core.RefOther:
		return s.entry(a.Name)
	default:
		return "", false
	}
}

// Several implements core.Source. Envoy joins the values of a header with commas.
func (s *source) Several(a *core.Ref) bool {
	switch a.Kind {
	case core.RefHeader:
		v, _ := s.header(a.Name)
		return strings.Contains(v, ",")
	case core.RefQuery:
		return core.RepeatsParameter(s.query(), a.Name)
	case core.RefCookie:
		return core.RepeatsCookie(s.cookies(), a.Name) || s.doubtful("cookie."+a.Name)
	default:
		return false
	}
}

// All implements core.Source: an entry of its own is one value of several, too.
func (s *source) All(a *core.Ref) []string {
	switch a.Kind {
	case core.RefHeader:
		v, _ := s.header(a.Name)
		return core.ListOf([]string{v})
	case core.RefQuery:
		v, _ := s.entry("query." + a.Name)
		return append(core.Parameters(s.query(), a.Name), v)
	case core.RefCookie:
		v, _ := s.entry("cookie." + a.Name)
		return append(core.Cookies(s.cookies(), a.Name), core.Cookies([]string{"v=" + v}, "v")...)
	default:
		return nil
	}
}

// request returns the request that the descriptor is.
func (s *source) request() core.Request {
	return core.Request{Method: s.method(), Path: s.path(), Source: s}
}

// Body implements core.Source: Envoy sends none.
func (*source) Body(int64) ([][]byte, error) { return nil, core.ErrNoBody }

// method returns the request's method.
func (s *source) method() string {
	method, _ := s.entry("method", ":method")
	return method
}

// path returns the request's path as policies match it. Envoy's has the query.
func (s *source) path() string {
	raw, _ := s.entry("path", ":path")
	if i := strings.IndexAny(raw, "?#"); i >= 0 {
		raw = raw[:i]
	}
	if decoded, err := url.PathUnescape(raw); err == nil {
		raw = decoded
	}
	return core.NormalizePath(raw)
}

func (s *source) host() (string, bool) {
	host, ok := s.entry("host", ":authority")
	return core.HostOf(host), ok
}

// clientIP returns the client's address without port and interface.
func (s *source) clientIP() (string, bool) {
	address, ok := s.entry("client_ip", "remote_address")
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	address, _, _ = strings.Cut(address, "%")
	return address, ok
}

func (s *source) header(name string) (string, bool) {
	if v, ok := s.field(name); ok || !strings.EqualFold(name, "Host") {
		return v, ok
	}
	return s.entry("host", ":authority")
}

// parameter returns a query parameter: an entry of its own, or the first of its
// name in the path.
func (s *source) parameter(name string) (string, bool) {
	if v, ok := s.entry("query." + name); ok {
		return v, true
	}
	return core.Parameter(s.query(), name)
}

// query returns the path's query.
func (s *source) query() string {
	raw, _ := s.entry("path", ":path")
	_, query, _ := strings.Cut(raw, "?")
	return query
}

// cookie returns a cookie: an entry of its own, or the first of its name in the
// header.
func (s *source) cookie(name string) (string, bool) {
	if v, ok := s.entry("cookie." + name); ok {
		return v, true
	}
	return core.Cookie(s.cookies(), name)
}

// cookies returns the Cookie header: Envoy makes one of several.
func (s *source) cookies() []string {
	line, ok := s.field("cookie")
	if !ok {
		return nil
	}
	return []string{line}
}

// doubtful reports whether origins read the entry's cookie in several ways.
func (s *source) doubtful(key string) bool {
	v, ok := s.entry(key)
	return ok && core.RepeatsCookie([]string{"v=" + v}, "v")
}

// Interface guards
var _ core.Source = (*source)(nil)
