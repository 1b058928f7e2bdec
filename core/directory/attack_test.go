package directory_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/directory"
)

// TestAttackServiceThatAnswersAnything: whatever a service answers but a subject
// is a failure, told within the timeout and without the credential, and is not
// remembered; nothing leads the credential elsewhere.
func TestAttackServiceThatAnswersAnything(t *testing.T) {
	const credential = "the-credential"
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	gzipped := func(w http.ResponseWriter, size int) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(make([]byte, size))
		_ = z.Close()
	}
	for name, answer := range map[string]http.HandlerFunc{
		"nothing":        func(http.ResponseWriter, *http.Request) {},
		"garbage":        func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>\x00\xff") },
		"the credential": func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get("Authorization")) },
		"a list":         func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `[{"id":"a"}]`) },
		"two subjects":   func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"id":"a"}{"id":"b"}`) },
		"two ids":        func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"id":"a","id":"b"}`) },
		"an empty id":    func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"id":""}`) },
		"a huge number":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"id":"a","credits":1e400}`) },
		"depth":          func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("[", 60_000)) },
		"too much":       func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 70<<10)) },
		"a bomb":         func(w http.ResponseWriter, _ *http.Request) { gzipped(w, 64<<20) },
		"a huge header": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Large", strings.Repeat("x", 100<<10))
			_, _ = io.WriteString(w, `{"id":"a"}`)
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) },
		"a permanent one": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusPermanentRedirect)
		},
		"another refusal": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"no more":         func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"less than it said": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
			_, _ = io.WriteString(w, `{"id":"a"}`)
		},
		"by and by": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			service := httptest.NewServer(answer)
			defer service.Close()
			var told []error
			d, err := directory.NewHTTP(
				directory.HTTPConfig{URL: service.URL, Timeout: core.Duration(300 * time.Millisecond)},
				directory.HTTPOptions{OnError: func(err error) { told = append(told, err) }})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = d.Close() }()
			for range 2 {
				subject, err := d.Lookup(context.Background(), credential)
				if err == nil || errors.Is(err, core.ErrUnknownCredential) {
					t.Fatalf("the answer is %v, %v", subject, err)
				}
			}
			if len(told) != 2 {
				t.Errorf("asked %d times, want 2: a failure is not remembered", len(told))
			}
			if text := fmt.Sprint(told); strings.Contains(text, credential) {
				t.Errorf("told the credential: %s", text)
			}
		})
	}
	if n := elsewhere.Load(); n > 0 {
		t.Errorf("the credential went elsewhere %d times", n)
	}
}

// TestAttackMadeUpKeysKeepNoKnownOneWaiting: while questions about made-up keys take
// all the connections that they may, and never end, a known one is asked about.
func TestAttackMadeUpKeysKeepNoKnownOneWaiting(t *testing.T) {
	const connections = 8
	answer := make(chan struct{})
	var asked atomic.Int64
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer known" {
			asked.Add(1)
			<-answer
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, `{"id":"alice"}`)
	}))
	defer service.Close()
	d, err := directory.NewHTTP(directory.HTTPConfig{
		URL: service.URL, TTL: core.Duration(time.Nanosecond), MaxConnections: connections, Timeout: core.Duration(10 * time.Second),
	}, directory.HTTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	defer close(answer)
	lookup := func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if subject, err := d.Lookup(ctx, "known"); err != nil || subject.ID != "alice" {
			t.Fatalf("the known one: %v, %v", subject, err)
		}
	}
	lookup()
	for i := range 10 * connections {
		go func() { _, _ = d.Lookup(context.Background(), fmt.Sprint("made-up-", i)) }()
	}
	for deadline := time.Now().Add(5 * time.Second); asked.Load() < connections-connections/4; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("only %d made-up ones are asked about", asked.Load())
		}
	}
	for range 5 {
		lookup()
	}
	if n := asked.Load(); n != connections-connections/4 {
		t.Errorf("%d made-up ones are asked about at once", n)
	}
}

// TestAttackFileThatHoldsAnything: a file that is a bomb is refused, and the
// subjects of before stay.
func TestAttackFileThatHoldsAnything(t *testing.T) {
	file := filepath.Join(t.TempDir(), "subjects.json")
	wide := `{"subjects":{"a":{"id":"a"` + strings.Repeat(`,"n":1`, 200_000) + `}}}`
	for name, text := range map[string]string{
		"depth": `{"subjects":` + strings.Repeat(`{"a":`, 100_000), "closed depth": strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
		"width": wide, "a list": "[]", "UTF-16": "\xff\xfe{\x00}\x00", "zeros": strings.Repeat("\x00", 1<<20), "a huge number": `{"subjects":{"a":{"id":"a","n":1e400}}}`,
		"no end": `{"subjects":{"a":{"id":"a"}`, "a nested attribute": `{"subjects":{"a":{"id":"a","n":{"m":1}}}}`,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if d, err := directory.NewFile(directory.FileConfig{Path: file}, directory.FileOptions{}); err == nil {
			t.Errorf("%s was taken", name)
			_ = d.Close()
		} else if len(err.Error()) > 1000 {
			t.Errorf("%s: a message of %d bytes", name, len(err.Error()))
		}
	}
}

// TestAttackKeysByTiming: a directory finds a credential by a keyed hash of it and
// compares no byte of it, for it holds none: so how long a lookup takes tells
// nothing of how much of a guess is right. What is tested is this construction.
func TestAttackKeysByTiming(t *testing.T) {
	const credential = "a-credential-to-look-for"
	file := filepath.Join(t.TempDir(), "subjects.json")
	if err := os.WriteFile(file, []byte(`{"subjects":{"`+credential+`":{"id":"alice"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	fromFile, err := directory.NewFile(directory.FileConfig{Path: file}, directory.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = fromFile.Close() }()
	inline, err := directory.NewInline(directory.InlineConfig{Subjects: directory.Subjects{credential: {ID: "alice"}}})
	if err != nil {
		t.Fatal(err)
	}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"id":"alice"}`) }))
	defer service.Close()
	asked, err := directory.NewHTTP(directory.HTTPConfig{URL: service.URL}, directory.HTTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = asked.Close() }()
	for _, d := range []core.Directory{fromFile, inline, asked} {
		subject, err := d.Lookup(context.Background(), credential)
		if err != nil || subject.ID != "alice" {
			t.Fatalf("%T: %v, %v", d, subject, err)
		}
		if field, ok := d.(*directory.HTTP); ok {
			d = withoutConnections(field)
		}
		if where := find(reflect.ValueOf(d), credential, string(reflect.TypeOf(d).String()), map[uintptr]bool{}); where != "" {
			t.Errorf("the credential is in %s", where)
		}
	}
	if find(reflect.ValueOf(map[string]*struct{ s any }{"x": {[]string{credential}}}), credential, "x", map[uintptr]bool{}) == "" {
		t.Error("the search finds nothing")
	}
}

// withoutConnections drops the client, whose connections have just sent the
// credential.
func withoutConnections(d *directory.HTTP) *directory.HTTP {
	client := reflect.ValueOf(d).Elem().FieldByName("client")
	*(*http.Client)(unsafe.Pointer(client.UnsafeAddr())) = http.Client{}
	return d
}

// find returns where in v a text is that holds s.
func find(v reflect.Value, s, at string, seen map[uintptr]bool) string {
	switch v.Kind() {
	case reflect.String:
		if strings.Contains(v.String(), s) {
			return at
		}
	case reflect.Pointer, reflect.Interface:
		if v.Kind() == reflect.Pointer && !v.IsNil() && seen[v.Pointer()] {
			return ""
		} else if v.Kind() == reflect.Pointer && !v.IsNil() {
			seen[v.Pointer()] = true
		}
		if !v.IsNil() {
			return find(v.Elem(), s, at, seen)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if where := find(v.Field(i), s, at+"."+v.Type().Field(i).Name, seen); where != "" {
				return where
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if where := find(key, s, at+"'s keys", seen) + find(v.MapIndex(key), s, at+"[…]", seen); where != "" {
				return where
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 && v.Kind() == reflect.Slice {
			return find(reflect.ValueOf(string(v.Bytes())), s, at, seen)
		}
		for i := range v.Len() {
			if where := find(v.Index(i), s, fmt.Sprintf("%s[%d]", at, i), seen); where != "" {
				return where
			}
		}
	}
	return ""
}
