package envoyrls

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// TestWatch: a file counts as changed once, and while it may change without
// another time of modification.
func TestWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	w := &watch{paths: []string{path}}
	now := time.Now()
	want := func(what string, at time.Time, changed bool) {
		t.Helper()
		if got := w.changed(at); got != changed {
			t.Errorf("%s: %t, want %t", what, got, changed)
		}
	}
	set := func(text string, modified time.Time) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	want("at first", now, true)
	want("missing still", now, false)
	set("a", now)
	want("made", now, true)
	want("made just now", now.Add(settling), true)
	want("settled", now.Add(settling+1), false)
	set("bb", now)
	want("another size", now.Add(settling+1), true)
	want("settled again", now.Add(settling+2), false)
	set("cc", now.Add(1))
	want("another time", now.Add(settling+2), true)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	want("removed", now.Add(time.Hour), true)
	want("removed still", now.Add(time.Hour), false)
}

// TestIdentityLog: a file that makes no sense is told of once.
func TestIdentityLog(t *testing.T) {
	log, logged := observer.New(zapcore.DebugLevel)
	i := &identity{TLS: &TLS{Certificate: "none.pem", Key: "none.pem"}, logger: zap.New(log)}
	i.watch.paths = []string{filepath.Join(t.TempDir(), "none.pem")}
	for n := range 3 {
		i.watch.stamps = make([]stamp, n) // as if the file had changed
		i.current(time.Now())
	}
	all := logged.All()
	if len(all) != 1 || all[0].Level != zapcore.ErrorLevel || all[0].ContextMap()["error"] != "tls: certificate: open none.pem: no such file or directory" {
		t.Errorf("logged %v", all)
	}
}
