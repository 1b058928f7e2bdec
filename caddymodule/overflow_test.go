package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// What becomes of those for whose counters there is no room is a setting; who
// has one keeps it.
func TestOverflowIsASetting(t *testing.T) {
	up := origin(t, func(http.ResponseWriter, *http.Request) {})
	for setting, want := range map[string]struct {
		status  []int
		metrics string
	}{
		"":                     {[]int{503, 503, 503}, "weir_cells_refused_total 3"},
		"overflow deny":        {[]int{503, 503, 503}, "weir_cells_refused_total 3"},
		"overflow share":       {[]int{200, 200, 429}, "weir_cells_shared_total 2"},
		"on_store_error allow": {[]int{200, 200, 200}, "weir_cells_refused_total 3"},
		"on_store_error local": {[]int{200, 503, 503}, "weir_cells_refused_total 5"},
	} {
		t.Run(setting, func(t *testing.T) {
			inside, beside, _ := strings.Cut(setting, "on_store_error")
			if beside != "" {
				beside = "\non_store_error" + beside
			}
			store := fmt.Sprintf("memory volatile {\nmax_cells 1\n%s\n}%s", inside, beside)
			g := start(t, strings.Replace(minute, "memory volatile", store, 1), "weir api\nreverse_proxy "+up)
			g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), 200)
			for i, status := range want.status {
				g.wantStatus(g.do("GET", "/", fmt.Sprint("X-API-Key: made up ", i)), status)
			}
			g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), 200)
			g.wantStatus(g.do("GET", "/", "X-API-Key: alice"), 429)
			if got := g.call("GET", "/metrics", "").body; !strings.Contains(got, want.metrics) {
				t.Errorf("the metrics do not have %q", want.metrics)
			}
		})
	}
}

// A store of JSON is checked as one of the Caddyfile is.
func TestWrongRoom(t *testing.T) {
	for want, m := range map[string]*MemoryStore{
		"max_cells: -1 is not a number of counters from 1":                   {Volatile: true, MaxCells: -1},
		`overflow: "shard" is neither deny nor share; did you mean "share"?`: {Volatile: true, Overflow: "shard"},
	} {
		if err := m.Provision(caddy.Context{}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
