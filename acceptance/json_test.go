package acceptance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"
)

// anyText in an expected body stands for whatever text the page leaves open.
const anyText = "<any>"

// tokens are the parts of a JSON text in their order: delimiters, keys and
// values, numbers as written. White space is free.
func tokens(text []byte) ([]json.Token, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var all []json.Token
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, token)
	}
}

// object requires the body to be this JSON with keys in this order (C12), and
// its type to be JSON.
func (a *Answer) object(t testing.TB, want string) *Answer {
	t.Helper()
	if err := sameJSON(a.Body, []byte(want)); err != nil {
		t.Errorf("body: %v\n got %s\nwant %s", err, a.Body, want)
	}
	if kind := a.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		t.Errorf("Content-Type: %q: %v", kind, a)
	}
	return a
}

func sameJSON(got, want []byte) error {
	g, err := tokens(got)
	if err != nil {
		return err
	}
	w, err := tokens(want)
	if err != nil {
		return fmt.Errorf("the expected text: %w", err)
	}
	for i := range min(len(g), len(w)) {
		if !sameToken(g[i], w[i]) {
			return fmt.Errorf("token %d is %#v, want %#v", i+1, g[i], w[i])
		}
	}
	if len(g) != len(w) {
		return fmt.Errorf("%d tokens, want %d", len(g), len(w))
	}
	return nil
}

// sameToken compares decimals by value and everything else, whole numbers too,
// as written.
func sameToken(got, want json.Token) bool {
	if want == anyText {
		_, text := got.(string)
		return text
	}
	g, ok := got.(json.Number)
	w, isNumber := want.(json.Number)
	if !ok || !isNumber || !strings.Contains(w.String(), ".") {
		return got == want
	}
	x, okX := new(big.Rat).SetString(g.String())
	y, okY := new(big.Rat).SetString(w.String())
	return okX && okY && x.Cmp(y) == 0
}

// shape is the JSON with its keys and types and without its values: digits
// within texts count as values too.
func shape(text []byte) (string, error) {
	all, err := tokens(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, token := range all {
		switch v := token.(type) {
		case json.Number:
			b.WriteString("number ")
		case string:
			fmt.Fprintf(&b, "%q ", number.ReplaceAllString(v, "9"))
		default:
			fmt.Fprintf(&b, "%v ", v)
		}
	}
	return b.String(), nil
}

// field is one value of the body, found by the names that lead to it.
func (a *Answer) field(t testing.TB, names ...string) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(a.Body))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		t.Fatalf("%v: %v", err, a)
	}
	for _, name := range names {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}

// whole is a field that is a whole number.
func (a *Answer) whole(t testing.TB, names ...string) int {
	t.Helper()
	n, ok := a.field(t, names...).(json.Number)
	if !ok {
		t.Fatalf("%v is no number: %v", names, a)
	}
	i, err := n.Int64()
	if err != nil {
		t.Fatalf("%v: %v", names, err)
	}
	return int(i)
}
