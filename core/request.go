package core

import "errors"

// A Request is what a door tells of a request. Path must be normalised with
// NormalizePath.
type Request struct {
	Method string
	Path   string
	Source Source
	// Hits is how many requests like this one it stands for: its costs are
	// multiplied by it. 0 means 1; NoHits asks without taking anything.
	Hits int64
	// GiveBack says that the hits are to count no longer: what the request
	// would be charged is given back, in the current windows. It is admitted.
	// Holds and settled costs are left as they are.
	GiveBack bool
	// Cap replaces maxima for this request.
	Cap Cap
	// Endless says that nobody will tell when the response ends. Holds may
	// refuse such a request, but it takes no slot.
	Endless bool
}

// NoHits as a Request's Hits costs nothing: only limits that more is used of than
// their maximum refuse it, and settled ones that are used up.
const NoHits int64 = -1

// times returns what the request costs where one hit costs cost.
func (r *Request) times(cost int64) int64 {
	switch {
	case r.Hits == 0 || r.Hits == 1:
		return cost
	case r.Hits < 0 || cost == 0:
		return 0
	case r.Hits > MaxAmount/cost:
		return MaxAmount
	}
	return r.Hits * cost
}

// A Source yields the facts of a request that policies name.
type Source interface {
	// Attribute returns the named fact; ok is false where the request has none. A
	// cookie is as it came, without quotes.
	Attribute(a *Ref) (value string, ok bool)
	// Several reports whether nobody knows what the origin takes for the attribute:
	// the request has several values of it, or one that origins read in several ways,
	// or some do not find. There may be one where Attribute finds none.
	Several(a *Ref) bool
	// All returns what whoever gets the request may take for the value of a header,
	// a query parameter or a cookie, in no order.
	All(a *Ref) []string
	// Body returns the request's body, and leaves it readable, as whoever gets it
	// may read it: as it came and, where it says that it is encoded, decoded. It
	// answers ErrBodyTooLarge where one of these is longer than limit bytes,
	// ErrBodyEncoding where it cannot decode it, an error that wraps ErrBodyBroken
	// where it ends early, and ErrNoBody where the door has none to show.
	Body(limit int64) (readings [][]byte, err error)
}

var (
	// ErrBodyTooLarge says that a body that a cost is read from is too long.
	ErrBodyTooLarge = errors.New("request body is larger than the policy's body_limit")
	// ErrBodyEncoding says that such a body is encoded in a way that the door
	// cannot decode.
	ErrBodyEncoding = errors.New("request body has an encoding that its cost cannot be read from")
	// ErrBodyBroken says that such a body ended before its end.
	ErrBodyBroken = errors.New("request body ended early")
	// ErrNoBody says that the door has no body to show.
	ErrNoBody = errors.New("no request body")
)
