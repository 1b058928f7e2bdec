package caddymodule

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"github.com/weirhq/weir/core"
)

// A body is the beginning of a request's body that was read for a cost.
type body struct {
	done   bool
	prefix []byte
	err    error
}

// read returns r's body if it has no more than limit bytes, and leaves r as it
// was: whoever reads its body next reads it from its first byte.
func (b *body) read(r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, core.ErrNoBody
	}
	if !b.done {
		b.done = true
		b.prefix, b.err = readPrefix(r, limit)
		r.Body = &restoredBody{Reader: io.MultiReader(bytes.NewReader(b.prefix), r.Body), Closer: r.Body}
	}
	switch {
	case int64(len(b.prefix)) > limit:
		return nil, core.ErrBodyTooLarge
	case b.err != nil:
		return nil, b.err
	}
	return b.prefix, nil
}

// maxGrow in bytes is how much room a body gets for having been announced.
const maxGrow = 64 << 10

// readPrefix reads at most limit+1 bytes. A body that is announced as longer is
// not read at all: who is refused for it need not send it.
func readPrefix(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, core.ErrBodyTooLarge
	}
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		buf.Grow(int(min(r.ContentLength, maxGrow)) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(io.LimitReader(r.Body, limit+1))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		err = core.ErrBodyTooLarge
	}
	return buf.Bytes(), err
}

// A restoredBody gives what was read once more, then the rest.
type restoredBody struct {
	io.Reader
	io.Closer
}
