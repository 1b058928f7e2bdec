package caddymodule

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirhq/weir/core/contract"
)

// validate validates a configuration of this app and handlers, each in a server
// of its own.
func validate(t *testing.T, app string, handlers ...string) error {
	t.Helper()
	var servers []string
	for i, h := range handlers {
		servers = append(servers, fmt.Sprintf(`"s%d": {"listen": ["127.0.0.1:%d"], "routes": [{"handle": [%s]}]}`, i, 20000+i, h))
	}
	text := `{"admin": {"disabled": true}, "logging": {"logs": {"default": {"writer": {"output": "discard"}}}},
		"apps": {"weir": ` + app + `, "http": {"servers": {` + strings.Join(servers, ",") + `}}}}`
	var config caddy.Config
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return caddy.Validate(&config)
}

func TestConfigurations(t *testing.T) {
	const (
		policy   = `{"limits": [{"name": "a", "per": ["all"], "kind": "rolling", "window": "1m", "max": 1}]}`
		same     = `{"limits": [{"name": "a", "per": ["all"], "kind": "rolling", "window": 60000000000, "max": "1"}]}`
		other    = `{"limits": [{"name": "a", "per": ["all"], "kind": "rolling", "window": "1m", "max": 2}]}`
		mistaken = `{"limits": [{"name": "a", "per": ["all"], "kind": "rollin", "window": "1m", "max": 2}]}`
		volatile = `"store": {"store": "memory", "volatile": true}`
		app      = `{` + volatile + `, "policies": {"api": ` + policy + `}}`
	)
	use := func(name string) string { return `{"handler": "weir", "policy": "` + name + `"}` }
	define := func(name, p string) string {
		return `{"handler": "weir", "policy": "` + name + `", "define": ` + p + `}`
	}
	tests := []struct {
		name, app string
		handlers  []string
		want      string // in the error; "": it is valid
	}{
		{"one policy, two handlers", app, []string{use("api"), use("api")}, ""},
		{"defined in place", `{` + volatile + `}`, []string{define("api", policy)}, ""},
		{"defined alike", `{` + volatile + `}`, []string{define("api", policy), define("api", same)}, ""},
		{"defined differently", `{` + volatile + `}`, []string{define("api", policy), define("api", other)}, `defines the policy "api" differently`},
		{"defined in the app and in place", app, []string{define("api", policy)}, `defines the policy "api" already`},
		{"a name mistyped", app, []string{use("apo")}, `no policy "apo"; did you mean "api"?`},
		{"a name of another handler's", app, []string{define("there", policy), use("there")}, `no policy "there"; expected one of api`},
		{"no policies", `{` + volatile + `}`, []string{use("api")}, `no policy "api": the app weir defines none`},
		{"no name", app, []string{`{"handler": "weir"}`}, "name is missing"},
		{"a mistake in the app", `{` + volatile + `, "policies": {"api": ` + mistaken + `}}`, nil, "policies.api.limits[0].kind"},
		{"a mistake in place", `{` + volatile + `}`, []string{define("api", mistaken)}, "define.limits[0].kind"},
		{"a mistaken body", `{` + volatile + `, "policies": {"api": {"deny": {"body": "{"}}}}`, nil, "policies.api.deny.body"},
		{"an unknown store", `{"store": {"store": "disk"}}`, nil, "weir.stores.disk"},
		{"no directory for the state", `{"store": {"store": "memory"}}`, nil, "a directory is missing"},
		{"a durability for nothing", `{"store": {"store": "memory", "volatile": true, "durability": "process"}}`, nil, "durability: volatile counters"},
		{"an unknown durability", `{"store": {"store": "memory", "dir": "/tmp/x", "durability": "nones"}}`, nil, `durability: unknown word "nones"; did you mean "none"?`},
		{"a durability without its interval", `{"store": {"store": "memory", "dir": "/tmp/x", "durability": "interval"}}`, nil, "interval: 0s is not from 2ms to 1h"},
		{"an interval for nothing", `{"store": {"store": "memory", "dir": "/tmp/x", "interval": "1s"}}`, nil, "interval: only the durability interval has one"},
		{"a directory for nothing", `{"store": {"store": "memory", "volatile": true, "dir": "/tmp/x"}}`, nil, "volatile counters use no directory"},
		{"an unknown placeholder", `{"store": {"store": "memory", "dir": "{env.NOT_THERE}/x"}}`, nil, "env.NOT_THERE"},
		{"an unknown field", `{"storage": 1}`, nil, `storage: there is no such field; did you mean "store"?`},
		{"a subject without an id", `{` + volatile + `, "directory": {"directory": "inline", "subjects": {"secret-key": {"plan": "pro"}}}}`, nil, "needs an id"},
		{"a header from nowhere", `{` + volatile + `, "directory": {"directory": "http", "url": "http://localhost", "headers": {"X-Token": "{env.NOT_THERE}"}}}`, nil, "placeholder"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := validate(t, test.app, test.handlers...)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("error %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v, want %s", err, test.want)
			case err != nil && strings.Contains(err.Error(), "secret-key"):
				t.Errorf("the error tells a key: %v", err)
			}
			if name := storeName(t); name != "" {
				t.Errorf("store %s is left", name)
			}
		})
	}
}

// TestRoomForFields proves that a writer has room for all fields of a contract.
func TestRoomForFields(t *testing.T) {
	if room, fields := len(new(writer).values), cap(new(contract.Fields).All()); room != fields {
		t.Errorf("room for %d fields of %d", room, fields)
	}
}
