package compat

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	limitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/memory"
)

// A watched is a service whose directory changes.
type watched struct {
	*testing.T
	*Service
	dir  string
	logs *observer.ObservedLogs
}

// newWatched watches dir, a second at a time.
func newWatched(t *testing.T, dir string) *watched {
	t.Helper()
	zapcore, logs := observer.New(zapcore.InfoLevel)
	s, err := New(Options{Dir: dir, Poll: time.Second, Metrics: newMetrics(), Logger: zap.New(zapcore)})
	if err != nil {
		t.Fatal(err)
	}
	store := memory.New(memory.Options{})
	err = s.Start(Counting{
		Now:  func() core.Instant { n := time.Now().UnixMicro(); return core.Instant{Wall: n, Steady: n} },
		Take: store.Take, Decided: func(string, string, bool) {}, Hasher: core.NewHasher([16]byte{1}),
		Reserved: func(name string) bool { return name == "policy" },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); _ = store.Close() })
	return &watched{t, s, dir, logs}
}

// yearly is a file with so many a year for key k. Time begins in 2000 here.
func yearly(domain string, n int) string {
	return fmt.Sprintf("domain: %s\ndescriptors:\n  - key: k\n    rate_limit: {unit: year, requests_per_unit: %d}\n", domain, n)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// swap exchanges a link by rename.
func swap(t *testing.T, link, target string) {
	t.Helper()
	if err := os.Symlink(target, link+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
}

// want requires the limit in force, and what of it remains after a hit.
func (w *watched) want(limit, remaining uint32) {
	w.Helper()
	reply, served, err := w.Answer(context.Background(), &rls.RateLimitRequest{Domain: "d", Descriptors: []*limitv3.RateLimitDescriptor{
		{Entries: []*limitv3.RateLimitDescriptor_Entry{{Key: "k", Value: "v"}}},
	}})
	if err != nil || !served {
		w.Fatalf("served %t, %v", served, err)
	}
	s := reply.GetStatuses()[0]
	if s.GetCurrentLimit().GetRequestsPerUnit() != limit || s.GetLimitRemaining() != remaining {
		w.Errorf("%v, want %d of %d", s, remaining, limit)
	}
}

// within waits less than the ten seconds that a change may take.
func within() { time.Sleep(5 * time.Second); synctest.Wait() }

// value returns what a counter or a gauge stands at.
func value(t *testing.T, c prometheus.Collector) float64 {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(c)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	m := families[0].GetMetric()[0]
	return m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

// TestReload: files that are written, added and removed; counters stay.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/a.yaml", yearly("d", 10))
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, dir)
		w.want(10, 9)
		write(t, dir+"/a.yaml", yearly("d", 20))
		within()
		w.want(20, 18)
		write(t, dir+"/b.yaml", yearly("other", 1))
		within()
		if !served(w, "other") {
			t.Error("a new file is not served")
		}
		if err := os.Remove(dir + "/b.yaml"); err != nil {
			t.Fatal(err)
		}
		within()
		if served(w, "other") {
			t.Error("a removed file is served")
		}
		// A rule of its own for the value: the same counter.
		write(t, dir+"/a.yaml", yearly("d", 20)+"  - key: k\n    value: v\n    rate_limit: {unit: year, requests_per_unit: 5}\n")
		within()
		w.want(5, 2)
		if n := value(t, w.metrics.loaded); n != 5 {
			t.Errorf("loaded %v times", n)
		}
	})
}

func served(w *watched, domain string) bool {
	_, served, _ := w.Answer(context.Background(), &rls.RateLimitRequest{Domain: domain, Descriptors: []*limitv3.RateLimitDescriptor{{}}})
	return served
}

// TestReloadLinks: links that are exchanged by rename: to the directory, on the
// way to it, and a ConfigMap's to its data.
func TestReloadLinks(t *testing.T) {
	for name, path := range map[string]struct{ dir, link, before, after string }{
		"directory": {"current", "current", "v1", "v2"},
		"above":     {"current/ratelimit", "current", "v1", "v2"},
		"relative":  {"current", "current", "./v1", "./v2"},
		"configmap": {"map", "map/..data", "..2024_1", "..2024_2"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			base := filepath.Join(root, filepath.Dir(path.link))
			sub, _ := strings.CutPrefix(path.dir, path.link)
			if name == "configmap" {
				sub = ""
			}
			write(t, filepath.Join(base, path.before, sub, "a.yaml"), yearly("d", 10))
			write(t, filepath.Join(base, path.after, sub, "a.yaml"), yearly("d", 20))
			swap(t, filepath.Join(root, path.link), path.before)
			if name == "configmap" {
				swap(t, filepath.Join(root, "map/a.yaml"), "..data/a.yaml")
			}
			dir := filepath.Join(root, path.dir)
			if name == "configmap" {
				dir = filepath.Join(root, "map")
			}
			synctest.Test(t, func(t *testing.T) {
				w := newWatched(t, dir)
				w.want(10, 9)
				swap(t, filepath.Join(root, path.link), path.after)
				within()
				w.want(20, 18)
			})
		})
	}
}

// TestBadReload: what is wrong leaves what was there, and is told once, by log
// and metric, until it is right.
func TestBadReload(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/a.yaml", yearly("d", 10))
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, dir)
		w.want(10, 9)
		left := uint32(8)
		for i, text := range []string{
			"domain: d\nx: 1\n", "'''", "", yearly("policy", 1), "domain: d\ndescriptors:\n  - key: k\n    rate_limit: {unit: foo}\n",
		} {
			write(t, dir+"/a.yaml", text)
			within()
			within()
			w.want(10, left)
			left--
			if n := value(t, w.metrics.rejected); n != float64(i+1) {
				t.Errorf("%q: rejected %v times, want %d", text, n, i+1)
			}
			if n := value(t, w.metrics.stale.WithLabelValues(dir)); n != 1 {
				t.Errorf("%q: not stale", text)
			}
		}
		errs := w.logs.FilterLevelExact(zapcore.ErrorLevel).All()
		if len(errs) != 5 || !strings.Contains(fmt.Sprint(errs[0].ContextMap()), filepath.Join(dir, "a.yaml")+":2: config error, unknown key 'x'") {
			t.Errorf("%d errors: %v", len(errs), errs)
		}
		if !strings.Contains(fmt.Sprint(errs[3].ContextMap()), "also the name of a policy") {
			t.Errorf("%v", errs[3].ContextMap())
		}
		write(t, dir+"/a.yaml", yearly("d", 10))
		within()
		w.want(10, left)
		if n := value(t, w.metrics.stale.WithLabelValues(dir)); n != 0 {
			t.Error("stale still")
		}
	})
}

// TestNobodyWatches: a directory is told of for as long as somebody watches it,
// which at a reload two services do.
func TestNobodyWatches(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/a.yaml", yearly("d", 10))
	m := newMetrics()
	told := func() int {
		r := prometheus.NewRegistry()
		r.MustRegister(m.stale)
		families, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		return len(families)
	}
	begin := func() *Service {
		s, err := New(Options{Dir: dir, Poll: time.Hour, Metrics: m, Logger: zap.NewNop()})
		if err == nil {
			err = s.Start(Counting{Reserved: func(string) bool { return false }})
		}
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before, after := begin(), begin()
	before.Close()
	if told() != 1 {
		t.Error("nothing is told of a directory that is watched")
	}
	after.Close()
	if told() != 0 {
		t.Error("a directory is told of that nobody watches")
	}
}

// TestDirectoryGone: a directory that cannot be read is as good as a bad one,
// until it can.
func TestDirectoryGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config")
	write(t, dir+"/a.yaml", yearly("d", 10))
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, dir)
		if err := os.Rename(dir, dir+".away"); err != nil {
			t.Fatal(err)
		}
		within()
		within()
		w.want(10, 9)
		if n := value(t, w.metrics.rejected); n != 1 || len(w.logs.FilterLevelExact(zapcore.ErrorLevel).All()) != 1 {
			t.Errorf("rejected %v times", n)
		}
		if err := os.Rename(dir+".away", dir); err != nil {
			t.Fatal(err)
		}
		within()
		w.want(10, 8)
		if n := value(t, w.metrics.stale.WithLabelValues(dir)); n != 0 {
			t.Error("stale still")
		}
	})
}

// TestHalfWritten: a change is loaded only when it has lasted.
func TestHalfWritten(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/a.yaml", yearly("d", 10))
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, dir)
		time.Sleep(time.Second / 2) // between two looks
		for i := range 10 {
			write(t, dir+"/a.yaml", yearly("d", 10+i)+strings.Repeat("#", i))
			time.Sleep(time.Second)
		}
		w.want(10, 9)
		within()
		w.want(19, 17)
	})
}

// TestReserved: a domain may not be a policy's name either.
func TestReserved(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/a.yaml", "# first\n"+yearly("policy", 1))
	s, err := New(Options{Dir: dir, Poll: time.Hour, Metrics: newMetrics(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Start(Counting{Reserved: func(name string) bool { return name == "policy" }})
	if want := dir + `/a.yaml:2: the domain "policy" is also the name of a policy`; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v", err)
	}
}
