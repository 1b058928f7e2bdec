package directory

import (
	"cmp"
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
	if c.Header == "" || strings.EqualFold(c.Header, "Authorization") {
		c.Header = "Authorization"
		c.Prefix = cmp.Or(c.Prefix, "Bearer ")
	}
	if len(c.UnknownStatus) == 0 {
		c.UnknownStatus = []int{http.StatusNotFound}
	}
	c.TTL = cmp.Or(c.TTL, defaultTTL)
	c.NegativeTTL = cmp.Or(c.NegativeTTL, defaultNegativeTTL)
	c.Stale = cmp.Or(c.Stale, defaultStale)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	c.MaxKnown = cmp.Or(c.MaxKnown, defaultMaxKnown)
	c.MaxUnknown = cmp.Or(c.MaxUnknown, defaultMaxUnknown)
	c.MaxConnections = cmp.Or(c.MaxConnections, defaultMaxConnections)
	return c, errors.Join(c.checkRequest(), c.checkNumbers())
}

// checkRequest reports what cannot be sent.
func (c *HTTPConfig) checkRequest() error {
	var errs []error
	fail := func(path string, err error) {
		errs = append(errs, &core.ConfigError{Path: path, Err: err})
	}
	if err := checkURL(c.URL); err != nil {
		fail("url", err)
	}
	if !core.IsToken(c.Header) {
		fail("header", errors.New("is no name of a header field"))
	}
	if !sendable(c.Prefix) {
		fail("prefix", errors.New("cannot be sent in a header"))
	}
	for name, v := range c.Headers {
		if !core.IsToken(name) || !sendable(v) || strings.EqualFold(name, c.Header) {
			fail("headers", errors.New("a name or value cannot be sent, or is that of the credential's header"))
		}
	}
	if slices.ContainsFunc(c.UnknownStatus, func(s int) bool { return s < 400 || s > 499 }) {
		fail("unknown_status", errors.New("a status from 400 to 499 says that a credential is unknown"))
	}
	return errors.Join(errs...)
}

// checkNumbers reports durations and counts that are out of range.
func (c *HTTPConfig) checkNumbers() error {
	var errs []error
	for path, d := range map[string]core.Duration{
		"ttl": c.TTL, "negative_ttl": c.NegativeTTL, "stale": c.Stale, "timeout": c.Timeout,
	} {
		if d < 0 {
			errs = append(errs, &core.ConfigError{Path: path, Err: fmt.Errorf("%s is below 0", d)})
		}
	}
	for path, n := range map[string]int{
		"max_known": c.MaxKnown, "max_unknown": c.MaxUnknown, "max_connections": c.MaxConnections,
	} {
		if n < 1 || n > maxEntries {
			errs = append(errs, &core.ConfigError{Path: path, Err: fmt.Errorf("must be from 1 to %d", maxEntries)})
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
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
