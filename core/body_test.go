package core

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// TestDefinitionBodies: missing or malformed gives nothing (so the cost's min
// counts); of duplicate keys the largest.
func TestDefinitionBodies(t *testing.T) {
	const none = int64(-1)
	for _, tc := range []struct {
		path, body string
		want       int64
	}{
		{"images.length", `{"images":["a","b","c"]}`, 3},
		{"images.length", `{"images":[]}`, 0},
		{"images.length", `{"images":[[1,2],{"x":[1]}]}`, 2},
		{"images.length", `{"images":"abc"}`, none},
		{"images.length", `{"other":[1]}`, none},
		{"images.length", `{"images":[1],"images":[1,2,3],"images":[1,2]}`, 3},
		{"images.length", `{"im\u0061ges":[1,2]}`, 2},
		{"images.length", `{"images":[1,2]`, none},
		{"images.length", `{"images":[1,2`, none},
		{"images.length", `{"images":[1,2],}`, none},
		{"images.length", `{"images":[1,2,]}`, none},
		{"images.length", `{"images":[,1]}`, none},
		{"images.length", `{'images':[1]}`, none},
		{"images.length", `{images:[1]}`, none},
		{"images.length", `{"images":[1,2]}` + "\n ", 2},
		{"images.length", `{"images":[1 2]}`, none},
		{"images.length", `{"images":[01]}`, none},
		{"images.length", "{\"images\":[\"a\nb\"]}", none},
		{"images.length", `{"images":["\x"]}`, none},
		{"images.length", `{"images":["\u12g4"]}`, none},
		{"images.length", ``, none},
		{"images.length", `null`, none},
		{"images.length", `{"Images":[1,2,3]}`, none},
		{"images.length", `[{"images":[1]}]`, none},
		{"images.length", `{"images":{"length":4}}`, none},
		{"images.length", "\xef\xbb\xbf" + `{"images":[1,2]}`, 2},
		{"length", `{"length":4}`, 4},
		{"length.n", `{"length":{"n":4}}`, 4},
		{"a.b.n", `{"a":{"b":{"n":7}},"n":9}`, 7},
		{"a.b.n", `{"a":{"b":{"n":7}},"a":{"b":{"n":11}}}`, 11},
		{"a.b.n", `{"a":{"b":{"n":7}},"a":{"b":{"n":"x"}}}`, 7},
		{"n", `{"n":"12"}`, 12},
		{"n", `{"n":" 12 "}`, 12},
		{"n", `{"n":"70x"}`, 70},
		{"n", `{"n":"0x46"}`, 70},
		{"n", `{"n":[70]}`, 70}, // Number([70])
		{"n", `{"n":[ [["7x"]]]}`, 7},
		{"n", `{"n":[70,1]}`, 70}, // parseInt([70,1])
		{"n", `{"n":["70x",{}]}`, 70},
		{"n", `{"n":[[70],1]}`, 70},
		{"n", `{"n":[[],70]}`, none},
		{"n", `{"n":[{},70]}`, none},
		{"n", `{"n":[null,70]}`, none},
		{"n", `{"n":["]"]}`, none},
		{"n", `{"n":[]}`, none},
		{"n", `{"n":[{"n":70}]}`, none},
		{"n", `{"n":[70]`, none},
		{"n", `{"n":[70}`, none},
		{"n", `{"n":"\uff17\uff10\u0000"}`, 70},
		{"n", `{"n":"7e-1"}`, 7},
		{"n", `{"n":7e-1}`, 1},
		{"n", `{"n":"seventy"}`, none},
		{"n", `{"n":true}`, none},
		{"n", `{"n":1e3}`, 1000},
		{"n", `{"n":1e400}`, MaxAmount},
		{"n", `{"n":` + strings.Repeat("9", 5000) + `}`, MaxAmount},
		{"n", `{"n":-5}`, none},
		{"n", strings.Repeat("[", 2000), none},
	} {
		got, ok := bodyCost([]byte(tc.body), bodyPath(tc.path))
		if !ok {
			got = none
		}
		if got != tc.want {
			t.Errorf("%s of %.60s: got %d, want %d", tc.path, tc.body, got, tc.want)
		}
	}
}

// TestAttackBodyThatDecodersReadDifferently: a body that some decoder in wide use
// takes costs what that decoder finds in it.
func TestAttackBodyThatDecodersReadDifferently(t *testing.T) {
	const images = `{"images":[1,2,3]}`
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	for name, body := range map[string]string{
		"something follows (Go, Jackson)":       images + " trailing",
		"a bracket follows (Go, Jackson)":       images + "]",
		"another text follows":                  images + `{"images":[1]}`,
		"another text comes before":             `{"images":[1]}` + images,
		"another text is cut":                   images + `{"images":[1,2,3,4]`,
		"a zero follows":                        images + "\x00",
		"NaN (Python)":                          `{"x":NaN,"images":[1,2,3]}`,
		"Infinity (Python)":                     `{"x":[Infinity,-Infinity],"images":[1,2,3]}`,
		"nested deeper than Go (JavaScript)":    `{"x":` + deep + `,"images":[1,2,3]}`,
		"half a surrogate pair":                 `{"x":"\ud800","images":[1,2,3]}`,
		"no UTF-8":                              "{\"x\":\"\xff\xfe\",\"images\":[1,2,3]}",
		"UTF-16, little-endian (Python)":        string(inUTF16(images, binary.LittleEndian)),
		"UTF-16, big-endian":                    string(inUTF16(images, binary.BigEndian)),
		"UTF-16 with a mark":                    "\xff\xfe" + string(inUTF16(images, binary.LittleEndian)),
		"UTF-16, big-endian, with a mark":       "\xfe\xff" + string(inUTF16(images, binary.BigEndian)),
		"UTF-16, and not in the ASCII range":    string(inUTF16(`{"x":"😀","images":[1,2,3]}`, binary.LittleEndian)),
		"UTF-32, little-endian":                 string(inUTF32(images, binary.LittleEndian)),
		"UTF-32, big-endian":                    string(inUTF32(images, binary.BigEndian)),
		"UTF-32 with a mark":                    "\xff\xfe\x00\x00" + string(inUTF32(images, binary.LittleEndian)),
		"UTF-32, big-endian, with a mark":       "\x00\x00\xfe\xff" + string(inUTF32(images, binary.BigEndian)),
		"duplicate keys, the largest in middle": `{"images":[1],"images":[1,2,3],"images":[]}`,
	} {
		if n, ok := bodyCost([]byte(body), bodyPath("images.length")); n != 3 || !ok {
			t.Errorf("%s: %d, %v", name, n, ok)
		}
	}
}

func inUTF16(s string, order binary.AppendByteOrder) (b []byte) {
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

func inUTF32(s string, order binary.AppendByteOrder) (b []byte) {
	for _, r := range s {
		b = order.AppendUint32(b, uint32(r))
	}
	return b
}

// TestAttackBodyTakesTimeInProportion: eight times the body takes some eight times
// as long to read, however it is made. Quadratic work would take 64 times as long;
// what is compared is the best of several runs, of more where other load shows.
func TestAttackBodyTakesTimeInProportion(t *testing.T) {
	for name, body := range map[string]func(n int) string{
		"depth":          func(n int) string { return strings.Repeat("[", n) },
		"depth in keys":  func(n int) string { return strings.Repeat(`{"n":`, n/5) },
		"width":          func(n int) string { return `{"x":[` + strings.Repeat("0,", n/2) + `0]}` },
		"members":        func(n int) string { return `{` + strings.Repeat(`"m":0,`, n/6) + `"n":1}` },
		"duplicate keys": func(n int) string { return `{` + strings.Repeat(`"n":1,`, n/6) + `"n":1}` },
		"a long number first, then duplicate keys": func(n int) string {
			return `{"n":` + strings.Repeat("9", n/2) + `,` + strings.Repeat(`"n":1,`, n/12) + `"n":1}`
		},
		"a long text first, then duplicate keys": func(n int) string {
			return `{"n":"` + strings.Repeat("9", n/2) + `",` + strings.Repeat(`"n":"1",`, n/16) + `"n":1}`
		},
		"escaped keys": func(n int) string { return `{` + strings.Repeat(`"\u006d":0,`, n/11) + `"n":1}` },
		"texts":        func(n int) string { return strings.Repeat(`{"n":1}`, n/7) },
		"white space":  func(n int) string { return strings.Repeat(" ", n) },
		"UTF-16":       func(n int) string { return string(inUTF16(`{"n":`+strings.Repeat(" ", n/2)+`1}`, binary.BigEndian)) },
	} {
		texts := [2][]byte{[]byte(body(1 << 16)), []byte(body(1 << 19))}
		small, large := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
		for n := 0; n < 5 || n < 100 && large > 32*small; n++ {
			for i, least := range []*time.Duration{&small, &large} {
				start := time.Now()
				bodyCost(texts[i], []string{"n"})
				*least = min(*least, time.Since(start))
			}
		}
		if large > 32*small {
			t.Errorf("%s: %v for 64 KiB, %v for 512 KiB", name, small, large)
		}
	}
}

func TestParseCost(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want int64
		ok   bool
	}{
		{"3", 3, true},
		{"0", 0, true},
		{"-1", 0, false},
		{"", 0, false},
		{"x", 0, false},
		{"2.1", 3, true},
		{"1e3", 1000, true},
		{"1e400", MaxAmount, true},
		{"-1e400", 0, false},
		{"NaN", 0, false},
		{"99999999999999999999", MaxAmount, true},
	} {
		got, ok := parseCost(tc.in)
		if ok != tc.ok || ok && got != tc.want {
			t.Errorf("%q: got %d, %v", tc.in, got, ok)
		}
	}
}

// FuzzBodyCost compares with the standard library's decoder: what that takes,
// read token by token, has the same cost.
func FuzzBodyCost(f *testing.F) {
	for _, s := range []string{
		`{"images":[1,2]}`, `{"images":[],"images":[[]]}`, `[`, `{"images":{"length":"9"}}`, `{"n":1.5e3,"a":{"n":"7"}}`,
		`{"N":-0.0E-1,"n":"\u0031"}`, "\xff\xfe{\x00}\x00", `{"a":{"n":NaN}} {}`, `{"\u0061":{"N":"1"}}`,
		`{"n":[70,1]}`, `{"n":[["7x",2]]}`, `{"n":[[],70]}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, path := range []string{"images.length", "n", "a.n", "a.b.length"} {
			got, ok := bodyCost([]byte(body), bodyPath(path))
			if ok && (got < 0 || got > MaxAmount) {
				t.Errorf("%s of %q: %d", path, body, got)
			}
			if !json.Valid([]byte(body)) {
				continue
			}
			model := bodyModel{decoder: json.NewDecoder(strings.NewReader(body)), path: bodyPath(path)}
			model.decoder.UseNumber()
			model.value(0)
			if got != model.cost || ok != model.found {
				t.Errorf("%s of %q: got %d, %v; want %d, %v", path, body, got, ok, model.cost, model.found)
			}
		}
	})
}

// A bodyModel reads a body that is JSON the plain way.
type bodyModel struct {
	decoder *json.Decoder
	path    []string
	cost    int64
	found   bool
}

func (m *bodyModel) find(n int64, ok bool) {
	if ok {
		m.cost, m.found = max(m.cost, n), true
	}
}

// value reads a value; matched is how many words of the path lead here, or −1.
// It returns the number or string that it is, or that is first in an array.
func (m *bodyModel) value(matched int) (first any) {
	length := matched > 0 && matched == len(m.path)-1 && m.path[matched] == "length"
	token, _ := m.decoder.Token()
	switch v := token.(type) {
	case json.Delim:
		n := int64(0)
		for ; m.decoder.More(); n++ {
			next := -1
			if v == '{' {
				key, _ := m.decoder.Token()
				if matched >= 0 && matched < len(m.path) && !length && key == m.path[matched] {
					next = matched + 1
				}
			}
			if inner := m.value(next); v == '[' && n == 0 {
				first = inner
			}
		}
		_, _ = m.decoder.Token()
		if v == '[' {
			m.find(n, length)
		}
	case json.Number, string:
		first = v
	}
	if matched == len(m.path) {
		switch v := first.(type) {
		case json.Number:
			m.find(parseCost(v.String()))
		case string:
			m.find(largestCost(v))
		}
	}
	return first
}
