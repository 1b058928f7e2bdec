package caddymodule

import (
	"io"
	"net/http"
	"strings"

	"github.com/weirhq/weir/core"
)

// speaks reports whether the field speaks to Weir: Weir-*, in any case, also as
// a trailer that was not announced, and as Weir_*, which some origins (CGI, WSGI)
// cannot tell from it.
func speaks(key string) bool {
	const dash = len(core.HeaderPrefix) - 1
	key = strings.TrimPrefix(key, http.TrailerPrefix)
	return len(key) > dash && strings.EqualFold(key[:dash], core.HeaderPrefix[:dash]) && (key[dash] == '-' || key[dash] == '_')
}

// silence removes from h what speaks to Weir.
func silence(h http.Header) {
	for key := range h {
		if speaks(key) {
			delete(h, key)
		}
	}
}

// silenceClient removes from r what only origins may say, in headers and in
// trailers, which come with the end of the body.
func silenceClient(r *http.Request) {
	silence(r.Header)
	if len(r.Trailer) == 0 {
		return
	}
	silence(r.Trailer)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &silencedBody{r.Body, r.Trailer}
	}
}

// A silencedBody removes from a request's trailer what only origins may say,
// as soon as it is there.
type silencedBody struct {
	io.ReadCloser
	trailer http.Header
}

// Read implements io.Reader.
func (b *silencedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		silence(b.trailer)
	}
	return n, err
}

// voiceOf reads what the origin says in h; ok is false where it says nothing.
func voiceOf(h http.Header) (v core.Voice, ok bool) {
	var said [4][]string
	var unknown []string
	for key, values := range h {
		if !speaks(key) {
			continue
		}
		switch strings.ToLower(strings.TrimPrefix(key, http.TrailerPrefix)) {
		case "weir-cost":
			said[0] = append(said[0], values...)
		case "weir-lease":
			said[1] = append(said[1], values...)
		case "weir-release":
			said[2] = append(said[2], values...)
		case "weir-set":
			said[3] = append(said[3], values...)
		default:
			unknown = append(unknown, key)
		}
		ok = true
	}
	if !ok {
		return v, false
	}
	v = core.ParseVoice(said[0], said[1], said[2], said[3])
	for _, key := range unknown {
		v.Unknown(key)
	}
	return v, true
}

// silenceTrailers removes from the announcement of trailers those that speak to
// Weir or tell what only the policy tells, so that they are not sent. It reports
// whether one of them leases slots.
func (w *writer) silenceTrailers(h http.Header) (leases bool) {
	announced := h["Trailer"]
	if len(announced) == 0 {
		return false
	}
	var kept []string
	for _, line := range announced {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.TrimSpace(name)
			leases = leases || strings.EqualFold(name, core.HeaderLease)
			if name != "" && !speaks(name) && !w.owns(name) {
				kept = append(kept, name)
			}
		}
	}
	if len(kept) == 0 {
		delete(h, "Trailer")
	} else {
		h["Trailer"] = []string{strings.Join(kept, ", ")}
	}
	return leases
}
