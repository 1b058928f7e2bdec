package directory

import (
	"bytes"
	"encoding/json"
	"errors"
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
