package contract_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/contract"
)

// answer returns the body that the policy `two` gives with this template.
func answer(t *testing.T, contentType, template string, change func(*core.Decision)) string {
	t.Helper()
	config := two(x("unix"))
	config.Deny = &core.DenyConfig{Body: template, ContentType: contentType}
	p, c := compile(t, "api", config)
	d := decide(t, p, noon,
		state{limit: "minute", max: 10, used: 10, wait: 7 * sec, grow: 7 * sec, refused: true},
		state{limit: "daily", max: core.Unlimited, used: 3, grow: day / 2},
		state{limit: "budget", max: 12_500_000, used: 12_542_000, grow: day / 2},
		state{limit: "slots", max: 2, used: 2, wait: core.Unknown, grow: core.Unknown, peek: true})
	d.Subject.Plan = "pro"
	d.Subject.Attributes = core.Attributes{
		{Name: "credits", Value: core.ParseValue("12.50")},
		{Name: "seats", Value: core.UnlimitedValue()},
		{Name: "team", Value: core.Text("a \"b\"\\\r\n\x00é\xff")},
	}
	if change != nil {
		change(d)
	}
	a, ok := c.Answer(d, []byte("before "))
	if !ok {
		t.Fatal("no answer")
	}
	body, kept := strings.CutPrefix(string(a.Body), "before ")
	if !kept {
		t.Errorf("the buffer was not kept: %q", a.Body)
	}
	return body
}

func TestPlaceholders(t *testing.T) {
	for _, row := range []struct{ template, asJSON, inString, asText string }{
		{"{weir.max}", "10", `"10"`, "10"},
		{"{weir.used}", "10", `"10"`, "10"},
		{"{weir.remaining}", "0", `"0"`, "0"},
		{"{weir.reset}", at(7), `"` + at(7) + `"`, at(7)},
		{"{weir.retry_after}", "7", `"7"`, "7"},
		{"{weir.window}", "60", `"60"`, "60"},
		{"{weir.limit}", `"minute"`, `"minute"`, "minute"},
		{"{weir.policy}", `"api"`, `"api"`, "api"},
		{"{weir.limits.daily.max}", "null", `"unlimited"`, "unlimited"},
		{"{weir.limits.daily.used}", "3", `"3"`, "3"},
		{"{weir.limits.daily.remaining}", "null", `"unlimited"`, "unlimited"},
		{"{weir.limits.daily.window}", "86400", `"86400"`, "86400"},
		{"{weir.limits.daily.retry_after}", "0", `"0"`, "0"},
		{"{weir.limits.budget.max}", "12.5", `"12.5"`, "12.5"},
		{"{weir.limits.budget.used}", "12.542", `"12.542"`, "12.542"},
		{"{weir.limits.budget.reset}", at(43200), `"` + at(43200) + `"`, at(43200)},
		{"{weir.limits.slots.reset}", "null", `""`, ""},
		{"{weir.limits.slots.retry_after}", "null", `""`, ""},
		{"{weir.limits.slots.window}", "0", `"0"`, "0"},
		{"{weir.limits.patient.used}", "null", `""`, ""}, // no charge, and not completed
		{"{weir.subject.id}", `"org_1"`, `"org_1"`, "org_1"},
		{"{weir.subject.plan}", `"pro"`, `"pro"`, "pro"},
		{"{weir.subject.credits}", "12.5", `"12.5"`, "12.5"},
		{"{weir.subject.seats}", "null", `"unlimited"`, "unlimited"},
		{"{weir.subject.nothing}", "null", `""`, ""},
		{
			"{weir.subject.team}", `"a \"b\"\\\u000d\u000a\u0000é` + "\ufffd" + `"`, `"a \"b\"\\\u000d\u000a\u0000é` + "\ufffd" + `"`,
			"a \"b\"\\\r\n\x00é\xff",
		},
	} {
		if s := answer(t, "", row.template, nil); s != row.asJSON {
			t.Errorf("%s as JSON is %s, want %s", row.template, s, row.asJSON)
		}
		if s := answer(t, "application/vnd.api+json", `"`+row.template+`"`, nil); s != row.inString {
			t.Errorf("%s in a JSON string is %s, want %s", row.template, s, row.inString)
		}
		if s := answer(t, "text/plain; charset=utf-8", row.template, nil); s != row.asText {
			t.Errorf("%s as text is %q, want %q", row.template, s, row.asText)
		}
	}
}

func TestTemplatesAreTrimmedAndOtherwiseKept(t *testing.T) {
	template := "\n\t{ \"a\":\r\n  {weir.max},\t\"b\": \"\\u007bweir.max}\" }\r\n  "
	want := "{ \"a\":\r\n  10,\t\"b\": \"\\u007bweir.max}\" }"
	if s := answer(t, "", template, nil); s != want {
		t.Errorf("rendered %q, want %q", s, want)
	}
	if s := answer(t, "text/plain", " a\r\n{weir.max} {curly} {\n", nil); s != "a\r\n10 {curly} {" {
		t.Errorf("rendered %q", s)
	}
}

func TestTheSubjectMayBeNobody(t *testing.T) {
	s := answer(t, "", `[{weir.subject.id},{weir.subject.credits}]`, func(d *core.Decision) { d.Subject = nil })
	if s != `[null,null]` {
		t.Errorf("rendered %s", s)
	}
}

func TestWhatWasSetOnASubjectIsTold(t *testing.T) {
	s := answer(t, "", `{weir.subject.credits}`, func(d *core.Decision) {
		d.Overrides = core.Attributes{{Name: "credits", Value: core.Number(50)}}
	})
	if s != "50" {
		t.Errorf("rendered %s", s)
	}
}

func TestProblems(t *testing.T) {
	refused := func(limit string) state {
		return state{limit: limit, max: 1, used: 1, wait: sec, grow: sec, refused: true}
	}
	for _, row := range []struct {
		status int
		want   string
	}{
		{0, `{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Quota Exceeded","status":429,"violated-policies":["minute","daily"]}`},
		{503, `{"type":"https://iana.org/assignments/http-problem-types#temporary-reduced-capacity","title":"Temporary Reduced Capacity","status":503,"violated-policies":["minute","daily"]}`},
	} {
		config := two(nil)
		config.Deny = &core.DenyConfig{Status: row.status, Problem: true}
		p, c := compile(t, "api", config)
		d := decide(t, p, noon, refused("minute"), refused("daily"), refused("trial"), state{limit: "slots", max: 2, used: 1})
		a, ok := c.Answer(d, nil)
		if !ok || string(a.Body) != row.want || a.ContentType != "application/problem+json" || !json.Valid(a.Body) {
			t.Errorf("%d %s %s", a.Status, a.ContentType, a.Body)
		}
	}
}

func TestCredentialsAreDeniedInThePolicysWords(t *testing.T) {
	config := headshotpro()
	config.Subject.Missing = &core.FallbackConfig{Deny: &core.DenyConfig{Body: `{"error":"who are you?","policy":{weir.policy}}`}}
	config.Subject.Unknown = &core.FallbackConfig{Deny: &core.DenyConfig{Status: 403, Problem: true}}
	p, c := compile(t, "api", config)
	for outcome, want := range map[core.Outcome]string{
		core.MissingCredential: `401 application/json {"error":"who are you?","policy":"api"}`,
		core.UnknownCredential: `403 application/problem+json {"type":"about:blank","title":"Forbidden","status":403}`,
	} {
		d := &core.Decision{Policy: p, Outcome: outcome}
		a, _ := c.Answer(d, nil)
		if s := fmt.Sprintf("%d %s %s", a.Status, a.ContentType, a.Body); s != want {
			t.Errorf("%s is answered %s, want %s", outcome, s, want)
		}
		fields := c.Headers(d)
		if _, challenged := fields.Get("WWW-Authenticate"); challenged != (outcome == core.MissingCredential) {
			t.Errorf("%s: challenged is %v", outcome, challenged)
		}
	}
}

func TestIncompleteAsksForLimitsWithoutACharge(t *testing.T) {
	p, c := page(t, "outfit")
	daily := state{limit: "daily", max: 20, peek: true}
	d := decide(t, p, noon, daily, state{limit: "requests_today"})
	d.Outcome = core.Usage
	if !c.Incomplete(d) {
		t.Error("a usage answer without total_requests is complete")
	}
	d = decide(t, p, noon, daily, state{limit: "requests_today"}, state{limit: "total_requests"})
	d.Outcome = core.Usage
	if c.Incomplete(d) {
		t.Error("a usage answer with all of its limits is incomplete")
	}
	d.Outcome = core.Admitted
	if c.Incomplete(d) {
		t.Error("an admitted request needs nothing")
	}
	config := two(nil)
	config.Deny = deny(`{weir.limits.daily.used}`)
	p, c = compile(t, "api", config)
	refused := state{limit: "minute", max: 1, used: 1, wait: sec, refused: true}
	if !c.Incomplete(decide(t, p, noon, refused)) || c.Incomplete(decide(t, p, noon, refused, state{limit: "daily", max: 1})) {
		t.Error("a refusal that names another limit is incomplete without it, and only then")
	}
}

func TestALimitsOwnDenyBeatsThePolicys(t *testing.T) {
	config := two(nil)
	config.Limits[1].Deny = &core.DenyConfig{Status: 403}
	p, c := compile(t, "api", config)
	refused := func(limit string) *core.Decision {
		return decide(t, p, noon, state{limit: limit, max: 1, used: 1, wait: sec, refused: true})
	}
	if a, ok := c.Answer(refused("daily"), nil); ok || a.Status != 403 {
		t.Errorf("daily is answered %d %v", a.Status, ok)
	}
	if a, ok := c.Answer(refused("minute"), nil); !ok || a.Status != 429 {
		t.Errorf("minute is answered %d %v", a.Status, ok)
	}
}

func TestPlaceholderByName(t *testing.T) {
	p, c := page(t, "outfit")
	d := decide(t, p, noon, state{limit: "daily", max: 20, used: 5, grow: day / 2},
		state{limit: "concurrent", max: 1, used: 1, grow: core.Unknown})
	for name, want := range map[string]string{
		"weir.remaining": "15", "weir.limit": "daily", "weir.reset": "2026-03-01T00:00:00.000Z",
		"weir.limits.concurrent.used": "1", "weir.limits.none.used": "", "weir.subject.id": "org_1",
	} {
		if s, ok := c.Placeholder(d, name); !ok || s != want {
			t.Errorf("%s is %q, %v, want %q", name, s, ok, want)
		}
	}
	if _, ok := c.Placeholder(d, "weir.nothing"); ok {
		t.Error("weir.nothing is a placeholder")
	}
	var none core.Decision
	if s, ok := c.Placeholder(&none, "weir.remaining"); !ok || s != "" {
		t.Errorf("of nothing remains %q, %v", s, ok)
	}
}

func TestMistakesInTemplates(t *testing.T) {
	for _, row := range []struct{ contentType, template, want string }{
		{"", `{"a":{weir.remainin}}`, `{weir.remainin} is unknown; did you mean "{weir.remaining}"?`},
		{"", `{"a":{weir.limits.dayly.used}}`, `"dayly" is no limit of this policy; did you mean "daily"?`},
		{"", `{"a":{weir.limits.daily.usd}}`, `"usd" is not told of a limit; did you mean "used"?`},
		{"", `{"a":{weir.limits.daily}}`, `{weir.limits.daily} is not {weir.limits.NAME.used}`},
		{"", `{"a":{weir.subject.}}`, `a name has letters, digits, _ and -`},
		{"", `{"a":{weir.subject.a b}}`, `has no closing brace`},
		{"", `{"a":"{weir.max"}`, `"{weir.max" has no closing brace`},
		{"", `{"a":{weir.max}`, `is no JSON once its placeholders are filled in`},
		{"", `{"a":1{weir.max}}`, `is no JSON`},
		{"", `{{weir.max}:1}`, `is no JSON`},
		{"", `"\{weir.max}"`, `is no JSON`},
		{"", `"\u00{weir.max}0"`, `is no JSON`},
		{"", `Too many requests`, `a body of another sort needs a type`},
		{"", `{"a":"{retry_after}"}`, `{retry_after} would be sent as it stands; did you mean "{weir.retry_after}"?`},
		{"", `{"a":"{ Weir.max }"}`, `{ Weir.max } would be sent as it stands; did you mean "{weir.max}"?`},
		{"", "  \n", `is empty`},
		{"text", "a", `"text" is no media type such as application/json`},
		{"text/plain\r\nA: b", "a", `is no media type`},
		{"text/html; a=\"\r\n\"", "a", `is no media type`},
	} {
		config := two(nil)
		config.Deny = &core.DenyConfig{Body: row.template, ContentType: row.contentType}
		if err := mistakes(t, config); !strings.Contains(err, row.want) || !strings.HasPrefix(err, "policies.api.deny.") {
			t.Errorf("%q: %s\nwant %s", row.template, err, row.want)
		}
	}
}

// mistakes returns the messages of a policy that has some.
func mistakes(t *testing.T, config core.PolicyConfig) string {
	t.Helper()
	p, err := core.CompilePolicy("policies.api", "api", &config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = contract.Compile(p)
	if err == nil {
		return ""
	}
	for _, e := range core.ConfigErrors(err) {
		if e.Path == "" {
			t.Errorf("a mistake without a path: %v", e)
		}
	}
	return err.Error()
}

func TestMistakesAreAllTold(t *testing.T) {
	config := two(&core.HeadersConfig{
		Dialect: "x-ratelimits", Reset: "unx", For: "minut",
		When:  map[string]string{"remainig": "always", "limit": "allways"},
		Names: map[string]string{"reset": "X Reset", "limit": "Weir-Limit", "retry_after": "Retry", "window": "X-RateLimit-Remaining"},
	})
	config.Subject = bearer()
	config.Subject.Missing = &core.FallbackConfig{Deny: &core.DenyConfig{Body: `{weir.max}`}}
	config.Subject.Unknown = &core.FallbackConfig{Deny: &core.DenyConfig{Body: `{weir.limits.daily.max}`}}
	config.Deny = &core.DenyConfig{Status: 200, Body: `{"a"}`, Problem: true, ContentType: "text/plain"}
	config.Limits[2].Deny = &core.DenyConfig{Body: `{weir.maximum}`}
	config.Limits[3].Deny = &core.DenyConfig{ContentType: "text/plain"}
	config.Usage = []core.UsageConfig{{Paths: []string{"/usage"}, Body: `{weir.used}`}}
	got := mistakes(t, config)
	want := strings.TrimPrefix(`
policies.api.headers.dialect: unknown word "x-ratelimits"; did you mean "x-ratelimit"?
policies.api.headers.reset: unknown word "unx"; did you mean "unix"?
policies.api.headers.for: "minut" is no limit of this policy; did you mean "minute"?
policies.api.headers.when.limit: unknown word "allways"; did you mean "always"?
policies.api.headers.when.remainig: unknown; did you mean "remaining"?
policies.api.headers.names.limit: "Weir-Limit" is the origin's voice, and never reaches a client
policies.api.headers.names.reset: "X Reset" is no name of a header field (RFC 9110, section 5.6.2)
policies.api.headers.names.retry_after: unknown; expected one of limit, remaining, reset, window
policies.api.headers.names: two fields are named "X-RateLimit-Remaining"
policies.api.deny.status: 200 is no status from 400 to 599
policies.api.deny.body: problem makes the body; leave out one of them
policies.api.deny.content_type: a problem is application/problem+json
policies.api.limits[2].deny.body: {weir.maximum} is unknown; did you mean "{weir.max}"?
policies.api.limits[3].deny.content_type: there is no body that this is the type of
policies.api.subject.missing.deny.body: {weir.max}: no limit refuses here
policies.api.subject.unknown.deny.body: {weir.limits.daily.max}: without a subject no limit has a state
policies.api.usage[0].body: {weir.used}: say of which limit: {weir.limits.NAME.used}`, "\n")
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestErrorsStandWhereThePolicyDoes(t *testing.T) {
	config := two(&core.HeadersConfig{})
	p, err := core.CompilePolicy("define", "api", &config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = contract.CompileAt("define", p)
	if err == nil || err.Error() != "define.headers.dialect: missing; expected one of none, x-ratelimit, ratelimit" {
		t.Error(err)
	}
}
