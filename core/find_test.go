package core

import (
	"slices"
	"strings"
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
		{"beside a wrong escape", Parameters("n=%32%30%zz%", "n"), []string{"20%zz%"}},
		{"in UTF-16", Parameters("%u006E=2%u0030+", "n"), []string{"20 "}},
		{"in brackets", Parameters("[n]=2&n%5D=30&%5b[n=4", "n"), []string{"2", "30", "4"}},
		{"a list", Parameters("n[]=2&n%5B1%5D=30", "n"), []string{"2", "30"}},
		{"with a wide name", Parameters("%20n=2&n%00=30", "n"), []string{"2", "30"}},
		{"encoded cookies", Cookies([]string{`n=%37%30`}, "n"), []string{"%37%30", "70"}},
		{"wrongly encoded cookies", Cookies([]string{`n=%37%30%z`}, "n"), []string{"70%z"}},
		{"cookies of JSON", Cookies([]string{`a=j:1; n=j:30; n=j%3A[ "40"]; n=j:%20%22\u0035%22`}, "n"), []string{"30", "40", "5"}},
		{"with backslashes", Cookies([]string{`n="\067\"0"`}, "n"), []string{`7"0`}},
		{"parted otherwise", Cookies([]string{`x=1,n=2; y=1 n=30`, "n[]=4"}, "n"), []string{"2", "30", "4"}},
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
		"key=a%zz": true, "key=%": true, "key=a;": true, ";key=a": true, "x;key=a": true, "key;x=a": true, "x;y&key=a": false, "x=%zz&key=a": false,
		"key=a#": true, "#key=a": true, "x#&key=a": true, "key[]=a": true, "key%5b=a": true, "[key]=a": true, "%5Bkey%5d=a": true, "key]=a": true, "[[key=a": true, "k%u0065y=a": true, "k%u0065=a": false,
		"key=a]=": true, "key=a=b%5d=c": true, "key=a]": false, "key==]": false, "key=%5D%3D": false, "[key": true, "[keys]=a": false, "key.x=a": false, "+key=a": true, "key%00=a": true,
		strings.Repeat("a&", 999) + "key=a": false, strings.Repeat("a&", 1000) + "key=a": true, "key=a" + strings.Repeat("&", 1001): true,
		strings.Repeat("a&", 2000): false,
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
		{[]string{`x="a; key=b"`}, true},
		{[]string{`x="a; y=b"; key=b`}, true},
		{[]string{`x="a; y=b`, "key=b"}, false},
		{[]string{`x="a"; key="b"; y=c"`}, false},
		{[]string{`x="a\"; key=b; y="`}, true}, // the first quote is open still
		{[]string{`x="a\\"; key=b; y="`}, false},
		{[]string{"x=1 2, 3; key=b; y=\xff"}, false},
		{[]string{"x=1, key=b"}, true},
		{[]string{"x=1 key=b"}, true},
		{[]string{"x=mykey=b; keys=c; key2=d; =key"}, false},
		{[]string{"q=skeleton key; key=b"}, false}, // what has no value takes nobody's place
		{[]string{"consent=a, key,c; key=b; x=key ,"}, false},
		{[]string{"q=a key=; key=b"}, false},
		{[]string{"q=skeleton key"}, false},
		{[]string{"x=\u00fckey; key=b"}, false},
		{[]string{"q=a key=c; key=b"}, true},
		{[]string{"key, x=1; key=b"}, true},
		{[]string{`key="b`}, true},
		{[]string{`key=b\`}, true},
		{[]string{"key=b c"}, true},
		{[]string{"key=b,c"}, true},
		{[]string{"key=\x80"}, true},
		{[]string{"key[]=b"}, true},
		{[]string{"key[0"}, false},
		{[]string{"key=a%zz"}, true}, // decodeURIComponent fails
		{[]string{"key=a%"}, true},
		{[]string{"key=a%ff"}, true},
		{[]string{"key=%C3%BC"}, false},
		{[]string{"key=j:a"}, true}, // Express reads JSON
		{[]string{`key="j%3A%22a%22"`}, true},
		{[]string{"key=aj:b; x=j:c"}, false},
		{[]string{"k%65y=b"}, true},
		{[]string{"\xa0key=b"}, true},
		{[]string{"key\x85=b"}, true},
		{[]string{" key = b ; x=y"}, false},
		{[]string{"key", "x=key"}, false},
		{[]string{"key; key=b"}, true},
		{[]string{strings.Repeat(";", 999) + "key=b"}, false},
		{[]string{strings.Repeat(";", 1000) + "key=b"}, true},
		{[]string{"key=b" + strings.Repeat(";", 1000)}, true},
	} {
		if got := RepeatsCookie(tc.lines, "key"); got != tc.want {
			t.Errorf("%q: %v", tc.lines, got)
		}
	}
}

// TestCookiesOfOthers: what browsers send beside ours, as other libraries and origins
// write it, makes no credential a doubtful one.
func TestCookiesOfOthers(t *testing.T) {
	for _, other := range []string{
		"_ga=GA1.2.1234567890.1700000000", "_ga_ABC=GS1.1.1700000000.1.1.1700000001.60.0.0", "", "=", "=x", "nameless",
		"OptanonConsent=isGpcEnabled=0&datestamp=Mon+Nov+23+2026+08%3A00%3A00+GMT%2B0000&groups=C0001%3A1%2CC0002%3A0&id=1",
		"x=Mon Nov 23 2026 08:00:00 GMT+0000 (Coordinated Universal Time)", `prefs={"session":1,"a":[1, 2],"b":"c d"}`, "prefs=%7B%22session%22%3A1%7D",
		`x="quoted, with session inside"`, `x="a\"b\054c"`, "city=Z\u00fcrich", "\u00e9=1", "q=last session", "consent=necessary,session,ads",
		"CookieConsent={stamp:%27x==%27%2Cnecessary:true}", "asp=name=alice&session=1", "rack=BAh7--9f==", "x=a=b==", "sessions=1", "my_session=1", "session_id=1",
		"session.sig=2", "__Host-session=1", "Session-Id=1", "x=session=1", "__utmz=1.2.3.utmcsr=google|utmccn=(organic)|session=x", "x=%zz", "x=j:{%22session%22:1}", "x=100%", "x=%ff",
	} {
		for _, lines := range [][]string{{other + "; session=3f2a=="}, {"session=3f2a==;" + other}, {other, `session="3f2a=="; ` + other}} {
			if v, ok := Cookie(lines, "session"); !ok || v != "3f2a==" || RepeatsCookie(lines, "session") {
				t.Errorf("%q: %q, %v, %v", lines, v, ok, RepeatsCookie(lines, "session"))
			}
		}
	}
}

// TestParametersOfOthers: the same of queries.
func TestParametersOfOthers(t *testing.T) {
	for _, other := range []string{
		"", "a", "=", "=x", "a=b=c", "a+b=c+d", "a;b=c;d", "a=%zz", "%=1", "a[]=1&a[b][c]=2", "filter[key]=1", "a.key=1", "a_key=1", "keys=1", "mykey=1",
		"key1=2", "q=key=3", "q=key%3D3%26key%3D4", "utm_source=x&utm_term=api%20key", "a=\u00fc", "a=%FF", "$filter=name%20eq%20'key'", "a=%u0041", "x-key=1", "%u0041=1", "[a]=1", "a]=1", "q=a]=b", "a[b]=key]=", "key1]=2", "[keys]=3",
	} {
		for _, query := range []string{other + "&key=3f2a==", "key=3f2a==&" + other} {
			if v, ok := Parameter(query, "key"); !ok || v != "3f2a==" || RepeatsParameter(query, "key") {
				t.Errorf("%q: %q, %v, %v", query, v, ok, RepeatsParameter(query, "key"))
			}
		}
	}
}

// TestNamesOfPHP: PHP writes a _ for what cannot stand in the name of a variable.
func TestNamesOfPHP(t *testing.T) {
	for _, name := range []string{"api.key", "api+key", "api%20key", "api%5Bkey", "api_key%00"} {
		if !RepeatsParameter(name+"=a", "api_key") || RepeatsParameter(name+"=a", "api-key") {
			t.Errorf("the parameter %s", name)
		}
	}
	if !RepeatsCookie([]string{"api.key=a"}, "api_key") || RepeatsCookie([]string{"api.key=a"}, "api-key") {
		t.Error("the cookie api.key")
	}
}
