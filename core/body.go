package core

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
)

// maxBodyDepth is how deep a body's JSON may nest. Deeper ones are malformed.
const maxBodyDepth = 1000

var errTooDeep = errors.New("JSON nests too deep")

// bodyValue returns the scalar at a path of object keys in a JSON body, or, if
// the path's last word of several is length, the length of the array there. It is "" where
// there is none, or the body is malformed. Of duplicate keys the largest value
// counts: nobody knows which one the origin reads.
func bodyValue(body []byte, path []string) string {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) // a byte order mark
	w := bodyWalk{decoder: json.NewDecoder(bytes.NewReader(body)), path: path}
	w.decoder.UseNumber()
	if err := w.value(0, 0); err != nil {
		return ""
	}
	if _, err := w.decoder.Token(); !errors.Is(err, io.EOF) {
		return ""
	}
	return w.found
}

// A bodyWalk reads a JSON value token by token, in memory that does not grow
// with the body.
type bodyWalk struct {
	decoder *json.Decoder
	path    []string
	found   string
}

// value reads one value. matched is how many words of the path lead here, or
// −1 where they don't.
func (w *bodyWalk) value(matched, depth int) error {
	if depth > maxBodyDepth {
		return errTooDeep
	}
	token, err := w.decoder.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		return w.object(matched, depth)
	case json.Delim('['):
		return w.array(matched, depth)
	}
	if matched == len(w.path) {
		w.find(scalarText(token))
	}
	return nil
}

func (w *bodyWalk) object(matched, depth int) error {
	for w.decoder.More() {
		key, err := w.decoder.Token()
		if err != nil {
			return err
		}
		next := -1
		if matched >= 0 && matched < len(w.path) && w.isKey(key, matched) {
			next = matched + 1
		}
		if err := w.value(next, depth+1); err != nil {
			return err
		}
	}
	return w.closing()
}

func (w *bodyWalk) array(matched, depth int) error {
	n := 0
	for ; w.decoder.More(); n++ {
		if err := w.value(-1, depth+1); err != nil {
			return err
		}
	}
	if w.length(matched) {
		w.find(strconv.Itoa(n))
	}
	return w.closing()
}

// isKey reports whether the key is the path's next word.
func (w *bodyWalk) isKey(key json.Token, matched int) bool {
	text, ok := key.(string)
	return ok && text == w.path[matched] && !w.length(matched)
}

// length reports whether all that is left of the path is the word length, which
// is that of an array and never an object's key.
func (w *bodyWalk) length(matched int) bool {
	return matched > 0 && matched == len(w.path)-1 && w.path[matched] == "length"
}

func (w *bodyWalk) closing() error {
	_, err := w.decoder.Token()
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// find keeps the larger of two values.
func (w *bodyWalk) find(s string) {
	old, hadOld := parseCost(w.found)
	if n, ok := parseCost(s); !hadOld || ok && n > old {
		w.found = s
	}
}

func scalarText(token json.Token) string {
	switch t := token.(type) {
	case string:
		return t
	case json.Number:
		return t.String()
	}
	return ""
}

// bodyPath splits a {json.…} attribute's path.
func bodyPath(name string) []string { return strings.Split(name, ".") }
