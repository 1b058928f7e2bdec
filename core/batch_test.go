package core_test

import (
	"errors"
	"testing"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/memory"
)

// ask returns a request for "/path" by key.
func ask(path, key string, hits int64) *core.Request {
	f := &facts{values: map[string]string{}}
	if key != "" {
		f.values["header.X-Api-Key"] = key
	}
	return &core.Request{Method: "GET", Path: path, Source: f, Hits: hits}
}

// decideAll decides requests in one step.
func (w *world) decideAll(requests ...*core.Request) []*core.Decision {
	decisions := make([]*core.Decision, len(requests))
	for i := range decisions {
		decisions[i] = new(core.Decision)
	}
	w.engine.DecideAll(w.t.Context(), w.now, w.policy, requests, decisions)
	return decisions
}

// wantOutcomes requires the outcomes of decisions.
func (w *world) wantOutcomes(decisions []*core.Decision, want ...core.Outcome) {
	w.t.Helper()
	for i, d := range decisions {
		if d.Outcome != want[i] {
			w.t.Fatalf("request %d: %s, want %s", i, d.Outcome, want[i])
		}
	}
}

func TestDecideAll(t *testing.T) {
	w := newWorld(t, rolling10, nil)
	all := w.decideAll(ask("/", "a", 9), ask("/", "b", 1), ask("/", "a", 1))
	w.wantOutcomes(all, core.Admitted, core.Admitted, core.Admitted)
	w.used(all[0], "requests", 10, 0)
	w.used(all[1], "requests", 1, 9)
	w.used(all[2], "requests", 10, 0)
	all = w.decideAll(ask("/", "b", 1), ask("/", "a", 1))
	w.wantOutcomes(all, core.Withheld, core.Denied)
	w.used(all[0], "requests", 1, 9)
	w.used(w.admit("GET /", "b"), "requests", 2, 8)
}

// TestDecideAllAtSeveralRates: in a full store whose subjects share cells, requests
// of one step charge one bucket at different rates: each brings a Cap, or they are of
// several subjects.
func TestDecideAllAtSeveralRates(t *testing.T) {
	store := memory.New(memory.Options{MaxCells: 1, Overflow: memory.Share})
	t.Cleanup(func() { _ = store.Close() })
	people := directory{"a": {ID: "a", Plan: "slow"}, "b": {ID: "b", Plan: "fast"}}
	w := newWorldOn(t, `{`+keyed+`"plans":{"slow":{"r":1},"fast":{"r":2}},"limits":[
		{"name":"filler","kind":"fixed","window":"1h","max":9,"match":[{"paths":["/filler"]}]},
		{"name":"own","kind":"bucket","window":"1s","rate":5,"max":5,"match":[{"paths":["/own"]}]},
		{"name":"all","kind":"bucket","window":"1s","per":["all"],"rate":"{subject.r}","max":5,"match":[{"paths":["/all"]}]}]}`,
		core.Options{Store: store, Directory: people})
	w.admit("GET /filler", "a")
	first, second := ask("/own", "a", 1), ask("/own", "a", 1)
	first.Cap = core.Cap{Given: true, Max: 10, Length: 1_000_000}
	second.Cap = core.Cap{Given: true, Max: 11, Length: 1_000_000}
	for limit, all := range map[string][]*core.Decision{
		"own": w.decideAll(first, second),
		"all": w.decideAll(ask("/all", "a", 1), ask("/all", "b", 1)),
	} {
		w.wantOutcomes(all, core.Admitted, core.Admitted)
		for _, d := range all {
			if c := d.Charge(limit); c.Used != 2 {
				t.Errorf("%s: %d used, want 2", limit, c.Used)
			}
		}
	}
}

// TestDecideAllWithoutSubject: one request that nobody can be charged for
// withholds the others.
func TestDecideAllWithoutSubject(t *testing.T) {
	w := newWorld(t, rolling10, nil)
	all := w.decideAll(ask("/", "a", 1), ask("/", "", 1))
	w.wantOutcomes(all, core.Withheld, core.MissingCredential)
	w.wantOutcomes(w.decideAll(ask("/", "", 1)), core.MissingCredential)
	w.used(w.admit("GET /", "a"), "requests", 1, 9)
}

func TestDecideAllWithoutStore(t *testing.T) {
	for policy, want := range map[string]core.Outcome{"allow": core.Admitted, "deny": core.StoreFailed} {
		w := newWorldOn(t, rolling10, core.Options{Store: &failing{}, OnStoreError: policy})
		w.store.(*failing).broken.Store(true)
		all := w.decideAll(ask("/", "a", 1), ask("/", "b", 1))
		w.wantOutcomes(all, want, want)
		if !errors.Is(all[1].Err, errBroken) {
			t.Errorf("error %v", all[1].Err)
		}
	}
}

// TestHits: a request may stand for several, or for none.
func TestHits(t *testing.T) {
	w := newWorld(t, `{`+keyed+`"limits":[
		{"name":"requests","kind":"fixed","window":"1m","max":10,"cost":{"amount":2}},
		{"name":"spending","kind":"fixed","window":"1m","max":100,"cost":{"settled":true,"reserve":3}}]}`, nil)
	d := w.decideAll(ask("/", "a", 4))[0]
	w.used(d, "requests", 8, 2)
	w.used(d, "spending", 12*core.Million, 88*core.Million)
	w.wantOutcomes(w.decideAll(ask("/", "a", 2)), core.Denied)
	d = w.decideAll(ask("/", "a", core.NoHits))[0]
	w.wantOutcomes([]*core.Decision{d}, core.Admitted)
	w.used(d, "requests", 8, 2)
	w.admit("GET /", "a")
	w.wantOutcomes(w.decideAll(ask("/", "a", core.NoHits)), core.Admitted)
	d = w.decideAll(ask("/", "b", 1<<62))[0]
	w.wantOutcomes([]*core.Decision{d}, core.Denied)
	if !d.Refuser().NeverFits {
		t.Error("it fits some time")
	}
}

// TestGiveBack: a request may give back what requests like it were charged;
// holds and settled costs are left alone.
func TestGiveBack(t *testing.T) {
	w := newWorld(t, `{`+keyed+`"limits":[
		{"name":"requests","kind":"fixed","window":"1m","max":10,"cost":{"amount":2}},
		{"name":"rolling","kind":"rolling","window":"1m","max":9},
		{"name":"slots","kind":"hold","until":"response","max":9},
		{"name":"seen","kind":"ever","count":true},
		{"name":"spending","kind":"fixed","window":"1m","max":100,"cost":{"settled":true,"reserve":3}}]}`, nil)
	w.wantOutcomes(w.decideAll(ask("/", "a", 5)), core.Admitted)
	w.wantOutcomes(w.decideAll(ask("/", "a", 1)), core.Denied)
	back := ask("/", "a", 2)
	back.GiveBack = true
	d := w.decideAll(back)[0]
	w.wantOutcomes([]*core.Decision{d}, core.Admitted)
	w.used(d, "requests", 6, 4)
	w.used(d, "rolling", 3, 6)
	w.used(d, "slots", 5, 4)
	w.used(d, "spending", 15*core.Million, 85*core.Million)
	if c := d.Charge("seen"); c.Used != 3 {
		t.Errorf("%d counted", c.Used)
	}
	w.wantOutcomes(w.decideAll(ask("/", "a", 2)), core.Admitted)
}

// TestEndless: a request whose end nobody tells takes no slot.
func TestEndless(t *testing.T) {
	w := newWorld(t, `{`+keyed+`"limits":[{"name":"one","kind":"hold","until":"response","max":1}]}`, nil)
	endless := ask("/", "a", 1)
	endless.Endless = true
	w.wantOutcomes(w.decideAll(endless), core.Admitted)
	d := w.admit("GET /", "a")
	w.wantOutcomes(w.decideAll(endless), core.Denied)
	w.engine.Finish(w.now, d)
	w.wantOutcomes(w.decideAll(endless), core.Admitted)
}
