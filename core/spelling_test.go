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

// TestSpellingsOfAScheme: where no directory knows it, a credential behind a scheme is
// the same in any case of that and behind any number of spaces. A directory is asked for
// what came.
func TestSpellingsOfAScheme(t *testing.T) {
	const policy = `{"subject":{"sources":[{"from":"{header.authorization}"},{"from":"{header.X-Other}"}],"unknown":{"count_by":"key"}},
		"limits":[{"name":"r","kind":"rolling","window":"1m","max":1}]}`
	for _, subjects := range []core.Directory{nil, directory{"Token known": {ID: "known"}}} {
		w := newWorld(t, policy, subjects)
		for _, tc := range []struct {
			header, value string
			want          core.Outcome
		}{
			{"authorization", "Token real", core.Admitted},
			{"authorization", "token real", core.Denied},
			{"authorization", "TOKEN   real", core.Denied},
			{"authorization", " Token\treal", core.MissingCredential},
			{"authorization", "Token \u00a0real", core.Denied}, // Python's split()
			{"authorization", "Token\xa0real", core.Denied},
			{"authorization", "Token Real", core.Admitted},
			{"authorization", "Apikey real", core.Admitted},
			{"authorization", "real", core.Admitted},
			{"authorization", "Real", core.Admitted},
			{"authorization", "Token real x", core.Admitted},
			{"authorization", "Token known", core.Admitted},
			{"authorization", "token known", map[bool]core.Outcome{true: core.Denied, false: core.Admitted}[subjects == nil]}, // there it is unknown
			{"X-Other", "Token two", core.Admitted},
			{"X-Other", "token two", core.Admitted},
		} {
			if d := w.do("GET /", "", "header."+tc.header, tc.value); d.Outcome != tc.want {
				t.Errorf("%s %q: %s, want %s", tc.header, tc.value, d.Outcome, tc.want)
			}
		}
	}
}
