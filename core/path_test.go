package core

import (
	"path"
	"strings"
	"testing"
)

// TestDefinitionPaths: no spelling is a way around a limit; `*` inside is one
// segment, at the end anything.
func TestDefinitionPaths(t *testing.T) {
	for in, want := range map[string]string{
		"/a/b": "/a/b", "": "/", "/": "/", "//a///b/": "/a/b/", "/A/B": "/a/b",
		"/a/./b/../c": "/a/c", "/../a": "/a", "/a/..": "/", "/.well-known/x": "/.well-known/x",
		"/É": "/é", "/a/.": "/a", "*": "*",
		"/a;X=1": "/a;x=1", "/a;x/../b": "/b",
	} {
		if got := NormalizePath(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	for _, tc := range []struct {
		pattern, path string
		want          bool
	}{
		{"*", "/anything/at/all", true},
		{"/a", "/a", true},
		{"/a", "/a/", false},
		{"/a/", "/a", false},
		{"/a/", "/a/", true},
		{"/a", "/a;x", false},
		{"/a", "/ab", false},
		{"/a/*", "/a/", true},
		{"/a/*", "/a", false},
		{"/a/*", "/a/b/c", true},
		{"/a*", "/a", true},
		{"/a*", "/abc/d", true},
		{"/g/*/status", "/g/1/status", true},
		{"/g/*/status", "/g/1/2/status", false},
		{"/g/*/status", "/g/status", false},
		{"/g/*/status", "/g/1/status/2", false},
		{"/g/*/s/*", "/g/1/s/2/3", true},
		{"/v*/x", "/v1/x", true},
		{"/v*/x", "/v/x", true},
		{"/*a*b/x", "/aab/x", true},
		{"/*a*b/x", "/abab/x", true},
		{"/*a*b/x", "/a/b/x", false},
	} {
		if got := matchPath(tc.pattern, tc.path); got != tc.want {
			t.Errorf("%s against %s: got %v", tc.pattern, tc.path, got)
		}
	}
}

// FuzzMatchPath compares with a matcher that tries everything.
func FuzzMatchPath(f *testing.F) {
	f.Add("/a*b*/c/*", "/aab/c/d")
	f.Fuzz(func(t *testing.T, pattern, p string) {
		if len(pattern) > 20 || len(p) > 40 || strings.Count(pattern, "*") > 5 {
			return // trying everything takes too long
		}
		if got, want := matchPath(pattern, p), slowMatch(pattern, p); got != want {
			t.Errorf("%q against %q: got %v, want %v", pattern, p, got, want)
		}
	})
}

func slowMatch(pattern, p string) bool {
	if pattern == "" {
		return p == ""
	}
	if pattern[0] != '*' {
		return p != "" && p[0] == pattern[0] && slowMatch(pattern[1:], p[1:])
	}
	if len(pattern) == 1 {
		return true
	}
	for i := 0; i <= len(p); i++ {
		if slowMatch(pattern[1:], p[i:]) {
			return true
		}
		if i < len(p) && p[i] == '/' {
			return false
		}
	}
	return false
}

// FuzzNormalizePath: normalising is idempotent and agrees with Caddy's way.
func FuzzNormalizePath(f *testing.F) {
	f.Add("/A//b/../c/")
	f.Fuzz(func(t *testing.T, p string) {
		got := NormalizePath(p)
		if again := NormalizePath(got); again != got && strings.ToLower(got) == got {
			t.Errorf("%q gives %q, and that %q", p, got, again)
		}
		want := path.Clean(strings.ToLower(p))
		if p == "" {
			want = "/"
		} else if want != "/" && strings.HasSuffix(p, "/") {
			want += "/"
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", p, got, want)
		}
	})
}
