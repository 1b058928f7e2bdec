package directory

import (
	"crypto/rand"
	"errors"

	"github.com/weirhq/weir/core"
)

// newHasher returns a hasher of a random key.
func newHasher() core.Hasher {
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	return core.NewHasher(key)
}

// A snapshot is an immutable set of subjects.
type snapshot struct {
	hasher   core.Hasher
	subjects map[core.Scope]*core.Subject
	ids      map[string]*core.Subject
	longest  int // credential, in bytes
}

var errTwice = errors.New("this credential stands twice")

// newSnapshot returns an empty snapshot, to be filled before anybody sees it.
func newSnapshot() *snapshot {
	return &snapshot{hasher: newHasher(), subjects: make(map[core.Scope]*core.Subject), ids: make(map[string]*core.Subject)}
}

// add adds a subject.
func (s *snapshot) add(credential string, r Record) error {
	key := s.hasher.SumString(credential)
	if s.subjects[key] != nil {
		return errTwice
	}
	subject := r.subject()
	s.subjects[key], s.ids[subject.ID] = subject, subject
	s.longest = max(s.longest, len(credential))
	return nil
}

// lookup implements core.Directory's. It does not allocate, and does not even
// hash what is longer than any credential.
func (s *snapshot) lookup(credential string) (*core.Subject, error) {
	if len(credential) > s.longest {
		return nil, core.ErrUnknownCredential
	}
	if subject := s.subjects[s.hasher.SumString(credential)]; subject != nil {
		return subject, nil
	}
	return nil, core.ErrUnknownCredential
}

// subject implements core.Roster's.
func (s *snapshot) subject(id string) (*core.Subject, bool) {
	subject := s.ids[id]
	return subject, subject != nil
}
