package core

import (
	"context"
	"errors"
)

// ErrUnknownCredential is what a Directory answers for a credential that it
// does not know.
var ErrUnknownCredential = errors.New("unknown credential")

// A Subject is who is counted. It is immutable once a Directory has given it.
type Subject struct {
	// ID is the user's or organization's name; several credentials may share it.
	ID string
	// Plan names a row of the policy's plans; "" is the default row.
	Plan string
	// Attributes beat the plan's.
	Attributes Attributes
}

// A Directory resolves credentials. Lookup answers ErrUnknownCredential for one
// that it does not know; any other error is a failure of the directory. The
// credential is secret: implementations keep no copy of it and never put it
// into an error.
type Directory interface {
	Lookup(ctx context.Context, credential string) (*Subject, error)
}

// A Roster is a Directory that knows its subjects by their ids too, which is
// what administrators have. Of an id with several credentials it is the subject
// of any one of them.
type Roster interface {
	Directory
	Subject(id string) (*Subject, bool)
}

// Attributes are named values. They are few: a slice is searched, not a map.
type Attributes []Attribute

// An Attribute is one named value of a subject.
type Attribute struct {
	Name  string
	Value Value
}

// Get returns the named value, or the zero Value.
func (a Attributes) Get(name string) Value {
	for i := range a {
		if a[i].Name == name {
			return a[i].Value
		}
	}
	return Value{}
}
