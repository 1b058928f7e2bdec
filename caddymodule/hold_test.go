package caddymodule

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirhq/weir/core"
)

// one is a policy of one request at a time per key.
const one = `weir {
		store memory volatile
		policy api {
			subject {header.X-API-Key}
			limit concurrent {
				hold response
				max 1
			}
			headers x-ratelimit unix
		}
	}`

// inUse returns how many slots alice has, as the running configuration says.
func inUse(t *testing.T) int64 {
	t.Helper()
	app, err := activeApp()
	if err != nil {
		t.Fatal(err)
	}
	return inUseOf(t, app)
}

func inUseOf(t *testing.T, app *App) int64 {
	t.Helper()
	engine, err := app.open()
	if err != nil {
		t.Fatal(err)
	}
	var d core.Decision
	err = engine.Inspect(t.Context(), app.state.clock.Now(), app.pages["api"].policy, core.Who{Key: "alice"}, &d)
	if err != nil {
		t.Fatal(err)
	}
	return d.Charges[0].Used
}

// A spy is a connection to a client: it notes how many slots are taken when
// parts of the response go out.
type spy struct {
	http.ResponseWriter
	t      *testing.T
	app    *App
	header int64
	bytes  []int64 // by byte of the body
}

func (s *spy) WriteHeader(status int) {
	if status >= 200 {
		s.header = inUseOf(s.t, s.app)
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *spy) Write(p []byte) (int, error) {
	used := inUseOf(s.t, s.app)
	for range p {
		s.bytes = append(s.bytes, used)
	}
	return s.ResponseWriter.Write(p)
}

func (s *spy) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{s}, r)
}

// provisioned returns a handler of a running configuration, without the server
// around it.
func provisioned(t *testing.T, options, directive string) *Handler {
	t.Helper()
	start(t, options, directive)
	ctx := caddy.ActiveContext()
	h := &Handler{Policy: "api"}
	if err := h.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	return h
}

// prepared returns a request as a Caddy server prepares it.
func prepared(method, target string, w http.ResponseWriter, body io.Reader) *http.Request {
	r := httptest.NewRequest(method, target, body)
	r.Header.Set("X-API-Key", "alice")
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, &caddyhttp.Server{})
}

func TestSlotEndsBeforeTheLastByte(t *testing.T) {
	h := provisioned(t, one, "weir api")
	const body = "0123456789"
	length := func(w http.ResponseWriter) { w.Header().Set("Content-Length", "10") }
	held, free := int64(1), int64(0)
	tests := []struct {
		name, method string
		respond      func(w http.ResponseWriter)
		header       int64   // slots when the header goes out
		bytes        []int64 // and each byte; nil if there are none
	}{
		{"length, one write", "GET", func(w http.ResponseWriter) { length(w); io.WriteString(w, body) }, held, repeat(free, 10)},
		{"length, two writes", "GET", func(w http.ResponseWriter) { length(w); io.WriteString(w, body[:9]); io.WriteString(w, body[9:]) }, held, append(repeat(held, 9), free)},
		{"length, flushed", "GET", func(w http.ResponseWriter) {
			length(w)
			for i := range 10 {
				io.WriteString(w, body[i:i+1])
				w.(http.Flusher).Flush()
			}
		}, held, append(repeat(held, 9), free)},
		{"length, copied", "GET", func(w http.ResponseWriter) { length(w); io.Copy(w, plain(body)) }, held, append(repeat(held, 9), free)},
		{"length, part written, rest copied", "GET", func(w http.ResponseWriter) {
			length(w)
			io.WriteString(w, body[:4])
			io.Copy(w, plain(body[4:]))
		}, held, append(repeat(held, 9), free)},
		{"length, copied twice", "GET", func(w http.ResponseWriter) {
			length(w)
			io.Copy(w, plain(body[:9]))
			io.Copy(w, plain(body[9:]))
		}, held, append(repeat(held, 9), free)},
		{"length of one", "GET", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "1")
			io.Copy(w, plain("0"))
		}, held, repeat(free, 1)},
		{"copied short", "GET", func(w http.ResponseWriter) { length(w); io.Copy(w, plain(body[:5])) }, held, repeat(held, 5)},
		{"no length", "GET", func(w http.ResponseWriter) { io.WriteString(w, body) }, held, repeat(held, 10)},
		{"no length, copied", "GET", func(w http.ResponseWriter) { io.Copy(w, plain(body)) }, held, repeat(held, 10)},
		{"length not a number", "GET", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "ten")
			io.WriteString(w, body)
		}, held, repeat(held, 10)},
		{"empty", "GET", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "0")
			w.WriteHeader(200)
		}, free, nil},
		{"head", "HEAD", func(w http.ResponseWriter) { length(w); w.WriteHeader(200) }, free, nil},
		{"no content", "GET", func(w http.ResponseWriter) { w.WriteHeader(204) }, free, nil},
		{"not modified", "GET", func(w http.ResponseWriter) { length(w); w.WriteHeader(304) }, free, nil},
		{"only flushed", "GET", func(w http.ResponseWriter) { w.(http.Flusher).Flush() }, held, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &spy{ResponseWriter: httptest.NewRecorder(), t: t, app: h.app, header: -1}
			r := prepared(test.method, "/", s, nil)
			err := h.ServeHTTP(s, r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
				if used := inUseOf(t, h.app); used != 1 {
					t.Errorf("%d slots while the request is handled", used)
				}
				test.respond(w)
				return nil
			}))
			if err != nil {
				t.Fatal(err)
			}
			if s.header != test.header || fmt.Sprint(s.bytes) != fmt.Sprint(test.bytes) {
				t.Errorf("slots taken at the header: %d, want %d; at each byte: %v, want %v", s.header, test.header, s.bytes, test.bytes)
			}
			if used := inUseOf(t, h.app); used != 0 {
				t.Errorf("%d slots after the handler returned", used)
			}
		})
	}
}

// plain returns a reader of s that can only be read.
func plain(s string) io.Reader { return struct{ io.Reader }{strings.NewReader(s)} }

func repeat(n int64, times int) []int64 {
	var all []int64
	for range times {
		all = append(all, n)
	}
	return all
}

// TestFilesGoTheFastWay proves that all but a held response's last byte reaches
// the server's own ReadFrom, with the file as its first reader.
func TestFilesGoTheFastWay(t *testing.T) {
	h := provisioned(t, one, "weir api")
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(strings.Repeat("x", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	var readers []string
	rec := httptest.NewRecorder()
	s := &reads{ResponseWriter: rec, note: func(r io.Reader) {
		limited, ok := r.(*io.LimitedReader)
		if !ok {
			readers = append(readers, fmt.Sprintf("%T", r))
			return
		}
		readers = append(readers, fmt.Sprintf("%T %d", limited.R, limited.N))
	}}
	err := h.ServeHTTP(s, prepared("GET", "/", s, nil), caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		http.ServeFile(w, r, path)
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(readers, ", "); got != "*os.File 999" {
		t.Errorf("the server read from %s", got)
	}
	if rec.Body.Len() != 1000 {
		t.Errorf("%d bytes", rec.Body.Len())
	}
}

type reads struct {
	http.ResponseWriter
	note func(io.Reader)
}

func (s *reads) ReadFrom(r io.Reader) (int64, error) {
	s.note(r)
	return io.Copy(struct{ io.Writer }{s.ResponseWriter}, r)
}

func TestSlotEndsHoweverTheHandlerEnds(t *testing.T) {
	ends := map[string]probeFunc{
		"an error": func(http.ResponseWriter, *http.Request, caddyhttp.Handler) error { return errors.New("oops") },
		"a panic":  func(http.ResponseWriter, *http.Request, caddyhttp.Handler) error { panic(http.ErrAbortHandler) },
		"nothing":  func(http.ResponseWriter, *http.Request, caddyhttp.Handler) error { return nil },
		"an abort": func(w http.ResponseWriter, _ *http.Request, _ caddyhttp.Handler) error {
			w.Header().Set("Content-Length", "10")
			w.WriteHeader(200)
			panic(http.ErrAbortHandler)
		},
	}
	g := start(t, one, "route {\nweir api\nprobe ends\n}")
	for name, f := range ends {
		t.Run(name, func(t *testing.T) {
			done := make(chan struct{})
			setProbe(t, "ends", func(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
				defer close(done)
				if used := inUse(t); used != 1 {
					t.Errorf("%d slots", used)
				}
				return f(w, r, next)
			})
			res, err := http.DefaultClient.Do(g.request("GET", "/", nil, "X-API-Key: alice"))
			if err == nil {
				res.Body.Close()
			}
			<-done
			eventually(t, "the slot is free", func() bool { return inUse(t) == 0 })
		})
	}
}

// eventually waits for what happens in another goroutine.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// TestNextRequestAfterTheLastByte sends requests one after another, each as
// soon as the last byte of the response before has come.
func TestNextRequestAfterTheLastByte(t *testing.T) {
	responses := map[string]http.HandlerFunc{
		"length":  func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") },
		"chunked": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "he"); w.(http.Flusher).Flush() },
		"large": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "300000")
			io.WriteString(w, strings.Repeat("x", 300000))
		},
		"empty":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
		"an error": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", 500) },
	}
	for _, proto := range []string{"http/1.1", "h2c"} {
		for name, respond := range responses {
			t.Run(proto+" "+name, func(t *testing.T) {
				g := start(t, one+"\nservers {\nprotocols h1 h2c\n}", "weir api\nreverse_proxy "+origin(t, respond))
				client := clientOf(t, proto)
				for i := range 50 {
					method := []string{"GET", "POST", "HEAD"}[i%3]
					e := g.send(client, g.request(method, "/", nil, "X-API-Key: alice"))
					if e.status == 429 {
						t.Fatalf("request %d was refused", i)
					}
					if want := map[string]int{"http/1.1": 1, "h2c": 2}[proto]; e.res.ProtoMajor != want {
						t.Fatalf("HTTP/%d, want %d", e.res.ProtoMajor, want)
					}
				}
			})
		}
	}
}

// clientOf returns a client of its own that speaks proto.
func clientOf(t *testing.T, proto string) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	if proto == "h2c" {
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestSlotOfAStreamEndsWhenTheClientLeaves(t *testing.T) {
	for _, proto := range []string{"http/1.1", "h2c"} {
		t.Run(proto, func(t *testing.T) {
			up := origin(t, func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, "data: 1\n\n")
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			})
			g := start(t, one+"\nservers {\nprotocols h1 h2c\n}", "weir api\nreverse_proxy "+up)
			client := clientOf(t, proto)
			res, err := client.Do(g.request("GET", "/", nil, "X-API-Key: alice"))
			if err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(res.Body).ReadString('\n')
			if err != nil || line != "data: 1\n" {
				t.Fatalf("read %q, %v", line, err)
			}
			g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), 429)
			res.Body.Close()
			eventually(t, "the slot is free", func() bool { return inUse(t) == 0 })
		})
	}
}

func TestSlotOfAWebSocketEndsWithTheConnection(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\nWeir-Foo: bar\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(conn, rw)
	})
	g := start(t, one, "weir api\nreverse_proxy "+up)
	conn, err := net.Dial("tcp", g.site)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nX-API-Key: alice\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", g.site)
	reader := bufio.NewReader(conn)
	res, err := http.ReadResponse(reader, nil)
	if err != nil || res.StatusCode != 101 {
		t.Fatalf("%v, %v", res, err)
	}
	if res.Header.Get("Weir-Foo") != "" {
		t.Error("the client sees Weir-Foo")
	}
	fmt.Fprint(conn, "ping\n")
	if line, err := reader.ReadString('\n'); line != "ping\n" {
		t.Fatalf("echo %q, %v", line, err)
	}
	g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), 429)
	conn.Close()
	eventually(t, "the slot is free", func() bool { return inUse(t) == 0 })
}
