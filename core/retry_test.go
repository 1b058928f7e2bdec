package core_test

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/memory"
)

const jobs = `{` + keyed + `"limits":[
	{"name":"jobs","kind":"hold","until":"response","max":1},
	{"name":"spend","kind":"calendar","unit":"day","zone":"UTC","max":100,"cost":{"settled":true}}]}`

// TestDefinitionSettlingIsRetried: a store error while settling leaves the
// response as it is; the settlement waits in a queue until the store is back.
func TestDefinitionSettlingIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &failing{Store: memory.New(memory.Options{})}
		w := newWorldOn(t, jobs, core.Options{Store: store})
		t.Cleanup(func() { _ = store.Close() })
		d := w.admit("POST /", "k")
		store.broken.Store(true)
		v := core.ParseVoice([]string{"7"}, nil, nil, nil)
		if heard := w.engine.Hear(context.Background(), w.now, d, &v); heard.Err == nil {
			t.Error("no error")
		}
		w.engine.Finish(w.now, d)
		d.Reset() // what waits must not depend on the decision
		if waiting, dropped := w.engine.Retries(); waiting != 2 || dropped != 0 {
			t.Errorf("%d wait, %d dropped", waiting, dropped)
		}
		time.Sleep(10 * time.Second)
		if waiting, _ := w.engine.Retries(); waiting != 2 {
			t.Errorf("%d wait while the store is broken", waiting)
		}
		store.broken.Store(false)
		time.Sleep(2 * time.Second)
		if waiting, _ := w.engine.Retries(); waiting != 0 {
			t.Errorf("%d wait", waiting)
		}
		state := w.look("k")
		w.used(state, "spend", 7_000_000, 93_000_000)
		w.used(state, "jobs", 0, 1)
	})
}

// admitEach admits a request of each of n subjects, whose keys are numbers from 0.
func (w *world) admitEach(n int) (decisions []*core.Decision) {
	w.t.Helper()
	for i := range n {
		decisions = append(decisions, w.admit("POST /", strconv.Itoa(i)))
	}
	return decisions
}

// TestDefinitionRetryQueueIsBounded: of too many the oldest is given up.
func TestDefinitionRetryQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &failing{Store: memory.New(memory.Options{})}
		w := newWorldOn(t, jobs, core.Options{Store: store})
		t.Cleanup(func() { _ = store.Close() })
		decisions := w.admitEach(4097)
		store.broken.Store(true)
		for _, d := range decisions {
			w.engine.Finish(w.now, d)
		}
		if waiting, dropped := w.engine.Retries(); waiting != 4096 || dropped != 1 {
			t.Errorf("%d wait, %d dropped", waiting, dropped)
		}
		store.broken.Store(false)
		if err := w.engine.Close(); err != nil {
			t.Fatal(err)
		}
		if waiting, _ := w.engine.Retries(); waiting != 0 {
			t.Errorf("%d wait after the last try", waiting)
		}
		w.deny("POST /", "0") // its end was given up
		w.admit("POST /", "1")
	})
}
