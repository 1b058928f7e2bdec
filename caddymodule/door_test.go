package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirhq/weir/core"
)

func init() {
	caddy.RegisterModule(new(testDoor))
	caddy.RegisterModule(new(noDoor))
}

// A testDoor is a door of tests, which can refuse to open.
type testDoor struct {
	Name string `json:"name,omitempty"`
}

// doorLog is what testDoors did, and the last app that one opened for.
var doorLog struct {
	lines []string
	app   *App
}

func (*testDoor) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "weir.doors.test_door", New: func() caddy.Module { return new(testDoor) }}
}

func (t *testDoor) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.Args(&t.Name) {
		return d.ArgErr()
	}
	return nil
}

func (t *testDoor) Open(a *App) error {
	if t.Name == "stuck" {
		return errors.New("the door is stuck")
	}
	doorLog.lines, doorLog.app = append(doorLog.lines, "open "+t.Name), a
	return nil
}

func (t *testDoor) Close() error {
	doorLog.lines = append(doorLog.lines, "close "+t.Name)
	return nil
}

// A noDoor is a module that is no door.
type noDoor struct{}

func (*noDoor) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "weir.doors.no_door", New: func() caddy.Module { return new(noDoor) }}
}

func (*noDoor) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }

// wantDoors requires what doors did since the last call.
func wantDoors(t *testing.T, want ...string) {
	t.Helper()
	if got := fmt.Sprint(doorLog.lines); got != fmt.Sprint(want) {
		t.Errorf("doors: %s, want %v", got, want)
	}
	doorLog.lines = nil
}

// TestDoors: the next configuration's doors open before the last one's close,
// and a door that does not open takes the others back.
func TestDoors(t *testing.T) {
	doorLog.lines = nil
	g := start(t, "weir {\nstore memory volatile\ntest_door a\n}", "")
	wantDoors(t, "open a")
	g.load("weir {\nstore memory volatile\ntest_door b\n}", "")
	wantDoors(t, "open b", "close a")
	err := g.tryLoad("weir {\nstore memory volatile\ntest_door c\ntest_door stuck\ntest_door d\n}", "")
	if err == nil || !strings.Contains(err.Error(), "the door is stuck") {
		t.Errorf("error %v", err)
	}
	wantDoors(t, "open c", "close c")
	if err := g.tryLoad("weir {\nstore memory volatile\nno_door\n}", ""); err == nil || !strings.Contains(err.Error(), "is no door") {
		t.Errorf("error %v", err)
	}
}

// TestDoorJSON: a door's directive becomes its module.
func TestDoorJSON(t *testing.T) {
	got, err := adapt("{\n\tweir {\n\t\ttest_door a\n\t\ttest_door b\n\t}\n}\n")
	var c struct {
		Apps struct{ Weir json.RawMessage }
	}
	if err != nil || json.Unmarshal(got, &c) != nil {
		t.Fatal(err)
	}
	if want := `{"doors":[{"door":"test_door","name":"a"},{"door":"test_door","name":"b"}]}`; string(c.Apps.Weir) != want {
		t.Errorf("got %s, want %s", c.Apps.Weir, want)
	}
	if _, err = adapt("{\n\tweir {\n\t\ttest_door\n\t}\n}\n"); err == nil || !strings.Contains(err.Error(), "Caddyfile:3") {
		t.Errorf("error %v", err)
	}
}

// TestDecideForDoors: what a door asks is counted as the site's requests are.
func TestDecideForDoors(t *testing.T) {
	g := start(t, strings.Replace(minute, "weir {", "weir {\ntest_door a", 1), "weir api")
	g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), 200)
	r := g.request("GET", "/", nil, "X-API-Key: alice")
	ask := func() (*core.Decision, error) {
		d := new(core.Decision)
		request := &core.Request{Method: "GET", Path: "/", Source: &source{request: r}, Endless: true}
		_, _, err := doorLog.app.Decide(t.Context(), "api", []*core.Request{request}, []*core.Decision{d})
		return d, err
	}
	for _, want := range []core.Outcome{core.Admitted, core.Denied} {
		if d, err := ask(); err != nil || d.Outcome != want {
			t.Errorf("%s, %v; want %s", d.Outcome, err, want)
		}
	}
	if _, _, err := doorLog.app.Decide(t.Context(), "none", nil, nil); !errors.Is(err, ErrNoPolicy) {
		t.Errorf("error %v", err)
	}
}
