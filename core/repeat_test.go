package core

import "testing"

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
