package core_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/memory"
)

const leased = `{` + keyed + `"limits":[
	{"name":"jobs","match":[{"methods":["POST"]}],"kind":"hold","until":"released","ttl":"24h","max":1},
	{"name":"r","kind":"rolling","window":"1m","max":"{subject.n} else 100"}]}`

// TestReleaseInAnyResponse: whoever's request it answers, also one that passed
// uncounted, or was refused and answered by an error route.
func TestReleaseInAnyResponse(t *testing.T) {
	w := newWorld(t, leased, nil)
	for _, answered := range []func() *core.Decision{
		func() *core.Decision {
			return w.want(w.do("OPTIONS /", "", "header.Access-Control-Request-Method", "POST"), core.Passed)
		},
		func() *core.Decision { return w.deny("POST /", "k") },
		func() *core.Decision { return w.want(w.do("GET /", ""), core.MissingCredential) },
	} {
		w.end(w.admit("POST /", "k"), core.HeaderLease, "j")
		if heard := w.hear(answered(), core.HeaderRelease, "j", core.HeaderSet, "n=1", core.HeaderLease, "x"); heard.Released != 1 || heard.Ignored != 2 {
			t.Errorf("%+v", heard)
		}
		w.used(w.look("k"), "jobs", 0, 1)
	}
}

// TestVoiceIsHeardUnchanged: several policies may hear the same.
func TestVoiceIsHeardUnchanged(t *testing.T) {
	w := newWorld(t, leased, nil)
	v := core.ParseVoice(nil, nil, nil, []string{"n=many, tier=x"})
	before := slices.Clone(v.Set)
	if heard := w.engine.Hear(context.Background(), w.now, w.admit("GET /", "k"), &v); heard.Invalid != 1 {
		t.Errorf("%+v", heard)
	}
	if !slices.Equal(v.Set, before) {
		t.Errorf("the voice became %v", v.Set)
	}
}

// TestLocalDecisionsSettleWhatLasts: releases and attributes reach the store
// that failed, when it is back.
func TestLocalDecisionsSettleWhatLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &failing{Store: memory.New(memory.Options{})}
		local := memory.New(memory.Options{})
		w := newWorldOn(t, leased, core.Options{Store: store, Local: local, OnStoreError: "local"})
		t.Cleanup(func() { _, _ = store.Close(), local.Close() })
		w.end(w.admit("POST /", "k"), core.HeaderLease, "j")
		store.broken.Store(true)
		d := w.admit("GET /", "k")
		v := core.ParseVoice(nil, nil, []string{"j"}, []string{"n=7"})
		if heard := w.engine.Hear(context.Background(), w.now, d, &v); heard.Err == nil {
			t.Error("no error")
		}
		if err := w.engine.Finish(w.now, d); err != nil {
			t.Error(err)
		}
		store.broken.Store(false)
		time.Sleep(2 * time.Second)
		state := w.look("k")
		w.used(state, "jobs", 0, 1)
		if got := state.Charge("r").Max; got != 7 {
			t.Errorf("max %d", got)
		}
	})
}

// TestLocalLeasesEnd: a job that was leased in the local store while the other failed
// goes on there by heartbeats, and ends by a release, however that is told and
// whether the other store is back. The other never counts it.
func TestLocalLeasesEnd(t *testing.T) {
	amend := func(op core.Settle) func(*world) core.Heard {
		return func(w *world) core.Heard {
			err := w.engine.Amend(context.Background(), w.now, w.policy, core.Who{Key: "k"}, nil, &op)
			return core.Heard{Released: op.Released, Leased: op.Renewed, Ignored: op.Ignored, Err: err}
		}
	}
	heard := func(line, key string) func(*world) core.Heard {
		return func(w *world) core.Heard {
			v := core.ParseVoice(nil, nil, []string{"j"}, nil)
			return w.engine.Hear(context.Background(), w.now, w.do(line, key), &v)
		}
	}
	for name, tc := range map[string]struct {
		say   func(*world) core.Heard
		later int64
		want  core.Outcome
		told  core.Heard // Leased: renewed
	}{
		"a response":                     {heard("GET /", "k"), 0, core.Admitted, core.Heard{Released: 1}},
		"a response to somebody unknown": {heard("GET /", ""), 0, core.Admitted, core.Heard{Released: 1}},
		"an administrator":               {amend(core.Settle{Release: []string{"j"}}), 0, core.Admitted, core.Heard{Released: 1}},
		"another id":                     {amend(core.Settle{Release: []string{"i"}}), 0, core.Denied, core.Heard{Ignored: 1}},
		"a heartbeat":                    {amend(core.Settle{Renew: []string{"j"}}), 5 * hour, core.Denied, core.Heard{Leased: 1}},
	} {
		for state, broken := range map[string]bool{"back": false, "broken": true} {
			t.Run(name+", "+state, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					local := memory.New(memory.Options{})
					t.Cleanup(func() { _ = local.Close() })
					w, store := newFailingWorld(t, leased, core.Options{Local: local, OnStoreError: "local"})
					store.broken.Store(true)
					d := w.admit("POST /", "k")
					w.says(d, "j", "", "")
					_ = w.engine.Finish(w.now, d)
					w.deny("POST /", "k")
					w.pass(20 * hour)
					store.broken.Store(broken)
					told := tc.say(w)
					if (told.Err != nil) != broken {
						t.Errorf("error %v", told.Err)
					}
					if !broken && told != tc.told {
						t.Errorf("told %+v", told)
					}
					w.pass(tc.later)
					store.broken.Store(true)
					w.want(w.do("POST /", "k"), tc.want)
					store.broken.Store(false)
					w.used(w.look("k"), "jobs", 0, 1)
				})
			})
		}
	}
}

// failsOnce is a store whose next Settle fails.
type failsOnce struct {
	core.Store
	fail bool
}

func (s *failsOnce) Settle(ctx context.Context, op *core.Settle) error {
	if s.fail {
		s.fail = false
		return errBroken
	}
	return s.Store.Settle(ctx, op)
}

// TestEndWaitsForTheLease: what is settled again is not overtaken by what its
// request says later.
func TestEndWaitsForTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &failsOnce{Store: memory.New(memory.Options{})}
		w := newWorldOn(t, leased, core.Options{Store: store})
		t.Cleanup(func() { _ = store.Close() })
		d := w.admit("POST /", "k")
		store.fail = true
		v := core.ParseVoice(nil, []string{"j"}, nil, nil)
		if heard := w.engine.Hear(context.Background(), w.now, d, &v); heard.Err == nil {
			t.Error("no error")
		}
		if err := w.engine.Finish(w.now, d); err == nil {
			t.Error("the end overtook the lease")
		}
		time.Sleep(5 * time.Second)
		w.used(w.look("k"), "jobs", 1, 0)
		w.deny("POST /", "k")
	})
}

const budgeted = `{` + keyed + `"limits":[{"name":"spend","kind":"rolling","window":"1h","max":"{subject.budget} else unlimited","cost":{"settled":true}}]}`

// TestCostUnderACapOfMeanwhile: a cost counts by the cap of the time at which it is told.
func TestCostUnderACapOfMeanwhile(t *testing.T) {
	w := newWorld(t, budgeted, nil)
	d := w.admit("POST /", "k")
	w.end(w.admit("POST /", "k"), core.HeaderSet, "budget=5")
	w.end(d, core.HeaderCost, "5")
	w.used(w.deny("POST /", "k"), "spend", 5*million, 0)
}

// TestCostAfterAFailedTake counts by the cap that the failed store has.
func TestCostAfterAFailedTake(t *testing.T) {
	store := &failing{Store: memory.New(memory.Options{})}
	w := newWorldOn(t, budgeted, core.Options{Store: store, OnStoreError: "allow"})
	w.end(w.admit("POST /", "k"), core.HeaderSet, "budget=5")
	store.broken.Store(true)
	d := w.admit("POST /", "k")
	store.broken.Store(false)
	w.end(d, core.HeaderCost, "5")
	w.deny("POST /", "k")
}
