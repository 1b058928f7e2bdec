package contract

import (
	"testing"

	"github.com/weirhq/weir/core"
)

// TestSpeaker: of a refusal the refusing limit speaks, whatever the headers
// speak of; of a request that was decided without a store none does.
func TestSpeaker(t *testing.T) {
	first := core.Charge{Limit: &core.Limit{Name: "first", Kind: core.Fixed}, Max: 5, State: core.State{Used: 2, Grow: 1_500_000}}
	second := core.Charge{Limit: &core.Limit{Name: "second", Kind: core.Hold, Index: 1}, Max: 1, State: core.State{Used: 1, Wait: core.Unknown}}
	refused := second
	refused.Refused = true
	for _, tc := range []struct {
		outcome core.Outcome
		charges []core.Charge
		want    string
		reset   int64
		known   bool
	}{
		{core.Admitted, []core.Charge{first, second}, "first", 2, true},
		{core.Withheld, []core.Charge{first, second}, "first", 2, true},
		{core.Denied, []core.Charge{first, refused}, "second", 0, false},
		{core.StoreFailed, []core.Charge{first}, "", 0, false},
	} {
		d := &core.Decision{Outcome: tc.outcome}
		d.Charges = tc.charges
		d.Admitted = tc.outcome == core.Admitted
		c := (&Contract{headers: headers{limit: "first"}}).Speaker(d)
		switch {
		case tc.want == "" && c != nil:
			t.Errorf("%s: %s speaks", tc.outcome, c.Limit.Name)
		case tc.want == "":
		case c == nil || c.Limit.Name != tc.want:
			t.Errorf("%s: %v speaks, want %s", tc.outcome, c, tc.want)
		default:
			if s, ok := Reset(d, c); ok != tc.known || ok && s != tc.reset {
				t.Errorf("%s: resets in %d s (%v), want %d", tc.outcome, s, ok, tc.reset)
			}
		}
	}
}
