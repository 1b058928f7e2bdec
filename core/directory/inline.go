package directory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/weirhq/weir/core"
)

// InlineConfig is a directory within the configuration.
type InlineConfig struct {
	// Subjects by credential.
	Subjects Subjects `json:"subjects,omitempty"`
}

// Subjects are records by credential. Read from JSON, no credential may stand
// twice.
type Subjects map[string]Record

// UnmarshalJSON reads an object of credentials and subjects.
func (s *Subjects) UnmarshalJSON(data []byte) error {
	out := make(Subjects)
	err := parseAll(data, func(p *parser) error {
		return p.subjects(func(credential string, r Record) error {
			if _, twice := out[credential]; twice {
				return errTwice
			}
			out[credential] = r
			return nil
		})
	})
	if err != nil {
		return err
	}
	*s = out
	return nil
}

// Inline is a directory of the subjects in a configuration.
type Inline struct{ subjects *snapshot }

// NewInline returns the configuration's directory. An error names subjects by
// their id, or by their number in the order of their credentials.
func NewInline(c InlineConfig) (*Inline, error) {
	s := newSnapshot()
	var errs []error
	for i, credential := range slices.Sorted(maps.Keys(c.Subjects)) {
		r := c.Subjects[credential]
		switch {
		case r.ID == "":
			errs = append(errs, &core.ConfigError{Path: fmt.Sprintf("subjects[%d]", i), Err: errNoID})
			continue
		case credential == "":
			errs = append(errs, &core.ConfigError{Path: "subjects", Err: fmt.Errorf("the credential of %q is empty", r.ID)})
			continue
		}
		for _, a := range r.Attributes {
			if !core.ValidAttributeName(a.Name) {
				errs = append(errs, &core.ConfigError{Path: "subjects", Err: fmt.Errorf("of %q: %w", r.ID, errName)})
			}
		}
		if err := s.add(credential, r); err != nil {
			errs = append(errs, &core.ConfigError{Path: "subjects", Err: err})
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Inline{s}, nil
}

// Len returns the number of credentials.
func (d *Inline) Len() int { return len(d.subjects.subjects) }

// Lookup implements core.Directory. It does not allocate.
func (d *Inline) Lookup(_ context.Context, credential string) (*core.Subject, error) {
	return d.subjects.lookup(credential)
}

// Subject implements core.Roster.
func (d *Inline) Subject(id string) (*core.Subject, bool) { return d.subjects.subject(id) }

var _ core.Roster = (*Inline)(nil)
