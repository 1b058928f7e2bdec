package core

import (
	"slices"
	"strings"
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
		if v := ParseVoice([]string{cost}, nil, nil, nil); v.HasCost || v.Invalid != 1 || v.Wrong != HeaderCost {
			t.Errorf("%q: %+v", cost, v)
		}
	}
	for _, set := range []string{"credits", "=5", "a b=5", "id=7", "credits=-5"} {
		if v := ParseVoice(nil, nil, nil, []string{set}); len(v.Set) != 0 || v.Invalid != 1 || v.Wrong != HeaderSet {
			t.Errorf("%q: %+v", set, v)
		}
	}
}

// TestCostRoundsUp: no spending is lost past the sixth decimal.
func TestCostRoundsUp(t *testing.T) {
	for in, want := range map[string]int64{
		"0.042": 42_000, "1": 1_000_000, "0.1234561": 123_457, "0.1234560": 123_456,
		"0.0000001": 1, "2.50": 2_500_000, "0": 0, "1e-3": 1000,
		"1e-07": 1, "1.23456789e-05": 13, "1e-400": 1, "0e-400": 0, ".5": 500_000, "9007199254.740991": MaxAmount,
	} {
		if got, ok := ParseCost(in); !ok || got != want {
			t.Errorf("%s: got %d, %v, want %d", in, got, ok, want)
		}
	}
}

// FuzzParseVoice: each member of each list is heard or counted as invalid, no
// more of them than there are bounds for, in whatever form the list comes.
func FuzzParseVoice(f *testing.F) {
	f.Add("0.1", "a,b", "c", "x=1")
	f.Add("1, 2", " ,a ,,\tb", "job-1", "credits=50, gone=, plan=pro, n=unlimited")
	f.Add("-1", "a\r\nb", "\x00", "id=1,=2,x=-3,a b=c,x=1,x=2")
	f.Fuzz(func(t *testing.T, cost, lease, release, set string) {
		v := ParseVoice([]string{cost}, []string{lease}, []string{release}, []string{set})
		if v.Cost < 0 || v.Cost > MaxAmount || !v.HasCost && v.Cost != 0 {
			t.Errorf("%q costs %d, %v", cost, v.Cost, v.HasCost)
		}
		heard := len(v.Lease) + len(v.Release) + len(v.Set) + v.Invalid
		if n := members(lease) + members(release) + members(set); heard < n || heard > n+members(cost) {
			t.Errorf("%d heard or invalid of %d members: %+v", heard, n, v)
		}
		for _, name := range slices.Concat(v.Lease, v.Release) {
			if name == "" || strings.Trim(name, " \t") != name || strings.Contains(name, ",") {
				t.Errorf("the name %q", name)
			}
		}
		for _, a := range v.Set {
			if n, number := a.Value.amount(1); !ValidAttributeName(a.Name) || a.Name == "id" || number && n < 0 {
				t.Errorf("set %+v", a)
			}
		}
		checkSplit(t, &v, cost, lease, release, set)
	})
}

// members returns how many members a list has.
func members(list string) (n int) {
	for _, m := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
		if strings.Trim(m, " \t") != "" {
			n++
		}
	}
	return n
}

// checkSplit hears the same lists with each member in a header of its own.
func checkSplit(t *testing.T, v *Voice, lists ...string) {
	t.Helper()
	var split [4][]string
	for i, list := range lists {
		split[i] = strings.Split(list, ",")
	}
	w := ParseVoice(split[0], split[1], split[2], split[3])
	if w.Cost != v.Cost || w.Invalid != v.Invalid || !slices.Equal(w.Lease, v.Lease) ||
		!slices.Equal(w.Release, v.Release) || !slices.Equal(w.Set, v.Set) {
		t.Errorf("in one header %+v, in several %+v", *v, w)
	}
}
