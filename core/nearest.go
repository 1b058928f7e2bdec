package core

import (
	"cmp"
	"strings"
)

// Nearest returns the valid word that word was most likely meant to be, or ""
// if none is close: the least edit distance (Damerau, 1964; optimal string
// alignment), at most a third of the word's length, at least one; ties in
// valid's order.
func Nearest(word string, valid []string) string {
	best, bestDistance := "", max(1, len(word)/3)+1
	for _, v := range valid {
		if d := editDistance(strings.ToLower(word), v); d < bestDistance {
			best, bestDistance = v, d
		}
	}
	return best
}

// editDistance counts insertions, deletions, replacements and swaps of
// neighbours. Long words are cut: it is for words that people mistype.
func editDistance(a, b string) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
	var before, last, row [65]int
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replaced := last[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			row[j] = min(replaced, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// Suggest returns `; did you mean "w"?` for the nearest valid word, "" if none is
// close.
func Suggest(word string, valid ...string) string {
	w := Nearest(word, valid)
	if w == "" {
		return ""
	}
	return `; did you mean "` + w + `"?`
}

// DidYouMean is Suggest, or else "; expected one of …" with all valid words.
func DidYouMean(word string, valid []string) string {
	return cmp.Or(Suggest(word, valid...), "; expected one of "+strings.Join(valid, ", "))
}
