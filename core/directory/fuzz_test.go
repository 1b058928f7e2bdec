package directory

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// marker is a credential in the corpus that no error may repeat.
const marker = "sk_live_51f0c2"

// FuzzFile: whatever a file holds, it is read or refused with a place in it, and
// no error repeats a credential. What is read can be looked up.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		`{"subjects":{"` + marker + `":{"id":"org_1","plan":"pro","credits":10,"x":1.5,"y":true,"z":"unlimited","n":null}}}`,
		`{"subjects":{"a":{"id":1e3},"b":{"id":"b","` + marker + `":{}}}}`,
		`{"` + marker + `":{"id":"a"}}`, "{\"subjects\":\n{\"" + marker + "\":\n{}}}", `{"subjects":{"a":{"id":"a","x":1e400}}}`,
		`{"subjects":["` + marker + `"]}`, "\ufeff{}", `[[[[`, `{"subjects":{"\ud800":{"id":"a"},"\ufffd":{"id":"b"}}}`, "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseFile(data)
		if err != nil {
			checkMistake(t, data, err)
			return
		}
		var file struct {
			Subjects map[string]map[string]any `json:"subjects"`
		}
		if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &file); err != nil {
			t.Fatalf("read, but no JSON: %v", err)
		}
		for credential := range file.Subjects {
			if subject, err := s.lookup(credential); err != nil || subject.ID == "" {
				t.Errorf("%q is %+v, %v", credential, subject, err)
			}
		}
		if len(s.subjects) != len(file.Subjects) {
			t.Errorf("%d of %d subjects", len(s.subjects), len(file.Subjects))
		}
	})
}

func checkMistake(t *testing.T, data []byte, err error) {
	t.Helper()
	var mistake *ParseError
	if !errors.As(err, &mistake) || mistake.Line < 1 || mistake.Column < 1 ||
		mistake.Line > bytes.Count(data, []byte("\n"))+1 {
		t.Errorf("the mistake is %#v", err)
	}
	if strings.Contains(err.Error(), marker) {
		t.Errorf("the error tells a credential: %v", err)
	}
}

// FuzzAnswer: a service's answer is one subject or an error that tells where
// the mistake is; what is read is written as what is read as the same.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"id":"org_1","plan":"pro","credits":10,"x":1.5,"y":true,"z":"unlimited","n":null}`, `{"id":7}`, `{"id":1e3}`,
		`{"id":"a","id":"b"}`, `{"plan":"pro"}`, `{"id":"a","x":{}}`, `[]`, `null`, "", `{"id":"a","x":"7","x":8}`, "\ufeff{\"id\":\"\\ud800\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		subject, err := decode(data)
		if err != nil {
			if len(data) > 0 {
				checkMistake(t, data, err)
			}
			return
		}
		if subject.ID == "" || !json.Valid(bytes.TrimPrefix(data, []byte("\ufeff"))) {
			t.Fatalf("%q is %+v", data, subject)
		}
		text, err := json.Marshal(Record{subject.ID, subject.Plan, subject.Attributes})
		if err != nil {
			t.Fatalf("%q is %+v: %v", data, subject, err)
		}
		again, err := decode(text)
		if err != nil || !reflect.DeepEqual(again, subject) {
			t.Errorf("%q is %+v, written %s and read back as %+v, %v", data, subject, text, again, err)
		}
	})
}

// FuzzInline: the subjects in a configuration are refused with what is wrong,
// but without a credential, or can all be looked up, and are written as what is
// read as the same.
func FuzzInline(f *testing.F) {
	for _, seed := range []string{
		`{"` + marker + `":{"id":"org_1","plan":"pro","credits":10},"b":{"id":"b"}}`, `{"` + marker + `":{}}`, `{"":{"id":"a"}}`,
		`{"` + marker + `":{"id":"a"},"` + marker + `":{"id":"b"}}`, `{"a":{"id":"a","x y":1}}`, `[]`, `{"a":{"id":"same","n":1},"b":{"id":"same","n":2}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var subjects Subjects
		if err := json.Unmarshal(data, &subjects); err != nil {
			checkSilent(t, err)
			return
		}
		d, err := NewInline(InlineConfig{subjects})
		if err != nil {
			checkSilent(t, err)
			return
		}
		if d.Len() != len(subjects) {
			t.Errorf("%d of %d subjects", d.Len(), len(subjects))
		}
		for credential, r := range subjects {
			s, err := d.Lookup(t.Context(), credential)
			if err != nil || s.ID != r.ID || s.Plan != r.Plan {
				t.Errorf("%q is %+v, %v, want %+v", credential, s, err, r)
			}
		}
		text, err := json.Marshal(subjects)
		var again Subjects
		if err != nil || json.Unmarshal(text, &again) != nil || !reflect.DeepEqual(again, subjects) {
			t.Errorf("%s is written %s", data, text)
		}
	})
}

func checkSilent(t *testing.T, err error) {
	t.Helper()
	if strings.Contains(err.Error(), marker) {
		t.Errorf("the error tells a credential: %v", err)
	}
}
