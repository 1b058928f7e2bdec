package core_test

import (
	"testing"

	"github.com/weirhq/weir/core"
)

// TestRefundTakesNobodyElses: a bucket gives back what of a request's own reservation has
// not drained, also where that drains sooner than it seemed when it was made.
func TestRefundTakesNobodyElses(t *testing.T) {
	policy := func(rate string) string {
		return `{` + keyed + `"limits":[{"name":"b","kind":"bucket","window":"1s","rate":` + rate + `,"max":10,"cost":{"settled":true,"reserve":5}}]}`
	}
	for name, sooner := range map[string]func(w *world, first *core.Decision){
		"another gave its own back": func(w *world, first *core.Decision) { w.end(first, core.HeaderCost, "0") },
		"the rate was raised": func(w *world, _ *core.Decision) {
			w.reload(policy("2"), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, policy("1"), nil)
			first, second := w.admit("POST /", "k"), w.admit("POST /", "k")
			sooner(w, first)
			w.pass(5_000_000)
			w.used(w.look("k"), "b", 0, 10_000_000)
			w.end(w.admit("POST /", "k"), core.HeaderCost, "10")
			w.used(w.look("k"), "b", 10_000_000, 0)
			w.end(second, core.HeaderCost, "0")
			w.used(w.look("k"), "b", 10_000_000, 0)
			w.deny("POST /", "k")
		})
	}
}
