package core_test

import (
	"context"
	"errors"
	"testing"

	"github.com/weirhq/weir/core"
)

// roster is a directory that knows its subjects by id.
type roster struct{ directory }

func (r roster) Subject(id string) (*core.Subject, bool) {
	for _, s := range r.directory {
		if s.ID == id {
			return s, true
		}
	}
	return nil, false
}

// inspect reads how somebody stands.
func (w *world) inspect(who core.Who) *core.Decision {
	w.t.Helper()
	d := &core.Decision{}
	if err := w.engine.Inspect(context.Background(), w.now, w.policy, who, d); err != nil {
		w.t.Fatal(err)
	}
	return d
}

// amend applies op to somebody.
func (w *world) amend(who core.Who, limits []string, op core.Settle) error {
	return w.engine.Amend(context.Background(), w.now, w.policy, who, limits, &op)
}

// TestInspectByKeyOfSeveralWords: without a directory a key with a space is found, spelt
// as the request had it.
func TestInspectByKeyOfSeveralWords(t *testing.T) {
	for sources, header := range map[string]string{
		`{"from":"{header.X-Key}"}`: "X-Key",
		`{"from":"{header.Authorization}","scheme":"bearer"},{"from":"{header.X-Key}"}`: "X-Key",
		`{"from":"{header.authorization}"}`:                                             "authorization",
	} {
		w := newWorld(t, `{"subject":{"sources":[`+sources+`]},"limits":[{"name":"r","kind":"rolling","window":"1m","max":5}]}`, nil)
		w.want(w.do("GET /", "", "header."+header, "Acme key 1"), core.Admitted)
		if used := w.inspect(core.Who{Key: "Acme key 1"}).Charges[0].Used; used != 1 {
			t.Errorf("%s: %d used, want 1", sources, used)
		}
	}
}

// TestInspectByID: a directory that knows ids tells the plan; of any other
// subject maxima that depend on it are guesses.
func TestInspectByID(t *testing.T) {
	people := directory{"k": {ID: "u", Plan: "pro"}}
	policy := `{` + keyed + `"plans":{"free":{"n":1},"pro":{"n":5}},"limits":[{"name":"r","kind":"rolling","window":"1m","max":"{subject.n}"}]}`
	w := newWorld(t, policy, roster{people})
	w.admit("GET /", "k")
	d := w.inspect(core.Who{Subject: "u"})
	if c := w.used(d, "r", 1, 4); d.Guessed(c) {
		t.Error("guessed")
	}
	w = newWorld(t, policy, people)
	w.admit("GET /", "k")
	d = w.inspect(core.Who{Subject: "u"})
	if c := d.Charge("r"); c.Used != 1 || !d.Guessed(c) {
		t.Errorf("used %d, guessed %v", c.Used, d.Guessed(c))
	}
}

// TestIDsOfLogsAreKnown: whatever SubjectID tells of a subject names it.
func TestIDsOfLogsAreKnown(t *testing.T) {
	fallbacks := func(missing, unknown string) string {
		return `{"subject":{"sources":[{"from":"{header.X-Api-Key}"}],"missing":{"count_by":"` + missing + `"},"unknown":{"count_by":"` + unknown + `"}},
			"limits":[{"name":"r","kind":"rolling","window":"1m","max":9}]}`
	}
	byAddress := `{"subject":{"sources":[{"from":"{client_ip}"}]},"limits":[{"name":"r","kind":"rolling","window":"1m","max":1}]}`
	for name, tc := range map[string]struct {
		policy string
		people core.Directory
		key    string
		ip     string
	}{
		"own key":     {rolling10, nil, "k", ""},
		"address":     {fallbacks("client_ip", "key"), directory{}, "", "192.0.2.1"},
		"IPv6":        {fallbacks("client_ip", "key"), directory{}, "", "2001:db8::7"},
		"made-up key": {fallbacks("client_ip", "key"), directory{}, "made-up", ""},
		"all missing": {fallbacks("all", "all"), directory{}, "", ""},
		"all unknown": {fallbacks("all", "all"), directory{}, "made-up", ""},
		"own address": {byAddress, nil, "", "192.0.2.1"},
		"own IPv6":    {byAddress, nil, "", "2001:db8::7"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.policy, tc.people)
			d := w.admit("GET /", tc.key, "client_ip", tc.ip)
			if got := w.inspect(core.Who{Subject: d.SubjectID()}).Charges[0].Used; got != 1 {
				t.Errorf("%q has used %d", d.SubjectID(), got)
			}
		})
	}
	w := newWorld(t, byAddress, nil)
	w.admit("GET /", "", "client_ip", "2001:db8::1")
	w.deny("GET /", "", "client_ip", "2001:db8::2") // the same /64
}

// TestSecretsAreNoIDs: a key that is its own subject is told by its hash alone,
// wherever it comes from, and is not taken for an id.
func TestSecretsAreNoIDs(t *testing.T) {
	for _, from := range []string{"{header.K}", "{query.k}", "{cookie.k}", "{http.regexp.key.1}", "{http.vars.key}"} {
		w := newWorld(t, `{"subject":{"sources":[{"from":"`+from+`"}]},"limits":[{"name":"r","kind":"rolling","window":"1m","max":1}]}`, nil)
		d := w.admit("GET /", "", from[1:len(from)-1], "sk_live_secret")
		if id := d.SubjectID(); len(id) != 32 {
			t.Errorf("%s: the subject is %q", from, id)
		}
		err := w.engine.Inspect(context.Background(), w.now, w.policy, core.Who{Subject: "sk_live_secret"}, &core.Decision{})
		if !errors.Is(err, core.ErrNoID) {
			t.Errorf("%s: got %v", from, err)
		}
	}
	w := newWorld(t, `{"subject":{"sources":[{"from":"{http.auth.user.id}"}]},"limits":[{"name":"r","kind":"rolling","window":"1m","max":1}]}`, nil)
	if id := w.admit("GET /", "", "http.auth.user.id", "alice").SubjectID(); id != "alice" {
		t.Errorf("the subject is %q", id)
	}
	w.used(w.inspect(core.Who{Subject: "alice"}), "r", 1, 0)
}

// TestReset empties a subject's counters, those of all only by name, and says
// where it cannot know whom to reset.
func TestReset(t *testing.T) {
	w := newWorld(t, `{`+keyed+`"limits":[
		{"name":"own","kind":"rolling","window":"1m","max":9},
		{"name":"key","kind":"rolling","window":"1m","max":9,"per":["key"]},
		{"name":"all","kind":"rolling","window":"1m","max":9,"per":["all"]}]}`, directory{"k": {ID: "u"}})
	w.admit("GET /", "k")
	if err := w.amend(core.Who{Subject: "u"}, nil, core.Settle{Reset: true}); err != nil {
		t.Fatal(err)
	}
	d := w.look("k")
	w.used(d, "own", 0, 9)
	w.used(d, "key", 1, 8)
	w.used(d, "all", 1, 8)
	if err := w.amend(core.Who{Subject: "u"}, []string{"key"}, core.Settle{Reset: true}); !errors.Is(err, core.ErrUncountable) {
		t.Errorf("got %v", err)
	}
	if err := w.amend(core.Who{Key: "k"}, []string{"key", "all"}, core.Settle{Reset: true}); err != nil {
		t.Fatal(err)
	}
	d = w.look("k")
	w.used(d, "key", 0, 9)
	w.used(d, "all", 0, 9)
	w = newWorld(t, `{`+keyed+`"per":["key"],"limits":[{"name":"r","kind":"rolling","window":"1m","max":9}]}`, directory{"k": {ID: "u"}})
	if err := w.amend(core.Who{Subject: "u"}, nil, core.Settle{Reset: true}); !errors.Is(err, core.ErrUncountable) {
		t.Errorf("got %v", err)
	}
}

// TestSetPlan lifts a subject out of a plan that nobody knows.
func TestSetPlan(t *testing.T) {
	w := newWorld(t, `{`+keyed+`"plans":{"free":{"n":1},"pro":{"n":5}},"limits":[{"name":"r","kind":"rolling","window":"1m","max":"{subject.n}"}]}`,
		directory{"k": {ID: "u", Plan: "gone"}})
	w.want(w.do("GET /", "k"), core.UnknownPlan)
	if err := w.amend(core.Who{Subject: "u"}, nil, core.Settle{Set: core.Attributes{{Name: "plan", Value: core.Text("pro")}}}); err != nil {
		t.Fatal(err)
	}
	w.used(w.admit("GET /", "k"), "r", 1, 4)
}

// later tells the engine afterwards what work cost, for some limits or for all.
func (w *world) later(who core.Who, id string, cost int64, limits ...string) {
	w.t.Helper()
	op := core.Settle{HasCost: true, Cost: cost, ID: w.engine.ParseID("api", id)}
	if err := w.engine.Amend(context.Background(), w.now, w.policy, who, limits, &op); err != nil {
		w.t.Fatal(err)
	}
}

// TestLaterCostUnderASetCap: what is told after the request counts by the cap that was
// set on its subject, in every kind.
func TestLaterCostUnderASetCap(t *testing.T) {
	for _, kind := range []string{
		`"kind":"rolling","window":"1h"`, `"kind":"bucket","window":"1h","rate":1`,
		`"kind":"fixed","window":"1h"`, `"kind":"calendar","unit":"day","zone":"UTC"`,
	} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, `{`+keyed+`"limits":[{"name":"spend",`+kind+`,"max":"{subject.budget} else unlimited","cost":{"settled":true}}]}`, nil)
			w.end(w.admit("POST /", "k"), core.HeaderSet, "budget=5")
			d := w.admit("POST /", "k")
			w.end(d)
			w.later(core.Who{Key: "k"}, d.ID.String(), 5*million)
			w.used(w.look("k"), "spend", 5*million, 0)
			w.deny("POST /", "k")
		})
	}
}

// TestLaterCostOfAnID: nobody knows the plan of a bare id, and its costs count all the
// same where the default plan is unlimited.
func TestLaterCostOfAnID(t *testing.T) {
	w := newWorld(t, `{`+keyed+`"plans":{"default":{"n":"unlimited"},"pro":{"n":5}},
		"limits":[{"name":"spend","kind":"rolling","window":"1h","max":"{subject.n}","cost":{"settled":true}}]}`,
		directory{"k": {ID: "u", Plan: "pro"}, "free": {ID: "v"}})
	d := w.admit("POST /", "k")
	w.end(d)
	w.later(core.Who{Subject: "u"}, d.ID.String(), 5*million)
	w.deny("POST /", "k")
	w.later(core.Who{Key: "free"}, "invoice", 5*million) // that one is known to have no cap
	w.used(w.look("free"), "spend", 0, core.Unlimited)
}

// TestLaterCostAtASetRate: what is told later leaves the debt that its subject's own rate
// has left.
func TestLaterCostAtASetRate(t *testing.T) {
	w := newWorld(t, `{`+keyed+`"limits":[{"name":"b","kind":"bucket","window":"1h","rate":"{subject.rate} else 1000000","max":5,"cost":{"settled":true}}]}`, nil)
	w.end(w.admit("POST /", "k"), core.HeaderSet, "rate=1")
	w.end(w.admit("POST /", "k"), core.HeaderCost, "7")
	w.pass(second)
	w.later(core.Who{Key: "k"}, "some work", 1)
	w.deny("POST /", "k")
}

// TestLaterCostOfOneLimit: a cost for one limit leaves the other's reservation alone, and
// what the origin says settles that, whether the request has ended or not.
func TestLaterCostOfOneLimit(t *testing.T) {
	for _, early := range []bool{true, false} {
		w := newWorld(t, `{`+keyed+`"limits":[
			{"name":"a","kind":"rolling","window":"1h","max":10,"cost":{"settled":true,"reserve":4}},
			{"name":"b","kind":"rolling","window":"1h","max":10,"cost":{"settled":true,"reserve":4}}]}`, nil)
		d := w.admit("POST /", "k")
		if !early {
			w.end(d)
		}
		w.later(core.Who{Key: "k"}, d.ID.String(), million, "a")
		if w.used(w.look("k"), "b", 4*million, 6*million); early {
			w.end(d, core.HeaderCost, "3")
		} else {
			w.later(core.Who{Key: "k"}, d.ID.String(), 3*million)
		}
		w.used(w.look("k"), "a", million, 9*million)
		w.used(w.look("k"), "b", 3*million, 7*million)
	}
}
