package core

import (
	"strings"
	"testing"
)

// TestDefinitionBodies: missing or malformed gives nothing (so the cost's min
// counts); of duplicate keys the largest.
func TestDefinitionBodies(t *testing.T) {
	for _, tc := range []struct{ path, body, want string }{
		{"images.length", `{"images":["a","b","c"]}`, "3"},
		{"images.length", `{"images":[]}`, "0"},
		{"images.length", `{"images":[[1,2],{"x":[1]}]}`, "2"},
		{"images.length", `{"images":"abc"}`, ""},
		{"images.length", `{"other":[1]}`, ""},
		{"images.length", `{"images":[1],"images":[1,2,3],"images":[1,2]}`, "3"},
		{"images.length", `{"im\u0061ges":[1,2]}`, "2"},
		{"images.length", `{"images":[1,2]`, ""},
		{"images.length", `{"images":[1,2`, ""},
		{"images.length", `{"images":[1,2]} trailing`, ""},
		{"images.length", `{"images":[1,2]}{"images":[1]}`, ""},
		{"images.length", `{"images":[1,2]}` + "\n ", "2"},
		{"images.length", `{"Images":[1,2,3]}`, ""},
		{"images.length", `{"images":[1 2]}`, ""},
		{"images.length", ``, ""},
		{"images.length", `null`, ""},
		{"images.length", `[{"images":[1]}]`, ""},
		{"images.length", `{"images":{"length":4}}`, ""},
		{"images.length", "\xef\xbb\xbf" + `{"images":[1,2]}`, "2"},
		{"length", `{"length":4}`, "4"},
		{"length.n", `{"length":{"n":4}}`, "4"},
		{"a.b.n", `{"a":{"b":{"n":7}},"n":9}`, "7"},
		{"a.b.n", `{"a":{"b":{"n":7}},"a":{"b":{"n":11}}}`, "11"},
		{"a.b.n", `{"a":{"b":{"n":7}},"a":{"b":{"n":"x"}}}`, "7"},
		{"n", `{"n":"12"}`, "12"},
		{"n", `{"n":true}`, ""},
		{"n", `{"n":1e3}`, "1e3"},
		{"n", strings.Repeat("[", 2000), ""},
		{"n", `{"n":3,"deep":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `}`, ""},
	} {
		if got := bodyValue([]byte(tc.body), bodyPath(tc.path)); got != tc.want {
			t.Errorf("%s of %.60s: got %q, want %q", tc.path, tc.body, got, tc.want)
		}
	}
}

func TestParseCost(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want int64
		ok   bool
	}{
		{"3", 3, true},
		{"0", 0, true},
		{"-1", 0, false},
		{"", 0, false},
		{"x", 0, false},
		{"2.1", 3, true},
		{"1e3", 1000, true},
		{"1e400", MaxAmount, true},
		{"-1e400", 0, false},
		{"NaN", 0, false},
		{"99999999999999999999", MaxAmount, true},
	} {
		got, ok := parseCost(tc.in)
		if ok != tc.ok || ok && got != tc.want {
			t.Errorf("%q: got %d, %v", tc.in, got, ok)
		}
	}
}

// FuzzBodyValue: no input makes it panic or find a cost that is none.
func FuzzBodyValue(f *testing.F) {
	for _, s := range []string{`{"images":[1,2]}`, `{"images":[],"images":[[]]}`, `[`, `{"images":{"length":"9"}}`} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, body string) {
		bodyValue([]byte(body), []string{"images", "length"})
	})
}
