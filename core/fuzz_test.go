package core

import (
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
)

// FuzzAmount reads a text as everything that has a number in it. What is read
// is written back so that it is read as the same, and is as much as the text
// says; what is refused is refused in one line.
func FuzzAmount(f *testing.F) {
	for _, s := range []string{
		"10", "0", "unlimited", "12.50", "{subject.credits}", "{subject.credits} * 2.5 else 10", "{subject.a}*1 else unlimited",
		"9007199254740991", "-1", "1e3", "1e-7", ".5", "0.0000001", "{subject.a} else -1", " 7 ", "5.", "+5", "0x10", "1_000",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 100 {
			return
		}
		checkAmount(t, s)
		checkValue(t, s)
		checkCost(t, s)
	})
}

func checkAmount(t *testing.T, s string) {
	a, err := ParseAmount(s)
	if err != nil {
		checkRefusal(t, err)
		return
	}
	if again, err := ParseAmount(a.String()); err != nil || again != a {
		t.Errorf("%q is %+v, written %q and read back as %+v, %v", s, a, a, again, err)
	}
	b, err := json.Marshal(a)
	var decoded Amount
	if err != nil || json.Unmarshal(b, &decoded) != nil || decoded != a {
		t.Errorf("%q is %+v, as JSON %s and then %+v", s, a, b, decoded)
	}
	for _, scale := range []int64{1, Million} {
		subject := &Subject{Attributes: Attributes{{"credits", Number(3)}}}
		n := a.resolve(&Take{Subject: subject}, scale)
		if n < 0 || n > MaxAmount && n != Unlimited {
			t.Errorf("%q is %d at scale %d", s, n, scale)
		}
	}
}

// checkRefusal checks that an error fits in a line that people read.
func checkRefusal(t *testing.T, err error) {
	t.Helper()
	if text := err.Error(); strings.ContainsAny(text, "\r\n") || len(text) > 1000 {
		t.Errorf("the error is %q", text)
	}
}

func checkValue(t *testing.T, s string) {
	v := ParseValue(s)
	if again := ParseValue(v.String()); again != v {
		t.Errorf("%q is %+v, written %q and read back as %+v", s, v, v, again)
	}
	if v.IsText() {
		return
	}
	b, err := json.Marshal(v)
	var decoded Value
	if err != nil || json.Unmarshal(b, &decoded) != nil || decoded != v {
		t.Errorf("%q is %+v, as JSON %s and then %+v", s, v, b, decoded)
	}
	if strings.ContainsAny(s, "eE") {
		if zero := zeroMantissa(s); v.kind == numberValue && (v == Number(0)) != zero {
			t.Errorf("%q is %+v", s, v)
		}
		return // read as a double first
	}
	if want, ok := new(big.Rat).SetString(s); ok && v.kind == numberValue {
		got := new(big.Rat).SetFrac64(v.units*Million+v.micro, Million)
		if v.units > -1<<40 && v.units < 1<<40 && got.Cmp(want) != 0 {
			t.Errorf("%q is %+v", s, v)
		}
	}
}

// checkCost holds what is read of an origin's cost against exact arithmetic: it
// is the least number of millionths that is not less.
func checkCost(t *testing.T, s string) {
	got, ok := ParseCost(s)
	if !ok {
		return
	}
	if got < 0 || got > MaxAmount {
		t.Fatalf("%q costs %d", s, got)
	}
	if strings.ContainsAny(s, "eE") {
		if zero := zeroMantissa(s); (got == 0) != zero {
			t.Errorf("%q costs %d", s, got)
		}
		return // read as a double first, and big.Rat has no exponent so large
	}
	exact, isNumber := new(big.Rat).SetString(s)
	if !isNumber {
		t.Fatalf("%q costs %d", s, got)
	}
	exact.Mul(exact, new(big.Rat).SetInt64(Million))
	up := new(big.Int).Add(exact.Num(), new(big.Int).Sub(exact.Denom(), big.NewInt(1)))
	if up.Quo(up, exact.Denom()); up.Cmp(big.NewInt(got)) != 0 {
		t.Errorf("%q costs %d millionths, want %d", s, got, up)
	}
}

// FuzzDuration: what is read is written as what is read as the same, and agrees
// with Go's durations.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"60s", "1h30m", "90d", "0d", "1.5h", "-5s", "36500d", "1d12h", "999999d", "1us", "0", "876001h", "-24h", "-876001h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		if again, err := ParseDuration(d.String()); err != nil || again != d {
			t.Errorf("%q is %d, written %q and read back as %d, %v", s, d, d, again, err)
		}
		if want, err := time.ParseDuration(s); err == nil && time.Duration(d) != want {
			t.Errorf("%q is %d, to Go %d", s, d, want)
		}
		b, err := json.Marshal(d)
		var decoded Duration
		if err != nil || json.Unmarshal(b, &decoded) != nil || decoded != d {
			t.Errorf("%q is %d, as JSON %s and then %d", s, d, b, decoded)
		}
	})
}

// FuzzSchedule: windows of any schedule hold the instant that they are asked
// for, and follow each other.
func FuzzSchedule(f *testing.F) {
	for _, r := range scheduleRows {
		at, _ := time.Parse(time.RFC3339, r.at)
		f.Add(r.unit, r.zone, r.anchor, at.Unix())
	}
	f.Fuzz(func(t *testing.T, unit, zone, anchor string, at int64) {
		s, err := NewSchedule(unit, zone, anchor)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		same, err := NewSchedule(unit, zone, s.anchor)
		if err != nil || same.String() != s.String() {
			t.Fatalf("%s has an anchor that is read as %v, %v", s, same, err)
		}
		const years = 400 * 366 * daySeconds
		wall := at % years * second
		w := s.At(wall)
		next := s.At(w.End)
		if w.Start > wall || wall >= w.End || next.Start != w.End || next.End != w.Next || same.At(wall) != w {
			t.Errorf("%s at %d: %s, then %s", s, wall, show(w), show(next))
		}
	})
}

// FuzzRef: a placeholder means the same as its canonical form.
func FuzzRef(f *testing.F) {
	for _, s := range []string{
		"{method}", "{header.X-API-Key}", "{http.request.header.X}", "{json.a.b.length}", "{query.q}", "{cookie.}",
		"{http.request.uri.path}", "{haeder.x}", "{}", "{a b}", "{client_ip", "{http.auth.user.id}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := ParseRef(s)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		again, err := ParseRef("{" + ref.Text + "}")
		if err != nil || again.Kind != ref.Kind || again.Name != ref.Name || again.Text != ref.Text {
			t.Errorf("%q is %+v, and {%s} is %+v, %v", s, ref, ref.Text, again, err)
		}
		if ref.Kind == RefJSON && strings.Join(ref.path, ".") != ref.Name {
			t.Errorf("%q has the path %q", s, ref.path)
		}
	})
}

// FuzzConfig reads a configuration in JSON. Every mistake is told with its
// place; what compiles is written as what compiles to the same.
func FuzzConfig(f *testing.F) {
	f.Add(`{"policies":{"api":{"per":["all"],"limits":[{"name":"a","kind":"rolling","window":"1m","max":3}]}},"on_store_error":"local"}`)
	f.Add(`{"policies":{"api":` + limitJSON(`{"name":"a","kind":"bucket","window":"1s","rate":"{subject.requests} * 2 else 3","max":"unlimited"},
		{"name":"b","kind":"hold","until":"released","ttl":"1h","max":5,"match":[{"methods":["POST"],"paths":["/a/*/b*"],"cost":{"from":"{json.n}","min":2}}]},
		{"name":"c","kind":"calendar","unit":"month","zone":"Europe/Berlin","anchor":"31","max":9,"except":["a"],"cost":{"settled":true,"reserve":0.5}},
		{"name":"d","kind":"ever","count":true,"refused":true,"per":["{client_ip}","{header.X}"]}`) + `}}`)
	f.Add(`{"policies":{"A b":{"limits":[{"name":"","kind":"roling","cost":-1}],"body_limit":-1,"usage":[{}]}},"on_store_error":"x"}`)
	f.Add(`{"policies":{"api":{"subject":{"sources":[{"from":"{header.A}","scheme":"bearer"}],"missing":{"count_by":"client_ip","plan":"x"}},
		"plans":{"default":{"n":1},"x":{"n":"unlimited"}},"limits":[{"name":"a","kind":"fixed","window":"1h","max":"{subject.n}","shadow":true}],
		"headers":{"dialect":"ratelimit","when":{"limit":"never"}},"deny":{"status":429,"body":"{}","problem":true}}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var c Config
		if json.Unmarshal([]byte(text), &c) != nil {
			return
		}
		policies, err := Compile(&c)
		if err != nil {
			checkConfigErrors(t, text, err)
			return
		}
		b, err := json.Marshal(&c)
		var again Config
		if err != nil || json.Unmarshal(b, &again) != nil {
			t.Fatalf("%s is written as %s: %v", text, b, err)
		}
		same, err := Compile(&again)
		if err != nil || len(same) != len(policies) {
			t.Fatalf("%s is written as %s: %v", text, b, err)
		}
		for name, p := range policies {
			checkSamePolicy(t, p, same[name])
		}
	})
}

// checkConfigErrors checks that each mistake says where it stands, in one line.
func checkConfigErrors(t *testing.T, text string, err error) {
	t.Helper()
	all := ConfigErrors(err)
	if len(all) == 0 {
		t.Errorf("%s: no place in %v", text, err)
	}
	for _, e := range all {
		if e.Path == "" {
			t.Errorf("%s: no place in %v", text, e)
		}
		if strings.ContainsAny(e.Error(), "\r\n") && !strings.ContainsAny(text, `\`) {
			t.Errorf("%s: the error is %q", text, e)
		}
	}
	var place *ConfigError
	if !errors.As(err, &place) {
		t.Errorf("%T is no ConfigError", err)
	}
}

// checkSamePolicy compares what counts of two policies.
func checkSamePolicy(t *testing.T, p, q *Policy) {
	t.Helper()
	if q == nil || p.Name != q.Name || len(p.Limits) != len(q.Limits) {
		t.Fatalf("%+v and %+v", p, q)
	}
	for i, l := range p.Limits {
		m := q.Limits[i]
		if l.ID != m.ID || l.Name != m.Name || l.Max != m.Max || l.Rate != m.Rate || l.Length != m.Length || l.Reserve != m.Reserve {
			t.Errorf("%+v and %+v", l, m)
		}
	}
}
