package core

import (
	"encoding/json"
	"testing"
)

func TestParseValue(t *testing.T) {
	for _, tc := range []struct {
		in, out      string
		units, micro int64
		ok           bool
	}{
		{"", "", 0, 0, false},
		{"10", "10", 10, 10_000_000, true},
		{"12.50", "12.5", 12, 12_500_000, true},
		{"0.000001", "0.000001", 0, 1, true},
		{"0.0000001", "0.0000001", 0, 0, false}, // a text: too many decimals
		{"1e3", "1000", 1000, 1_000_000_000, true},
		{"-3", "-3", 0, 0, true},
		{"unlimited", "unlimited", Unlimited, Unlimited, true},
		{"9007199254740991", "9007199254740991", MaxAmount, MaxAmount, true},
		{"9007199254740992", "9007199254740992", 0, 0, false},
		{"gold", "gold", 0, 0, false},
	} {
		v := ParseValue(tc.in)
		units, ok := v.amount(1)
		micro, _ := v.amount(Million)
		if v.String() != tc.out || units != tc.units || micro != tc.micro || ok != tc.ok {
			t.Errorf("%q: got %q %d %d %v", tc.in, v, units, micro, ok)
		}
	}
}

func TestValueJSON(t *testing.T) {
	for in, want := range map[string]string{
		`10`: `10`, `1.5`: `1.5`, `"unlimited"`: `"unlimited"`, `"10"`: `"10"`,
		`"gold"`: `"gold"`, `true`: `"true"`, `null`: `null`, `2e2`: `200`,
	} {
		var v Value
		if err := json.Unmarshal([]byte(in), &v); err != nil {
			t.Fatal(in, err)
		}
		if out, _ := json.Marshal(v); string(out) != want {
			t.Errorf("%s: got %s, want %s", in, out, want)
		}
	}
	for _, in := range []string{`{}`, `[1]`, `1e300`, `0.1234567`} {
		var v Value
		if err := json.Unmarshal([]byte(in), &v); err == nil {
			t.Errorf("%s: no error, but %v", in, v)
		}
	}
}

func TestAmountText(t *testing.T) {
	for in, want := range map[string]string{
		"100": "100", "unlimited": "unlimited", "12.50": "12.5",
		"{subject.credits}":              "{subject.credits}",
		"{subject.credits} * 2":          "{subject.credits} * 2",
		"{subject.credits}*1.5 else 3":   "{subject.credits} * 1.5 else 3",
		"{subject.spend} else unlimited": "{subject.spend} else unlimited",
	} {
		a, err := ParseAmount(in)
		if err != nil || a.String() != want {
			t.Errorf("%q: got %q, %v", in, a, err)
		}
		again, err := ParseAmount(a.String())
		if err != nil || again != a {
			t.Errorf("%q: read again: %+v, %v", in, again, err)
		}
	}
	for _, in := range []string{"", "-1", "x", "{credits}", "{subject.}", "{subject.a b}", "5 else 3", "{subject.a} * x", "{subject.a} else", "{subject.a} else -1", "{subject.a} * -2"} {
		if a, err := ParseAmount(in); err == nil {
			t.Errorf("%q: no error, but %q", in, a)
		}
	}
}

// TestDefinitionMax: a number, unlimited, or an attribute × factor; Weir-Set
// beats the key's record, which beats the plan's row, which beats else.
func TestDefinitionMax(t *testing.T) {
	plans := &Plans{rows: map[string]Attributes{
		"default": {{"a", Number(10)}, {"b", Number(7)}},
		"pro":     {{"a", Number(20)}},
		"gold":    {{"a", UnlimitedValue()}},
	}}
	for _, tc := range []struct {
		amount  string
		subject Subject
		set     Attributes
		want    int64
	}{
		{"5", Subject{}, nil, 5},
		{"{subject.a}", Subject{}, nil, 10},
		{"{subject.a} * 1.5", Subject{Plan: "pro"}, nil, 30},
		{"{subject.a}", Subject{Plan: "nonesuch"}, nil, 10},
		{"{subject.b}", Subject{Plan: "pro"}, nil, 7},
		{"{subject.c} else 3", Subject{Plan: "pro"}, nil, 3},
		{"{subject.a} * 2", Subject{Plan: "pro", Attributes: Attributes{{"a", Number(4)}}}, nil, 8},
		{"{subject.a} * 2", Subject{Plan: "pro", Attributes: Attributes{{"a", Number(4)}}}, Attributes{{"a", Number(50)}}, 100},
		{"{subject.a} * 2", Subject{Attributes: Attributes{{"a", Text("x")}}}, nil, 20},
		{"{subject.a} * 2", Subject{Attributes: Attributes{{"a", Number(-4)}}}, nil, 0},
		{"{subject.a} * 2", Subject{Plan: "gold"}, nil, Unlimited},
		{"{subject.a} * 1000000000", Subject{Attributes: Attributes{{"a", Number(MaxAmount)}}}, nil, MaxAmount},
		{"{subject.a}", Subject{Plan: "pro"}, Attributes{{"plan", Text("gold")}}, Unlimited},
		{"{subject.a}", Subject{Plan: "pro"}, Attributes{{"plan", Text("nonesuch")}}, 20},
	} {
		a, err := ParseAmount(tc.amount)
		if err != nil {
			t.Fatal(err)
		}
		op := Take{Subject: &tc.subject, Plans: plans, Overrides: tc.set}
		if got := a.resolve(&op, 1); got != tc.want {
			t.Errorf("%s for %+v with %v: got %d, want %d", tc.amount, tc.subject, tc.set, got, tc.want)
		}
	}
}
