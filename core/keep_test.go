package core_test

import (
	"context"
	"testing"

	"github.com/weirhq/weir/core"
)

const kept = `{` + keyed + `"limits":[
	{"name":"slots","kind":"hold","until":"response","max":1},
	{"name":"jobs","match":[{"methods":["POST"]}],"kind":"hold","until":"released","ttl":"24h","max":1},
	{"name":"budget","kind":"rolling","window":"1h","cost":{"settled":true,"reserve":10},"max":100}]}`

// million is a settled limit's scale.
const million = core.Million

// TestKeep: what is kept of a decision is heard and finished as the decision
// itself, which serves other requests meanwhile.
func TestKeep(t *testing.T) {
	w := newWorld(t, kept, nil)
	d := w.admit("POST /", "k")
	first := d.Keep()
	w.end(d)
	w.used(w.look("k"), "slots", 1, 0)
	d.Reset()
	w.engine.Decide(context.Background(), w.now, w.policy, &core.Request{
		Method: "POST", Path: "/", Source: &facts{values: map[string]string{"header.X-Api-Key": "other"}},
	}, d)
	second := w.want(d, core.Admitted).Keep()
	w.end(first, core.HeaderLease, "j", core.HeaderCost, "3")
	state := w.look("k")
	w.used(state, "slots", 0, 1)
	w.used(state, "jobs", 1, 0)
	w.used(state, "budget", 3*million, 97*million)
	w.end(first)
	w.used(w.look("other"), "slots", 1, 0)
	w.end(second)
	state = w.look("other")
	w.used(state, "slots", 0, 1)
	w.used(state, "budget", 10*million, 90*million)
}

// hearOf lets the origin speak of a request that nobody remembers.
func (w *world) hearOf(id core.ID, line, key string, headers ...string) core.Heard {
	w.t.Helper()
	values := map[string]string{}
	if key != "" {
		values["header.X-Api-Key"] = key
	}
	said := map[string][]string{}
	for i := 0; i+1 < len(headers); i += 2 {
		said[headers[i]] = append(said[headers[i]], headers[i+1])
	}
	v := core.ParseVoice(said[core.HeaderCost], said[core.HeaderLease], said[core.HeaderRelease], said[core.HeaderSet])
	r := &core.Request{Method: line[:4], Path: "/", Source: &facts{values: values}}
	return w.engine.HearOf(context.Background(), w.now, w.policy, r, id, new(core.Decision), &v)
}

// TestHearOf: of a request whose decision is lost, what the origin says acts once
// by its id, and of one without an id only releases.
func TestHearOf(t *testing.T) {
	w := newWorld(t, kept, nil)
	d := w.admit("POST /", "k")
	id := d.ID
	w.end(d)
	w.used(w.look("k"), "budget", 10*million, 90*million)
	for i := range 3 {
		if h := w.hearOf(id, "POST /", "k", core.HeaderCost, "4", core.HeaderLease, "j"); h.Err != nil || h.Duplicate != (i > 0) || h.Leased != 1 {
			t.Errorf("%+v", h)
		}
		w.used(w.look("k"), "budget", 4*million, 96*million)
		w.used(w.look("k"), "jobs", 1, 0)
	}
	if h := w.hearOf(core.ID{}, "POST /", "k", core.HeaderCost, "4", core.HeaderLease, "i", core.HeaderRelease, "j"); h.Released != 1 || h.Leased != 0 {
		t.Errorf("%+v", h)
	}
	if h := w.hearOf(core.ID{Lo: 7}, "POST /", "", core.HeaderCost, "4", core.HeaderLease, "i"); h.Leased != 0 {
		t.Errorf("%+v", h)
	}
	state := w.look("k")
	w.used(state, "budget", 4*million, 96*million)
	w.used(state, "jobs", 0, 1)
}

// TestHearOfUnderASetCap: a cost that another process tells counts by the cap that was
// set on its subject.
func TestHearOfUnderASetCap(t *testing.T) {
	w := newWorld(t, budgeted, nil)
	w.end(w.admit("POST /", "k"), core.HeaderSet, "budget=5")
	d := w.admit("POST /", "k")
	if heard := w.hearOf(d.ID, "POST /", "k", core.HeaderCost, "5"); heard.Err != nil || heard.Ignored != 0 {
		t.Fatal(heard)
	}
	w.deny("POST /", "k")
}
