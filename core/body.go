package core

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// bodyCost returns the cost at a path of object keys in a JSON body, or, if the
// path's last word of several is length, the length of the array there. ok is
// false where there is none, or the body is malformed.
//
// Nobody knows how the origin reads what JSON leaves open, so the largest of all
// values counts that a decoder in wide use may take: of duplicate keys, of
// several texts one after the other (Go, Jackson). NaN and Infinity (Python),
// nesting of any depth (JavaScript), UTF-16 and UTF-32 (RFC 4627, section 3) make
// a body no malformed one. It takes time and memory in proportion to the body.
func bodyCost(body []byte, path []string) (n int64, ok bool) {
	s := bodyScan{text: toUTF8(body), path: path}
	for s.peek() != 0 {
		s.cost, s.found = n, ok
		if !s.value(0) {
			break
		}
		n, ok = s.cost, s.found
	}
	return n, ok
}

// A bodyScan reads JSON and looks for the costs at a path.
type bodyScan struct {
	text  []byte
	at    int
	path  []string
	stack []byte // the brackets that will close what is open

	cost  int64
	found bool
}

// peek skips white space and returns the byte there, 0 at the end. A byte of 0
// begins nothing that is JSON.
func (s *bodyScan) peek() byte {
	for ; s.at < len(s.text); s.at++ {
		if c := s.text[s.at]; c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c
		}
	}
	return 0
}

// take skips c if it comes next.
func (s *bodyScan) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

// value reads a value to which matched words of the path lead. It returns false
// where there is none.
func (s *bodyScan) value(matched int) bool {
	switch c := s.peek(); {
	case c == '{' && matched < len(s.path) && !s.isLength(matched):
		return s.object(matched)
	case c == '[' && s.isLength(matched):
		return s.array()
	case c == '[' && matched == len(s.path):
		return s.bracketed()
	case c == '{' || c == '[' || matched < len(s.path):
		return s.skip()
	}
	start := s.at
	if !s.scalar() {
		return false
	}
	s.findIn(s.text[start:s.at])
	return true
}

// findIn keeps the cost that a number or a string is.
func (s *bodyScan) findIn(token []byte) {
	if token[0] != '"' {
		s.find(parseCost(string(token)))
	} else if text, ok := unquote(token); ok {
		s.find(largestCost(text))
	}
}

// bracketed reads an array that is at the path. JavaScript takes the number that is
// first in it, in any number of brackets, for its own.
func (s *bodyScan) bracketed() bool {
	start := s.at
	if !s.skip() {
		return false
	}
	inner := bodyScan{text: bytes.TrimLeft(s.text[start:s.at], "[ \n\r\t")}
	if inner.scalar() {
		s.findIn(inner.text[:inner.at])
	}
	return true
}

// object reads an object whose members may be on the path.
func (s *bodyScan) object(matched int) bool {
	s.at++
	if s.take('}') {
		return true
	}
	for {
		key, ok := s.key()
		if !ok {
			return false
		}
		if isKey(key, s.path[matched]) {
			ok = s.value(matched + 1)
		} else {
			ok = s.skip()
		}
		if !ok || s.take('}') {
			return ok
		}
		if !s.take(',') {
			return false
		}
	}
}

// array reads the array whose length counts.
func (s *bodyScan) array() bool {
	s.at++
	n := int64(0)
	for closed := s.take(']'); !closed; closed = s.take(']') {
		if n > 0 && !s.take(',') || !s.skip() {
			return false
		}
		n++
	}
	s.find(n, true)
	return true
}

// skip reads a value in which nothing counts.
func (s *bodyScan) skip() bool {
	s.stack = s.stack[:0]
	for {
		switch open := s.peek(); {
		case open == '{' || open == '[':
			s.at++
			closing := open + 2 // in ASCII, for both
			if s.take(closing) {
				break
			}
			s.stack = append(s.stack, closing)
			if !s.member() {
				return false
			}
			continue
		case !s.scalar():
			return false
		}
		for len(s.stack) > 0 && s.take(s.stack[len(s.stack)-1]) {
			s.stack = s.stack[:len(s.stack)-1]
		}
		if len(s.stack) == 0 {
			return true
		}
		if !s.take(',') || !s.member() {
			return false
		}
	}
}

// member reads what comes before the next value of what is open: in an object
// its key.
func (s *bodyScan) member() bool {
	if s.stack[len(s.stack)-1] == ']' {
		return true
	}
	_, ok := s.key()
	return ok
}

// key reads a member's key, with its quotes, and the colon behind it.
func (s *bodyScan) key() (quoted []byte, ok bool) {
	if s.peek() != '"' {
		return nil, false
	}
	start := s.at
	if !s.quoted() {
		return nil, false
	}
	quoted = s.text[start:s.at]
	return quoted, s.take(':')
}

// scalar reads a string, a number or a word.
func (s *bodyScan) scalar() bool {
	switch c := s.peek(); {
	case c == '"':
		return s.quoted()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	}
	return s.word("true") || s.word("false") || s.word("null") || s.word("NaN") || s.word("Infinity")
}

func (s *bodyScan) word(word string) bool {
	if !bytes.HasPrefix(s.text[s.at:], []byte(word)) {
		return false
	}
	s.at += len(word)
	return true
}

// number reads a number, or -Infinity.
func (s *bodyScan) number() bool {
	if s.text[s.at] == '-' {
		s.at++
		if s.word("Infinity") {
			return true
		}
	}
	if !s.word("0") && !s.digits() {
		return false
	}
	if s.word(".") && !s.digits() {
		return false
	}
	if !s.word("e") && !s.word("E") {
		return true
	}
	if !s.word("+") {
		s.word("-")
	}
	return s.digits()
}

func (s *bodyScan) digits() bool {
	start := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at > start
}

// quoted reads a string: RFC 8259, section 7.
func (s *bodyScan) quoted() bool {
	for s.at++; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return true
		case c < 0x20:
			return false
		case c == '\\':
			s.at++
			if !s.escape() {
				return false
			}
		}
	}
	return false
}

// escape reads what follows a backslash, but for its last byte.
func (s *bodyScan) escape() bool {
	switch {
	case s.at >= len(s.text):
		return false
	case s.text[s.at] != 'u':
		return strings.IndexByte(`"\/bfnrt`, s.text[s.at]) >= 0
	case s.at+4 >= len(s.text):
		return false
	}
	s.at += 4
	_, err := strconv.ParseUint(string(s.text[s.at-3:s.at+1]), 16, 16)
	return err == nil
}

// isLength reports whether all that is left of the path is the word length, which
// is that of an array and never an object's key.
func (s *bodyScan) isLength(matched int) bool {
	return matched > 0 && matched == len(s.path)-1 && s.path[matched] == "length"
}

// find keeps the larger of two costs.
func (s *bodyScan) find(n int64, ok bool) {
	if ok && (!s.found || n > s.cost) {
		s.cost, s.found = n, true
	}
}

// isKey reports whether a quoted key is the word.
func isKey(quoted []byte, word string) bool {
	if len(quoted) > 2+6*len(word) { // not even if each letter is escaped
		return false
	}
	key, ok := unquote(quoted)
	return ok && key == word
}

// unquote returns what a quoted string says.
func unquote(quoted []byte) (text string, ok bool) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1]), true
	}
	return text, json.Unmarshal(quoted, &text) == nil
}

// bodyPath splits a {json.…} attribute's path.
func bodyPath(name string) []string { return strings.Split(name, ".") }
