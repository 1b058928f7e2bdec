package caddymodule

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// images is a policy whose cost is the number of images in the body.
const images = `weir {
		store memory volatile
		policy api {
			subject {header.X-API-Key}
			limit images {
				cost {json.images.length} min 1
				rolling 60s
				max 100
			}
			body_limit 64KiB
			%s
			headers x-ratelimit unix
		}
	}`

// compressed returns text through one of the standard library's writers.
func compressed[W io.WriteCloser](text string, open func(io.Writer) W) string {
	var b bytes.Buffer
	w := open(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func gzipOf(text string) string { return compressed(text, gzip.NewWriter) }
func zlibOf(text string) string { return compressed(text, zlib.NewWriter) }

func flateOf(text string) string {
	return compressed(text, func(w io.Writer) *flate.Writer {
		f, _ := flate.NewWriter(w, flate.BestCompression)
		return f
	})
}

// wrongChecksum is a gzip file of one member, whose checksum is wrong.
func wrongChecksum(file string) string {
	return file[:len(file)-8] + "\x01\x02\x03\x04" + file[len(file)-4:]
}

// imagesOf is a body of n images.
func imagesOf(n int) string { return `{"images":[0` + strings.Repeat(",0", n-1) + `]}` }

// TestAttackCompressedBody: whoever hides images behind a content coding pays for
// all that its decoder, or a reader that ignores the coding, may find; what cannot
// be decoded is not admitted at min. The origin gets the bytes as they came.
func TestAttackCompressedBody(t *testing.T) {
	var got string
	up := origin(t, func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = string(b) + r.Header.Get("Content-Encoding")
	})
	const all = 60
	plain := imagesOf(all)
	bomb := `{"images":[` + strings.Repeat("0,", 5<<20) + `0]}`
	tests := []struct {
		name, encoding, body string
		status, cost         int
	}{
		{"gzip", "gzip", gzipOf(plain), 200, all},
		{"gzip by its old name", "X-GZIP", gzipOf(plain), 200, all},
		{"gzip, two members", "gzip", gzipOf(plain[:50]) + gzipOf(plain[50:]), 200, all},
		{"gzip, zeros between two members", "gzip", gzipOf(plain[:50]) + "\x00\x00" + gzipOf(plain[50:]), 200, all},
		{"gzip, a wrong checksum before the second", "gzip", wrongChecksum(gzipOf(plain[:50])) + gzipOf(plain[50:]), 200, all},
		{"gzip, zeros behind it", "gzip", gzipOf(plain) + strings.Repeat("\x00", 512), 200, all},
		{"zlib by the name of gzip", "gzip", zlibOf(plain), 200, all},
		{"gzip by the name of deflate", "deflate", gzipOf(plain), 200, all},
		{"gzip, the images in the first member", "gzip", gzipOf(plain) + gzipOf("x"), 200, all},
		{"gzip, cut in its checksum", "gzip", gzipOf(plain)[:len(gzipOf(plain))-8], 200, all},
		{"gzip in name only", "gzip", plain, 200, all},
		{"deflate", "deflate", zlibOf(plain), 200, all},
		{"deflate, bare", "deflate", flateOf(plain), 200, all},
		{"identity", "identity", plain, 200, all},
		{"identity and gzip", "identity, gzip", gzipOf(plain), 200, all},
		{"none by name", "", plain, 200, all},
		{"no JSON inside", "gzip", gzipOf("no JSON"), 200, 1},
		{"neither gzip nor JSON", "gzip", "nothing", 200, 1},
		{"more than there may be", "gzip", gzipOf(imagesOf(101)), 429, 0},
		{"a bomb", "gzip", gzipOf(bomb), 413, 0},
		{"a bomb in the second member", "gzip", gzipOf("x") + gzipOf(bomb), 413, 0},
		{"a bomb in deflate", "deflate", zlibOf(bomb), 413, 0},
		{"brotli", "br", plain, 415, 0},
		{"zstd", "zstd", plain, 415, 0},
		{"unheard of", "made-up", plain, 415, 0},
		{"twice", "gzip, gzip", gzipOf(gzipOf(plain)), 415, 0},
		{"twice, and different", "deflate, gzip", gzipOf(zlibOf(plain)), 415, 0},
	}
	for i, proto := range []string{"http/1.1", "h2c"} {
		g := start(t, fmt.Sprintf(images, "")+"\nservers {\nprotocols h1 h2c\n}", "weir api\nreverse_proxy "+up)
		for j, test := range tests {
			t.Run(proto+" "+test.name, func(t *testing.T) {
				g := g.in(t)
				got = ""
				key := fmt.Sprint("X-API-Key: ", i, "-", j)
				r := g.request("POST", "/", strings.NewReader(test.body), key, "Content-Encoding: "+test.encoding)
				e := g.send(clientOf(t, proto), r)
				g.wantStatus(e, test.status)
				if want := test.body + test.encoding; test.status == 200 && got != want {
					t.Errorf("the origin got %d bytes, want the %d as they came", len(got), len(want))
				}
				g.wantUsed(key, 100, test.cost)
				if accept := e.header.Get("Accept-Encoding"); (test.status == 415) != (accept == "gzip, deflate") {
					t.Errorf("Accept-Encoding: %q", accept)
				}
			})
		}
	}
}

// wantUsed checks by a further request of cost 1 what the key has used of limit.
func (g *gateway) wantUsed(key string, limit, used int) {
	g.t.Helper()
	e := g.do("GET", "/", key)
	if remaining := e.header.Get("X-RateLimit-Remaining"); remaining != fmt.Sprint(limit-used-1) {
		g.t.Errorf("%s remain, want %d: a cost of %d", remaining, limit-used-1, used)
	}
}

// TestAttackOversizeCostOfWhatCannotBeRead: where a policy names a cost for bodies
// that are too large, it is that of those that cannot be decoded too.
func TestAttackOversizeCostOfWhatCannotBeRead(t *testing.T) {
	g := start(t, fmt.Sprintf(images, "oversize cost 90"), "weir api\nrespond ok")
	for i, encoding := range []string{"br", "gzip, gzip"} {
		key := fmt.Sprint("X-API-Key: ", i)
		e := g.send(fresh, g.request("POST", "/", strings.NewReader(imagesOf(2)), key, "Content-Encoding: "+encoding))
		g.wantStatus(e, 200)
		g.wantUsed(key, 100, 90)
	}
}

// TestAttackCharsetOfBody: in a charset such as UTF-7 JSON looks like nothing, so
// a body in one is not admitted at min.
func TestAttackCharsetOfBody(t *testing.T) {
	g := start(t, fmt.Sprintf(images, ""), "weir api\nrespond ok")
	for i, test := range []struct {
		contentType string
		status      int
	}{
		{"application/json", 200},
		{"application/json; charset=utf-8", 200},
		{`application/json; charset="UTF-8"`, 200},
		{"application/json; charset=utf-16", 200},
		{"application/json; charset=utf-7", 415},
		{"application/json; charset=utf-7; x", 415},
		{"application/json; CHARSET=ibm500", 415},
	} {
		key := fmt.Sprint("X-API-Key: ", i)
		e := g.send(fresh, g.request("POST", "/", strings.NewReader(imagesOf(3)), key, "Content-Type: "+test.contentType))
		if e.status != test.status {
			t.Errorf("%s: status %d, want %d", test.contentType, e.status, test.status)
		}
		g.wantUsed(key, 100, map[int]int{200: 3, 415: 0}[test.status])
	}
}

// TestAttackBodyShorterThanAnnounced: a whole JSON text with which the announced
// body is not over may be all that a streaming origin reads. The origin does not
// see it, and it is not admitted at min.
func TestAttackBodyShorterThanAnnounced(t *testing.T) {
	reached := false
	up := origin(t, func(http.ResponseWriter, *http.Request) { reached = true })
	g := start(t, fmt.Sprintf(images, ""), "weir api\nreverse_proxy "+up)
	for name, head := range map[string]string{
		"length":  "Content-Length: 1000\r\n\r\n" + imagesOf(60),
		"chunked": fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(imagesOf(60)), imagesOf(60)),
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", g.site)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: %s\r\nX-API-Key: %s\r\n%s", g.site, name, head)
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != 400 || reached {
				t.Errorf("status %d, and it reached the origin: %v", res.StatusCode, reached)
			}
			g.in(t).wantUsed("X-API-Key: "+name, 100, 0)
			reached = false
		})
	}
}

// TestAttackTrailersAfterABodyThatWasRead: a chunked body that was read for its
// cost reaches the origin with its trailers, but for those that only origins may
// send.
func TestAttackTrailersAfterABodyThatWasRead(t *testing.T) {
	trailer := make(chan http.Header, 1)
	up := origin(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		trailer <- r.Trailer.Clone()
	})
	g := start(t, fmt.Sprintf(images, ""), "weir api\nreverse_proxy "+up)
	body := imagesOf(10)
	head := g.raw(fmt.Sprintf("POST / HTTP/1.1\nHost: %s\nX-API-Key: k\nConnection: close\nTransfer-Encoding: chunked\n"+
		"Trailer: X-Sum, Weir-Cost, weir-set\n\n%x\n%s\n0\nX-Sum: 7\nWeir-Cost: 5\nweir-set: plan=x\n\n", g.site, len(body), body))
	if !strings.HasPrefix(head, "HTTP/1.1 200 ") || !strings.Contains(head, "X-RateLimit-Remaining: 90\n") {
		t.Errorf("answered %s", head)
	}
	if got := <-trailer; len(got) != 1 || got.Get("X-Sum") != "7" {
		t.Errorf("the origin got the trailers %v", got)
	}
}
