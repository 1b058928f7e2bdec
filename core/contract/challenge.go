package contract

import (
	"net/http"
	"slices"
	"strings"

	"github.com/weirhq/weir/core"
)

// newChallenge returns the challenge that a 401 must carry (RFC 9110, section
// 15.5.2), which names the schemes of the policy's sources. Credentials in
// headers of an API's own have no registered scheme, and so no challenge.
func newChallenge(s *core.SubjectConfig) string {
	if s == nil {
		return ""
	}
	var schemes []string
	for _, source := range s.Sources {
		if source.Scheme == "" || !core.IsToken(source.Scheme) {
			continue
		}
		scheme := strings.ToUpper(source.Scheme[:1]) + strings.ToLower(source.Scheme[1:])
		if !slices.Contains(schemes, scheme) {
			schemes = append(schemes, scheme)
		}
	}
	return strings.Join(schemes, ", ")
}

// challenged reports whether the answer to d is a 401.
func (c *Contract) challenged(d *core.Decision) bool {
	switch d.Outcome {
	case core.MissingCredential, core.UnknownCredential:
		return c.status(d) == http.StatusUnauthorized
	}
	return false
}

// authenticate returns the challenge. A bearer of an unknown token is told so
// (RFC 6750, section 3.1).
func (c *Contract) authenticate(d *core.Decision) Fields {
	value := c.challenge
	if value == "Bearer" && d.Outcome == core.UnknownCredential {
		value = `Bearer error="invalid_token"`
	}
	return Fields{list: [len(Fields{}.list)]Field{{"WWW-Authenticate", value}}, n: 1}
}
