package acceptance

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// wire is a connection to the gateway on which a test writes its own bytes.
type wire struct {
	net.Conn
	in *bufio.Reader
}

func (g *Gateway) dial(t testing.TB) wire {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(g.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	return wire{c, bufio.NewReader(c)}
}

// send writes the text as it is.
func (w wire) send(t testing.TB, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// head reads a response up to its body.
func (w wire) head(t testing.TB, method string) *http.Response {
	t.Helper()
	resp, err := http.ReadResponse(w.in, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// exchange sends a request as written on a connection of its own and reads the
// answer.
func (g *Gateway) exchange(t testing.TB, text, method string) *Answer {
	t.Helper()
	w := g.dial(t)
	a := &Answer{Call: Call{Method: method, Path: text}, Sent: time.Now()}
	w.send(t, text)
	resp := w.head(t, method)
	a.Status, a.Header = resp.StatusCode, resp.Header
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a.Body, a.Got = body, time.Now()
	g.audit(t, a)
	return a
}
