package core

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// parseCost reads a number from 0, as many decoders do also with white space around
// it, and rounds it up to a whole one; ok is false where the text is none.
func parseCost(s string) (n int64, ok bool) {
	s = trimmed(s)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return min(n, MaxAmount), n >= 0
	}
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange), math.IsNaN(f), f < 0:
		return 0, false
	case f >= float64(MaxAmount):
		return MaxAmount, true
	}
	return int64(math.Ceil(f)), true
}

// largestCost returns the largest number from 0 that an origin may take a client's
// text for: beside what parseCost reads, the number that the text begins with (PHP,
// Ruby, C, parseInt), that before its dot or exponent (parseInt), hexadecimal, octal
// and binary ones (ECMAScript, Spring), digits of other scripts (Python) and with _
// (Python, Ruby), white space (Spring) or commas (ASP.NET) between them.
func largestCost(s string) (n int64, ok bool) {
	if n, ok = parseCost(s); ok && digits(s) {
		return n, true
	}
	s = asciiDigits(trimmed(s))
	whole, rest, _ := strings.Cut(s, ".")
	for _, spelling := range [3]string{s, withoutBlanks(s), strings.ReplaceAll(whole, ",", "") + s[len(whole):len(s)-len(rest)] + rest} {
		if m, found := largestPrefix(spelling); found && (!ok || m > n) {
			n, ok = m, true
		}
	}
	return n, ok
}

// withoutBlanks returns s without white space.
func withoutBlanks(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

// largestPrefix returns the largest number that s begins with.
func largestPrefix(s string) (n int64, ok bool) {
	for _, prefix := range numbers(s) {
		if m, found := parseCost(prefix); found && (!ok || m > n) {
			n, ok = m, true
		}
	}
	if m, found := basedPrefix(s); found && (!ok || m > n) {
		n, ok = m, true
	}
	return n, ok
}

// asciiDigits writes the decimal digits of all scripts in ASCII.
func asciiDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 || !unicode.IsDigit(r) {
			return r
		}
		for _, t := range unicode.Nd.R16 {
			if r <= rune(t.Hi) && r >= rune(t.Lo) {
				return '0' + (r-rune(t.Lo))%10
			}
		}
		for _, t := range unicode.Nd.R32 {
			if r <= rune(t.Hi) && r >= rune(t.Lo) {
				return '0' + (r-rune(t.Lo))%10
			}
		}
		return r
	}, s)
}

// numbers returns the longest numbers that s begins with: a whole one, one with
// decimals, and one with an exponent.
func numbers(s string) [3]string {
	i := 0
	if s != "" && (s[0] == '+' || s[0] == '-') {
		i = 1
	}
	whole := i + run(s[i:], 10)
	decimal := whole
	if decimal < len(s) && s[decimal] == '.' {
		decimal++
		decimal += run(s[decimal:], 10)
	}
	exponent := decimal
	if exponent < len(s) && s[exponent]|0x20 == 'e' {
		exponent++
		if exponent < len(s) && (s[exponent] == '+' || s[exponent] == '-') {
			exponent++
		}
		exponent += run(s[exponent:], 10)
	}
	plain := func(end int) string { return strings.ReplaceAll(s[:end], "_", "") }
	return [3]string{plain(whole), plain(decimal), plain(exponent)}
}

// basedPrefix reads the number that s begins with, if that is a hexadecimal, octal or
// binary one.
func basedPrefix(s string) (n int64, ok bool) {
	s = strings.TrimPrefix(s, "+")
	if hex, ok := strings.CutPrefix(s, "#"); ok {
		s = "0x" + hex
	}
	if len(s) < 3 || s[0] != '0' {
		return 0, false
	}
	base := map[byte]int{'x': 16, 'o': 8, 'b': 2}[s[1]|0x20]
	end := 2 + run(s[2:], base)
	m, err := strconv.ParseUint(strings.ReplaceAll(s[2:end], "_", ""), max(base, 2), 64)
	if errors.Is(err, strconv.ErrRange) {
		return MaxAmount, true
	}
	return int64(min(m, uint64(MaxAmount))), err == nil
}

// run returns how many characters s begins with that are digits in the base, or a _
// between such.
func run(s string, base int) (n int) {
	for n < len(s) {
		digit := int(hexDigit(s[n])) < base
		if !digit && (s[n] != '_' || n == 0 || n+1 == len(s) || int(hexDigit(s[n+1])) >= base) {
			break
		}
		n++
	}
	return n
}
