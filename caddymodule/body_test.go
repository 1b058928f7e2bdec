package caddymodule

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/weirhq/weir/core"
)

// batches is a policy whose cost is in the body.
const batches = `weir {
		store memory volatile
		policy api {
			subject {header.X-API-Key}
			limit images {
				match POST /batch {
					cost {json.images.length} min 1
				}
				match POST /plain
				rolling 60s
				max 3
			}
			body_limit 1KiB
			headers x-ratelimit unix
		}
	}`

func TestBodiesReachTheOriginByteForByte(t *testing.T) {
	type received struct {
		body     string
		length   int64
		encoding []string
	}
	var got received
	up := origin(t, func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = received{string(b), r.ContentLength, r.TransferEncoding}
	})
	full := `{"images":[1,2]}` + strings.Repeat(" ", 1024-16)
	tests := []struct {
		name, body string
		chunked    bool
		status     int
		remaining  string
	}{
		{"two images", `{"images":[1,2]}`, false, 200, "1"},
		{"two images, chunked", `{"images":[1,2]}`, true, 200, "1"},
		{"no JSON", "\x00\xff{", false, 200, "2"},
		{"no JSON, chunked", "\x00\xff{", true, 200, "2"},
		{"empty", "", false, 200, "2"},
		{"at the limit", full, false, 200, "1"},
		{"at the limit, chunked", full, true, 200, "1"},
		{"above the limit", full + " ", false, 413, ""},
		{"above the limit, chunked", full + " ", true, 413, ""},
		{"too many images", `{"images":[1,2,3,4]}`, false, 429, "3"},
	}
	for _, proto := range []string{"http/1.1", "h2c"} {
		g := start(t, batches+"\nservers {\nprotocols h1 h2c\n}", "weir api\nreverse_proxy "+up)
		for i, test := range tests {
			t.Run(proto+" "+test.name, func(t *testing.T) {
				g, client := g.in(t), clientOf(t, proto)
				got = received{}
				r := g.request("POST", "/batch", strings.NewReader(test.body), fmt.Sprint("X-API-Key: ", proto, i))
				if test.chunked {
					r.ContentLength = -1
				}
				e := g.send(client, r)
				g.wantStatus(e, test.status)
				if remaining := e.header.Get("X-RateLimit-Remaining"); remaining != test.remaining {
					t.Errorf("remaining %q, want %q", remaining, test.remaining)
				}
				if test.status != 200 {
					return
				}
				want := received{body: test.body, length: int64(len(test.body))}
				if test.chunked {
					want.length, want.encoding = -1, []string{"chunked"}
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("the origin got %v, want %v", got, want)
				}
			})
		}
	}
}

// TestBodyIsReadOnlyForACost proves that a client which waits for 100 Continue
// is asked for its body by who wants it, once.
func TestBodyIsReadOnlyForACost(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	g := start(t, batches, "weir api\nreverse_proxy "+up)
	tests := []struct {
		name, path, body string
		length           int
		status           int
		asked            bool
	}{
		{"for a cost, and by the origin", "/batch", `{"images":[1,2]}`, 16, 200, true},
		{"by the origin", "/plain", "hello", 5, 200, true},
		{"by nobody: too large", "/batch", strings.Repeat(" ", 1025), 1025, 413, false},
		{"for a cost; refused", "/batch", `{"images":[1,2,3,4]}`, 20, 429, true},
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", g.site)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nX-API-Key: expect-%d\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n",
				test.path, g.site, i, test.length)
			if !test.asked { // Go's server waits for what it can discard
				_, _ = io.WriteString(conn, test.body)
			}
			reader := bufio.NewReader(conn)
			res, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			if asked := res.StatusCode == http.StatusContinue; asked != test.asked {
				t.Errorf("status %d before the body", res.StatusCode)
			}
			if res.StatusCode == http.StatusContinue {
				_, _ = io.WriteString(conn, test.body)
			}
			for res.StatusCode == http.StatusContinue { // the origin's is passed on, too
				if res, err = http.ReadResponse(reader, nil); err != nil {
					t.Fatal(err)
				}
			}
			defer res.Body.Close()
			if res.StatusCode != test.status {
				t.Errorf("status %d, want %d", res.StatusCode, test.status)
			}
			if body, err := io.ReadAll(res.Body); test.status == 200 && string(body) != test.body || err != nil {
				t.Errorf("body %q, %v", body, err)
			}
		})
	}
}

// closer notes whether it was closed.
type closer struct {
	io.Reader
	closed bool
}

func (c *closer) Close() error {
	c.closed = true
	return nil
}

func TestRestoredBody(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name     string
		body     io.Reader
		length   int64
		want     string
		err      error
		restored string
		then     error
	}{
		{"short", strings.NewReader("abc"), 3, "abc", nil, "abc", nil},
		{"of unknown length", strings.NewReader("abcd"), -1, "abcd", nil, "abcd", nil},
		{"byte by byte", iotest.OneByteReader(strings.NewReader("abcd")), -1, "abcd", nil, "abcd", nil},
		{"too large", strings.NewReader("abcdefgh"), -1, "", core.ErrBodyTooLarge, "abcdefgh", nil},
		{"announced as too large", strings.NewReader("abcdefgh"), 8, "", core.ErrBodyTooLarge, "abcdefgh", nil},
		{"broken", io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(broken)), -1, "", broken, "ab", broken},
		{"broken, it is said", io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(broken)), -1, "", core.ErrBodyBroken, "ab", broken},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", nil)
			original := &closer{Reader: test.body}
			r.Body, r.ContentLength = original, test.length
			var b body
			for range 2 { // the second time it is remembered
				got, err := b.read(r, 4)
				if string(bytes.Join(got, nil)) != test.want || !errors.Is(err, test.err) {
					t.Errorf("read %q, %v; want %q, %v", got, err, test.want, test.err)
				}
			}
			if r.ContentLength != test.length {
				t.Errorf("length %d", r.ContentLength)
			}
			var rest bytes.Buffer
			_, err := rest.ReadFrom(r.Body)
			if rest.String() != test.restored || !errors.Is(err, test.then) {
				t.Errorf("then %q, %v; want %q, %v", rest.String(), err, test.restored, test.then)
			}
			if r.Body.Close(); !original.closed {
				t.Error("closing does not reach the connection")
			}
		})
	}
	var b body
	if _, err := b.read(httptest.NewRequest("GET", "/", http.NoBody), 4); !errors.Is(err, core.ErrNoBody) {
		t.Errorf("no body: %v", err)
	}
}
