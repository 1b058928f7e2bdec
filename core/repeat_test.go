package core

import (
	"slices"
	"testing"
)

// TestAllValues: whichever value of several an origin may take is among all.
func TestAllValues(t *testing.T) {
	for _, tc := range []struct {
		what      string
		got, want []string
	}{
		{"a parameter once", Parameters("x=1&n=2", "n"), []string{"2"}},
		{"twice", Parameters("n=2&n=30", "n"), []string{"2", "30"}},
		{"with an encoded name", Parameters("%6e=2", "n"), []string{"2"}},
		{"with a space", Parameters("n=+2", "n"), []string{" 2"}},
		{"parted by a semicolon", Parameters("x=1;n=30", "n"), []string{"30"}},
		{"which may be the value's", Parameters("n=2;n=30", "n"), []string{"2;n=30", "2", "30"}},
		{"wrongly encoded", Parameters("n=2%zz", "n"), []string{"2%zz"}},
		{"none", Parameters("N=1&nn=2", "n"), nil},
		{"cookies", Cookies([]string{`a=1; n=2; n="30"`, " n = 4"}, "n"), []string{"2", "30", "4"}},
		{"a header's list", ListOf([]string{"1, 2", "3"}), []string{"1", " 2", "3"}},
	} {
		for _, v := range tc.want {
			if !slices.Contains(tc.got, v) {
				t.Errorf("%s: %q lacks %q", tc.what, tc.got, v)
			}
		}
		if tc.want == nil && len(tc.got) > 0 {
			t.Errorf("%s: %q", tc.what, tc.got)
		}
	}
}

func TestRepeats(t *testing.T) {
	for query, want := range map[string]bool{
		"": false, "key=a": false, "key=a&other=b": false, "key": false, "key=key&x=key": false, "keys=a&key=b": false,
		"key=a&key=b": true, "key=a&x=1&k%65y=b": true, "key=a;key=b": true, "key=a;&key=b": true, "key&key=a": true, "key=%zz&key=a": true,
	} {
		if got := RepeatsParameter(query, "key"); got != want {
			t.Errorf("%q: %v", query, got)
		}
	}
	for _, tc := range []struct {
		lines []string
		want  bool
	}{
		{nil, false},
		{[]string{"key=a; other=key"}, false},
		{[]string{"other=a", "key=b"}, false},
		{[]string{"key=a; key=b"}, true},
		{[]string{"key=a", "key=b"}, true},
		{[]string{`key="a;key=b"`}, true},
	} {
		if got := RepeatsCookie(tc.lines, "key"); got != tc.want {
			t.Errorf("%q: %v", tc.lines, got)
		}
	}
}
