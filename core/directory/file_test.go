package directory_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/directory"
)

// A watched is a file directory in a bubble, with what it told.
type watched struct {
	t      *testing.T
	path   string
	dir    *directory.File
	mu     sync.Mutex
	loads  []int
	errors []string
}

// told returns what was told so far.
func (w *watched) told() (loads []int, errors []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.loads), slices.Clone(w.errors)
}

// watch starts a directory with one subject, alice.
func watch(t *testing.T) *watched {
	w := &watched{t: t, path: filepath.Join(t.TempDir(), "subjects.json")}
	w.write(w.path, subject("alice"))
	d, err := directory.NewFile(directory.FileConfig{Path: w.path}, directory.FileOptions{
		OnLoad: func(n int) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.loads = append(w.loads, n)
		},
		OnError: func(err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.errors = append(w.errors, err.Error())
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.dir = d
	return w
}

// subject returns a file of one subject, whose credential is secret.
func subject(id string) string {
	return `{"subjects":{"` + secret + `":{"id":"` + id + `"}}}`
}

// write writes a file as of the bubble's time.
func (w *watched) write(path, text string) {
	w.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Now(), time.Now()); err != nil {
		w.t.Fatal(err)
	}
}

// after lets a second and a bit go by, and checks whom the secret belongs to.
func (w *watched) after(want string) {
	w.t.Helper()
	time.Sleep(1100 * time.Millisecond)
	synctest.Wait()
	s, err := w.dir.Lookup(w.t.Context(), secret)
	if err != nil || s.ID != want {
		w.t.Fatalf("the secret is %+v's, %v; want %s", s, err, want)
	}
}

func (w *watched) close() {
	if err := w.dir.Close(); err != nil {
		w.t.Error(err)
	}
}

// inBubble runs a test on a watched file, in the bubble of testing/synctest:
// its seconds take no time.
func inBubble(t *testing.T, test func(w *watched)) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		defer w.close()
		test(w)
	})
}

func TestFileIsReloadedWhenWritten(t *testing.T) {
	inBubble(t, func(w *watched) {
		w.after("alice")
		w.write(w.path, subject("bob"))
		w.after("bob")
		if loads, errors := w.told(); !slices.Equal(loads, []int{1}) || errors != nil {
			w.t.Errorf("told of loads %v, errors %q", loads, errors)
		}
	})
}

// Two writes of one size, within one tick of the file system's clock.
func TestFileIsReloadedWhenWrittenTwiceAtOnce(t *testing.T) {
	inBubble(t, func(w *watched) {
		now := time.Now()
		w.write(w.path, subject("alicf"))
		w.after("alicf")
		w.write(w.path, subject("alicg"))
		if err := os.Chtimes(w.path, now, now); err != nil {
			w.t.Fatal(err)
		}
		w.after("alicg")
	})
}

// A file that has settled is not read again, but looked at.
func TestFileIsNotReadWhileUnchanged(t *testing.T) {
	inBubble(t, func(w *watched) {
		made := time.Now()
		time.Sleep(time.Minute + 500*time.Millisecond) // between two polls
		// What nobody can tell from the outside: same file, size and time.
		w.write(w.path, subject("malic"))
		if err := os.Chtimes(w.path, made, made); err != nil {
			w.t.Fatal(err)
		}
		w.after("alice")
		w.write(w.path, subject("bob"))
		if err := os.Chtimes(w.path, made, made); err != nil { // its size tells
			w.t.Fatal(err)
		}
		w.after("bob")
		w.write(w.path, subject("rob")) // its time tells
		w.after("rob")
	})
}

func TestFileIsReloadedWhenReplaced(t *testing.T) {
	inBubble(t, func(w *watched) {
		time.Sleep(time.Minute + 500*time.Millisecond) // between two polls
		old, err := os.Stat(w.path)
		if err != nil {
			w.t.Fatal(err)
		}
		next := w.path + ".next"
		w.write(next, subject("carol")) // as long as alice, and as old
		if err := os.Chtimes(next, old.ModTime(), old.ModTime()); err != nil {
			w.t.Fatal(err)
		}
		if err := os.Rename(next, w.path); err != nil {
			w.t.Fatal(err)
		}
		w.after("carol")
	})
}

// Kubernetes swaps a symlink of a directory above the file.
func TestFileIsReloadedWhenASymlinkIsSwapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watched{t: t}
		root := t.TempDir()
		at := func(parts ...string) string { return filepath.Join(append([]string{root}, parts...)...) }
		for _, id := range []string{"alice", "carol"} {
			if err := os.Mkdir(at(id), 0o700); err != nil {
				t.Fatal(err)
			}
			w.write(at(id, "subjects.json"), subject(id))
		}
		swap := func(id string) {
			if err := os.Symlink(id, at("next")); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(at("next"), at("data")); err != nil {
				t.Fatal(err)
			}
		}
		swap("alice")
		time.Sleep(time.Minute + 500*time.Millisecond) // between two polls
		var err error
		w.dir, err = directory.NewFile(directory.FileConfig{Path: at("data", "subjects.json")}, directory.FileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer w.close()
		w.after("alice")
		swap("carol")
		w.after("carol")
	})
}

func TestABadFileKeepsTheOldOneAndIsToldOnce(t *testing.T) {
	inBubble(t, func(w *watched) {
		w.write(w.path, `{"subjects":{"`+secret+`":{"plan":"pro"}}}`)
		w.after("alice")
		w.after("alice")
		want := w.path + ":1:32: subject 1: a subject needs an id"
		if _, errors := w.told(); !slices.Equal(errors, []string{want}) {
			w.t.Fatalf("told %q, want %q", errors, want)
		}
		if err := os.Remove(w.path); err != nil {
			w.t.Fatal(err)
		}
		w.after("alice")
		w.after("alice")
		if _, errors := w.told(); len(errors) != 2 || !strings.Contains(errors[1], "no such file") {
			w.t.Fatalf("told %q", errors)
		}
		w.write(w.path, subject("alice")) // as it was: nothing new, but well again
		w.after("alice")
		if err := os.Remove(w.path); err != nil {
			w.t.Fatal(err)
		}
		w.after("alice")
		if loads, errors := w.told(); len(errors) != 3 || loads != nil {
			w.t.Fatalf("told errors %q, loads %v", errors, loads)
		}
		w.write(w.path, subject("bob"))
		w.after("bob")
	})
}

func TestFileTellsNobodyIfNobodyListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watched{t: t, path: filepath.Join(t.TempDir(), "s.json")}
		w.write(w.path, subject("alice"))
		d, err := directory.NewFile(directory.FileConfig{Path: w.path}, directory.FileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		w.dir = d
		w.write(w.path, "{")
		w.after("alice")
		w.write(w.path, subject("bobby"))
		w.after("bobby")
		w.close()
		w.write(w.path, subject("carol"))
		w.after("bobby") // closed: answers on, and looks no more
	})
}

func TestFileMistakes(t *testing.T) {
	long := strings.Repeat("a", 65)
	for _, row := range []struct{ text, want string }{
		{"", "1:1: the file is empty"},
		{"\n{\n  \"subjects\": {,}\n}", "3:16: invalid character ',' looking for beginning of object key string"},
		{`{"subjects":{}`, "1:14: unexpected end of JSON input"},
		{`{"subjects":{}} x`, "1:17: invalid character 'x' after top-level value"},
		{`[]`, `1:1: expected an object such as {"subjects": {}}`},
		{`{}`, `1:2: expected a member "subjects"`},
		{"{\n \"" + secret + "\":{}}", `2:2: expected one member, "subjects"`},
		{"{\"subjects\":\n{\"a\xe9\":{\"id\":\"b\"}}}", "2:4: this is no UTF-8"},
		{`{"subjects":{},"subjects":{}}`, `1:16: expected one member, "subjects"`},
		{`{"subjects":["` + secret + `"]}`, "1:13: expected an object of credentials and subjects"},
		{`{"subjects":{"":{"id":"a"}}}`, "1:14: subject 1: the credential is empty"},
		{"{\"subjects\":{\n\"a\":{\"id\":\"a\"},\n\"" + secret + "\":{}}}", "3:19: subject 2: a subject needs an id"},
		{`{"subjects":{"a":{"id":""}}}`, "1:19: subject 1: a subject needs an id"},
		{`{"subjects":{"a":{"id":null}}}`, "1:19: subject 1: a subject needs an id"},
		{`{"subjects":{"a":"` + secret + `"}}`, `1:18: subject 1: expected an object such as {"id": "org_1", "plan": "pro"}`},
		{`{"subjects":{"a":{"id":1.5}}}`, "1:24: subject 1: id must be a text or a whole number"},
		{`{"subjects":{"a":{"id":["b"]}}}`, "1:24: subject 1: id must be a text or a whole number"},
		{`{"subjects":{"a":{"id":"b","id":"c"}}}`, "1:28: subject 1: a second id"},
		{`{"subjects":{"a":{"id":"b","x":1,"x":2}}}`, "1:34: subject 1: this attribute stands twice"},
		{`{"subjects":{"a":{"id":"b","x y":1}}}`, "1:28: subject 1: the name of an attribute has letters, digits, _ and -"},
		{`{"subjects":{"a":{"id":"b","` + long + `":1}}}`, "1:28: subject 1: the name of an attribute"},
		{`{"subjects":{"a":{"id":"b","x":{"` + secret + `":1}}}}`, "1:32: subject 1: an attribute is a number, a text or a boolean"},
		{`{"subjects":{"a":{"id":"b","x":0.0000001}}}`, "1:32: subject 1: expected a number up to 9007199254740991 with at most six decimals"},
		{
			`{"subjects":{"` + secret + `":{"id":"a"},"b":{"id":"b"},"` + secret + `":{"id":"c"}}}`,
			"1:57: subject 3: this credential stands twice",
		},
	} {
		path := filepath.Join(t.TempDir(), "subjects.json")
		if err := os.WriteFile(path, []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := directory.NewFile(directory.FileConfig{Path: path}, directory.FileOptions{})
		if err == nil || !strings.HasPrefix(err.Error(), path+":"+row.want) {
			t.Errorf("%s\nerror %v\nwant  %s:%s", row.text, err, path, row.want)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("the error tells the credential: %v", err)
		}
		var parse *directory.ParseError
		if !errors.As(err, &parse) {
			t.Errorf("%v is no ParseError", err)
		}
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "none.json")
	if _, err := directory.NewFile(directory.FileConfig{Path: missing}, directory.FileOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if _, err := directory.NewFile(directory.FileConfig{Path: dir}, directory.FileOptions{}); err == nil ||
		!strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("a folder: %v", err)
	}
	for _, c := range []directory.FileConfig{{}, {Path: missing, Poll: -1}, {Path: missing, Poll: 1}} {
		if _, err := directory.NewFile(c, directory.FileOptions{}); len(core.ConfigErrors(err)) != 1 {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestAByteOrderMarkIsNoMistake(t *testing.T) {
	path := filepath.Join(t.TempDir(), "subjects.json")
	if err := os.WriteFile(path, []byte("\ufeff"+subject("alice")), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := directory.NewFile(directory.FileConfig{Path: path}, directory.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// Lookups see one file or the other, never a mixture, while it is reloaded.
func TestFileLookupsRaceWithReloads(t *testing.T) {
	inBubble(t, func(w *watched) {
		two := func(id string) string {
			return fmt.Sprintf(`{"subjects":{%q:{"id":%q,"n":%q}}}`, secret, id, id)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 2000 {
					s, err := w.dir.Lookup(w.t.Context(), secret)
					if err != nil || len(s.Attributes) > 0 && s.Attributes.Get("n").String() != s.ID {
						w.t.Errorf("%+v, %v", s, err)
						return
					}
				}
			})
		}
		for i := range 5 {
			id := fmt.Sprintf("org_%d", i)
			w.write(w.path, two(id))
			w.after(id)
		}
		wg.Wait()
	})
}

func TestFileLookupsDoNotAllocate(t *testing.T) {
	inBubble(t, func(w *watched) {
		ctx := w.t.Context()
		for _, credential := range []string{secret, "unknown"} {
			if n := testing.AllocsPerRun(100, func() { _, _ = w.dir.Lookup(ctx, credential) }); n > 0 {
				w.t.Errorf("%v allocations", n)
			}
		}
		for name, credential := range hostile {
			if _, err := w.dir.Lookup(ctx, credential); !errors.Is(err, core.ErrUnknownCredential) {
				w.t.Errorf("%s: %v", name, err)
			}
		}
	})
}
