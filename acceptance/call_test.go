package acceptance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// errBroken is an answer whose body ended early.
var errBroken = errors.New("the response broke off")

// Call is a request to send. It is a value: each method returns a changed copy.
type Call struct {
	Method  string
	Path    string // path and query, as sent
	Key     string // "" sends no credential
	Header  http.Header
	Trailer http.Header
	Body    []byte
	Chunked bool
}

func get(key, path string) Call { return Call{Method: http.MethodGet, Path: path, Key: key} }

func post(key, path string) Call { return Call{Method: http.MethodPost, Path: path, Key: key} }

// with adds a header.
func (c Call) with(name, value string) Call {
	h := c.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h[name] = append(h[name], value)
	c.Header = h
	return c
}

// without drops a header.
func (c Call) without(name string) Call {
	c.Header = c.Header.Clone()
	delete(c.Header, name)
	return c
}

// body sends text as JSON.
func (c Call) body(text string) Call {
	c.Body = []byte(text)
	return c.with("Content-Type", "application/json")
}

// answered scripts the origin's status.
func (c Call) answered(status int) Call {
	return c.without(scriptStatus).with(scriptStatus, strconv.Itoa(status))
}

// told scripts a header of the origin's response, "Name: value".
func (c Call) told(line string) Call { return c.with(scriptSet, line) }

// at keeps the answer at the gate.
func (c Call) at(g *Gate) Call { return c.with(scriptGate, g.name) }

// halfAt sends half of the answer's body and keeps the rest at the gate.
func (c Call) halfAt(g *Gate) Call { return c.at(g).with(scriptHalf, "1") }

// Answer is what came back for a call, and when it left and came.
type Answer struct {
	Call    Call
	Status  int
	Header  http.Header
	Trailer http.Header
	Body    []byte
	Sent    time.Time // before the request's first byte
	Got     time.Time // after the response's last byte
	Known   time.Time // after Weir was told of its end
}

// credential is the header that carries the key on the gateway's page.
func (g *Gateway) credential(key string) (name, value string) {
	if g.Page == "outfit" {
		return "X-API-Key", key
	}
	return "Authorization", "Bearer " + key
}

func (g *Gateway) request(ctx context.Context, c Call) (*http.Request, error) {
	var body io.Reader
	if c.Body != nil {
		body = bytes.NewReader(c.Body)
		if c.Chunked {
			body = struct{ io.Reader }{body}
		}
	}
	r, err := http.NewRequestWithContext(ctx, c.Method, g.URL+c.Path, body)
	if err != nil {
		return nil, err
	}
	for name, values := range c.Header {
		r.Header[name] = values
	}
	if c.Key != "" {
		r.Header.Set(g.credential(c.Key))
	}
	r.Host, r.Trailer = g.Host, c.Trailer
	return r, nil
}

// Do sends the call and reads the whole answer. An answer whose body breaks
// off is returned with an error that wraps errBroken.
func (g *Gateway) Do(ctx context.Context, c Call) (*Answer, error) {
	r, err := g.request(ctx, c)
	if err != nil {
		return nil, err
	}
	a := &Answer{Call: c, Sent: time.Now()}
	resp, err := g.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	a.Status, a.Header = resp.StatusCode, resp.Header
	a.Body, err = io.ReadAll(resp.Body)
	a.Got, a.Trailer = time.Now(), resp.Trailer
	g.relay.await(resp.Header.Get(idHeader))
	a.Known = time.Now()
	if err != nil {
		return a, fmt.Errorf("%w: %w", errBroken, err)
	}
	return a, nil
}

// Send sends the call, audits the answer and returns it.
func (g *Gateway) Send(t testing.TB, c Call) *Answer {
	t.Helper()
	a, err := g.Do(context.Background(), c)
	if err != nil {
		t.Fatalf("%s %s: %v", c.Method, c.Path, err)
	}
	g.audit(t, a)
	return a
}

// Volley sends n calls at once and returns their answers in the calls' order.
func (g *Gateway) Volley(t testing.TB, n int, call func(i int) Call) []*Answer {
	t.Helper()
	answers := make([]*Answer, n)
	errs := make([]error, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			answers[i], errs[i] = g.Do(context.Background(), call(i))
		})
	}
	close(start)
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		g.audit(t, a)
	}
	return answers
}

// Begin sends the call in the background; the function returned waits for the
// answer.
func (g *Gateway) Begin(t testing.TB, c Call) func() *Answer {
	t.Helper()
	type outcome struct {
		answer *Answer
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		a, err := g.Do(context.Background(), c)
		done <- outcome{a, err}
	}()
	return func() *Answer {
		t.Helper()
		o := <-done
		if o.err != nil {
			t.Fatalf("%s %s: %v", c.Method, c.Path, o.err)
		}
		g.audit(t, o.answer)
		return o.answer
	}
}

// Times sends the call n times in a row, each of which must be answered with
// the status, and returns the last answer.
func (g *Gateway) Times(t testing.TB, n int, c Call, status int) *Answer {
	t.Helper()
	var a *Answer
	for range n {
		a = g.Send(t, c).want(t, status)
	}
	return a
}

// Eventually repeats the call until it is answered with the status. Only for
// what must happen but for which no time is promised.
func (g *Gateway) Eventually(t testing.TB, c Call, status int) *Answer {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		a := g.Send(t, c)
		if a.Status == status || time.Now().After(deadline) {
			return a.want(t, status)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// statuses counts the answers by their status.
func statuses(answers []*Answer) map[int]int {
	count := map[int]int{}
	for _, a := range answers {
		count[a.Status]++
	}
	return count
}

// wantTally requires so many answers of 200 and so many of 429, and no others.
func wantTally(t testing.TB, answers []*Answer, admitted, refused int) {
	t.Helper()
	got := statuses(answers)
	if got[200] != admitted || got[429] != refused || admitted+refused != len(answers) {
		t.Fatalf("of %d at once: %v, want %d admitted (200) and %d refused (429)",
			len(answers), got, admitted, refused)
	}
}

// admitted are the answers that are not 429.
func admitted(answers []*Answer) []*Answer {
	return where(answers, func(s int) bool { return s != 429 })
}

// refused are the answers that are 429.
func refused(answers []*Answer) []*Answer {
	return where(answers, func(s int) bool { return s == 429 })
}

func where(answers []*Answer, keep func(status int) bool) []*Answer {
	var kept []*Answer
	for _, a := range answers {
		if keep(a.Status) {
			kept = append(kept, a)
		}
	}
	return kept
}

// want requires the status.
func (a *Answer) want(t testing.TB, status int) *Answer {
	t.Helper()
	if a.Status != status {
		t.Fatalf("%v, want %d", a, status)
	}
	return a
}

// String tells the call and the answer on a few lines.
func (a *Answer) String() string {
	body := a.Body
	if len(body) > 400 {
		body = body[:400]
	}
	var rates []string
	for name, values := range a.Header {
		if strings.HasPrefix(name, "X-Ratelimit-") || name == "Retry-After" {
			rates = append(rates, fmt.Sprint(name, ": ", values))
		}
	}
	return fmt.Sprintf("%s %s (key %q): %d %v %s", a.Call.Method, a.Call.Path, a.Call.Key, a.Status, rates, body)
}
