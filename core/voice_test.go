package core

import (
	"slices"
	"testing"
)

func TestParseVoice(t *testing.T) {
	v := ParseVoice([]string{"0.042"}, []string{"a, b", "c"}, []string{" d ,, e"}, []string{"credits=50, tier=gold", "gone="})
	if !v.HasCost || v.Cost != 42_000 {
		t.Errorf("cost %v %d", v.HasCost, v.Cost)
	}
	if !slices.Equal(v.Lease, []string{"a", "b", "c"}) || !slices.Equal(v.Release, []string{"d", "e"}) {
		t.Errorf("lease %q, release %q", v.Lease, v.Release)
	}
	want := Attributes{{"credits", Number(50)}, {"tier", Text("gold")}, {"gone", Value{}}}
	if !slices.Equal(v.Set, want) || v.Invalid != 0 {
		t.Errorf("set %v, invalid %d", v.Set, v.Invalid)
	}
}

// TestVoiceInvalid: what cannot be read is counted and has no effect.
func TestVoiceInvalid(t *testing.T) {
	for _, cost := range []string{"x", "-1", "1.2.3", "0x10", "NaN", "Inf", "1e400", "9007199254740991", "9007199254.740992", ".", "-1e3"} {
		if v := ParseVoice([]string{cost}, nil, nil, nil); v.HasCost || v.Invalid != 1 {
			t.Errorf("%q: %+v", cost, v)
		}
	}
	for _, set := range []string{"credits", "=5", "a b=5", "id=7", "credits=-5"} {
		if v := ParseVoice(nil, nil, nil, []string{set}); len(v.Set) != 0 || v.Invalid != 1 {
			t.Errorf("%q: %+v", set, v)
		}
	}
}

// TestCostRoundsUp: no spending is lost past the sixth decimal.
func TestCostRoundsUp(t *testing.T) {
	for in, want := range map[string]int64{
		"0.042": 42_000, "1": 1_000_000, "0.1234561": 123_457, "0.1234560": 123_456,
		"0.0000001": 1, "2.50": 2_500_000, "0": 0, "1e-3": 1000,
		"1e-07": 1, "1.23456789e-05": 13, ".5": 500_000, "9007199254.740991": MaxAmount,
	} {
		if got, ok := ParseCost(in); !ok || got != want {
			t.Errorf("%s: got %d, %v, want %d", in, got, ok, want)
		}
	}
}

func FuzzParseVoice(f *testing.F) {
	f.Add("0.1", "a,b", "c", "x=1")
	f.Fuzz(func(t *testing.T, cost, lease, release, set string) {
		v := ParseVoice([]string{cost}, []string{lease}, []string{release}, []string{set})
		if v.Cost < 0 || v.Cost > MaxAmount || len(v.Lease) > maxNames || len(v.Set) > maxNames {
			t.Errorf("%+v", v)
		}
	})
}
