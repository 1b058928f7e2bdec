package contract_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/contract"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// An exchange is one answer of a page.
type exchange struct {
	name     string
	decision *core.Decision
}

// TestPages compares the answers of the five pages' policies with golden files:
// status, headers in order, body.
func TestPages(t *testing.T) {
	for name, exchanges := range map[string]func(testing.TB, *core.Policy) []exchange{
		"headshotpro": headshotproExchanges,
		"predictions": predictionsExchanges,
		"shelfforce":  shelfforceExchanges,
		"magnetite":   magnetiteExchanges,
		"outfit":      outfitExchanges,
	} {
		t.Run(name, func(t *testing.T) {
			p, c := page(t, name)
			var got bytes.Buffer
			for _, x := range exchanges(t, p) {
				fmt.Fprintf(&got, "# %s\n%s\n", x.name, tell(t, c, x.decision))
			}
			compare(t, filepath.Join("testdata", name+".golden"), got.Bytes())
		})
	}
}

// tell writes an answer as HTTP/1.1 would.
func tell(t testing.TB, c *contract.Contract, d *core.Decision) string {
	t.Helper()
	var out bytes.Buffer
	a, ok := c.Answer(d, nil)
	if d.Outcome == core.Usage {
		a, ok = c.Usage(d, nil), true
	}
	switch {
	case ok:
		fmt.Fprintf(&out, "%d\nContent-Type: %s\n", a.Status, a.ContentType)
	case a.Status != 0:
		fmt.Fprintf(&out, "%d by the door\n", a.Status)
	default:
		out.WriteString("(the origin's)\n")
	}
	fields := c.Headers(d)
	for _, f := range fields.All() {
		fmt.Fprintf(&out, "%s: %s\n", f.Name, f.Value)
	}
	if ok {
		if !json.Valid(a.Body) {
			t.Errorf("body is no JSON: %s", a.Body)
		}
		fmt.Fprintf(&out, "\n%s\n", a.Body)
	}
	return out.String()
}

func compare(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (rewrite it with -update):\n%s", file, got)
	}
}

func headshotproExchanges(t testing.TB, p *core.Policy) []exchange {
	credits := func(d *core.Decision, n int64) *core.Decision {
		d.Subject.Attributes = core.Attributes{{Name: "credits", Value: core.Number(n)}}
		return d
	}
	return []exchange{
		{"admitted", decide(t, p, noon, state{limit: "requests", max: 300, used: 5, grow: 31500 * ms})},
		{"rate limit exceeded", decide(t, p, noon+1, state{limit: "requests", max: 300, used: 300, wait: 12*sec + 1, grow: 12*sec + 1, refused: true})},
		{"too many pending invites", credits(decide(t, p, noon,
			state{limit: "requests", max: 300, used: 12, grow: 2 * sec},
			state{limit: "invites", max: 20, used: 20, wait: core.Unknown, grow: core.Unknown, refused: true}), 10)},
		{"no credits at all", decide(t, p, noon,
			state{limit: "requests", max: 300},
			state{limit: "invites", wait: core.Unknown, grow: core.Unknown, refused: true})},
		{"refused by both", credits(decide(t, p, noon,
			state{limit: "requests", max: 300, used: 300, wait: 700 * ms, grow: 700 * ms, refused: true},
			state{limit: "invites", max: 20, used: 20, wait: core.Unknown, grow: core.Unknown, refused: true}), 10)},
		{"no credential", &core.Decision{Policy: p, Outcome: core.MissingCredential}},
		{"unknown credential", &core.Decision{Policy: p, Outcome: core.UnknownCredential}},
	}
}

func predictionsExchanges(t testing.TB, p *core.Policy) []exchange {
	requests := state{limit: "requests", max: 60, used: 15, grow: 40 * sec}
	unlimited := func(limit string) state {
		return state{limit: limit, max: core.Unlimited, grow: core.Unknown}
	}
	return []exchange{
		{"admitted", decide(t, p, noon, requests, unlimited("daily"), unlimited("monthly"))},
		{"rate limit exceeded", decide(t, p, noon+100*ms,
			state{limit: "requests", max: 60, used: 60, wait: 1900 * ms, grow: 1900 * ms, refused: true})},
		{"too many running", decide(t, p, noon, requests,
			state{limit: "running", max: 5, used: 5, wait: core.Unknown, grow: core.Unknown, refused: true})},
		{"daily spending", decide(t, p, noon, requests,
			state{limit: "daily", max: 12_500_000, used: 12_542_000, wait: day / 2, grow: day / 2, refused: true})},
		{"monthly spending", decide(t, p, noon, requests,
			state{limit: "daily", max: 10_000_000, used: 10_000_000, wait: day / 2, grow: day / 2, refused: true},
			state{limit: "monthly", max: 100_000_000, used: 100_000_001, wait: day, grow: day, refused: true})},
		{"no credential", &core.Decision{Policy: p, Outcome: core.MissingCredential}},
	}
}

func shelfforceExchanges(t testing.TB, p *core.Policy) []exchange {
	return []exchange{
		{"admitted", decide(t, p, noon, state{limit: "analyses", max: 30, used: 8, grow: 59 * sec})},
		{"rate limited", decide(t, p, noon, state{limit: "reads", max: 60, used: 60, wait: 11*sec + 1, grow: 11*sec + 1, refused: true})},
		{"a batch that does not fit", decide(t, p, noon, state{limit: "analyses", max: 30, used: 18, wait: 12 * sec, grow: 3 * sec, refused: true})},
		{"no class", decide(t, p, noon)},
		{"unknown plan", &core.Decision{Policy: p, Outcome: core.UnknownPlan}},
		{"body too large", &core.Decision{Policy: p, Outcome: core.BodyTooLarge}},
		{"body in an unknown encoding", &core.Decision{Policy: p, Outcome: core.BodyEncoding}},
		{"broken body", &core.Decision{Policy: p, Outcome: core.BodyBroken}},
	}
}

func magnetiteExchanges(t testing.TB, p *core.Policy) []exchange {
	return []exchange{
		{"admitted", decide(t, p, noon,
			state{limit: "generation", max: 10, used: 3, grow: 50 * sec},
			state{limit: "generation_burst", max: 5, used: 3, grow: sec})},
		{"rate limit exceeded", decide(t, p, noon,
			state{limit: "generation", max: 10, used: 10, wait: 44500 * ms, grow: 44500 * ms, refused: true},
			state{limit: "generation_burst", max: 5, used: 0})},
		{"burst exceeded", decide(t, p, noon,
			state{limit: "status", max: 60, used: 20, grow: 60 * sec},
			state{limit: "status_burst", max: 20, used: 20, wait: 300 * ms, grow: 300 * ms, refused: true})},
		{"both exceeded", decide(t, p, noon,
			state{limit: "generation", max: 10, used: 10, wait: 30 * sec, grow: 30 * sec, refused: true},
			state{limit: "generation_burst", max: 5, used: 5, wait: sec, grow: sec, refused: true})},
	}
}

func outfitExchanges(t testing.TB, p *core.Policy) []exchange {
	counts := []state{
		{limit: "requests_today", used: 7, grow: day / 2},
		{limit: "total_requests", used: 42, grow: core.Unknown},
	}
	with := func(states ...state) *core.Decision { return decide(t, p, noon, append(states, counts...)...) }
	usage := with(state{limit: "daily", max: 20, used: 5, grow: day / 2, peek: true},
		state{limit: "concurrent", max: 1, grow: core.Unknown, peek: true})
	usage.Outcome = core.Usage
	return []exchange{
		{"admitted", with(state{limit: "daily", max: 20, used: 5, grow: day / 2},
			state{limit: "concurrent", max: 1, used: 1, grow: core.Unknown})},
		{"daily limit exceeded", with(state{limit: "daily", max: 20, used: 20, wait: day / 2, grow: day / 2, refused: true},
			state{limit: "concurrent", max: 1, used: 0, grow: core.Unknown})},
		{"request in progress", with(state{limit: "daily", max: 20, used: 5, grow: day / 2},
			state{limit: "concurrent", max: 1, used: 1, wait: core.Unknown, grow: core.Unknown, refused: true})},
		{"refused by both", with(state{limit: "daily", max: 20, used: 20, wait: day / 2, grow: day / 2, refused: true},
			state{limit: "concurrent", max: 1, used: 1, wait: core.Unknown, grow: core.Unknown, refused: true})},
		{"free endpoint", with()},
		{"usage", usage},
		{"missing key", &core.Decision{Policy: p, Outcome: core.MissingCredential}},
		{"unknown key", &core.Decision{Policy: p, Outcome: core.UnknownCredential}},
		{"store failed", &core.Decision{Policy: p, Outcome: core.StoreFailed, Err: core.ErrClosed}},
	}
}
