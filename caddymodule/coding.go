package caddymodule

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/weirhq/weir/core"
)

// A coding is a content coding (RFC 9110, section 8.4.1) that bodies can be
// decoded from.
type coding uint8

const (
	identity coding = iota
	gzipped
	deflated
)

// decodable are the codings that a 415 names.
const decodable = "gzip, deflate"

// charsets are those in which JSON's own characters are ASCII's, or that a JSON
// text tells by itself.
var charsets = []string{
	"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin1",
	"utf-16", "utf-16le", "utf-16be", "utf-32", "utf-32le", "utf-32be",
}

// codingOf returns how the body is encoded that h describes; ok is false where
// it cannot be decoded, several times encoded ones among them.
func codingOf(h http.Header) (c coding, ok bool) {
	if !readableText(fieldValues(h, "Content-Type")) {
		return 0, false
	}
	for _, line := range fieldValues(h, "Content-Encoding") {
		for name := range strings.SplitSeq(line, ",") {
			switch next := codings[strings.ToLower(strings.TrimSpace(name))]; {
			case next == identity+1:
			case next == 0 || c != identity:
				return 0, false
			default:
				c = next - 1
			}
		}
	}
	return c, true
}

// codings by name, plus one: 0 is unknown.
var codings = map[string]coding{
	"": identity + 1, "identity": identity + 1,
	"gzip": gzipped + 1, "x-gzip": gzipped + 1, "deflate": deflated + 1,
}

// readableText reports whether the types of a body name no charset in which JSON
// looks like something else.
func readableText(types []string) bool {
	for _, t := range types {
		if !strings.Contains(strings.ToLower(t), "charset") {
			continue
		}
		_, params, err := mime.ParseMediaType(t)
		if err != nil || len(types) > 1 || !slices.Contains(charsets, strings.ToLower(params["charset"])) {
			return false
		}
	}
	return true
}

// readings returns what data says to those who decode it and to those who don't:
// nobody knows which the origin does. A decoder that fails has said something
// before, which counts: an origin may have acted on that.
func (c coding) readings(data []byte, limit int64) (all [][]byte, err error) {
	all = [][]byte{data}
	for _, decoder := range c.decoders() {
		r, err := decoder(bytes.NewReader(data))
		if err != nil {
			continue // its very beginning is none
		}
		decoded, _ := io.ReadAll(io.LimitReader(r, limit+1)) // see above
		if int64(len(decoded)) > limit {
			return nil, core.ErrBodyTooLarge
		}
		all = append(all, decoded)
	}
	return all, nil
}

// decoders returns the decoders of the coding. That of deflate is zlib's format,
// but some take it for the bare one (RFC 9110, section 8.4.1.2), and some tell it
// from gzip by its first bytes, whatever the coding is called.
func (c coding) decoders() []func(*bytes.Reader) (io.Reader, error) {
	if c == identity {
		return nil
	}
	return []func(*bytes.Reader) (io.Reader, error){
		func(r *bytes.Reader) (io.Reader, error) { return newMembers(r) },
		func(r *bytes.Reader) (io.Reader, error) { return zlib.NewReader(r) },
		func(r *bytes.Reader) (io.Reader, error) { return flate.NewReader(r), nil },
	}
}

// members reads the members of a gzip file one after the other (RFC 1952, section
// 2.2), also where zeros are between them, which some decoders (Python's) skip,
// and where a checksum is wrong, which decoders find out when they have told what
// they decoded.
type members struct {
	from *bytes.Reader
	gzip *gzip.Reader
}

// newMembers returns the reader of a file that has a member.
func newMembers(r *bytes.Reader) (*members, error) {
	first, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	first.Multistream(false)
	return &members{r, first}, nil
}

// Read implements io.Reader.
func (m *members) Read(p []byte) (int, error) {
	n, err := m.gzip.Read(p)
	if !errors.Is(err, io.EOF) && !errors.Is(err, gzip.ErrChecksum) {
		return n, err
	}
	for c := byte(0); c == 0; {
		if c, err = m.from.ReadByte(); err != nil {
			return n, err
		}
	}
	_ = m.from.UnreadByte() // it was read just now
	err = m.gzip.Reset(m.from)
	m.gzip.Multistream(false)
	return n, err
}
