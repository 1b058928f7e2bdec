package core_test

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/memory"
)

const leasing = `{` + keyed + `"limits":[
	{"name":"jobs","kind":"hold","until":"released","max":5,"ttl":"1h"},
	{"name":"calls","kind":"rolling","window":"1m","max":"{subject.credits} else 10"}]}`

// says has the origin say something to d that the store may fail.
func (w *world) says(d *core.Decision, lease, release, set string) {
	w.t.Helper()
	list := func(s string) []string { return slices.DeleteFunc([]string{s}, func(s string) bool { return s == "" }) }
	v := core.ParseVoice(nil, list(lease), list(release), list(set))
	_ = w.engine.Hear(context.Background(), w.now, d, &v).Err
}

// What waits for the store does not undo what was said since: neither by another
// request, nor by an administrator, nor under another configuration. The rest of it
// is heard.
func TestRetriesDoNotUndo(t *testing.T) {
	newer := map[string]func(w *world){
		"another request": func(w *world) { w.says(w.admit("POST /", "k"), "job", "", "credits=20") },
		"two of them": func(w *world) {
			w.says(w.admit("POST /", "k"), "", "", "credits=30")
			w.says(w.admit("POST /", "k"), "job", "", "credits=20")
		},
		"another configuration": func(w *world) {
			w.reload(leasing, nil)
			w.says(w.admit("POST /", "k"), "job", "", "credits=20")
		},
		"an administrator": func(w *world) {
			set := core.Settle{Set: core.Attributes{{Name: "credits", Value: core.Number(20)}}}
			if err := w.engine.Amend(context.Background(), w.now, w.policy, core.Who{Key: "k"}, nil, &set); err != nil {
				w.t.Error(err)
			}
			w.says(w.admit("POST /", "k"), "job", "", "")
		},
	}
	for name, say := range newer {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &failing{Store: memory.New(memory.Options{})}
				w := newWorldOn(t, leasing, core.Options{Store: store, Retries: core.NewRetries()})
				t.Cleanup(func() { w.retries.Close(); _ = store.Close() })
				first, other := w.admit("POST /", "k"), w.admit("POST /", "l")
				w.says(w.admit("POST /", "k"), "job", "", "")
				w.says(w.admit("POST /", "k"), "another", "", "")
				store.broken.Store(true)
				w.says(first, "", "job, another", "credits=10, note=x")
				w.says(other, "", "", "credits=7")
				store.broken.Store(false)
				say(w)
				time.Sleep(3 * time.Second)
				if waiting, dropped := w.engine.Retries(); waiting+dropped != 0 {
					t.Errorf("%d wait, %d are given up", waiting, dropped)
				}
				d := w.look("k")
				if got := d.Overrides.Get("credits"); got != core.Number(20) {
					t.Errorf("credits are %v, as was said first", got)
				}
				if got := d.Overrides.Get("note"); got != core.Text("x") {
					t.Errorf("the note is %v", got)
				}
				if got := w.look("l").Overrides.Get("credits"); got != core.Number(7) {
					t.Errorf("the other one's credits are %v", got)
				}
				leases, err := store.Store.(*memory.Store).Leases(w.now, "api", d.Owner)
				if err != nil || len(leases) != 1 || leases[0].Name != "job" {
					t.Errorf("leases %v, %v; want job, which was leased anew, and not another", leases, err)
				}
			})
		})
	}
}

// newFailingWorld is newWorldOn on a store that can be broken, in a synctest bubble.
func newFailingWorld(t *testing.T, policy string, o core.Options) (*world, *failing) {
	t.Helper()
	store := &failing{Store: memory.New(memory.Options{})}
	o.Store, o.Retries = store, core.NewRetries()
	w := newWorldOn(t, policy, o)
	t.Cleanup(func() { w.retries.Close(); _ = store.Close() })
	return w, store
}

// A release that waits is undone by a lease of the same subject's alone, which was
// made: ids belong to their subjects, and of one that has no such lease a release
// means another's.
func TestLeasesOfOthersDoNotUndoAReleaseThatWaits(t *testing.T) {
	for name, tc := range map[string]struct {
		holder, line, key string // who holds job 1, and the request that is to lease one
		others            int64  // jobs of y in the end
	}{
		"another's":                 {"x", "POST /", "y", 1},
		"another's, without a slot": {"x", "GET /", "y", 0},
		"its own, without a slot":   {"y", "GET /", "x", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, store := newFailingWorld(t, leased, core.Options{})
				w.end(w.admit("POST /", tc.holder), core.HeaderLease, "1")
				w.pass(minute)
				poll := w.admit("GET /", "x")
				store.broken.Store(true)
				w.says(poll, "", "1", "")
				store.broken.Store(false)
				w.end(w.admit(tc.line, tc.key), core.HeaderLease, "1")
				time.Sleep(3 * time.Second)
				w.used(w.look("x"), "jobs", 0, 1)
				w.used(w.look("y"), "jobs", tc.others, 1-tc.others)
			})
		})
	}
}

// A lease that waits is not overtaken by what is told of it once the store is back: a
// response waits with it, an administrator's call has it made first, or fails.
func TestNothingOvertakesALeaseThatWaits(t *testing.T) {
	amend := func(op core.Settle) func(w *world) {
		return func(w *world) {
			err := w.engine.Amend(context.Background(), w.now, w.policy, core.Who{Key: "x"}, nil, &op)
			if err != nil || op.Released+op.Renewed != 1 || op.Ignored != 0 {
				w.t.Errorf("%d released, %d renewed, %d ignored, %v", op.Released, op.Renewed, op.Ignored, err)
			}
		}
	}
	for name, tc := range map[string]struct {
		say  func(w *world)
		jobs int64
	}{
		"release in a response":          {func(w *world) { w.says(w.admit("GET /", "x"), "", "1", "") }, 0},
		"release in another's":           {func(w *world) { w.says(w.admit("GET /", "y"), "", "1", "") }, 0},
		"release by an administrator":    {amend(core.Settle{Release: []string{"1"}}), 0},
		"heartbeat":                      {amend(core.Settle{Renew: []string{"1"}}), 1},
		"release of another's that runs": {func(w *world) { w.says(w.admit("GET /", "y"), "", "3", "") }, 1},
		"release, and another lease": {func(w *world) {
			w.says(w.admit("GET /", "x"), "", "1", "")
			w.end(w.admit("POST /", "x"), core.HeaderLease, "1")
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, store := newFailingWorld(t, leased, core.Options{OnStoreError: "allow"})
				w.end(w.admit("POST /", "y"), core.HeaderLease, "3")
				store.broken.Store(true)
				for key, lease := range map[string]string{"x": "1", "z": "2"} {
					d := w.admit("POST /", key)
					w.says(d, lease, "", "")
					_ = w.engine.Finish(w.now, d)
				}
				op := core.Settle{Release: []string{"1"}}
				if err := w.engine.Amend(context.Background(), w.now, w.policy, core.Who{Key: "x"}, nil, &op); err == nil {
					t.Error("the store heard an administrator")
				}
				store.broken.Store(false)
				tc.say(w)
				time.Sleep(3 * time.Second)
				w.used(w.look("x"), "jobs", tc.jobs, 1-tc.jobs)
				w.used(w.look("z"), "jobs", 1, 0)
				if waiting, dropped := w.engine.Retries(); waiting+dropped != 0 {
					t.Errorf("%d wait, %d are given up", waiting, dropped)
				}
			})
		})
	}
}

// What waits for a store outlasts the configuration that it was said under.
func TestRetriesOutlastTheirEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &failing{Store: memory.New(memory.Options{})}
		w := newWorldOn(t, leasing, core.Options{Store: store, Retries: core.NewRetries()})
		d := w.admit("POST /", "k")
		store.broken.Store(true)
		w.says(d, "", "", "credits=1")
		if err := w.engine.Close(); err != nil {
			t.Fatal(err)
		}
		w.reload(leasing, nil)
		store.broken.Store(false)
		time.Sleep(2 * time.Second)
		if got := w.look("k").Overrides.Get("credits"); got != core.Number(1) {
			t.Errorf("credits are %v", got)
		}
		w.retries.Close()
		_ = store.Close()
	})
}

// A forgetful store keeps nothing while it is broken, but frees slots, as one does
// whose disk is full.
type forgetful struct{ failing }

func (f *forgetful) Settle(ctx context.Context, op *core.Settle) error {
	lasts := op.HasCost || len(op.Lease)+len(op.Release)+len(op.Set) > 0
	for i := range op.Charges {
		lasts = lasts || op.Charges[i].Limit.Settled
	}
	if lasts {
		return f.failing.Settle(ctx, op)
	}
	return f.Store.Settle(ctx, op)
}

const reserving = `{` + keyed + `"limits":[
	{"name":"running","kind":"hold","until":"response","max":1},
	{"name":"jobs","kind":"hold","until":"released","max":1,"ttl":"1h"},
	{"name":"spend","kind":"calendar","unit":"day","zone":"UTC","max":100,"cost":{"settled":true,"reserve":10}}]}`

// The end of a request whose reservation waits for the store frees its slots at
// once; those that are to be leased wait for that.
func TestEndsDoNotWaitForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &forgetful{failing{Store: memory.New(memory.Options{})}}
		w := newWorldOn(t, reserving, core.Options{Store: store})
		t.Cleanup(func() { _ = store.Close() })
		plain, costly, lasting := w.admit("POST /", "a"), w.admit("POST /", "b"), w.admit("POST /", "c")
		store.broken.Store(true)
		v := core.ParseVoice([]string{"7"}, nil, nil, nil)
		_ = w.engine.Hear(context.Background(), w.now, costly, &v)
		w.says(lasting, "job", "", "")
		for _, d := range []*core.Decision{plain, costly, lasting} {
			_ = w.engine.Finish(w.now, d)
		}
		for key, running := range map[string]int64{"a": 0, "b": 0, "c": 1} {
			w.used(w.look(key), "running", running, 1-running)
			w.used(w.look(key), "jobs", running, 1-running)
		}
		store.broken.Store(false)
		time.Sleep(2 * time.Second)
		for key, spent := range map[string]int64{"a": 10, "b": 7, "c": 10} {
			d := w.look(key)
			w.used(d, "running", 0, 1)
			w.used(d, "spend", spent*1_000_000, (100-spent)*1_000_000)
		}
		w.used(w.look("a"), "jobs", 0, 1)
		w.used(w.look("c"), "jobs", 1, 0)
	})
}

// Of what is given up slots are freed all the same: nobody else would.
func TestGivenUpEndsFreeSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &forgetful{failing{Store: memory.New(memory.Options{})}}
		w := newWorldOn(t, reserving, core.Options{Store: store})
		t.Cleanup(func() { _ = store.Close() })
		decisions := w.admitEach(4098)
		store.broken.Store(true)
		for _, d := range decisions {
			w.says(d, "job", "", "")
			_ = w.engine.Finish(w.now, d)
		}
		_ = w.engine.Close()
		for _, i := range []int{0, 2047, 2048, 4097} {
			d := w.look(strconv.Itoa(i))
			w.used(d, "running", 0, 1)
			w.used(d, "jobs", 0, 1)
		}
	})
}
