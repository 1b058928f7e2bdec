package core_test

import (
	"testing"

	"github.com/weirhq/weir/core"
)

// TestCap: a request's own maximum stands for that of the limits whose window it
// names, before plans and what was set, and shares their cells.
func TestCap(t *testing.T) {
	const policy = `{"subject":{"sources":[{"from":"{header.X-Api-Key}"}]},"plans":{"default":{"n":100}},"limits":[
		{"name":"rolling","kind":"rolling","window":"60s","max":"{subject.n}"},
		{"name":"fixed","kind":"fixed","window":"1h","max":"unlimited"},
		{"name":"day","kind":"calendar","unit":"day","zone":"UTC","max":100},
		{"name":"bucket","kind":"bucket","window":"1s","rate":50,"max":100},
		{"name":"spent","kind":"fixed","window":"24h","max":100,"cost":{"settled":true}},
		{"name":"slots","kind":"hold","until":"response","max":100},
		{"name":"total","kind":"ever","count":true}]}`
	for name, tc := range map[string]struct {
		cap    core.Cap
		limits map[string]int64 // their maximum
		missed bool
	}{
		"none":             {core.Cap{}, nil, false},
		"of a minute":      {core.Cap{Given: true, Max: 7, Length: minute}, map[string]int64{"rolling": 7}, false},
		"of an hour":       {core.Cap{Given: true, Max: 7, Length: hour}, map[string]int64{"fixed": 7}, false},
		"of a day":         {core.Cap{Given: true, Max: 7, Length: day, Unit: "day"}, map[string]int64{"day": 7, "spent": 7 * core.Million}, false},
		"of a second":      {core.Cap{Given: true, Max: 7, Length: second}, map[string]int64{"bucket": 7}, false},
		"huge":             {core.Cap{Given: true, Max: 1 << 62, Length: day}, map[string]int64{"spent": core.MaxAmount}, false},
		"of no window":     {core.Cap{Given: true, Max: 7}, nil, true},
		"of another":       {core.Cap{Given: true, Max: 7, Length: 2 * minute, Unit: "year"}, nil, true},
		"of a week of all": {core.Cap{Given: true, Max: 0, Unit: "week"}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, policy, nil)
			f := &facts{values: map[string]string{"header.X-Api-Key": "k"}}
			before := w.do("GET /", "k")
			d := new(core.Decision)
			w.engine.Decide(t.Context(), w.now, w.policy, &core.Request{Method: "GET", Path: "/", Source: f, Cap: tc.cap}, d)
			w.want(d, core.Admitted)
			if d.Overlooked() != tc.missed {
				t.Errorf("overlooked: %t", d.Overlooked())
			}
			for i := range d.Charges {
				c := &d.Charges[i]
				want, given := tc.limits[c.Limit.Name]
				if !given {
					want = before.Charge(c.Limit.Name).Max
				}
				if c.Max != want || c.Capped != given {
					t.Errorf("%s: max %d, capped %t; want %d, %t", c.Limit.Name, c.Max, c.Capped, want, given)
				}
				if c.Limit.Kind == core.Bucket && given && c.Rate != 7 {
					t.Errorf("a rate of %d", c.Rate)
				}
			}
		})
	}
}

// TestCapRefuses: whoever uses up a cap is refused by it, and by it alone.
func TestCapRefuses(t *testing.T) {
	w := newWorld(t, `{"per":["all"],"limits":[{"name":"a","kind":"rolling","window":"60s","max":100}]}`, nil)
	ask := func(most int64) *core.Decision {
		d := new(core.Decision)
		w.engine.Decide(t.Context(), w.now, w.policy, &core.Request{
			Method: "GET", Path: "/", Source: &facts{}, Cap: core.Cap{Given: true, Max: most, Length: minute},
		}, d)
		return d
	}
	w.want(ask(2), core.Admitted)
	w.want(ask(2), core.Admitted)
	if d := ask(2); d.Outcome != core.Denied || d.Refuser().Wait <= 0 || d.Refuser().Wait > minute {
		t.Errorf("%s: %+v", d.Outcome, d.Charges)
	}
	if d := ask(0); d.Outcome != core.Denied || !d.Refuser().NeverFits {
		t.Errorf("a cap of nothing: %s", d.Outcome)
	}
	w.want(ask(3), core.Admitted)
	w.want(w.do("GET /", "k"), core.Admitted)
}
