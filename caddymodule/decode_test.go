package caddymodule

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// TestJSONMistakesHaveAPath: Caddy tells of a mistake in its JSON where it is.
func TestJSONMistakesHaveAPath(t *testing.T) {
	site := func(handler string) string {
		return `{"admin":{"disabled":true},"apps":{"weir":{"store":{"store":"memory","volatile":true}},"http":{"servers":{"s":{"listen":["127.0.0.1:0"],"routes":[{"handle":[` + handler + `]}]}}}}}`
	}
	app := func(members string) string {
		return `{"admin":{"disabled":true},"apps":{"weir":{"store":{"store":"memory","volatile":true},` + members + `}}}`
	}
	module := func(name, members string) string {
		return `{"admin":{"disabled":true},"apps":{"weir":{"` + name + `":{"` + name + `":` + members + `}}}}`
	}
	for config, want := range map[string]string{
		app(`"policies":{"api":{"limits":[{},{},{"window":[1]}]}}`): `policies.api.limits[2].window: expected a duration such as "60s", got a list`,
		app(`"policies":{"api":{"limit":[]}}`):                      `policies.api.limit: there is no such field; did you mean "limits"?`,
		app(`"on_store_eror":"deny"`):                               `on_store_eror: there is no such field; did you mean "on_store_error"?`,
		app(`"doors":{}`):                                           `doors: expected a list, got an object`,
		app(`"secret":5`):                                           `secret: expected a text, got a number`,
		site(`{"handler":"weir","policy":"x","define":{"per":5}}`):  `define.per: expected a list, got a number`,
		module("store", `"memory","dirr":"x"`):                      `weir.stores.memory: dirr: there is no such field; did you mean "dir"?`,
		module("store", `"memory","dir":"x","max_cells":1.5`):       `weir.stores.memory: max_cells: expected a whole number, got 1.5`,
		module("directory", `"file","path":"x","poll":true`):        `weir.directories.file: poll: expected a duration such as "60s", got true or false`,
		module("directory", `"http","url":"http://a","tll":"1s"`):   `weir.directories.http: tll: there is no such field; did you mean "ttl"?`,
		module("directory", `"inline","subjects":{"k":{}}`):         `weir.directories.inline: subjects: 1:7: subject 1: a subject needs an id`,
		site(`{"handler":"weir","polici":"x"}`):                     `polici: there is no such field; did you mean "policy"?`,
	} {
		var c caddy.Config
		err := caddy.StrictUnmarshalJSON([]byte(config), &c)
		if err == nil {
			err = caddy.Validate(&c)
		}
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s:\ngot  %v\nwant %s", config, err, want)
		}
	}
}
