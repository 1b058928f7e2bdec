package contract

import (
	"fmt"
	"strings"
)

// suggest returns `; did you mean "x"?` for the word that is most like got, or
// the choice of words where none is like it.
func suggest(got string, words []string) string {
	best, least := "", len(got)/3+2
	for _, w := range words {
		if n := distance(got, w); n < least {
			best, least = w, n
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	if len(words) == 0 {
		return ""
	}
	return "; expected " + oneOf(words)
}

// oneOf joins words as in "a, b or c".
func oneOf(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// distance is Levenshtein's (1966), in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// clip shortens what a message repeats of its input.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}
