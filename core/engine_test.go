package core_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/memory"
)

// rolling10 has ten a minute for each subject.
const rolling10 = `{` + keyed + `"limits":[{"name":"requests","kind":"rolling","window":"1m","max":10}]}`

// TestDefinitionRemaining: max(0, max − used) after this decision, Reset when
// Remaining next grows, on a refusal when this cost fits.
func TestDefinitionRemaining(t *testing.T) {
	w := newWorld(t, rolling10, nil)
	for i := range int64(10) {
		c := w.used(w.admit("GET /", "k"), "requests", i+1, 9-i)
		if c.Grow != minute-i*second {
			t.Fatalf("grows in %d µs", c.Grow)
		}
		w.pass(second)
	}
	c := w.used(w.deny("GET /", "k"), "requests", 10, 0)
	if c.Wait != 50*second {
		t.Fatalf("waits %d µs", c.Wait)
	}
	w.pass(c.Wait - 1)
	w.deny("GET /", "k")
	w.pass(1)
	w.admit("GET /", "k")
}

// TestDefinitionWaitNeverExceedsTheWindow: a request that a charge of the same
// millisecond refuses is refused as of that millisecond's end, at which the
// charge is stamped; whoever waits as told from there is admitted, and not a
// microsecond earlier.
func TestDefinitionWaitNeverExceedsTheWindow(t *testing.T) {
	w := newWorld(t, `{`+keyed+`"limits":[
		{"name":"one","kind":"rolling","window":"1m","max":1},
		{"name":"two","kind":"rolling","window":"1m","max":2}]}`, nil)
	w.pass(100)
	w.admit("GET /", "k")
	w.pass(200)
	d := w.deny("GET /", "k")
	if d.Delay != 700 || d.Now != w.now.Add(700) {
		t.Errorf("told after %d µs, as of %+v", d.Delay, d.Now)
	}
	if one, two := d.Charge("one"), d.Charge("two"); one.Wait != minute || two.Grow != minute {
		t.Errorf("waits %d, grows in %d", one.Wait, two.Grow)
	}
	w.now = d.Now.Add(minute - 1)
	w.deny("GET /", "k")
	w.pass(1)
	w.admit("GET /", "k")
	w.pass(1000)
	if d := w.deny("GET /", "k"); d.Delay != 0 || d.Now != w.now {
		t.Errorf("told after %d µs", d.Delay)
	}
}

// TestDefinitionCostAboveMax: refused, the wait is the window, nothing taken.
func TestDefinitionCostAboveMax(t *testing.T) {
	w := newWorld(t, `{`+keyed+`"limits":[
		{"name":"rolling","kind":"rolling","window":"1m","max":5,"cost":{"from":"{query.n}"}},
		{"name":"day","kind":"calendar","unit":"day","zone":"UTC","max":5,"cost":{"from":"{query.n}"}},
		{"name":"bucket","kind":"bucket","window":"1s","rate":2,"max":6,"cost":{"from":"{query.n}"}}]}`, nil)
	d := w.deny("GET /", "k", "query.n", "7")
	for limit, wait := range map[string]int64{"rolling": minute, "day": 12 * hour, "bucket": 3 * second} {
		c := w.used(d, limit, 0, map[string]int64{"rolling": 5, "day": 5, "bucket": 6}[limit])
		if !c.NeverFits || c.Wait != wait {
			t.Errorf("%s: never fits %v, waits %d", limit, c.NeverFits, c.Wait)
		}
	}
	if d.Refuser().Limit.Name != "day" {
		t.Errorf("%s speaks", d.Refuser().Limit.Name)
	}
	w.admit("GET /", "k", "query.n", "5")
}

// TestDefinitionWhichLimitSpeaks: the longest wait; unknowable waits last; ties
// in policy order.
func TestDefinitionWhichLimitSpeaks(t *testing.T) {
	w := newWorld(t, `{`+keyed+`"limits":[
		{"name":"hold","kind":"hold","until":"response","max":1},
		{"name":"hold2","kind":"hold","until":"response","max":1},
		{"name":"short","kind":"rolling","window":"10s","max":2},
		{"name":"long","kind":"rolling","window":"60s","max":3},
		{"name":"twin","kind":"rolling","window":"60s","max":3}]}`, nil)
	first := w.admit("GET /", "k")
	if r := w.deny("GET /", "k").Refuser(); r.Limit.Name != "hold" {
		t.Fatalf("%s speaks", r.Limit.Name)
	}
	w.end(first)
	w.admit("GET /", "k")
	if r := w.deny("GET /", "k").Refuser(); r.Limit.Name != "short" {
		t.Fatalf("%s speaks", r.Limit.Name)
	}
	w.pass(10 * second)
	if r := w.deny("GET /", "k").Refuser(); r.Limit.Name != "hold" {
		t.Fatalf("%s speaks", r.Limit.Name)
	}
	w = newWorld(t, `{`+keyed+`"limits":[
		{"name":"short","kind":"rolling","window":"10s","max":1},
		{"name":"long","kind":"rolling","window":"60s","max":1},
		{"name":"twin","kind":"rolling","window":"60s","max":1}]}`, nil)
	w.admit("GET /", "k")
	if r := w.deny("GET /", "k").Refuser(); r.Limit.Name != "long" {
		t.Fatalf("%s speaks", r.Limit.Name)
	}
}

// TestDefinitionPlanChange: used stays; used > max gives Remaining 0; while
// unlimited, calendar, fixed and hold keep counting, rolling and bucket start
// empty.
func TestDefinitionPlanChange(t *testing.T) {
	d := directory{"k": {ID: "u", Attributes: core.Attributes{{Name: "n", Value: core.Number(10)}}}}
	policy := `{` + keyed + `"plans":{"default":{"n":1}},"limits":[
		{"name":"rolling","kind":"rolling","window":"1m","max":"{subject.n}"},
		{"name":"bucket","kind":"bucket","window":"1h","rate":1,"max":"{subject.n}"},
		{"name":"fixed","kind":"fixed","window":"1h","max":"{subject.n}"},
		{"name":"day","kind":"calendar","unit":"day","zone":"UTC","max":"{subject.n}"},
		{"name":"hold","kind":"hold","until":"response","max":"{subject.n}"}]}`
	w := newWorld(t, policy, d)
	all := []string{"rolling", "bucket", "fixed", "day", "hold"}
	set := func(v core.Value) {
		d["k"] = &core.Subject{ID: "u", Attributes: core.Attributes{{Name: "n", Value: v}}}
	}
	for range 6 {
		w.admit("GET /", "k")
	}
	set(core.Number(4))
	refused := w.deny("GET /", "k")
	for _, limit := range all {
		w.used(refused, limit, 6, 0)
	}
	set(core.UnlimitedValue())
	w.admit("GET /", "k")
	set(core.Number(20))
	admitted := w.admit("GET /", "k")
	for _, limit := range all {
		switch limit {
		case "rolling", "bucket": // not told of what happened without a cap
			if c := admitted.Charge(limit); c.Used > 7 {
				t.Errorf("%s: used %d", limit, c.Used)
			}
		default:
			w.used(admitted, limit, 8, 12)
		}
	}
}

// TestDefinitionAttributes: Weir-Set, per subject id, beats the key's record,
// which beats the plan's row; unknown plans use the default row, without one
// 403; missing and unknown keys are denied.
func TestDefinitionAttributes(t *testing.T) {
	d := directory{
		"plain": {ID: "u1"},
		"pro":   {ID: "u2", Plan: "pro"},
		"own":   {ID: "u3", Plan: "pro", Attributes: core.Attributes{{Name: "n", Value: core.Number(3)}}},
		"own2":  {ID: "u3", Plan: "pro", Attributes: core.Attributes{{Name: "n", Value: core.Number(4)}}},
		"odd":   {ID: "u4", Plan: "nonesuch"},
	}
	limits := `"limits":[{"name":"r","kind":"rolling","window":"1m","max":"{subject.n}"}]}`
	w := newWorld(t, `{`+keyed+`"plans":{"default":{"n":1},"pro":{"n":2}},`+limits, d)
	for key, want := range map[string]int64{"plain": 1, "pro": 2, "own": 3, "own2": 4, "odd": 1} {
		if got := w.look(key).Charge("r").Max; got != want {
			t.Errorf("%s: max %d, want %d", key, got, want)
		}
	}
	w.end(w.admit("GET /", "own"), core.HeaderSet, "n=50")
	for key, want := range map[string]int64{"own": 50, "own2": 50, "pro": 2} {
		if got := w.look(key).Charge("r").Max; got != want {
			t.Errorf("%s after Weir-Set: max %d, want %d", key, got, want)
		}
	}
	w.end(w.admit("GET /", "own"), core.HeaderSet, "n=")
	if got := w.look("own").Charge("r").Max; got != 3 {
		t.Errorf("after taking it back: max %d", got)
	}
	nonsense := w.admit("GET /", "own")
	if heard := w.hear(nonsense, core.HeaderSet, "n=many, plan=nonesuch, label=x"); heard.Invalid != 2 {
		t.Errorf("%d settings are invalid", heard.Invalid)
	}
	if got := w.look("own").Charge("r").Max; got != 3 {
		t.Errorf("after nonsense: max %d", got)
	}
	w.end(w.admit("GET /", "pro"), core.HeaderSet, "plan=default")
	if got := w.look("pro").Charge("r").Max; got != 1 {
		t.Errorf("after another plan: max %d", got)
	}
	w.want(w.do("GET /", ""), core.MissingCredential)
	w.want(w.do("GET /", "who"), core.UnknownCredential)

	w = newWorld(t, `{`+keyed+`"plans":{"free":{"n":1},"pro":{"n":2}},`+limits, d)
	w.want(w.do("GET /", "odd"), core.UnknownPlan)
	w.want(w.do("GET /", "plain"), core.UnknownPlan)
	w.admit("GET /", "pro")
}

// TestFallbacks: requests without a known key are counted as the policy says.
func TestFallbacks(t *testing.T) {
	policy := func(missing, unknown string) string {
		return `{"subject":{"sources":[{"from":"{header.X-Api-Key}"},{"from":"{query.key}"}],
			"missing":` + missing + `,"unknown":` + unknown + `},
			"plans":{"default":{"n":5},"anon":{"n":1}},
			"limits":[{"name":"r","kind":"rolling","window":"1m","max":"{subject.n}"}]}`
	}
	d := directory{"k": {ID: "u"}}
	w := newWorld(t, policy(`{"count_by":"client_ip","plan":"anon"}`, `{"count_by":"key","plan":"anon"}`), d)
	w.admit("GET /", "", "client_ip", "192.0.2.1")
	w.deny("GET /", "", "client_ip", "192.0.2.1")
	w.deny("GET /", "", "client_ip", "::ffff:192.0.2.1")
	w.admit("GET /", "", "client_ip", "192.0.2.2")
	w.admit("GET /", "", "client_ip", "2001:db8::1")
	w.deny("GET /", "", "client_ip", "2001:db8::2") // the same /64
	w.admit("GET /", "", "client_ip", "2001:db8:0:1::1")
	w.admit("GET /", "made-up")
	w.deny("GET /", "made-up")
	w.admit("GET /", "made-up-2")
	if id := w.do("GET /", "made-up").SubjectID(); len(id) != 32 {
		t.Errorf("the subject of a made-up key is %q", id)
	}
	w.admit("GET /", "", "query.key", "k")

	w = newWorld(t, policy(`{"count_by":"all"}`, `{"count_by":"all","plan":"anon"}`), d)
	w.admit("GET /", "made-up")
	w.deny("GET /", "made-up-2")
	w.admit("GET /", "")
}

// TestDefinitionScope: per key, subject, all or attributes; a missing value is
// one shared empty scope; several are length-prefixed; IPv6 counts by /64.
func TestDefinitionScope(t *testing.T) {
	d := directory{"a1": {ID: "a"}, "a2": {ID: "a"}, "b": {ID: "b"}}
	one := func(per string) *world {
		return newWorld(t, `{`+keyed+`"per":[`+per+`],"limits":[{"name":"r","kind":"rolling","window":"1m","max":1}]}`, d)
	}
	w := one(`"key"`)
	w.admit("GET /", "a1")
	w.admit("GET /", "a2")
	w.deny("GET /", "a1")
	w = one(`"subject"`)
	w.admit("GET /", "a1")
	w.deny("GET /", "a2")
	w.admit("GET /", "b")
	w = one(`"all"`)
	w.admit("GET /", "a1")
	w.deny("GET /", "b")
	w = one(`"{header.A}","{header.B}"`)
	w.admit("GET /", "b", "header.A", "1", "header.B", "23")
	w.admit("GET /", "b", "header.A", "12", "header.B", "3")
	w.deny("GET /", "b", "header.A", "12", "header.B", "3")
	w.admit("GET /", "b")
	w.deny("GET /", "b", "header.A", "")
	w.admit("GET /", "b", "header.A", "3")
	w = one(`"{client_ip}"`)
	w.admit("GET /", "b", "client_ip", "2001:db8::1")
	w.deny("GET /", "b", "client_ip", "2001:db8::ffff:1")
	w.admit("GET /", "b", "client_ip", "2001:db8:0:2::1")
	w.admit("GET /", "b", "client_ip", "192.0.2.1")
	w.deny("GET /", "b", "client_ip", "192.0.2.1")
}

// TestDefinitionShadow: would it refuse, it takes nothing and stays silent;
// otherwise it is charged with the rest.
func TestDefinitionShadow(t *testing.T) {
	w := newWorld(t, `{`+keyed+`"limits":[
		{"name":"shadow","kind":"rolling","window":"1m","max":2,"shadow":true},
		{"name":"real","kind":"rolling","window":"1m","max":4}]}`, nil)
	for i := range int64(4) {
		d := w.admit("GET /", "k")
		w.used(d, "shadow", min(i+1, 2), 2-min(i+1, 2))
		if c := d.Charge("shadow"); c.Refused != (i >= 2) || c.Denies() {
			t.Fatalf("request %d: refused %v, denies %v", i, c.Refused, c.Denies())
		}
	}
	if r := w.deny("GET /", "k").Refuser(); r.Limit.Name != "real" {
		t.Errorf("%s speaks", r.Limit.Name)
	}
}

// TestDefinitionPreflight: a CORS preflight passes uncounted unless matched by name.
func TestDefinitionPreflight(t *testing.T) {
	const header = "header.Access-Control-Request-Method"
	w := newWorld(t, rolling10, nil)
	w.want(w.do("OPTIONS /", "", header, "POST"), core.Passed)
	w.want(w.do("OPTIONS /", ""), core.MissingCredential)
	w = newWorld(t, `{"limits":[{"name":"r","kind":"rolling","window":"1m","max":1,"per":["all"],"match":[{"methods":["OPTIONS"]}]}]}`, nil)
	w.admit("OPTIONS /", "", header, "POST")
	w.deny("OPTIONS /", "", header, "POST")
}

// TestMatching: methods, paths, other limits' requests, except, refuse.
func TestMatching(t *testing.T) {
	w := newWorld(t, `{`+keyed+`"limits":[
		{"name":"writes","kind":"rolling","window":"1m","max":9,"match":[{"methods":["POST","PATCH"],"paths":["*"]}],"except":["jobs"]},
		{"name":"jobs","kind":"rolling","window":"1m","max":9,"match":[{"methods":["POST"],"paths":["/jobs"]},{"methods":["POST"],"paths":["/jobs/batch"],"cost":{"from":"{json.items.length}","min":1}}]},
		{"name":"burst","kind":"rolling","window":"1s","max":9,"match":[{"limits":["jobs"]}]},
		{"name":"all","kind":"fixed","window":"1h","max":1,"refuse":[{"methods":["DELETE"]}]}]}`, nil)
	for line, want := range map[string]string{
		"POST /jobs": "jobs burst all", "POST /x": "writes all", "PATCH /jobs": "writes all",
		"GET /jobs": "all", "POST /Jobs": "jobs burst all", "POST //jobs": "jobs burst all",
	} {
		var got string
		for i, c := range w.do(line, "k").Charges {
			if i > 0 {
				got += " "
			}
			got += c.Limit.Name
		}
		if got != want {
			t.Errorf("%s: charged to %s, want %s", line, got, want)
		}
	}
	d := w.admit("POST /jobs/batch", "k", "body", `{"items":[1,2,3]}`)
	w.used(d, "jobs", 6, 3)
	if r := w.deny("DELETE /x", "k").Refuser(); r.Limit.Name != "all" {
		t.Errorf("%s refuses", r.Limit.Name)
	}
}

// TestDefinitionBodyLimit: larger bodies are 413 and nothing is charged, or
// cost what the policy says.
func TestDefinitionBodyLimit(t *testing.T) {
	policy := func(more string) string {
		return `{` + keyed + more + `"body_limit":20,"limits":[
			{"name":"other","kind":"rolling","window":"1m","max":9},
			{"name":"jobs","kind":"rolling","window":"1m","max":9,"cost":{"from":"{json.n}","min":2}}]}`
	}
	w := newWorld(t, policy(""), nil)
	w.want(w.do("POST /", "k", "body", `{"n":3,"pad":"xxxxxxxxxxxxx"}`), core.BodyTooLarge)
	w.used(w.look("k"), "other", 0, 9)
	w.used(w.admit("POST /", "k", "body", `{"n":3}`), "jobs", 3, 6)
	w.used(w.admit("POST /", "k", "body", `{"n":`), "jobs", 5, 4)
	w = newWorld(t, policy(`"oversize_cost":7,`), nil)
	w.used(w.admit("POST /", "k", "body", `{"n":3,"pad":"xxxxxxxxxxxxx"}`), "jobs", 7, 2)
}

// TestDefinitionKindChanged: another kind or window has new cells; another
// max, cost or match the same.
func TestDefinitionKindChanged(t *testing.T) {
	limit := func(l string) string { return `{` + keyed + `"limits":[{"name":"r",` + l + `}]}` }
	w := newWorld(t, limit(`"kind":"rolling","window":"1m","max":5`), nil)
	w.admit("GET /", "k")
	w.reload(limit(`"kind":"rolling","window":"1m","max":7,"cost":{"amount":2},"match":[{"methods":["GET"]}]`), nil)
	w.used(w.admit("GET /", "k"), "r", 3, 4)
	w.reload(limit(`"kind":"rolling","window":"2m","max":7`), nil)
	w.used(w.admit("GET /", "k"), "r", 1, 6)
	w.reload(limit(`"kind":"fixed","window":"1m","max":7`), nil)
	w.used(w.admit("GET /", "k"), "r", 1, 6)
}

// TestUsage charges the counts that match, and reads the rest.
func TestUsage(t *testing.T) {
	w := newWorld(t, `{`+keyed+`"limits":[
		{"name":"daily","kind":"calendar","unit":"day","zone":"UTC","max":1,"match":[{"methods":["POST"]}]},
		{"name":"today","kind":"calendar","unit":"day","zone":"UTC","count":true,"refused":true},
		{"name":"posts","kind":"ever","count":true,"match":[{"methods":["POST"]}]},
		{"name":"weighed","kind":"ever","count":true,"cost":{"amount":5}}],
		"usage":[{"methods":["GET"],"paths":["/usage"],"body":"{}"}]}`, nil)
	w.admit("POST /", "k")
	w.deny("POST /", "k")
	d := w.want(w.do("GET /usage", "k"), core.Usage)
	w.used(d, "daily", 1, 0)
	w.used(d, "today", 3, core.Unlimited)
	w.used(d, "posts", 1, core.Unlimited)
	w.used(d, "weighed", 10, core.Unlimited)
	w.used(w.want(w.do("GET /usage", "k"), core.Usage), "today", 4, core.Unlimited)
}

// TestDefinitionSettledCost: without a reservation admitted while used < max;
// settling never refuses, and twice is once.
func TestDefinitionSettledCost(t *testing.T) {
	w := newWorld(t, `{`+keyed+`"limits":[{"name":"spend","kind":"calendar","unit":"day","zone":"UTC","max":1,
		"cost":{"settled":true},"refuse":[{"methods":["POST"]}]}]}`, nil)
	first := w.admit("POST /", "k")
	w.hear(first, core.HeaderCost, "0.1")
	if heard := w.hear(first, core.HeaderCost, "0.1"); !heard.Duplicate {
		t.Error("settled twice")
	}
	w.end(first)
	w.end(w.admit("GET /", "k"), core.HeaderCost, "0.2")
	w.used(w.look("k"), "spend", 300_000, 700_000)
	w.end(w.admit("POST /", "k"), core.HeaderCost, "5")
	w.used(w.deny("POST /", "k"), "spend", 5_300_000, 0)
	w.admit("GET /", "k")
	late := w.admit("GET /", "k")
	w.pass(12 * hour) // midnight: the cost counts in the new day
	w.end(late, core.HeaderCost, "0.25")
	w.used(w.look("k"), "spend", 250_000, 750_000)
}

// TestDefinitionReserve: the excess is added, a refund taken from the
// reservation's own entry if it still counts.
func TestDefinitionReserve(t *testing.T) {
	w := newWorld(t, `{`+keyed+`"limits":[{"name":"spend","kind":"calendar","unit":"day","zone":"UTC","max":10,
		"cost":{"settled":true,"reserve":4}}]}`, nil)
	a, b := w.admit("POST /", "k"), w.admit("POST /", "k")
	w.deny("POST /", "k")
	w.end(a, core.HeaderCost, "1.5")
	w.used(w.look("k"), "spend", 5_500_000, 4_500_000)
	w.end(b, core.HeaderCost, "6")
	w.used(w.look("k"), "spend", 7_500_000, 2_500_000)
	w.deny("POST /", "k")
	w.pass(12 * hour)
	c := w.admit("POST /", "k")
	w.pass(day)
	w.end(c, core.HeaderCost, "1") // its entry counts no more: nothing to refund
	w.used(w.look("k"), "spend", 0, 10_000_000)

	d := w.admit("POST /", "k")
	w.end(d) // the origin said nothing: the reservation stands
	w.used(w.look("k"), "spend", 4_000_000, 6_000_000)
	op := core.Settle{HasCost: true, Cost: 1_000_000, ID: w.engine.ParseID("api", d.ID.String())}
	if err := w.engine.Amend(context.Background(), w.now, w.policy, core.Who{Key: "k"}, nil, &op); err != nil {
		t.Fatal(err)
	}
	w.used(w.look("k"), "spend", 1_000_000, 9_000_000)
}

// failing is a store that fails while broken.
type failing struct {
	core.Store
	broken atomic.Bool
}

var errBroken = errors.New("broken")

func (f *failing) Take(ctx context.Context, op *core.Take) error {
	if f.broken.Load() {
		return errBroken
	}
	return f.Store.Take(ctx, op)
}

func (f *failing) Settle(ctx context.Context, op *core.Settle) error {
	if f.broken.Load() {
		return errBroken
	}
	return f.Store.Settle(ctx, op)
}

// TestStoreFailure: allow, deny or local, as configured.
func TestStoreFailure(t *testing.T) {
	for setting, want := range map[string]core.Outcome{"": core.StoreFailed, "deny": core.StoreFailed, "allow": core.Admitted, "local": core.Admitted} {
		store := &failing{Store: memory.New(memory.Options{})}
		store.broken.Store(true)
		w := newWorldOn(t, rolling10, core.Options{Store: store, Local: memory.New(memory.Options{}), OnStoreError: setting})
		d := w.want(w.do("GET /", "k"), want)
		if !errors.Is(d.Err, errBroken) {
			t.Errorf("%s: the error is %v", setting, d.Err)
		}
		if setting == "local" {
			for range 9 {
				w.admit("GET /", "k")
			}
			w.deny("GET /", "k")
		}
		store.broken.Store(false)
		w.used(w.admit("GET /", "k"), "requests", 1, 9)
	}
}

// TestDefinitionUnleasedSlot: a slot taken after a store error counts even
// above max.
func TestDefinitionUnleasedSlot(t *testing.T) {
	store := &failing{Store: memory.New(memory.Options{})}
	w := newWorldOn(t, `{`+keyed+`"limits":[{"name":"jobs","kind":"hold","until":"released","ttl":"1h","max":1}]}`,
		core.Options{Store: store, OnStoreError: "allow"})
	w.end(w.admit("POST /", "k"), core.HeaderLease, "a")
	store.broken.Store(true)
	d := w.admit("POST /", "k")
	store.broken.Store(false)
	w.end(d, core.HeaderLease, "b")
	w.used(w.look("k"), "jobs", 2, 0)
	w.deny("POST /", "k")
}

// TestHugeCostsInFlight: what requests in flight cost adds up to MaxAmount at most,
// and goes as they end, however many there are that nobody refuses.
func TestHugeCostsInFlight(t *testing.T) {
	for _, until := range []string{`"until":"response"`, `"until":"released","ttl":"1h"`} {
		w := newWorld(t, `{`+keyed+`"limits":[{"name":"h","kind":"hold",`+until+`,"max":5,"cost":{"from":"{header.N}"},"refuse":[{"paths":["/run"]}]}]}`, nil)
		open := make([]*core.Decision, 1025)
		for i := range open {
			open[i] = w.admit("GET /free", "k", "header.N", "9007199254740991")
			w.used(open[i], "h", core.MaxAmount, 0)
		}
		w.deny("GET /run", "k")
		w.used(w.look("k"), "h", core.MaxAmount, 0)
		for _, d := range open {
			w.end(d)
		}
		w.used(w.look("k"), "h", 0, 5)
		w.used(w.admit("GET /run", "k"), "h", 1, 4)
	}
}
