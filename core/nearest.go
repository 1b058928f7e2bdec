package core

import "strings"

// Nearest returns the valid word that word was most likely meant to be, or ""
// if none is close: the least Levenshtein distance (Wagner and Fischer, 1974),
// at most a third of the word's length, at least one; ties in valid's order.
func Nearest(word string, valid []string) string {
	best, bestDistance := "", max(1, len(word)/3)+1
	for _, v := range valid {
		if d := editDistance(strings.ToLower(word), v); d < bestDistance {
			best, bestDistance = v, d
		}
	}
	return best
}

// editDistance counts insertions, deletions and replacements of bytes. Long
// words are cut: it is for words that people mistype.
func editDistance(a, b string) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// DidYouMean returns `; did you mean "w"?` for the nearest valid word, or else
// "; expected one of …" with all of them.
func DidYouMean(word string, valid []string) string {
	if w := Nearest(word, valid); w != "" {
		return `; did you mean "` + w + `"?`
	}
	return "; expected one of " + strings.Join(valid, ", ")
}
