package core_test

import (
	"testing"

	"github.com/weirhq/weir/core"
)

// TestSpellingsOfACookie: a directory is asked for what an origin reads that decodes
// cookies, and for what came where it does not know that. Unknown ones are one, however
// they are written.
func TestSpellingsOfACookie(t *testing.T) {
	w := newWorld(t, `{"subject":{"sources":[{"from":"{cookie.key}"}],"unknown":{"count_by":"key"}},
		"limits":[{"name":"r","kind":"rolling","window":"1m","max":1}]}`,
		directory{"a=": {ID: "decoded"}, "b%3D": {ID: "encoded"}, "c=": {ID: "first"}, "c%3D": {ID: "second"}})
	for _, tc := range []struct {
		cookie, id string
		want       core.Outcome
	}{
		{"a=", "decoded", core.Admitted},
		{"a%3D", "decoded", core.Denied},
		{"%61%3d", "decoded", core.Denied},
		{"b%3D", "encoded", core.Admitted},
		{"b=", "", core.Admitted}, // is another one, and unknown
		{"%62%3D", "", core.Denied},
		{"c%3D", "first", core.Admitted},
		{"d%20", "", core.Admitted},
		{"d", "", core.Denied},
		{"d%zz", "", core.Admitted},
	} {
		d := w.do("GET /", "", "cookie.key", tc.cookie)
		if tc.id != "" && (d.Subject == nil || d.Subject.ID != tc.id) {
			t.Errorf("%s: the subject is %+v, want %s", tc.cookie, d.Subject, tc.id)
		}
		if d.Outcome != tc.want {
			t.Errorf("%s: %s, want %s", tc.cookie, d.Outcome, tc.want)
		}
	}
}
