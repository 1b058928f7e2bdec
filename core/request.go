package core

import "errors"

// A Request is what a door tells of a request. Path must be normalised with
// NormalizePath.
type Request struct {
	Method string
	Path   string
	Source Source
}

// A Source yields the facts of a request that policies name.
type Source interface {
	// Attribute returns the named fact; ok is false where the request has none.
	Attribute(a *Ref) (value string, ok bool)
	// Body returns the request's body and leaves it readable. It answers
	// ErrBodyTooLarge where the body is longer than limit bytes, and
	// ErrNoBody where the door has none to show.
	Body(limit int64) ([]byte, error)
}

var (
	// ErrBodyTooLarge says that a body that a cost is read from is too long.
	ErrBodyTooLarge = errors.New("request body is larger than the policy's body_limit")
	// ErrNoBody says that the door has no body to show.
	ErrNoBody = errors.New("no request body")
)
