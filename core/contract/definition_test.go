package contract_test

import (
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/contract"
)

// two is a policy of a minute, a day, a hold and a budget, to speak of.
func two(h *core.HeadersConfig) core.PolicyConfig {
	return core.PolicyConfig{
		Per: []string{"all"},
		Limits: []core.LimitConfig{
			{Name: "minute", Kind: "rolling", Window: minute, Max: max("10")},
			{Name: "daily", Kind: "calendar", Unit: "day", Zone: "UTC", Max: max("100")},
			{Name: "slots", Kind: "hold", Until: "response", Max: max("2")},
			{Name: "patient", Kind: "hold", Until: "response", Max: max("2"), Retry: core.Duration(1500 * time.Millisecond)},
			{
				Name: "budget", Kind: "calendar", Unit: "day", Zone: "UTC", Max: max("12.50"),
				Cost: &core.CostConfig{Settled: true},
			},
			{Name: "trial", Kind: "rolling", Window: minute, Max: max("1"), Shadow: true},
			{Name: "all", Kind: "ever", Count: true},
			{Name: "bucket", Kind: "bucket", Rate: max("10"), Window: minute, Max: max("5")},
		},
		Headers: h,
		Deny:    deny(`{"limit":"{weir.limit}","reset":{weir.reset},"retry":{weir.retry_after}}`),
	}
}

func x(reset string) *core.HeadersConfig {
	return &core.HeadersConfig{Dialect: "x-ratelimit", Reset: reset}
}

// got returns the fields of d by their names without X-RateLimit-.
func got(c *contract.Contract, d *core.Decision) map[string]string {
	out := map[string]string{}
	fields := c.Headers(d)
	for _, f := range fields.All() {
		out[strings.TrimPrefix(f.Name, "X-RateLimit-")] = f.Value
	}
	return out
}

// check compares fields, given as "Limit=10 Reset=…" in the order of names.
func check(t *testing.T, c *contract.Contract, d *core.Decision, want string) {
	t.Helper()
	var all []string
	fields := c.Headers(d)
	for _, f := range fields.All() {
		all = append(all, strings.TrimPrefix(f.Name, "X-RateLimit-")+"="+f.Value)
	}
	if s := strings.Join(all, " "); s != want {
		t.Errorf("headers are %q, want %q", s, want)
	}
}

// base is noon in seconds, for readable tests of unix resets.
const base = noon / sec

func at(seconds int64) string { return strconv.FormatInt(base+seconds, 10) }

func TestDefinitionRemainingIsMaxLessUsedButNotBelowZero(t *testing.T) {
	p, c := compile(t, "api", two(x("delta")))
	check(t, c, decide(t, p, noon, state{limit: "minute", max: 10, used: 3, grow: sec}), "Limit=10 Remaining=7 Reset=1")
	check(t, c, decide(t, p, noon, state{limit: "minute", max: 10, used: 30, grow: sec}), "Limit=10 Remaining=0 Reset=1")
}

func TestDefinitionResetOnAdmittedIsWhenRemainingGrows(t *testing.T) {
	p, c := compile(t, "api", two(x("unix")))
	check(t, c, decide(t, p, noon, state{limit: "minute", max: 10, used: 3, wait: 0, grow: 20 * sec}),
		"Limit=10 Remaining=7 Reset="+at(20))
	check(t, c, decide(t, p, noon, state{limit: "minute", max: 10, used: 0, grow: 0}), // nothing used: now
		"Limit=10 Remaining=10 Reset="+at(0))
	check(t, c, decide(t, p, noon, state{limit: "slots", max: 2, used: 1, grow: core.Unknown}), // a hold has none
		"Limit=2 Remaining=1")
}

func TestDefinitionResetOfAWindowIsItsEndEvenIfNothingIsUsed(t *testing.T) {
	config := core.PolicyConfig{
		Subject: &core.SubjectConfig{Sources: []core.SourceConfig{{From: "{header.K}"}}},
		Limits: []core.LimitConfig{
			{Name: "today", Kind: "calendar", Unit: "day", Zone: "UTC", Max: max("20")},
			{Name: "hour", Kind: "fixed", Window: core.Duration(time.Hour), Max: max("20")},
		},
		Headers: &core.HeadersConfig{Dialect: "x-ratelimit", Reset: "unix", For: "today"},
	}
	p, c := compile(t, "api", config)
	check(t, c, decide(t, p, noon, state{limit: "today", max: 20}), "Limit=20 Remaining=20 Reset="+at(12*3600))
	config.Headers = &core.HeadersConfig{Dialect: "x-ratelimit", Reset: "unix", For: "hour"}
	p, c = compile(t, "api", config)
	check(t, c, decide(t, p, noon+60*sec, state{limit: "hour", max: 20}), "Limit=20 Remaining=20 Reset="+at(3600))
}

func TestDefinitionAHoldTellsNoResetWhenAnotherRefuses(t *testing.T) {
	p, c := compile(t, "api", core.PolicyConfig{
		Subject: &core.SubjectConfig{Sources: []core.SourceConfig{{From: "{header.K}"}}},
		Limits: []core.LimitConfig{
			{Name: "slots", Kind: "hold", Until: "response", Max: max("5")},
			{Name: "minute", Kind: "rolling", Window: core.Duration(time.Minute), Max: max("1")},
		},
		Headers: &core.HeadersConfig{Dialect: "x-ratelimit", Reset: "unix", For: "slots"},
	})
	check(t, c, decide(t, p, noon, state{limit: "slots", max: 5}, state{limit: "minute", max: 1, used: 1, wait: 60 * sec, grow: 60 * sec, refused: true}),
		"Limit=5 Remaining=5 Retry-After=60")
}

func TestDefinitionResetOnRefusalIsWhenTheCostFits(t *testing.T) {
	p, c := compile(t, "api", two(x("unix")))
	check(t, c, decide(t, p, noon, state{limit: "minute", max: 10, used: 8, wait: 30 * sec, grow: 5 * sec, refused: true}),
		"Limit=10 Remaining=2 Reset="+at(30)+" Retry-After=30")
}

func TestDefinitionRetryAfterIsTheWaitRoundedUpFromOne(t *testing.T) {
	p, c := compile(t, "api", two(x("delta")))
	for _, row := range []struct {
		wait int64
		want string
	}{{1, "1"}, {sec - 1, "1"}, {sec, "1"}, {sec + 1, "2"}, {59*sec + 1, "60"}, {0, "1"}} {
		d := decide(t, p, noon, state{limit: "minute", max: 10, used: 10, wait: row.wait, grow: row.wait, refused: true})
		if s := got(c, d)["Retry-After"]; s != row.want {
			t.Errorf("wait of %d µs: Retry-After is %q, want %q", row.wait, s, row.want)
		}
	}
}

func TestDefinitionResetIsRoundedUpInItsPrecision(t *testing.T) {
	for _, row := range []struct {
		form      string
		now, wait int64
		want      string
	}{
		{"unix", noon, 1, at(1)},
		{"unix", noon + 1, sec - 1, at(1)},
		{"unix", noon + 999*ms, 2 * ms, at(2)},
		{"delta", noon + 999*ms, 2 * ms, "1"},
		{"iso", noon, 1, "2026-02-28T12:00:00.001Z"},
		{"iso", noon + 1, 0, "2026-02-28T12:00:00.001Z"},
		{"iso", noon, day / 2, "2026-03-01T00:00:00.000Z"},
		{"iso", noon, 500 * ms, "2026-02-28T12:00:00.500Z"},
	} {
		p, c := compile(t, "api", two(x(row.form)))
		d := decide(t, p, row.now, state{limit: "minute", max: 10, used: 1, grow: row.wait})
		if s := got(c, d)["Reset"]; s != row.want {
			t.Errorf("%s %d µs after %d is %s, want %s", row.form, row.wait, row.now, s, row.want)
		}
	}
}

func TestDefinitionAnUnknowableWaitIsAnnouncedByRetryOrNotAtAll(t *testing.T) {
	p, c := compile(t, "api", two(x("delta")))
	full := state{limit: "slots", max: 2, used: 2, wait: core.Unknown, grow: core.Unknown, refused: true}
	check(t, c, decide(t, p, noon, full), "Limit=2 Remaining=0")
	full.limit = "patient"
	d := decide(t, p, noon, full)
	check(t, c, d, "Limit=2 Remaining=0 Reset=2 Retry-After=2")
	if a, _ := c.Answer(d, nil); string(a.Body) != `{"limit":"patient","reset":2,"retry":2}` {
		t.Errorf("body is %s", a.Body)
	}
}

func TestDefinitionTheFirstThatMatchesSpeaks(t *testing.T) {
	p, c := compile(t, "api", two(x("delta")))
	minute := state{limit: "minute", max: 10, used: 1, grow: sec}
	daily := state{limit: "daily", max: 100, used: 98, grow: 2 * sec}
	check(t, c, decide(t, p, noon, minute, daily), "Limit=10 Remaining=9 Reset=1")
	check(t, c, decide(t, p, noon, daily, minute), "Limit=10 Remaining=9 Reset=1") // in policy order
	minute.peek = true
	check(t, c, decide(t, p, noon, minute, daily), "Limit=100 Remaining=2 Reset=2")
	minute.peek, minute.checkOnly = false, true // it may refuse the request, but is not its limit
	check(t, c, decide(t, p, noon, minute, daily), "Limit=100 Remaining=2 Reset=2")
	check(t, c, decide(t, p, noon), "")
}

func TestDefinitionTheRefusingLimitSpeaksOnARefusal(t *testing.T) {
	p, c := compile(t, "api", two(x("delta")))
	minute := state{limit: "minute", max: 10, used: 1, grow: sec}
	daily := state{limit: "daily", max: 100, used: 100, wait: 7 * sec, grow: 7 * sec, refused: true}
	check(t, c, decide(t, p, noon, minute, daily), "Limit=100 Remaining=0 Reset=7 Retry-After=7")
	minute.refused, minute.wait, minute.used = true, 9*sec, 10 // the longer wait
	check(t, c, decide(t, p, noon, minute, daily), "Limit=10 Remaining=0 Reset=9 Retry-After=9")
	minute.wait = core.Unknown // unknowable waits come last
	check(t, c, decide(t, p, noon, minute, daily), "Limit=100 Remaining=0 Reset=7 Retry-After=7")
	minute.checkOnly, minute.wait = true, 9*sec
	check(t, c, decide(t, p, noon, minute, daily), "Limit=10 Remaining=0 Reset=9 Retry-After=9")
}

func TestDefinitionForNamesTheLimitThatSpeaks(t *testing.T) {
	h := x("delta")
	h.For = "daily"
	p, c := compile(t, "api", two(h))
	minute := state{limit: "minute", max: 10, used: 10, wait: 9 * sec, grow: 9 * sec, refused: true}
	daily := state{limit: "daily", max: 100, used: 50, grow: 3600 * sec}
	// Retry-After is the refuser's all the same.
	check(t, c, decide(t, p, noon, minute, daily), "Limit=100 Remaining=50 Reset=3600 Retry-After=9")
	check(t, c, decide(t, p, noon, minute), "Retry-After=9")
	daily.peek = true
	check(t, c, decide(t, p, noon, minute, daily), "Retry-After=9")
	daily = state{limit: "daily", max: 100, used: 100, wait: 20 * sec, grow: 20 * sec, refused: true, checkOnly: true}
	check(t, c, decide(t, p, noon, minute, daily), "Limit=100 Remaining=0 Reset=20 Retry-After=20")
}

func TestDefinitionForTightestIsTheLeastRemaining(t *testing.T) {
	h := x("delta")
	h.For = "tightest"
	p, c := compile(t, "api", two(h))
	minute := state{limit: "minute", max: 10, used: 1, grow: sec}
	daily := state{limit: "daily", max: 100, used: 99, grow: 2 * sec}
	budget := state{limit: "budget", max: 12_500_000, used: 11_500_001, grow: 3 * sec}
	check(t, c, decide(t, p, noon, minute, daily), "Limit=100 Remaining=1 Reset=2")
	check(t, c, decide(t, p, noon, minute, daily, budget), "Limit=12.5 Remaining=0.999999 Reset=3")
	budget.used = 3_000_000 // 9.5 remain
	bucket := state{limit: "bucket", max: 10, used: 1, grow: 4 * sec}
	check(t, c, decide(t, p, noon, budget, bucket), "Limit=10 Remaining=9 Reset=4")
	daily.used = 91
	check(t, c, decide(t, p, noon, daily, minute), "Limit=10 Remaining=9 Reset=1") // a tie, in policy order
}

func TestDefinitionUnlimitedShadowsAndCountsAreSilent(t *testing.T) {
	p, c := compile(t, "api", two(x("delta")))
	unlimited := state{limit: "minute", max: core.Unlimited, grow: core.Unknown}
	shadow := state{limit: "trial", max: 1, used: 1, wait: sec, grow: sec, refused: true}
	count := state{limit: "all", used: 5, grow: core.Unknown}
	d := decide(t, p, noon, unlimited, shadow, count)
	check(t, c, d, "")
	if a, ok := c.Answer(d, nil); ok || a.Status != 0 {
		t.Errorf("a shadow is answered %d %q", a.Status, a.Body)
	}
	check(t, c, decide(t, p, noon, unlimited, shadow, count, state{limit: "daily", max: 100, used: 1, grow: sec}),
		"Limit=100 Remaining=99 Reset=1")
	slots := state{limit: "slots", max: 2, used: 2, wait: 2 * sec, grow: core.Unknown, refused: true}
	check(t, c, decide(t, p, noon, shadow, slots), "Limit=2 Remaining=0 Reset=2 Retry-After=2")
}

func TestDefinitionMoneyIsToldInUnitsWithoutTrailingZeros(t *testing.T) {
	p, c := compile(t, "api", two(x("delta")))
	check(t, c, decide(t, p, noon, state{limit: "budget", max: 12_500_000, used: 42_000, grow: sec}),
		"Limit=12.5 Remaining=12.458 Reset=1")
}

func TestDefinitionWindowIsInSeconds(t *testing.T) {
	h := x("delta")
	h.When = map[string]string{"window": "always", "limit": "never", "remaining": "never", "reset": "never"}
	p, c := compile(t, "api", two(h))
	for limit, want := range map[string]string{"minute": "60", "daily": "86400", "slots": ""} {
		d := decide(t, p, noon, state{limit: limit, max: 5, used: 1, grow: sec})
		if s := got(c, d)["Window"]; s != want {
			t.Errorf("the window of %s is %q, want %q", limit, s, want)
		}
	}
	d := decide(t, p, noon, state{limit: "bucket", max: 5, used: 1, grow: sec})
	d.Charges[0].Rate = 10 // a burst of 5 at 10 a minute drains in 30 s
	check(t, c, d, "Window=30")
	d = decide(t, p, noon, state{limit: "daily", max: 5, used: 1, grow: sec})
	d.Charges[0].Window = core.Window{Start: noon - 2*sec, End: noon, Next: noon + 3*sec} // the store is ahead
	check(t, c, d, "Window=3")
}

func TestDefinitionWhenFieldsAppear(t *testing.T) {
	admitted := state{limit: "minute", max: 10, used: 1, grow: sec}
	refused := state{limit: "minute", max: 10, used: 10, wait: sec, grow: sec, refused: true}
	for _, row := range []struct{ when, admitted, refused string }{
		{"", "Limit=10 Remaining=9 Reset=1", "Limit=10 Remaining=0 Reset=1 Retry-After=1"},
		{"reset=on_denial", "Limit=10 Remaining=9", "Limit=10 Remaining=0 Reset=1 Retry-After=1"},
		{"limit=never remaining=on_denial", "Reset=1", "Remaining=0 Reset=1 Retry-After=1"},
		{"window=on_denial", "Limit=10 Remaining=9 Reset=1", "Limit=10 Remaining=0 Reset=1 Window=60 Retry-After=1"},
		{"retry_after=never", "Limit=10 Remaining=9 Reset=1", "Limit=10 Remaining=0 Reset=1"},
	} {
		h := x("delta")
		h.When = map[string]string{}
		for _, setting := range strings.Fields(row.when) {
			name, value, _ := strings.Cut(setting, "=")
			h.When[name] = value
		}
		p, c := compile(t, "api", two(h))
		check(t, c, decide(t, p, noon, admitted), row.admitted)
		check(t, c, decide(t, p, noon, refused), row.refused)
	}
}

func TestDefinitionRetryAfterIsOnlyToldOnARefusal(t *testing.T) {
	h := x("delta")
	h.When = map[string]string{"retry_after": "always"}
	config := two(h)
	p, err := core.CompilePolicy("policies.api", "api", &config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := contract.Compile(p); err == nil || !strings.Contains(err.Error(), "policies.api.headers.when.retry_after") {
		t.Errorf("retry_after always: %v", err)
	}
}

func TestDefinitionHeadersAreSpelledAsConfigured(t *testing.T) {
	p, c := compile(t, "api", two(x("delta")))
	fields := c.Headers(decide(t, p, noon, state{limit: "minute", max: 10, used: 1, grow: sec}))
	if name := fields.All()[0].Name; name != "X-RateLimit-Limit" || name == textproto.CanonicalMIMEHeaderKey(name) {
		t.Errorf("the name is %q", name)
	}
	h := x("delta")
	h.Names = map[string]string{"limit": "x-quota", "reset": "X-Rate-Limit-Reset"}
	p, c = compile(t, "api", two(h))
	check(t, c, decide(t, p, noon, state{limit: "minute", max: 10, used: 1, grow: sec}),
		"x-quota=10 Remaining=9 X-Rate-Limit-Reset=1")
	want := []string{"x-quota", "X-RateLimit-Remaining", "X-Rate-Limit-Reset", "X-RateLimit-Window"}
	if !slices.Equal(c.Owns(), want) {
		t.Errorf("owns %q, want %q", c.Owns(), want)
	}
}

// An origin's Retry-After on a response that was let through is its own.
func TestDefinitionOwnsDoNotIncludeRetryAfter(t *testing.T) {
	for name := range pages() {
		_, c := page(t, name)
		if slices.ContainsFunc(c.Owns(), func(s string) bool { return strings.EqualFold(s, "Retry-After") }) {
			t.Errorf("%s owns Retry-After", name)
		}
		if len(c.Owns()) != 4 {
			t.Errorf("%s owns %q", name, c.Owns())
		}
	}
}

func TestDefinitionWithoutHeadersOnlyRetryAfterIsTold(t *testing.T) {
	refused := state{limit: "minute", max: 10, used: 10, wait: sec, grow: sec, refused: true}
	for _, h := range []*core.HeadersConfig{nil, {Dialect: "none"}} {
		p, c := compile(t, "api", two(h))
		check(t, c, decide(t, p, noon, state{limit: "minute", max: 10, used: 1, grow: sec}), "")
		check(t, c, decide(t, p, noon, refused), "Retry-After=1")
		if len(c.Owns()) > 0 {
			t.Errorf("owns %q", c.Owns())
		}
	}
	p, c := compile(t, "api", two(&core.HeadersConfig{Dialect: "none", When: map[string]string{"retry_after": "never"}}))
	check(t, c, decide(t, p, noon, refused), "")
}

func TestDefinitionAStoreThatFailedTellsNothing(t *testing.T) {
	p, c := compile(t, "api", two(x("delta")))
	d := decide(t, p, noon, state{limit: "minute", max: 10})
	d.Err, d.Admitted = core.ErrClosed, false
	check(t, c, d, "")
	d.Admitted = true // the local store decided
	check(t, c, d, "Limit=10 Remaining=10 Reset=0")
	d.Outcome = core.StoreFailed
	check(t, c, d, "")
	if a, ok := c.Answer(d, nil); ok || a.Status != 503 {
		t.Errorf("answered %d, %v", a.Status, ok)
	}
}
