package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirhq/weir/core/memory"
)

// stored is minute with its counters in dir, and a maximum.
func stored(dir string, most int) string {
	s := strings.Replace(minute, "memory volatile", `memory "`+dir+`"`, 1)
	return strings.Replace(s, "max 2", fmt.Sprint("max ", most), 1)
}

func TestReloadKeepsTheCounters(t *testing.T) {
	up, dir := origin(t, func(http.ResponseWriter, *http.Request) {}), t.TempDir()
	for name, options := range map[string]func(int) string{
		"volatile": func(most int) string { return strings.Replace(minute, "max 2", fmt.Sprint("max ", most), 1) },
		"on disk":  func(most int) string { return stored(dir, most) },
	} {
		t.Run(name, func(t *testing.T) {
			site := "weir api\nreverse_proxy " + up
			g := start(t, options(2), site)
			g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), 200)
			g.load(options(2), site)
			e := g.do("GET", "/", "X-API-Key: alice")
			g.wantStatus(e, 200)
			if got := e.header.Get("X-RateLimit-Remaining"); got != "0" {
				t.Errorf("remaining %s after a reload, want 0", got)
			}
			g.load(options(3), site)
			g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), 200)
			g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), 429)
		})
	}
}

func TestRestartKeepsTheCounters(t *testing.T) {
	up := origin(t, func(http.ResponseWriter, *http.Request) {})
	options, site := stored(t.TempDir(), 1), "weir api\nreverse_proxy "+up
	g := start(t, options, site)
	g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), 200)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the store is closed", func() bool { return storeName(t) == "" })
	g.load(options, site)
	g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), 429)
	g.wantStatus(g.do("GET", "/", "X-API-Key: bob"), 200)
}

func TestRejectedReloadChangesNothing(t *testing.T) {
	up := origin(t, func(http.ResponseWriter, *http.Request) {})
	dir, site := t.TempDir(), "weir api\nreverse_proxy "+up
	g := start(t, stored(dir, 2), site)
	g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), 200)
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	rejected := map[string][3]string{
		"another handler's mistake": {stored(dir, 9), "route {\nprobe reject\n}\n" + site, "is rejected"},
		"another store":             {stored(elsewhere, 9), "route {\nprobe reject\n}\n" + site, "is rejected"},
		"another max_cells":         {strings.Replace(stored(dir, 9), dir+`"`, dir+"\" {\nmax_cells 5\n}", 1), site, "it has max_cells 16777216, overflow deny, durability process, not max_cells 5, overflow deny, durability process"},
		"another interval":          {strings.Replace(stored(dir, 9), dir+`"`, dir+"\" {\ndurability interval 50ms\n}", 1), site, "durability process, not max_cells 16777216, overflow deny, durability interval 50ms"},
		"another secret":            {strings.Replace(stored(dir, 9), "policy api", "secret other\npolicy api", 1), site, "other options, which can change only when Caddy restarts: it has another secret"},
		"a port that is taken":      {stored(dir, 9), site + "\n}\nhttp://" + up + " {\nbind 127.0.0.1", "address already in use"},
	}
	for name, config := range rejected {
		t.Run(name, func(t *testing.T) {
			g := g.in(t)
			err := g.tryLoad(config[0], config[1])
			if err == nil || !strings.Contains(err.Error(), config[2]) {
				t.Fatalf("error %v, want %s", err, config[2])
			}
			if refs, _ := states.References("memory:" + dir); refs != 1 {
				t.Errorf("the store has %d references, want that of the running configuration", refs)
			}
			if _, err := os.Stat(elsewhere); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the rejected configuration's directory: %v", err)
			}
		})
	}
	g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), 200)
	g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), 429)
}

func TestSecretsOfOneStoreAreTheSame(t *testing.T) {
	g := start(t, stored(t.TempDir(), 2), "weir api")
	err := g.tryLoad(strings.Replace(stored(strings.TrimPrefix(storeName(t), "memory:"), 2), "policy api", "secret other\npolicy api", 1), "weir api")
	if err == nil || !strings.Contains(err.Error(), "other options") || strings.Contains(err.Error(), "secret other") {
		t.Errorf("error %v", err)
	}
}

// Counters that were made with another secret are not taken for nobody's: nothing
// starts with them, and nothing of them changes.
func TestCountersOfAnotherSecret(t *testing.T) {
	dir, site := t.TempDir(), "weir api"
	own := stored(dir, 1)
	configured := strings.Replace(own, "policy api", "secret other\npolicy api", 1)
	g := start(t, own, site)
	g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), 200)
	stop := func() {
		t.Helper()
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the store is closed", func() bool { return storeName(t) == "" })
	}
	stop()
	err := g.tryLoad(configured, site)
	if err == nil || !strings.Contains(err.Error(), "were made with another secret") || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
	eventually(t, "the store is closed", func() bool { return storeName(t) == "" })
	g.load(own, site)
	g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), 429)
	stop()
	if err := os.Remove(filepath.Join(dir, memory.SnapshotName)); err != nil {
		t.Fatal(err)
	}
	g.load(configured, site)
	g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), 200)
}

// storeName returns the name of the one open store.
func storeName(t *testing.T) (name string) {
	t.Helper()
	states.Range(func(key, _ any) bool {
		name = key.(string)
		return true
	})
	return name
}

// slowOrigin is an origin that tells of requests for /slow, and answers them once it
// is released.
func slowOrigin(t *testing.T) (up string, arrived <-chan struct{}, release func()) {
	t.Helper()
	come, leave := make(chan struct{}), make(chan struct{})
	up = origin(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			come <- struct{}{}
			<-leave
		}
	})
	release = sync.OnceFunc(func() { close(leave) })
	t.Cleanup(release) // before the origin's, which waits for its requests
	return up, come, release
}

func TestSlotLastsAcrossReloads(t *testing.T) {
	up, arrived, release := slowOrigin(t)
	site := "weir api\nreverse_proxy " + up
	g := start(t, one, site)
	done := make(chan int, 1)
	go func() {
		res, err := http.DefaultClient.Do(g.request("GET", "/slow", nil, "X-API-Key: alice"))
		if err != nil {
			done <- 0
			return
		}
		res.Body.Close()
		done <- res.StatusCode
	}()
	<-arrived
	loaded := make(chan error, 1)
	go func() { loaded <- g.tryLoad(one, site+"\nheader X-New 1") }() // waits for the request
	eventually(t, "the new configuration answers, and counts the slot", func() bool {
		e := g.do("GET", "/", "X-API-Key: alice")
		return e.header.Get("X-New") == "1" && e.status == 429
	})
	release()
	if status := <-done; status != 200 {
		t.Errorf("the request in flight was answered %d", status)
	}
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), 200)
	if n := inUse(t); n != 0 {
		t.Errorf("%d slots at the end", n)
	}
}

// TestOldStoreStaysOpenForItsRequests has a request finish in a store that the
// new configuration does not use, and the next one find what it cost.
func TestOldStoreStaysOpenForItsRequests(t *testing.T) {
	arrived, leave := make(chan struct{}), make(chan struct{})
	up := origin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			arrived <- struct{}{}
			<-leave
			w.Header().Set("Weir-Cost", "1")
		}
	})
	old, site := strings.Replace(jobs, "memory volatile", `memory "`+t.TempDir()+`"`, 1), "weir api\nreverse_proxy "+up
	g := start(t, old, site)
	name, done := storeName(t), make(chan int, 1)
	go func() {
		res, err := http.DefaultClient.Do(g.request("POST", "/slow", nil, "X-API-Key: alice"))
		if err != nil {
			done <- 0
			return
		}
		res.Body.Close()
		done <- res.StatusCode
	}()
	<-arrived
	g.load(jobs, site)
	if _, open := states.References(name); !open {
		t.Error("the store was closed under a request")
	}
	close(leave)
	if status := <-done; status != 200 {
		t.Errorf("the request in flight was answered %d", status)
	}
	eventually(t, "the store is closed", func() bool {
		_, open := states.References(name)
		return !open
	})
	g.wantStatus(g.do("POST", "/", "X-API-Key: alice"), 200)
	g.load(old, site)
	g.wantStatus(g.do("POST", "/", "X-API-Key: alice"), 429)
}

func TestValidatingTouchesNoDisk(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	g := &gateway{t: t, site: "127.0.0.1:20000", admin: "127.0.0.1:20001"} // nobody listens
	dir := filepath.Join(t.TempDir(), "state")
	for name, options := range map[string]string{"named": stored(dir, 2), "default": ""} {
		t.Run(name, func(t *testing.T) {
			site := "weir api"
			if options == "" {
				site = "weir api {\nlimit requests {\nper {client_ip}\nrolling 1m\nmax 1\n}\n}"
			}
			var config caddy.Config
			if err := json.Unmarshal(g.adapt(options, site), &config); err != nil {
				t.Fatal(err)
			}
			if err := caddy.Validate(&config); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{dir, filepath.Join(caddy.AppDataDir(), "weir")} {
				if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: %v", path, err)
				}
			}
		})
	}
	if name := storeName(t); name != "" {
		t.Errorf("store %s is open", name)
	}
}

// TestNoOptionAtAll proves the newcomer's configuration: one site, no option.
func TestNoOptionAtAll(t *testing.T) {
	up := origin(t, func(http.ResponseWriter, *http.Request) {})
	g := start(t, "", "weir hello {\nlimit requests {\nper {client_ip}\nrolling 1m\nmax 1\n}\n}\nreverse_proxy "+up)
	g.wantStatus(g.do("GET", "/"), 200)
	e := g.do("GET", "/")
	g.wantStatus(e, 429)
	if e.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	info, err := os.Stat(filepath.Join(caddy.AppDataDir(), "weir", "secret"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the secret: %v, %v", info, err)
	}
}

func TestSecretFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	made, err := secretFile(path)
	if err != nil || made == ([16]byte{}) {
		t.Fatalf("%x, %v", made, err)
	}
	if again, err := secretFile(path); again != made || err != nil {
		t.Errorf("%x, %v; want %x", again, err, made)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(whole[:32])
	if again, err := secretFile(path); again != made || err != nil {
		t.Errorf("without a checksum: %x, %v; want %x", again, err, made)
	}
	const broken = "0123456789"
	write([]byte(broken))
	if _, err := secretFile(path); err == nil || strings.Contains(err.Error(), broken) {
		t.Errorf("a broken file: %v", err)
	}
	for bit := range len(whole) * 8 {
		wrong := slices.Clone(whole)
		wrong[bit/8] ^= 1 << (bit % 8)
		write(wrong)
		if got, err := secretFile(path); err == nil && got != made {
			t.Errorf("with bit %d wrong another secret is read", bit)
		}
	}
	for n := range whole {
		write(whole[:n])
		if got, err := secretFile(path); err == nil && got != made {
			t.Errorf("of %d bytes another secret is read", n)
		}
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("files left: %v, %v", files, err)
	}
}
