package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for something that must happen but for
// which no time is promised.
const patience = 30 * time.Second

// Subjects are the keys of WEIR_SUBJECTS and what is known of each.
type Subjects map[string]Attributes

// Attributes are a subject's id, its plan and whatever else it has.
type Attributes map[string]any

// Gateway is a running Caddy with one page's example in front of an Origin.
type Gateway struct {
	Page   string
	Origin *Origin
	URL    string // http://host:port, no slash
	Host   string // that requests name

	broken int    // the status where the origin breaks off before it answers
	serves string // host:port where the process answers, and the app that does
	app    string
	relay  *Relay // between Envoy and Weir, nil without Envoy

	config   string // the Caddyfile's path
	subjects string // the path of the file of keys
	state    string // the folder of WEIR_STATE
	admin    string // host:port
	env      []string
	client   *http.Client

	binary  string   // the Caddy that runs
	through []string // the command that becomes it, if it is not run itself
	process *exec.Cmd
	exited  chan struct{}
	log     *logTail
}

// An edit changes a page's example before it runs, for what no test can wait
// for. It may bring a file that ZONEINFO leads to.
type edit struct {
	from, to string
	file     string
	content  []byte
}

// An opener starts a page's gateway: it is [Start], or [StartEnvoy].
type opener func(t testing.TB, page string, subjects Subjects, edits ...edit) *Gateway

// Start runs the page's example for these subjects until the test ends, with
// ports, state and an origin of its own.
func Start(t testing.TB, page string, subjects Subjects, edits ...edit) *Gateway {
	t.Helper()
	sources()
	dir := t.TempDir()
	return start(t, page, example(t, filepath.Join("examples", page, "Caddyfile"), dir, edits), dir, subjects)
}

// StartConfig runs a Caddyfile of the test's own, in the examples' environment.
func StartConfig(t testing.TB, name, caddyfile string, subjects Subjects, with ...func(*Gateway)) *Gateway {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(config, []byte(caddyfile), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, name, config, dir, subjects, with...)
}

// start starts a gateway with the configuration at a path, and files in dir,
// changed as with says.
func start(t testing.TB, page, config, dir string, subjects Subjects, with ...func(*Gateway)) *Gateway {
	t.Helper()
	g := newGateway(t, page, config, dir, subjects)
	g.app, g.Host, g.broken = "http", "api.example", http.StatusBadGateway
	for _, change := range with {
		change(g)
	}
	g.open(t, dir)
	g.URL = "http://" + g.serves
	return g
}

// newGateway is a gateway that does not run yet.
func newGateway(t testing.TB, page, config, dir string, subjects Subjects) *Gateway {
	t.Helper()
	g := &Gateway{Page: page, Origin: newOrigin(t), config: config, log: &logTail{}, binary: os.Getenv("WEIR_CADDY")}
	g.client = newClient()
	g.subjects, g.state = filepath.Join(dir, "subjects.json"), filepath.Join(dir, "state")
	writeSubjects(t, g.subjects, subjects)
	return g
}

// open runs the process until the test ends, on ports that are free.
func (g *Gateway) open(t testing.TB, dir string) {
	t.Helper()
	for range 3 { // another process may take a port between its choice and its use
		port, admin := freePort(t), freePort(t)
		g.serves, g.admin = "127.0.0.1:"+port, "127.0.0.1:"+admin
		g.env = append(os.Environ(),
			"WEIR_PORT="+port, "WEIR_RLS_LISTEN="+g.serves, "WEIR_ORIGIN="+g.Origin.Address(),
			"WEIR_SUBJECTS="+g.subjects, "WEIR_STATE="+g.state, "WEIR_ADMIN="+g.admin,
			"HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir, "ZONEINFO="+dir)
		if g.launch(t) {
			break
		}
	}
	t.Cleanup(func() {
		g.Origin.openAll()
		g.Stop(t)
		if t.Failed() {
			t.Logf("the end of %s's log:\n%s", g.Page, g.log)
		}
	})
	if !g.running() {
		t.Fatalf("%s does not start", g.Page)
	}
}

// writeSubjects replaces the file at once, as whoever has readers should.
func writeSubjects(t testing.TB, file string, subjects Subjects) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"subjects": subjects})
	if err == nil {
		err = os.WriteFile(file+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// example is the path of an example's Caddyfile, or of an edited copy in dir.
func example(t testing.TB, path, dir string, edits []edit) string {
	t.Helper()
	path = filepath.Join(root(), path)
	if len(edits) == 0 {
		return path
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := string(text)
	for _, e := range edits {
		if !strings.Contains(changed, e.from) {
			t.Fatalf("%s has no %q to edit", path, e.from)
		}
		changed = strings.ReplaceAll(changed, e.from, e.to)
		if e.file == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, e.file), e.content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path = filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// launch starts the process and waits until it serves; false if it exited.
func (g *Gateway) launch(t testing.TB) bool {
	t.Helper()
	g.spawn(t)
	return g.started()
}

// spawn starts the process and waits for nothing.
func (g *Gateway) spawn(t testing.TB) {
	t.Helper()
	cmd := g.command("run")
	cmd.Stdout, cmd.Stderr = g.log, g.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	g.process, g.exited = cmd, make(chan struct{})
	go func(exited chan struct{}) {
		_ = cmd.Wait()
		close(exited)
	}(g.exited)
}

// command is one of Caddy's about the configuration.
func (g *Gateway) command(name string) *exec.Cmd {
	args := append(slices.Clone(g.through), g.binary, name, "--config", g.config)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = root(), g.env
	return cmd
}

// started waits until the process serves; false if it exited.
func (g *Gateway) started() bool {
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) && g.running() {
		if g.listening() {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// listening reports whether the admin API has a configuration and its port
// takes connections, both served by this process.
func (g *Gateway) listening() bool {
	r, err := g.client.Get("http://" + g.admin + "/config/apps/" + g.app)
	if err != nil {
		return false
	}
	text, _ := io.ReadAll(r.Body)
	_ = r.Body.Close()
	_, port, _ := strings.Cut(g.serves, ":")
	if r.StatusCode != http.StatusOK || !bytes.Contains(text, []byte(":"+port)) {
		return false
	}
	c, err := net.Dial("tcp", g.serves)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

func (g *Gateway) running() bool {
	select {
	case <-g.exited:
		return false
	default:
		return true
	}
}

// Stop ends the process as a service manager does: SIGTERM, and SIGKILL only
// when that does not help.
func (g *Gateway) Stop(t testing.TB) {
	t.Helper()
	_ = g.process.Process.Signal(syscall.SIGTERM)
	select {
	case <-g.exited:
	case <-time.After(patience):
		t.Errorf("%s does not stop on SIGTERM", g.Page)
		_ = g.process.Process.Kill()
		<-g.exited
	}
	g.client.CloseIdleConnections()
}

// Kill ends the process without a chance to write anything.
func (g *Gateway) Kill() {
	_ = g.process.Process.Kill()
	<-g.exited
	g.client.CloseIdleConnections()
}

// Restart stops the process and starts it again with the same state.
func (g *Gateway) Restart(t testing.TB) {
	t.Helper()
	g.Stop(t)
	if !g.launch(t) {
		t.Fatalf("%s does not start again", g.Page)
	}
}

// Reload loads the example's configuration once more.
func (g *Gateway) Reload(t testing.TB) {
	t.Helper()
	text, err := os.ReadFile(g.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Load(string(text)); err != nil {
		t.Fatal(err)
	}
}

// Load gives Caddy a Caddyfile, which it loads even if it is the one it has.
// A configuration that Caddy rejects is an error. Caddy's admin server, which
// changes with each configuration, may close a new connection unanswered; then
// the same is loaded once more.
func (g *Gateway) Load(caddyfile string) error {
	deadline := time.Now().Add(patience)
	for {
		resp, err := g.load(caddyfile)
		if err != nil && g.running() && time.Now().Before(deadline) {
			continue
		}
		if err != nil {
			return err
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		g.client.CloseIdleConnections()
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("loading a configuration: %s: %s", resp.Status, text)
		}
		return err
	}
}

func (g *Gateway) load(caddyfile string) (*http.Response, error) {
	r, err := http.NewRequest(http.MethodPost, "http://"+g.admin+"/load", strings.NewReader(caddyfile))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "text/caddyfile")
	r.Header.Set("Cache-Control", "must-revalidate")
	return g.client.Do(r)
}

// Edited is the example's text with a change.
func (g *Gateway) Edited(t testing.TB, from, to string) string {
	t.Helper()
	text, err := os.ReadFile(g.config)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), from) {
		t.Fatalf("%s has no %q to edit", g.config, from)
	}
	return strings.ReplaceAll(string(text), from, to)
}

// newClient sends requests as they are: no proxy, no compression of its own,
// no redirects followed.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 256, MaxConnsPerHost: 256},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
		Timeout: 2 * time.Minute,
	}
}

// ports are those that gateways have had. Caddy shares a port with whoever has
// it already, so that no port may be given twice, not even while its gateway
// starts again.
var ports struct {
	sync.Mutex
	given map[string]bool
}

// freePort is a loopback port that nobody listens on and no gateway had.
func freePort(t testing.TB) string {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, err := net.SplitHostPort(l.Addr().String())
		_ = l.Close()
		if err != nil {
			t.Fatal(err)
		}
		if !ports.given[port] {
			if ports.given == nil {
				ports.given = map[string]bool{}
			}
			ports.given[port] = true
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// logTail keeps the end of what a process printed.
type logTail struct {
	mu   sync.Mutex
	text []byte
}

func (l *logTail) Write(p []byte) (int, error) {
	const most = 16 << 10
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if len(l.text) > 2*most {
		l.text = append([]byte(nil), l.text[len(l.text)-most:]...)
	}
	return len(p), nil
}

// all is everything kept.
func (l *logTail) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// String is the last lines.
func (l *logTail) String() string {
	const lines = 25
	all := strings.Split(strings.TrimSpace(l.all()), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
