package contract_test

import (
	"strings"
	"testing"

	"github.com/dunglas/httpsfv"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/contract"
)

func ratelimit(change func(*core.HeadersConfig)) *core.HeadersConfig {
	h := &core.HeadersConfig{Dialect: "ratelimit"}
	if change != nil {
		change(h)
	}
	return h
}

// list parses one field as RFC 9651 has it.
func list(t *testing.T, c *contract.Contract, d *core.Decision, name string) string {
	t.Helper()
	fields := c.Headers(d)
	v, ok := fields.Get(name)
	if !ok {
		return ""
	}
	if _, err := httpsfv.UnmarshalList([]string{v}); err != nil {
		t.Errorf("%s: %q: %v", name, v, err)
	}
	return v
}

func TestIETFDialect(t *testing.T) {
	minute := state{limit: "minute", max: 10, used: 3, grow: 20*sec - 1}
	daily := state{limit: "daily", max: 100, used: 50, grow: day / 2}
	slots := state{limit: "slots", max: 2, used: 1, grow: core.Unknown}
	budget := state{limit: "budget", max: 12_500_000, used: 42_000, grow: day / 2}
	refused := state{limit: "minute", max: 10, used: 10, wait: 12*sec + 1, grow: 12*sec + 1, refused: true}
	for _, row := range []struct {
		name           string
		states         []state
		change         func(*core.HeadersConfig)
		policy, limits string
	}{
		{
			"an item for each limit that matches",
			[]state{minute, daily},
			nil,
			`"minute";q=10;w=60, "daily";q=100;w=86400`, `"minute";r=7;t=20, "daily";r=50;t=43200`,
		},
		{
			"holds count concurrent requests",
			[]state{slots},
			nil,
			`"slots";q=2;qu="concurrent-requests"`, `"slots";r=1`,
		},
		{
			"money in whole units, never more than there is",
			[]state{budget},
			nil,
			`"budget";q=12;qu="weir-cost";w=86400`, `"budget";r=12;t=43200`,
		},
		{
			"unlimited, shadows, counts and peeks are left out",
			[]state{
				{limit: "minute", max: core.Unlimited},
				{limit: "trial", max: 1},
				{limit: "all"},
				{limit: "daily", max: 100, peek: true},
			},
			nil, "", "",
		},
		{
			"the refuser's t is its wait; a longer t of others gives way to Retry-After",
			[]state{refused, daily},
			nil,
			`"minute";q=10;w=60, "daily";q=100;w=86400`, `"minute";r=0;t=13, "daily";r=50`,
		},
		{
			"for NAME",
			[]state{minute, daily},
			func(h *core.HeadersConfig) { h.For = "daily" },
			`"daily";q=100;w=86400`, `"daily";r=50;t=43200`,
		},
		{
			"for tightest",
			[]state{minute, daily},
			func(h *core.HeadersConfig) { h.For = "tightest" },
			`"minute";q=10;w=60, "daily";q=100;w=86400`, `"minute";r=7;t=20`,
		},
		{
			"when",
			[]state{minute},
			func(h *core.HeadersConfig) {
				h.When = map[string]string{"window": "never", "reset": "on_denial"}
			},
			`"minute";q=10`, `"minute";r=7`,
		},
		{
			"numbers beyond an Integer",
			[]state{{limit: "minute", max: core.MaxAmount, grow: sec}},
			nil,
			`"minute";q=999999999999999;w=60`, `"minute";r=999999999999999;t=1`,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, c := compile(t, "api", two(ratelimit(row.change)))
			d := decide(t, p, noon, row.states...)
			if s := list(t, c, d, "RateLimit-Policy"); s != row.policy {
				t.Errorf("RateLimit-Policy is %s, want %s", s, row.policy)
			}
			if s := list(t, c, d, "RateLimit"); s != row.limits {
				t.Errorf("RateLimit is %s, want %s", s, row.limits)
			}
		})
	}
}

func TestIETFPartitionKeysAreOptional(t *testing.T) {
	p, c := compile(t, "api", two(ratelimit(func(h *core.HeadersConfig) {
		h.When = map[string]string{"pk": "always"}
	})))
	d := decide(t, p, noon, state{limit: "minute", max: 10, used: 3, grow: sec})
	if s := list(t, c, d, "RateLimit"); s != `"minute";r=7;t=1` { // per all: not partitioned
		t.Error(s)
	}
	d.Charges[0].Scope = core.Scope{Hi: 1, Lo: 2}
	if s := list(t, c, d, "RateLimit"); s != `"minute";r=7;t=1;pk=:AAAAAAAAAAE=:` {
		t.Error(s)
	}
	if s := list(t, c, d, "RateLimit-Policy"); s != `"minute";q=10;w=60;pk=:AAAAAAAAAAE=:` {
		t.Error(s)
	}
}

func TestIETFMistakes(t *testing.T) {
	got := mistakes(t, two(ratelimit(func(h *core.HeadersConfig) {
		h.Reset = "iso"
		h.Names = map[string]string{"limit": "X-Quota"}
		h.When = map[string]string{"pks": "never"}
	})))
	for _, want := range []string{
		"policies.api.headers.reset: the ratelimit dialect tells times in seconds from now",
		"policies.api.headers.names: the ratelimit dialect has names of its own",
		`policies.api.headers.when.pks: unknown; did you mean "pk"?`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nlacks %s", got, want)
		}
	}
}
