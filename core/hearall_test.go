package core_test

import (
	"net/http"
	"testing"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/memory"
)

// shared has a budget for each key and one for all, a reservation, and leases.
const shared = `{` + keyed + `"limits":[
	{"name":"jobs","match":[{"paths":["/jobs"]}],"kind":"hold","until":"released","ttl":"24h","max":9},
	{"name":"gpus","match":[{"paths":["/gpu"]}],"kind":"hold","until":"released","ttl":"24h","per":["all"],"max":99},
	{"name":"budget","kind":"rolling","window":"1h","max":1000,"cost":{"settled":true}},
	{"name":"reserved","match":[{"paths":["/reserved"]}],"kind":"fixed","window":"1h","max":1000,"cost":{"settled":true,"reserve":10}},
	{"name":"pool","per":["all"],"kind":"rolling","window":"1h","max":1000,"cost":{"settled":true}}]}`

// hearAll lets the origin answer the requests of decisions at once, and ends
// them. It returns how many releases acted.
func (w *world) hearAll(decisions []*core.Decision, headers ...string) (released, ignored int) {
	w.t.Helper()
	h := http.Header{}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Add(headers[i], headers[i+1])
	}
	v := core.ParseVoice(h[core.HeaderCost], h[core.HeaderLease], h[core.HeaderRelease], h[core.HeaderSet])
	w.engine.HearAll(w.t.Context(), w.now, decisions, &v, func(_ *core.Decision, heard core.Heard) {
		if heard.Err != nil {
			w.t.Error(heard.Err)
		}
		released, ignored = released+heard.Released, ignored+heard.Ignored
	})
	for _, d := range decisions {
		if err := w.engine.Finish(w.now, d); err != nil {
			w.t.Error(err)
		}
	}
	return released, ignored
}

// wantUsed checks what a key has used of a limit, in whole units.
func (w *world) wantUsed(key, limit string, want int64) {
	w.t.Helper()
	if c := w.look(key).Charge(limit); c.Used != want*c.Limit.Scale() {
		w.t.Errorf("%s of %s: %d used, want %d", limit, key, c.Used, want)
	}
}

// TestHearAll: what one response says is charged to a cell once, however many
// requests it answers.
func TestHearAll(t *testing.T) {
	w := newWorld(t, shared, nil)
	all := w.decideAll(ask("/reserved", "a", 1), ask("/", "a", 1), ask("/reserved", "a", 3), ask("/reserved", "b", 1))
	w.wantUsed("a", "reserved", 40)
	w.hearAll(all, core.HeaderCost, "7")
	for limit, want := range map[string]int64{"budget": 7, "reserved": 7, "pool": 7} {
		w.wantUsed("a", limit, want)
		w.wantUsed("b", limit, want)
	}
	w.hearAll(all, core.HeaderCost, "7") // which was said
	w.hearAll(w.decideAll(ask("/reserved", "a", 1), ask("/reserved", "a", 1)), core.HeaderCost, "0")
	w.wantUsed("a", "reserved", 7)
	w.hearAll(w.decideAll(ask("/reserved", "a", 1), ask("/reserved", "a", 1)))
	w.wantUsed("a", "reserved", 27)
	w.wantUsed("a", "budget", 7)
	w.hearAll(w.decideAll(ask("/", "a", 1), ask("/", "a", 1)), core.HeaderCost, "3")
	w.wantUsed("a", "budget", 10)
	w.wantUsed("b", "pool", 10)
}

// TestHearAllOfLeases: a response's release ends what its own subjects hold, not
// what others do under the same name because a subject is there twice.
func TestHearAllOfLeases(t *testing.T) {
	w := newWorld(t, shared, nil)
	for _, key := range []string{"a", "b"} {
		w.hearAll(w.decideAll(ask("/jobs", key, 1), ask("/jobs", key, 1)), core.HeaderLease, "j")
		w.wantUsed(key, "jobs", 1)
	}
	if n, ignored := w.hearAll(w.decideAll(ask("/", "a", 1), ask("/", "a", 1)), core.HeaderRelease, "j"); n != 1 || ignored != 0 {
		t.Errorf("%d released, %d ignored", n, ignored)
	}
	w.wantUsed("a", "jobs", 0)
	w.wantUsed("b", "jobs", 1)
}

// TestHearAllOfSeveralLeases: of a subject's slots in a cell each id takes one,
// whichever request took them; slots of others are leased by their own.
func TestHearAllOfSeveralLeases(t *testing.T) {
	w := newWorld(t, shared, nil)
	w.hearAll(w.decideAll(ask("/jobs", "a", 1), ask("/jobs", "a", 2), ask("/jobs", "a", 2)), core.HeaderLease, "x, y, z, u")
	w.wantUsed("a", "jobs", 4)
	w.hearAll(w.decideAll(ask("/jobs", "a", 1), ask("/jobs", "a", 1)), core.HeaderLease, "x, v")
	w.wantUsed("a", "jobs", 5)
	w.hearAll(w.decideAll(ask("/jobs", "b", 1), ask("/gpu", "b", 1)), core.HeaderLease, "x")
	w.wantUsed("b", "jobs", 1)
	w.wantUsed("b", "gpus", 1)
	w.hearAll(w.decideAll(ask("/gpu", "c", 1), ask("/gpu", "d", 1)), core.HeaderLease, "x")
	w.wantUsed("b", "gpus", 3)
	w.hearAll(w.decideAll(ask("/gpu", "c", 1)), core.HeaderRelease, "x")
	w.wantUsed("b", "gpus", 2)
}

// TestHearAllAfterAFailure: requests that passed because the store failed cost
// what their response says, once too.
func TestHearAllAfterAFailure(t *testing.T) {
	store := &failing{Store: memory.New(memory.Options{})}
	t.Cleanup(func() { _ = store.Close() })
	w := newWorldOn(t, shared, core.Options{Store: store, OnStoreError: "allow"})
	store.broken.Store(true)
	all := w.decideAll(ask("/reserved", "a", 1), ask("/reserved", "a", 1))
	w.wantOutcomes(all, core.Admitted, core.Admitted)
	store.broken.Store(false)
	w.hearAll(all, core.HeaderCost, "7")
	w.wantUsed("a", "budget", 7)
	w.wantUsed("a", "reserved", 7)
}

// TestHearAllOfLeasesAfterAFailure: requests that passed because the store failed
// lease an id each, too.
func TestHearAllOfLeasesAfterAFailure(t *testing.T) {
	store := &failing{Store: memory.New(memory.Options{})}
	t.Cleanup(func() { _ = store.Close() })
	w := newWorldOn(t, shared, core.Options{Store: store, OnStoreError: "allow"})
	store.broken.Store(true)
	all := w.decideAll(ask("/jobs", "a", 1), ask("/jobs", "a", 2), ask("/jobs", "b", 1), ask("/gpu", "a", 1))
	store.broken.Store(false)
	w.hearAll(all, core.HeaderLease, "x, y, z, u")
	w.wantUsed("a", "jobs", 3)
	w.wantUsed("b", "jobs", 1)
	w.wantUsed("a", "gpus", 1)
	w.hearAll(w.decideAll(ask("/", "a", 1)), core.HeaderRelease, "x, y, z")
	w.wantUsed("a", "jobs", 0)
	w.wantUsed("b", "jobs", 1)
	w.wantUsed("a", "gpus", 0)
}
