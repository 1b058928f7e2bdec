package core

import (
	"strings"
	"testing"
	"unicode"
)

// TestLargestCost: what a client's text costs is the most that an origin reads.
func TestLargestCost(t *testing.T) {
	for in, want := range map[string]int64{
		"70": 70, " 70\t": 70, "+70": 70, "70x": 70, "70e": 70, "7e1x": 70, "70\x00": 70, "70;x": 70, "70 x": 70, "\ufeff70": 70,
		"0x46": 70, "0X46z": 70, "+0x46": 70, "0b11": 3, "0o17": 15, "017": 17, "0x1p4": 16, "0xg": 0, "0b2": 0,
		"７０": 70, "٧٠x": 70, "𝟕𝟎": 70, "1_0": 10, "1_0_x": 10, "1__0": 1, "0x4_6": 70, "_1": -1,
		"7.5": 8, "7.5x": 8, ".5": 1, "7.": 7, "7e-1": 7, "99e-5x": 99, "1e3": 1000, "1e+3x": 1000, "1,000": 1000, "1,2.5": 13, "1 000": 1000, "1\u00a0000,5": 1000, "7 x": 7, "#46": 70, "#46x": 70, "#": -1, "1, 2": 1,
		"1e400": MaxAmount, "1e400x": MaxAmount, "0x" + strings.Repeat("f", 100): MaxAmount, strings.Repeat("9", 100) + "x": MaxAmount,
		"2026-11-23T10:00:00Z": 2026, "550e8400-e29b": MaxAmount, "f47ac10b-58cc": -1, "10.0.0.1": 10, "1.2.3": 2, "v1.2.3": -1, "1.000,5": 1,
		"Infinity": MaxAmount, "-Infinity": -1, "infinite": -1, "1e-400": 1, "0x": 0, "١٢": 12, "½": -1, "²": -1, "−5": -1, "+-5": -1,
		"": -1, "x": -1, "$70": -1, "-70": -1, "-70x": -1, "-0x46": 0, "--70": -1, "NaN": -1, "e1": -1, ".": -1, "+": -1, "true": -1, "0": 0, "-0": 0,
	} {
		got, ok := largestCost(in)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %d, want %d", in, got, want)
		}
	}
	if n, ok := parseCost("70x"); ok {
		t.Errorf("strictly read, 70x is %d", n)
	}
}

// TestDigitsOfAllScripts: Unicode's tables have them in tens.
func TestDigitsOfAllScripts(t *testing.T) {
	value := rune(0)
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		if !unicode.IsDigit(r) {
			value = 0
			continue
		}
		if got := asciiDigits(string(r)); got != string('0'+value) {
			t.Fatalf("%U: %q, want %c", r, got, '0'+value)
		}
		value = (value + 1) % 10
	}
}
