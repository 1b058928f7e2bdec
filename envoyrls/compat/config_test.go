package compat

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rejected are configurations with a mistake, and how it is told. Most are
// envoyproxy/ratelimit's own tests, whose texts are kept.
var rejected = []struct{ text, want string }{
	{"", "f.yaml: config file cannot have empty domain"},
	{"# nothing\n", "f.yaml: config file cannot have empty domain"},
	{"descriptors:\n", "f.yaml: config file cannot have empty domain"},
	{"domain: \"\"\n", "f.yaml:1: config file cannot have empty domain"},
	{"'''\n", "f.yaml:2: error loading config file: found unexpected end of stream"},
	{"a: b: c\n", "f.yaml: error loading config file: mapping values are not allowed in this context"},
	{"- a\n", `f.yaml:1: expected a file: keys with values`},
	{"domain: d\n---\ndomain: [e\n", "f.yaml:2: error loading config file: did not find expected"},
	{"---\n---\ndomain: e\n", "f.yaml: config file cannot have empty domain"},
	{"domain: d\ndomain: e\n", `f.yaml:2: "domain" is repeated`},
	{"domain: d\ndescriptors:\n  - value: v\n", "f.yaml:3: descriptor has empty key"},
	{"domain: d\ndescriptors:\n  - key: k\n    value: v\n\n  - key: k\n    value: v\n", "f.yaml:6: duplicate descriptor composite key 'd.k_v'; the first is at f.yaml:3"},
	{"domain: d\ndescriptors:\n  - key: k\n  - key: k\n", "f.yaml:4: duplicate descriptor composite key 'd.k'"},
	{"domain: d\ndescriptors:\n  - key: k\n    descriptors:\n      - key: l\n      - key: l\n", "f.yaml:6: duplicate descriptor composite key 'd.k.l'"},
	{"domain: d\ndescriptors:\n  - a\n  - b\n", "f.yaml:3: config error, yaml file contains list of type other than map: a"},
	{"domain: d\ndescriptors: x\n", "f.yaml:2: expected a list"},
	{"0.25: d\n", "f.yaml:1: config error, key is not of type string: 0.25"},
	{"domain: d\ndescriptors:\n  - key: k\n    ratelimit:\n      unit: day\n", `f.yaml:4: config error, unknown key 'ratelimit'; did you mean "rate_limit"?`},
	{"domain: d\nextra: 1\n", "f.yaml:2: config error, unknown key 'extra'"},
	{"domain: d\ndescriptors:\n  - key: [k]\n", "f.yaml:3: expected a text"},
	{"domain: d\ndescriptors:\n  - key: k\n    shadow_mode: maybe\n", `f.yaml:4: expected true or false, not "maybe"`},
	{"domain: d\ndescriptors:\n  - key: k\n    shadow_mode: \"true\"\n", `f.yaml:4: expected true or false, not "true"`},
	{"domain: d\ndescriptors:\n  - key: k\n    rate_limit: 5\n", "f.yaml:4: expected a rate_limit"},
	{"domain: d\ndescriptors:\n  - key: k\n    metadata: 5\n", "f.yaml:4: expected metadata"},
	{"domain: d\ndescriptors:\n  - key: k\n    share_threshold: true\n", "f.yaml:3: share_threshold can only be used with wildcard values (containing '*'), but found key 'k'"},
	{"domain: d\ndescriptors: &x\n  - key: k\n    descriptors: *x\n", "f.yaml:"},
	{limited("unit: day\nrequestsperunit: 5"), "f.yaml:6: config error, unknown key 'requestsperunit'; did you mean \"requests_per_unit\"?"},
	{limited("unit: foo\nrequests_per_unit: 5"), "f.yaml:5: invalid rate limit unit 'foo'"},
	{limited("unit: minutes\nrequests_per_unit: 5"), `f.yaml:5: invalid rate limit unit 'minutes'; did you mean "minute"?`},
	{limited("unit: unknown\nrequests_per_unit: 5"), "f.yaml:5: invalid rate limit unit 'unknown'"},
	{limited("requests_per_unit: 5"), "f.yaml:5: invalid rate limit unit ''"},
	{limited("unit: day\nrequests_per_unit: -1"), `f.yaml:6: expected a whole number from 0 to 4294967295, not "-1"`},
	{limited("unit: day\nrequests_per_unit: 4294967296"), `f.yaml:6: expected a whole number`},
	{limited("unit: day\nrequests_per_unit: 1.5"), `f.yaml:6: expected a whole number`},
	{limited("unit: day\nrequests_per_unit: \"5\""), `f.yaml:6: expected a whole number`},
	{limited("unlimited: true\nunit: day\nrequests_per_unit: 25"), "f.yaml:6: should not specify rate limit unit when unlimited"},
	{limited("unlimited: true\nalgorithm: fixed"), "f.yaml:6: should not specify an algorithm when unlimited"},
	{limited("unlimited: true\ncharge: all"), "f.yaml:6: should not specify what is charged when unlimited"},
	{limited("unlimited: true\nburst: 3"), "f.yaml:6: should not specify a burst when unlimited"},
	{limited("name: self\nreplaces:\n  - name: self\nunit: day"), "f.yaml:7: replaces should not contain name of same descriptor"},
	{limited("name: self\nreplaces:\n  - name:\nunit: day"), "f.yaml:7: should not have an empty replaces entry"},
	{limited("replaces:\n  - nam: x\nunit: day"), "f.yaml:6: config error, unknown key 'nam'"},
	{limited("unit: day\nalgorithm: sliding"), `f.yaml:6: unknown algorithm "sliding"; expected one of fixed, rolling, bucket`},
	{limited("unit: day\nalgorithm: Rolling"), `did you mean "rolling"?`},
	{limited("unit: month\nalgorithm: rolling"), "f.yaml:5: a month has no one length: rolling needs a unit from second to week"},
	{limited("unit: year\nrequests_per_unit: 5\nalgorithm: bucket"), "f.yaml:5: a year has no one length: bucket needs"},
	{limited("unit: day\nalgorithm: bucket"), "f.yaml:5: a bucket drains: it needs requests_per_unit from 1"},
	{limited("unit: day\nrequests_per_unit: 5\nburst: 3"), "f.yaml:7: a burst is a bucket's (algorithm: bucket); fixed has none"},
	{limited("unit: day\nrequests_per_unit: 5\nalgorithm: rolling\nburst: 3"), "f.yaml:8: a burst is a bucket's (algorithm: bucket); rolling has none"},
	{limited("unit: day\nrequests_per_unit: 5\nalgorithm: bucket\nburst: 0"), `f.yaml:8: expected a whole number from 1`},
	{limited("unit: day\ncharge: denied"), `f.yaml:6: unknown charge "denied"; expected one of all, allowed`},
	{"domain: d\ndescriptors:\n  - key: k\n    algorithm: rolling\n", "f.yaml:4: config error, unknown key 'algorithm'"},
	{"domain: d\ndescriptors:\n  - <<: 5\n    key: k\n", "f.yaml:3: expected a mapping to merge"},
	{"domain: d\ndescriptors:\n" + deep(70), "at most 64 levels"},
	{laughs(), "there is too much here"},
}

// limited is a file with these lines, from the fifth on, in a rate_limit.
func limited(lines string) string {
	text := "domain: d\ndescriptors:\n  - key: k\n    rate_limit:\n"
	for line := range strings.SplitSeq(lines, "\n") {
		text += "      " + line + "\n"
	}
	return text
}

// deep are descriptors n levels deep.
func deep(n int) (text string) {
	for i := range n {
		indent := strings.Repeat("  ", i+1)
		text += indent + "- key: k\n" + indent + "  descriptors:\n"
	}
	return text
}

// laughs is a file of 1 kB that means 10⁹ values.
func laughs() string {
	text := "domain: d\ndescriptors:\n  - key: k\n    metadata:\n      a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		text += fmt.Sprintf("      a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	return text
}

func TestRejected(t *testing.T) {
	for _, tc := range rejected {
		_, err := Compile([]File{{"f.yaml", []byte(tc.text)}}, false)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%.200s\n got %v\nwant %s", tc.text, err, tc.want)
		}
	}
}

// TestAllMistakes: mistakes of all files are told at once, in order, but not
// without end.
func TestAllMistakes(t *testing.T) {
	_, err := Compile([]File{
		{"a.yaml", []byte("domain: d\nx: 1\ny: 1\n")},
		{"b.yaml", []byte("domain: d\ndescriptors:\n  - key: k\n    rate_limit: {unit: foo, algorithm: bar}\n")},
	}, true)
	places := regexp.MustCompile(`(?m)^[ab]\.yaml:\d+`).FindAllString(fmt.Sprint(err), -1)
	if !slices.Equal(places, []string{"a.yaml:2", "a.yaml:3", "b.yaml:4", "b.yaml:4"}) {
		t.Errorf("%v", err)
	}
	many := strings.Repeat("  - key: k\n", 100)
	_, err = Compile([]File{{"a.yaml", []byte("domain: d\ndescriptors:\n" + many)}}, false)
	if n := strings.Count(fmt.Sprint(err), "\n"); n != maxMistakes || !strings.HasSuffix(fmt.Sprint(err), "and 79 more") {
		t.Errorf("%d lines: %v", n, err)
	}
}

func TestDuplicateDomain(t *testing.T) {
	files := []File{{"a.yaml", []byte("domain: d\n")}, {"b.yaml", []byte("# a comment\ndomain: d\n")}}
	if _, err := Compile(files, false); err == nil || !strings.Contains(err.Error(), "b.yaml:2: duplicate domain 'd' in config file") {
		t.Errorf("%v", err)
	}
	if _, err := Compile(files, true); err != nil {
		t.Error(err)
	}
	same := "domain: d\ndescriptors:\n  - key: k\n"
	_, err := Compile([]File{{"a.yaml", []byte(same)}, {"b.yaml", []byte(same)}}, true)
	if err == nil || !strings.Contains(err.Error(), "b.yaml:3: duplicate descriptor composite key 'd.k'; the first is at a.yaml:3") {
		t.Errorf("%v", err)
	}
}

// TestWarnings: keys that envoyproxy/ratelimit takes at any level, and heeds at
// one, have no effect elsewhere, and somebody is told.
func TestWarnings(t *testing.T) {
	c, err := Compile([]File{{"f.yaml", []byte(limited("unit: day\nrequests_per_unit: 5\nshadow_mode: true"))}}, false)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{`f.yaml:7: "shadow_mode" has no effect in a rate_limit`}; !slices.Equal(c.Warnings, want) {
		t.Errorf("%q", c.Warnings)
	}
	if c.domains["d"].root.bare["k"].rule.shadow {
		t.Error("it has an effect")
	}
}

// TestUnlimitedUnit: of what has no limit envoyproxy/ratelimit refuses units, but
// no other words.
func TestUnlimitedUnit(t *testing.T) {
	c, err := Compile([]File{{"f.yaml", []byte(limited("unlimited: true\nunit: none"))}}, false)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"f.yaml:6: unit 'none' has no effect when unlimited"}; !slices.Equal(c.Warnings, want) {
		t.Errorf("%q", c.Warnings)
	}
}

// TestFurtherDocuments: envoyproxy/ratelimit reads a file's first document, and
// overlooks the others; somebody is told of those that say something.
func TestFurtherDocuments(t *testing.T) {
	c, err := Compile([]File{{"f.yaml", []byte("domain: d\n---\n---\ndomain: e\n---\n")}}, false)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"f.yaml:4: a document after the first has no effect"}; !slices.Equal(c.Warnings, want) {
		t.Errorf("%q", c.Warnings)
	}
	if !slices.Equal(c.Domains(), []string{"d"}) {
		t.Errorf("%q", c.Domains())
	}
}

// TestAccepted: whatever YAML says in other words.
func TestAccepted(t *testing.T) {
	for _, text := range []string{
		"domain: d\n", "domain: d\ndescriptors:\n", "domain: d\ndescriptors: []\n", "{domain: d}", "domain: 5\n", "---\ndomain: d\n...\n",
		"domain: d\n---\n", "domain: d\n--- # nothing\n---\n...\n", "domain: d\n---\ndomain: d\n",
		"domain: d\ndescriptors:\n  - key: k\n    rate_limit:\n", "domain: d\ndescriptors:\n  - {key: k, metadata: {}, descriptors: null}\n",
		limited("unit: WEEK"), limited("unlimited: true\nrequests_per_unit: 5"), limited("unlimited: yes"),
		limited("unit: week\nalgorithm: rolling\ncharge: all"), limited("unit: day\nrequests_per_unit: 1_000"),
	} {
		if _, err := Compile([]File{{"f.yaml", []byte(text)}}, false); err != nil {
			t.Errorf("%s\n%v", text, err)
		}
	}
}

func TestWildcard(t *testing.T) {
	for _, tc := range []struct {
		pattern, text string
		want          bool
	}{
		{"a", "a", true},
		{"a", "ab", false},
		{"", "", true},
		{"*", "", true},
		{"*", "x", true},
		{"**", "", true},
		{"a*", "a", true},
		{"a*", "b", false},
		{"*a", "ba", true},
		{"*a", "ab", false},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"a*b*c", "abc", true},
		{"a*b*c", "axbyc", true},
		{"a*b*c", "acb", false},
		{"a*b*b", "ab", false},
		{"a*b*b", "abb", true},
		{"*x*", "axb", true},
		{"*x*", "ab", false},
		{"a*ab*b", "aabb", true},
		{"a*ab*b", "aab", false},
	} {
		if got := newPattern(tc.pattern).matches(tc.text); got != tc.want {
			t.Errorf("%q, %q: %t", tc.pattern, tc.text, got)
		}
	}
}

// TestCells: two limits of a domain count in the same cells only if they count
// alike.
func TestCells(t *testing.T) {
	seen := make(map[uint64]string)
	for _, domain := range []string{"d", "e"} {
		for _, u := range unitNames {
			for a := range algorithm(len(algorithmNames)) {
				l := newLimit(domain, count{unit: unitOf(u), algorithm: a})
				if l == nil {
					continue
				}
				what := domain + " " + l.Name
				if other := seen[l.ID]; other != "" {
					t.Errorf("%s and %s", what, other)
				}
				seen[l.ID] = what
				if shadow := newLimit(domain, count{unit: unitOf(u), algorithm: a, shadow: true}); shadow.ID != l.ID || !shadow.Shadow {
					t.Errorf("%s in shadow mode: %+v", what, shadow)
				}
			}
		}
	}
	if len(seen) != 2*(7+5+5) {
		t.Errorf("%d limits", len(seen))
	}
}

// TestReadLinkedDir: a directory may be a link in another one, as in a ConfigMap
// whose items have paths. A link that leads back is told.
func TestReadLinkedDir(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/..1/sub/a.yaml", "a")
	write(t, dir+"/..1/sub/.b.yaml", "b")
	for link, target := range map[string]string{"..data": "..1", "sub": "..data/sub"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	files, before, err := readDir(dir)
	if err != nil || len(files) != 1 || files[0].Name != dir+"/sub/a.yaml" || string(files[0].Text) != "a" {
		t.Fatalf("%v, %v", files, err)
	}
	write(t, dir+"/..2/sub/a.yaml", "c")
	swap(t, dir+"/..data", "..2")
	files, after, err := readDir(dir)
	if err != nil || len(files) != 1 || string(files[0].Text) != "c" || after == before {
		t.Errorf("%v, %v", files, err)
	}
	if err := os.Symlink(dir, filepath.Join(dir, "back")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := readDir(dir); err == nil || !strings.Contains(err.Error(), "back") {
		t.Errorf("%v", err)
	}
}

// TestReadPipe: what is no file is told, and not waited for.
func TestReadPipe(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "a.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, _, err := readDir(dir)
		read <- err
	}()
	select {
	case err := <-read:
		if err == nil || !strings.Contains(err.Error(), "a.yaml is not a file") {
			t.Errorf("%v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits for somebody to write")
	}
}

// TestReadDir: files are those that are shown and end in .yaml or .yml.
func TestReadDir(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.yaml", "a.yml", "sub/c.yaml", "note.txt", ".hidden.yaml", "..data/d.yaml", "e.yaml~", "f.json"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, before, err := readDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, strings.TrimPrefix(f.Name, dir+"/")+"="+string(f.Text))
	}
	if want := []string{"a.yml=a.yml", "b.yaml=b.yaml", "sub/c.yaml=sub/c.yaml"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if err := os.Rename(filepath.Join(dir, "a.yml"), filepath.Join(dir, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, after, _ := readDir(dir); after == before {
		t.Error("another name is no other content")
	}
	for _, missing := range []string{filepath.Join(dir, "none"), filepath.Join(dir, "b.yaml")} {
		if _, _, err := readDir(missing); err == nil {
			t.Errorf("%s is a directory", missing)
		}
	}
}
