package contract_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/contract"
)

// A refusal's Reset, Retry-After and body describe one moment: who waits as any
// of them says is not early, and none of them says more than a second too much.
func TestTheNumbersAgreeToTheSecond(t *testing.T) {
	unix, unixContract := compile(t, "api", two(x("unix")))
	isoPolicy, isoContract := compile(t, "api", two(isoHeaders()))
	delta, deltaContract := compile(t, "api", two(x("delta")))
	rapid.Check(t, func(r *rapid.T) {
		now := rapid.Int64Range(0, 4*365*day).Draw(r, "now") + noon
		wait := rapid.Int64Range(1, 400*day).Draw(r, "wait")
		refused := state{limit: "minute", max: 10, used: 10, wait: wait, grow: wait, refused: true}
		fits := now + wait

		d := decide(t, unix, now, refused)
		fields := got(unixContract, d)
		reset, retry := number(r, fields["Reset"]), number(r, fields["Retry-After"])
		within(r, "Retry-After", now+retry*sec, fits, sec)
		within(r, "Reset", reset*sec, fits, sec)
		if away := reset - now/sec; away < retry || away > retry+1 {
			r.Fatalf("Reset is %d s after the second of now, Retry-After %d", away, retry)
		}
		var body struct{ Reset, Retry int64 }
		a, _ := unixContract.Answer(d, nil)
		if err := json.Unmarshal(a.Body, &body); err != nil || body.Reset != reset || body.Retry != retry {
			r.Fatalf("the body says %s, the headers %d and %d: %v", a.Body, reset, retry, err)
		}

		moment, err := time.Parse(time.RFC3339Nano, got(isoContract, decide(t, isoPolicy, now, refused))["Reset"])
		if err != nil {
			r.Fatal(err)
		}
		within(r, "iso Reset", moment.UnixMicro(), fits, ms)
		fields = got(deltaContract, decide(t, delta, now, refused))
		if fields["Reset"] != fields["Retry-After"] {
			r.Fatalf("delta Reset is %s, Retry-After %s", fields["Reset"], fields["Retry-After"])
		}
	})
}

// isoHeaders has no body of reset as a bare number; `two` fits it all the same.
func isoHeaders() *core.HeadersConfig { return x("iso") }

func number(r *rapid.T, s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		r.Fatalf("%q is no number", s)
	}
	return n
}

// within fails unless told is in [true, true+precision).
func within(r *rapid.T, name string, told, truth, precision int64) {
	if told < truth || told >= truth+precision {
		r.Fatalf("%s tells %d, which is %d from the truth", name, told, told-truth)
	}
}

// Headers of an admitted request never carry Retry-After, and no field of any
// answer carries what could end it.
func TestFieldsAreClean(t *testing.T) {
	for name := range pages() {
		p, c := page(t, name)
		rapid.Check(t, func(r *rapid.T) {
			var states []state
			for _, l := range p.Limits {
				if !rapid.Bool().Draw(r, "matches") {
					continue
				}
				states = append(states, state{
					limit: l.Name, max: rapid.Int64Range(0, core.MaxAmount).Draw(r, "max"),
					used: rapid.Int64Range(0, core.MaxAmount).Draw(r, "used"),
					wait: rapid.Int64Range(-1, 400*day).Draw(r, "wait"), grow: rapid.Int64Range(-1, 400*day).Draw(r, "grow"),
					refused: !l.Count && rapid.Bool().Draw(r, "refused"),
				})
			}
			d := decide(t, p, noon, states...)
			fields := c.Headers(d)
			seen := map[string]bool{}
			for _, f := range fields.All() {
				if f.Value == "" || strings.ContainsAny(f.Name+f.Value, "\r\n\x00") || seen[f.Name] {
					r.Fatalf("field %q: %q", f.Name, f.Value)
				}
				seen[f.Name] = true
			}
			if d.Outcome == core.Admitted && seen["Retry-After"] {
				r.Fatal("Retry-After on an admitted request")
			}
			if a, ok := c.Answer(d, nil); ok && !json.Valid(a.Body) {
				r.Fatalf("no JSON: %s", a.Body)
			}
		})
	}
}

// Whatever a subject's texts are, a JSON body is JSON and holds them.
func TestTextsStayTexts(t *testing.T) {
	config := two(nil)
	config.Deny = deny(`{"a":{weir.subject.team},"b":"<{weir.subject.team}>"}`)
	p, c := compile(t, "api", config)
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.String().Draw(r, "text")
		d := decide(t, p, noon, state{limit: "minute", max: 1, used: 1, wait: sec, refused: true})
		d.Subject.Attributes = core.Attributes{{Name: "team", Value: core.Text(text)}}
		a, _ := c.Answer(d, nil)
		var body struct{ A, B string }
		if err := json.Unmarshal(a.Body, &body); err != nil {
			r.Fatalf("%q: %v", a.Body, err)
		}
		if text = strings.ToValidUTF8(text, "\ufffd"); body.A != text || body.B != "<"+text+">" {
			r.Fatalf("%q became %q", text, a.Body)
		}
	})
}

// FuzzTemplate: what compiles as JSON renders as JSON.
func FuzzTemplate(f *testing.F) {
	for _, config := range pages() {
		for _, l := range config.Limits {
			if l.Deny != nil {
				f.Add(l.Deny.Body)
			}
		}
		if config.Deny != nil {
			f.Add(config.Deny.Body)
		}
	}
	f.Add(`["{weir.limit}\\",{weir.limits.daily.max},"\"{weir.subject.team}"]`)
	f.Add(`"\u00{weir.max}"`)
	config := two(x("iso"))
	f.Fuzz(func(t *testing.T, template string) {
		config.Deny = deny(template)
		p, err := core.CompilePolicy("policies.api", "api", &config)
		if err != nil {
			t.Fatal(err)
		}
		c, err := contract.Compile(p)
		if err != nil {
			return
		}
		d := decide(t, p, noon, state{limit: "minute", max: 10, used: 10, wait: sec, grow: sec, refused: true})
		d.Subject.Attributes = core.Attributes{{Name: "team", Value: core.Text("a\"\\\n")}}
		if a, ok := c.Answer(d, nil); ok && !json.Valid(a.Body) {
			t.Errorf("%q became %q", template, a.Body)
		}
	})
}

// One set of headers costs one allocation, for the string that its values
// share; a body costs none if its buffer is large enough.
func TestAllocations(t *testing.T) {
	p, c := page(t, "magnetite")
	d := decide(t, p, noon,
		state{limit: "generation", max: 10, used: 10, wait: 44500 * ms, grow: 44500 * ms, refused: true},
		state{limit: "generation_burst", max: 5, used: 0})
	var fields contract.Fields
	if n := testing.AllocsPerRun(100, func() { fields = c.Headers(d) }); n > 1 {
		t.Errorf("headers cost %v allocations", n)
	}
	buf := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { _, _ = c.Answer(d, buf) }); n > 0 {
		t.Errorf("a body costs %v allocations", n)
	}
	if fields.Len() != 5 {
		t.Errorf("%d fields", fields.Len())
	}
}
