package directory

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/weirhq/weir/core"
)

// A Record is a subject as configurations, files and services write it: a JSON
// object with an `id`, a `plan` if the subject has one, and attributes under
// names of letters, digits, `_` and `-`. Attributes are numbers, texts or
// booleans; `"unlimited"` lifts a cap, null is none.
type Record struct {
	ID         string
	Plan       string
	Attributes core.Attributes
}

// subject returns the record's subject.
func (r *Record) subject() *core.Subject {
	return &core.Subject{ID: r.ID, Plan: r.Plan, Attributes: r.Attributes}
}

var errNoID = errors.New("a subject needs an id")

// MarshalJSON writes the record as one flat object.
func (r Record) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	member := func(name string, value any) error {
		text, err := json.Marshal(value)
		if err != nil {
			return err
		}
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		out.WriteString(`"` + name + `":`)
		out.Write(text)
		return nil
	}
	err := member("id", r.ID)
	if r.Plan != "" {
		err = errors.Join(err, member("plan", r.Plan))
	}
	for _, a := range r.Attributes {
		if !core.ValidAttributeName(a.Name) {
			return nil, errName
		}
		err = errors.Join(err, member(a.Name, a.Value))
	}
	out.WriteByte('}')
	return out.Bytes(), err
}

// UnmarshalJSON reads one flat object.
func (r *Record) UnmarshalJSON(data []byte) error {
	return parseAll(data, func(p *parser) (err error) {
		*r, err = p.record()
		return err
	})
}

var errName = errors.New("the name of an attribute has letters, digits, _ and -, at most 64")
