package contract_test

import (
	"strings"
	"testing"

	"github.com/weirhq/weir/core"
)

const (
	ms  = int64(1000) // µs
	sec = 1000 * ms
	day = 24 * 3600 * sec

	// noon is 2026-02-28T12:00:00Z.
	noon     = int64(1772280000) * sec
	midnight = noon + day/2
)

// today is the calendar day of noon.
var today = core.Window{Start: noon - day/2, End: midnight, Next: midnight + day}

func max(s string) core.Amount {
	a, err := core.ParseAmount(s)
	if err != nil {
		panic(err)
	}
	return a
}

// plans builds rows from columns and cells that are separated by spaces.
func plans(columns string, rows map[string]string) map[string]map[string]core.Value {
	out := make(map[string]map[string]core.Value)
	for plan, row := range rows {
		cells := strings.Fields(row)
		out[plan] = make(map[string]core.Value)
		for i, column := range strings.Fields(columns) {
			out[plan][column] = core.ParseValue(cells[i])
		}
	}
	return out
}

// A state is one limit's charge in a decision.
type state struct {
	limit      string
	max, used  int64
	wait, grow int64
	refused    bool
	peek       bool
	checkOnly  bool
}

// decide returns a decision at now with these charges: Denied if any denies,
// else Admitted.
func decide(t testing.TB, p *core.Policy, now int64, states ...state) *core.Decision {
	t.Helper()
	d := &core.Decision{Policy: p, Outcome: core.Admitted}
	d.Now = core.Instant{Wall: now, Steady: now}
	d.Plans, d.Subject = p.Plans, &core.Subject{ID: "org_1"}
	d.Take.Policy = p.Name
	for _, s := range states {
		l := p.Limit(s.limit)
		if l == nil {
			t.Fatalf("policy %s has no limit %q", p.Name, s.limit)
		}
		c := core.Charge{Limit: l, Cost: 1, Max: s.max, Peek: s.peek, Refusable: !s.peek, CheckOnly: s.checkOnly}
		if l.Kind == core.Calendar {
			c.Window = today
		}
		c.State = core.State{Used: s.used, Wait: s.wait, Grow: s.grow, Refused: s.refused}
		d.Charges = append(d.Charges, c)
	}
	d.Admitted = d.Refuser() == nil
	if !d.Admitted {
		d.Outcome = core.Denied
	}
	return d
}
