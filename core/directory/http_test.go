package directory_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/directory"
)

// A service answers lookups in a bubble, without a network.
type service struct {
	calls  atomic.Int64
	answer atomic.Pointer[func(*http.Request) (int, string)]
	delay  time.Duration
}

func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	s.calls.Add(1)
	if s.delay > 0 {
		select {
		case <-time.After(s.delay):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	status, body := (*s.answer.Load())(r)
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Location": {"http://evil.example/"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

// set changes what the service answers to everybody.
func (s *service) set(status int, body string) {
	f := func(*http.Request) (int, string) { return status, body }
	s.answer.Store(&f)
}

// An asked is an HTTP directory in a bubble.
type asked struct {
	*service
	t      *testing.T
	dir    *directory.HTTP
	errors atomic.Int64
}

// inService runs a test on a directory whose service knows alice.
func inService(t *testing.T, c directory.HTTPConfig, test func(a *asked)) {
	synctest.Test(t, func(t *testing.T) {
		a := &asked{service: &service{}, t: t}
		a.set(200, `{"id":"alice","credits":10}`)
		c.URL = "http://accounts.example/subject"
		d, err := directory.NewHTTP(c, directory.HTTPOptions{
			Transport: a.service,
			OnError: func(err error) {
				a.errors.Add(1)
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error tells the credential: %v", err)
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		a.dir = d
		defer func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}()
		test(a)
	})
}

// is checks whom a credential belongs to: an id, "unknown" or "failed", and how
// often the service was asked so far.
func (a *asked) is(credential, want string, calls int64) {
	a.t.Helper()
	s, err := a.dir.Lookup(a.t.Context(), credential)
	got := "failed"
	switch {
	case err == nil:
		got = s.ID
	case errors.Is(err, core.ErrUnknownCredential):
		got = "unknown"
	case strings.Contains(err.Error(), secret):
		a.t.Errorf("the error tells the credential: %v", err)
	}
	if got != want || a.calls.Load() != calls {
		a.t.Errorf("the answer is %s (%v) after %d calls, want %s after %d", got, err, a.calls.Load(), want, calls)
	}
}

func TestHTTPRequest(t *testing.T) {
	inService(t, directory.HTTPConfig{Headers: map[string]string{"X-Service": "token"}}, func(a *asked) {
		f := func(r *http.Request) (int, string) {
			if r.Method != "GET" || r.URL.String() != "http://accounts.example/subject" ||
				r.Header.Get("Authorization") != "Bearer "+secret || r.Header.Get("X-Service") != "token" {
				a.t.Errorf("asked %s %s %v", r.Method, r.URL, r.Header)
			}
			return 200, `{"id":"alice","plan":"pro","credits":10}`
		}
		a.answer.Store(&f)
		a.is(secret, "alice", 1)
		s, _ := a.dir.Lookup(a.t.Context(), secret)
		if s.Plan != "pro" || s.Attributes.Get("credits") != core.Number(10) {
			a.t.Errorf("the subject is %+v", s)
		}
	})
	inService(t, directory.HTTPConfig{Header: "X-Key", UnknownStatus: []int{403}}, func(a *asked) {
		f := func(r *http.Request) (int, string) {
			if r.Header.Get("X-Key") != secret || r.Header.Get("Authorization") != "" {
				a.t.Errorf("asked with %v", r.Header)
			}
			return 403, ""
		}
		a.answer.Store(&f)
		a.is(secret, "unknown", 1)
	})
}

func TestHTTPRemembersSubjects(t *testing.T) {
	inService(t, directory.HTTPConfig{}, func(a *asked) {
		a.is(secret, "alice", 1)
		a.set(200, `{"id":"bob"}`)
		time.Sleep(time.Minute - 1)
		a.is(secret, "alice", 1)
		time.Sleep(1)
		a.is(secret, "bob", 2)
		time.Sleep(time.Minute)
		a.set(404, "")
		a.is(secret, "unknown", 3) // revoked
		a.is(secret, "unknown", 3)
	})
}

func TestHTTPRemembersWhoIsUnknown(t *testing.T) {
	inService(t, directory.HTTPConfig{}, func(a *asked) {
		a.set(404, "no such key")
		a.is(secret, "unknown", 1)
		a.set(200, `{"id":"alice"}`)
		time.Sleep(10*time.Second - 1)
		a.is(secret, "unknown", 1)
		time.Sleep(1)
		a.is(secret, "alice", 2)
		a.is(secret, "alice", 2)
	})
}

func TestHTTPStampedeIsOneCall(t *testing.T) {
	inService(t, directory.HTTPConfig{}, func(a *asked) {
		a.delay = time.Second
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if s, err := a.dir.Lookup(a.t.Context(), secret); err != nil || s.ID != "alice" {
					a.t.Errorf("%+v, %v", s, err)
				}
			})
		}
		wg.Wait()
		a.is(secret, "alice", 1)
	})
}

func TestHTTPUsesStaleSubjectsWhileTheServiceFails(t *testing.T) {
	c := directory.HTTPConfig{Stale: core.Duration(10 * time.Minute)}
	inService(t, c, func(a *asked) {
		a.is(secret, "alice", 1)
		a.set(0, "")
		time.Sleep(time.Minute)
		a.is(secret, "alice", 2)
		a.is(secret, "alice", 2) // for a second it is not asked again
		time.Sleep(time.Second)
		a.is(secret, "alice", 3)
		a.is("another", "failed", 4) // nobody to stand in
		time.Sleep(10*time.Minute - time.Second - 1)
		a.is(secret, "alice", 5)
		time.Sleep(1)
		a.is(secret, "failed", 6)
		if n := a.errors.Load(); n != 5 {
			a.t.Errorf("told %d errors", n)
		}
		a.set(200, `{"id":"bob"}`)
		a.is(secret, "bob", 7)
	})
}

func TestHTTPFailures(t *testing.T) {
	for name, answer := range map[string]struct {
		status int
		body   string
	}{
		"refused": {0, ""}, "error": {500, "oops"}, "moved": {302, ""}, "forbidden": {403, ""}, "no content": {204, ""},
		"empty": {200, ""}, "no JSON": {200, "<html>"}, "no object": {200, `["` + secret + `"]`},
		"no id": {200, `{"plan":"pro"}`}, "null": {200, "null"}, "two": {200, `{"id":"a"}{"id":"b"}`},
		"nested": {200, `{"id":"a","x":{"` + secret + `":1}}`},
		"large":  {200, `{"id":"a"}` + strings.Repeat(" ", 64<<10)},
	} {
		t.Run(name, func(t *testing.T) {
			inService(t, directory.HTTPConfig{}, func(a *asked) {
				a.set(answer.status, answer.body)
				a.is(secret, "failed", 1)
				a.is(secret, "failed", 2) // a failure is not remembered
				if a.errors.Load() != 2 {
					a.t.Errorf("told %d errors", a.errors.Load())
				}
			})
		})
	}
}

func TestHTTPTimesOut(t *testing.T) {
	inService(t, directory.HTTPConfig{}, func(a *asked) {
		a.delay = time.Hour
		start := time.Now()
		a.is(secret, "failed", 1)
		if took := time.Since(start); took != 2*time.Second {
			a.t.Errorf("gave up after %s", took)
		}
	})
}

// Who hangs up stops waiting, and takes the answer from nobody else.
func TestHTTPLookupsEndWithTheirContext(t *testing.T) {
	inService(t, directory.HTTPConfig{}, func(a *asked) {
		a.delay = time.Second
		ctx, cancel := context.WithCancel(a.t.Context())
		go func() {
			time.Sleep(time.Millisecond)
			cancel()
		}()
		start := time.Now()
		if _, err := a.dir.Lookup(ctx, secret); !errors.Is(err, context.Canceled) {
			a.t.Error(err)
		}
		if took := time.Since(start); took != time.Millisecond {
			a.t.Errorf("waited %s", took)
		}
		a.is(secret, "alice", 1)
	})
}

func TestHTTPCloseEndsRequests(t *testing.T) {
	inService(t, directory.HTTPConfig{}, func(a *asked) {
		a.is("remembered", "alice", 1)
		a.delay = time.Second
		failed := make(chan error)
		go func() {
			_, err := a.dir.Lookup(a.t.Context(), secret)
			failed <- err
		}()
		synctest.Wait()
		if err := a.dir.Close(); err != nil {
			a.t.Error(err)
		}
		if err := <-failed; err == nil {
			a.t.Error("answered after Close")
		}
		a.is("remembered", "alice", 2)
		if _, err := a.dir.Lookup(a.t.Context(), "new"); !errors.Is(err, core.ErrClosed) {
			a.t.Error(err)
		}
	})
}

// Made-up credentials push out neither known ones nor, all at once, memory.
func TestHTTPMadeUpCredentialsPushNobodyOut(t *testing.T) {
	inService(t, directory.HTTPConfig{MaxKnown: 2, MaxUnknown: 3}, func(a *asked) {
		a.is("alice", "alice", 1)
		a.is(secret, "alice", 2)
		a.set(404, "")
		for i := range int64(100) {
			a.is(fmt.Sprintf("made up %d", i), "unknown", 3+i)
		}
		a.is("alice", "alice", 102)
		a.is(secret, "alice", 102)
		a.is("made up 99", "unknown", 102)
		a.is("made up 0", "unknown", 103) // forgotten
	})
}

// A credential that is used stays when others come and go.
func TestHTTPKeepsWhatIsUsed(t *testing.T) {
	inService(t, directory.HTTPConfig{MaxKnown: 3}, func(a *asked) {
		a.is(secret, "alice", 1)
		for i := range int64(50) {
			a.is(fmt.Sprint(i), "alice", 2+i)
			a.is(secret, "alice", 2+i)
		}
	})
}

func TestHTTPHostileCredentialsAreNotAskedFor(t *testing.T) {
	inService(t, directory.HTTPConfig{}, func(a *asked) {
		for name, credential := range hostile {
			if name != "prefix" {
				a.is(credential, "unknown", 0)
			}
		}
		a.is(strings.Repeat("k", 8<<10), "alice", 1)
		a.is(strings.Repeat("k", 8<<10+1), "unknown", 1)
	})
}

func TestHTTPMemoryIsAnsweredWithoutAllocating(t *testing.T) {
	inService(t, directory.HTTPConfig{}, func(a *asked) {
		a.is(secret, "alice", 1)
		a.set(404, "")
		a.is("unknown", "unknown", 2)
		ctx := a.t.Context()
		for _, credential := range []string{secret, "unknown"} {
			if n := testing.AllocsPerRun(100, func() { _, _ = a.dir.Lookup(ctx, credential) }); n > 0 {
				a.t.Errorf("%v allocations", n)
			}
		}
	})
}

// Over a real connection, with the transport of its own: a redirect is not
// followed, so the credential goes nowhere else.
func TestHTTPOverAConnection(t *testing.T) {
	var elsewhere atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Store(true) }))
	defer other.Close()
	accounts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Authorization") {
		case "Bearer " + secret:
			_, _ = io.WriteString(w, `{"id":"alice"}`)
		case "Bearer moved":
			http.Redirect(w, r, other.URL, http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	defer accounts.Close()
	d, err := directory.NewHTTP(directory.HTTPConfig{URL: accounts.URL}, directory.HTTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if s, err := d.Lookup(t.Context(), secret); err != nil || s.ID != "alice" {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := d.Lookup(t.Context(), "nobody"); !errors.Is(err, core.ErrUnknownCredential) {
		t.Error(err)
	}
	if _, err := d.Lookup(t.Context(), "moved"); err == nil || errors.Is(err, core.ErrUnknownCredential) || elsewhere.Load() {
		t.Errorf("%v; asked elsewhere: %v", err, elsewhere.Load())
	}
}

func TestHTTPMistakes(t *testing.T) {
	_, err := directory.NewHTTP(directory.HTTPConfig{
		URL: "accounts.example", Header: "X Key", Prefix: "a\n", Headers: map[string]string{"A": "b\r\n"},
		UnknownStatus: []int{500}, TTL: -1, NegativeTTL: -1, Stale: -1, Timeout: -1, MaxKnown: -1, MaxUnknown: -1, MaxConnections: -1,
	}, directory.HTTPOptions{})
	if n := len(core.ConfigErrors(err)); n != 12 {
		t.Errorf("%d mistakes:\n%v", n, err)
	}
	for _, url := range []string{"", "ftp://a/", "https://", "http://user:password@a/", "http://a/{credential}", "http://a b/"} {
		_, err := directory.NewHTTP(directory.HTTPConfig{URL: url}, directory.HTTPOptions{})
		if len(core.ConfigErrors(err)) != 1 || strings.Contains(err.Error(), "password@") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
