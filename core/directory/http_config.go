package directory

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/weirhq/weir/core"
)

// HTTPConfig is a directory that is a service. A lookup is a GET request of URL
// with the credential in a header; it is never put into a URL, which proxies
// log. The service answers 200 and a JSON object such as
//
//	{"id": "org_1", "plan": "pro", "credits": 10}
//
// (see [Record]), or 404 for a credential that it does not know. Redirects are
// not followed: they would carry the credential elsewhere.
type HTTPConfig struct {
	// URL of the service.
	URL string `json:"url"`
	// Header that carries the credential; `Authorization` by default.
	Header string `json:"header,omitempty"`
	// Prefix stands before the credential, with a space if it needs one. For
	// the header Authorization it is `Bearer ` by default.
	Prefix string `json:"prefix,omitempty"`
	// Headers are sent with every lookup, such as a token for the service.
	Headers map[string]string `json:"headers,omitempty"`
	// UnknownStatus are the statuses that mean that the credential is unknown;
	// 404 by default. Any other but 200 is a failure of the service.
	UnknownStatus []int `json:"unknown_status,omitempty"`

	// TTL is how long a subject is remembered; 1m by default.
	TTL core.Duration `json:"ttl,omitempty"`
	// NegativeTTL is how long it is remembered that a credential is unknown;
	// 10s by default.
	NegativeTTL core.Duration `json:"negative_ttl,omitempty"`
	// Stale is how much longer than TTL a subject is used while the service
	// fails; 1h by default.
	Stale core.Duration `json:"stale,omitempty"`
	// Timeout of one lookup; 2s by default.
	Timeout core.Duration `json:"timeout,omitempty"`
	// MaxKnown and MaxUnknown bound how many credentials are remembered,
	// 100000 and 10000 by default. They are apart, so that made-up credentials
	// displace none that are known. A known one takes about 300 bytes and its
	// attributes.
	MaxKnown   int `json:"max_known,omitempty"`
	MaxUnknown int `json:"max_unknown,omitempty"`
	// MaxConnections bounds how many lookups are under way; 64 by default.
	// Others wait, within their Timeout.
	MaxConnections int `json:"max_connections,omitempty"`
}

const (
	defaultTTL         = core.Duration(time.Minute)
	defaultNegativeTTL = core.Duration(10 * time.Second)
	defaultStale       = core.Duration(time.Hour)
	defaultTimeout     = core.Duration(2 * time.Second)

	defaultMaxKnown       = 100_000
	defaultMaxUnknown     = 10_000
	defaultMaxConnections = 64
	maxEntries            = 100_000_000
)

// withDefaults returns the configuration with nothing left out, or its mistakes
// as core.ConfigErrors with paths relative to it.
func (c HTTPConfig) withDefaults() (HTTPConfig, error) {
	var errs []error
	fail := func(path, format string, args ...any) {
		errs = append(errs, &core.ConfigError{Path: path, Err: fmt.Errorf(format, args...)})
	}
	if err := checkURL(c.URL); err != nil {
		fail("url", "%w", err)
	}
	if c.Header == "" || strings.EqualFold(c.Header, "Authorization") {
		c.Header = "Authorization"
		if c.Prefix == "" {
			c.Prefix = "Bearer "
		}
	}
	if !isToken(c.Header) {
		fail("header", "is no name of a header field")
	}
	if !sendable(c.Prefix) {
		fail("prefix", "cannot be sent in a header")
	}
	for name, v := range c.Headers {
		if !isToken(name) || !sendable(v) || strings.EqualFold(name, c.Header) {
			fail("headers", "a name or value cannot be sent, or is that of the credential's header")
		}
	}
	if len(c.UnknownStatus) == 0 {
		c.UnknownStatus = []int{http.StatusNotFound}
	}
	if slices.ContainsFunc(c.UnknownStatus, func(s int) bool { return s < 400 || s > 499 }) {
		fail("unknown_status", "a status from 400 to 499 says that a credential is unknown")
	}
	for _, d := range []struct {
		path   string
		value  *core.Duration
		normal core.Duration
	}{
		{"ttl", &c.TTL, defaultTTL},
		{"negative_ttl", &c.NegativeTTL, defaultNegativeTTL},
		{"stale", &c.Stale, defaultStale},
		{"timeout", &c.Timeout, defaultTimeout},
	} {
		if *d.value == 0 {
			*d.value = d.normal
		}
		if *d.value < 0 {
			fail(d.path, "%s is below 0", *d.value)
		}
	}
	for _, n := range []struct {
		path   string
		value  *int
		normal int
	}{
		{"max_known", &c.MaxKnown, defaultMaxKnown},
		{"max_unknown", &c.MaxUnknown, defaultMaxUnknown},
		{"max_connections", &c.MaxConnections, defaultMaxConnections},
	} {
		if *n.value == 0 {
			*n.value = n.normal
		}
		if *n.value < 1 || *n.value > maxEntries {
			fail(n.path, "must be from 1 to %d", maxEntries)
		}
	}
	return c, errors.Join(errs...)
}

// checkURL reports what is wrong with a service's URL, without repeating it.
func checkURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case s == "":
		return errors.New("an http directory needs the url of its service")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("expected http://HOST/… or https://HOST/…")
	case u.User != nil:
		return errors.New("a password in a URL gets logged; send it in `headers`")
	case strings.ContainsAny(s, "{}"):
		return errors.New("a credential has no place in a URL; it is sent in `header`")
	}
	return nil
}

// sendable reports whether s can be, or be part of, the value of a header field:
// RFC 9110, section 5.5, without obs-text.
func sendable(s string) bool {
	for i := range len(s) {
		if s[i] != '\t' && (s[i] < 0x20 || s[i] > 0x7e) {
			return false
		}
	}
	return true
}

// isToken reports whether s is a token: RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}
