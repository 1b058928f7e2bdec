package caddymodule

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/memory"
)

// An amount is a limit's amount as JSON has it: a number with all its decimals,
// or "unlimited".
type amount string

// MarshalJSON implements json.Marshaler.
func (a amount) MarshalJSON() ([]byte, error) {
	if a == "unlimited" {
		return json.Marshal(string(a))
	}
	return []byte(a), nil
}

// A policyAnswer tells of a policy.
type policyAnswer struct {
	Name   string        `json:"name"`
	Shadow bool          `json:"shadow,omitempty"`
	Limits []limitAnswer `json:"limits"`
}

// A limitAnswer tells of a limit; of one subject's, how it stands.
type limitAnswer struct {
	Name   string   `json:"name"`
	Kind   string   `json:"kind"`
	Count  bool     `json:"count,omitempty"`
	Shadow bool     `json:"shadow,omitempty"`
	Per    []string `json:"per,omitempty"`

	*standing
}

// A standing is how a limit stands for somebody.
type standing struct {
	Used      amount  `json:"used"`
	Max       *amount `json:"max,omitempty"`
	Remaining *amount `json:"remaining,omitempty"`
	// Reset is when Remaining next grows.
	Reset *time.Time `json:"reset,omitempty"`
}

// A usageAnswer tells how somebody stands. Subject is an id, never a key.
type usageAnswer struct {
	Policy     string                `json:"policy"`
	Subject    string                `json:"subject"`
	Attributes map[string]core.Value `json:"attributes,omitempty"`
	Limits     []limitAnswer         `json:"limits"`
	Leases     []leaseAnswer         `json:"leases,omitempty"`
}

// A leaseAnswer tells of a slot that the origin leases.
type leaseAnswer struct {
	ID      string    `json:"id"`
	Limit   string    `json:"limit"`
	Expires time.Time `json:"expires"`
}

// listPolicies answers with the policies of the running configuration.
func listPolicies(w http.ResponseWriter, r *http.Request) error {
	if err := allow(w, r, http.MethodGet); err != nil {
		return err
	}
	app, err := activeApp()
	if err != nil {
		return err
	}
	app.mu.Lock()
	defer app.mu.Unlock()
	answer := struct {
		Policies []policyAnswer `json:"policies"`
	}{[]policyAnswer{}}
	for _, name := range sortedNames(app.pages) {
		p := app.pages[name].policy
		one := policyAnswer{Name: p.Name, Shadow: p.Config.Shadow, Limits: []limitAnswer{}}
		for _, l := range p.Limits {
			one.Limits = append(one.Limits, answerLimit(p, l))
		}
		answer.Policies = append(answer.Policies, one)
	}
	return writeJSON(w, answer)
}

// answerLimit tells of a limit.
func answerLimit(p *core.Policy, l *core.Limit) limitAnswer {
	per := p.Config.Limits[l.Index].Per
	if len(per) == 0 {
		per = p.Config.Per
	}
	return limitAnswer{Name: l.Name, Kind: l.Kind.String(), Count: l.Count, Shadow: l.Shadow, Per: per}
}

// subjectUsage answers with how a subject stands.
func subjectUsage(w http.ResponseWriter, r *http.Request) error {
	if err := allow(w, r, http.MethodGet); err != nil {
		return err
	}
	app, pg, err := activePage(r)
	if err != nil {
		return err
	}
	return app.answerUsage(w, r, pg, core.Who{Subject: r.PathValue("subject")})
}

// answerUsage answers with how somebody stands.
func (a *App) answerUsage(w http.ResponseWriter, r *http.Request, pg *page, who core.Who) error {
	engine, err := a.open()
	if err != nil {
		return adminFailure(err)
	}
	now := a.state.clock.Now()
	var d core.Decision
	if err := engine.Inspect(r.Context(), now, pg.policy, who, &d); err != nil {
		return adminFailure(err)
	}
	answer := usageAnswer{Policy: pg.policy.Name, Subject: d.SubjectID(), Limits: []limitAnswer{}}
	for i := range d.Charges {
		c := &d.Charges[i]
		l := answerLimit(pg.policy, c.Limit)
		l.standing = standingOf(c, now, d.Guessed(c))
		answer.Limits = append(answer.Limits, l)
	}
	for _, set := range d.Overrides {
		if answer.Attributes == nil {
			answer.Attributes = make(map[string]core.Value)
		}
		answer.Attributes[set.Name] = set.Value
	}
	if answer.Leases, err = a.leases(now, &d); err != nil {
		return adminFailure(err)
	}
	return writeJSON(w, answer)
}

// standingOf tells how a charge's limit stands; what would be guessed it leaves
// out.
func standingOf(c *core.Charge, now core.Instant, guessed bool) *standing {
	scale := c.Limit.Scale()
	s := &standing{Used: amount(core.FormatAmount(c.Used, scale))}
	if c.Limit.Count {
		return s
	}
	if guessed {
		return s
	}
	most, remaining := amount(core.FormatAmount(c.Max, scale)), amount(core.FormatAmount(c.Remaining(), scale))
	s.Max, s.Remaining = &most, &remaining
	if c.Grow > 0 {
		reset := moment(now.Wall + c.Grow)
		s.Reset = &reset
	}
	return s
}

// moment returns a time in µs as JSON tells it, rounded up to milliseconds.
func moment(micro int64) time.Time {
	return time.UnixMilli((micro + 999) / 1000).UTC()
}

// leases returns what origins lease for d's subject, where the store can tell.
func (a *App) leases(now core.Instant, d *core.Decision) ([]leaseAnswer, error) {
	store, ok := a.state.store.(*memory.Store)
	if !ok {
		return nil, nil
	}
	leases, err := store.Leases(now, d.Policy.Name, d.Owner)
	answers := make([]leaseAnswer, 0, len(leases))
	for _, l := range leases {
		answers = append(answers, leaseAnswer{l.Name, l.Limit, moment(l.Expires)})
	}
	return answers, err
}
