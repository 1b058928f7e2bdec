package core

import "testing"

func TestNearest(t *testing.T) {
	valid := []string{"rolling", "fixed", "calendar", "bucket", "hold", "per", "max"}
	for word, want := range map[string]string{
		"roling": "rolling", "fxied": "fixed", "Calendar": "calendar", "mx": "max",
		"pre": "per", "hodl": "hold", "limit": "", "": "", "bukcet": "bucket",
	} {
		if got := Nearest(word, valid); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}
