package caddymodule

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/weirhq/weir/core"
)

// A body is the beginning of a request's body that was read for a cost, and what
// that says to whoever decodes it.
type body struct {
	done     bool
	readings [][]byte
	err      error
}

// read returns the readings of r's body if none has more than limit bytes, and
// leaves r as it was: whoever reads its body next reads it from its first byte.
func (b *body) read(r *http.Request, limit int64) ([][]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, core.ErrNoBody
	}
	if !b.done {
		b.done = true
		b.readings, b.err = readBody(r, limit)
	}
	return b.readings, b.err
}

// readBody reads r's body and decodes it. One that cannot be decoded, or is
// announced as too long, is not read at all: who is refused for that need not
// send it.
func readBody(r *http.Request, limit int64) ([][]byte, error) {
	coding, ok := codingOf(r.Header)
	if !ok {
		return nil, core.ErrBodyEncoding
	}
	if r.ContentLength > limit {
		return nil, core.ErrBodyTooLarge
	}
	prefix, err := readPrefix(r, limit)
	r.Body = &restoredBody{Reader: io.MultiReader(bytes.NewReader(prefix), r.Body), Closer: r.Body}
	var tooLarge *http.MaxBytesError
	switch {
	case int64(len(prefix)) > limit || errors.As(err, &tooLarge):
		return nil, core.ErrBodyTooLarge
	case err != nil:
		return nil, fmt.Errorf("%w: %w", core.ErrBodyBroken, err)
	}
	return coding.readings(prefix, limit)
}

// maxGrow in bytes is how much room a body gets for having been announced.
const maxGrow = 64 << 10

// readPrefix reads at most limit+1 bytes.
func readPrefix(r *http.Request, limit int64) ([]byte, error) {
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		buf.Grow(int(min(r.ContentLength, maxGrow)) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(io.LimitReader(r.Body, limit+1))
	return buf.Bytes(), err
}

// A restoredBody gives what was read once more, then the rest.
type restoredBody struct {
	io.Reader
	io.Closer
}
