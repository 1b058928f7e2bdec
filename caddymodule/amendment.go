package caddymodule

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/weirhq/weir/core"
)

// An amendment is what an administrator's call does. Each action uses some of
// the fields.
type amendment struct {
	// Key of whom it is about, where the path names no subject.
	Key string `json:"key"`
	// Leases to release, or to renew.
	Leases []string `json:"leases"`
	// ID under which Cost is settled: of a request, or any other text.
	ID   string      `json:"id"`
	Cost json.Number `json:"cost"`
	// Limits that a cost goes to, or that are reset; all if empty.
	Limits []string `json:"limits"`
	// Attributes to set; null takes one back.
	Attributes map[string]core.Value `json:"attributes"`
}

// An amendmentAnswer tells what an administrator's call did.
type amendmentAnswer struct {
	Released  int  `json:"released,omitempty"`
	Renewed   int  `json:"renewed,omitempty"`
	Ignored   int  `json:"ignored,omitempty"`
	Duplicate bool `json:"duplicate,omitempty"`
}

// An action makes an amendment's operation.
type action struct {
	// fields that the action uses, and whether it needs the first.
	fields []string
	needed bool
	make   func(*amendment, *core.Engine, *core.Policy, *core.Settle) error
}

var actions = map[string]action{
	"release": {[]string{"leases"}, true, func(a *amendment, _ *core.Engine, _ *core.Policy, op *core.Settle) error {
		op.Release = a.Leases
		return nil
	}},
	"heartbeat": {[]string{"leases"}, true, func(a *amendment, _ *core.Engine, _ *core.Policy, op *core.Settle) error {
		op.Renew = a.Leases
		return nil
	}},
	"settle": {[]string{"cost", "id", "limits"}, true, (*amendment).settle},
	"set":    {[]string{"attributes"}, true, (*amendment).set},
	"reset": {[]string{"limits"}, false, func(_ *amendment, _ *core.Engine, _ *core.Policy, op *core.Settle) error {
		op.Reset = true
		return nil
	}},
}

// amendSubject acts for a subject.
func amendSubject(w http.ResponseWriter, r *http.Request) error {
	return amend(w, r, core.Who{Subject: r.PathValue("subject")})
}

// amendKey acts for a key.
func amendKey(w http.ResponseWriter, r *http.Request) error {
	return amend(w, r, core.Who{})
}

// amend does what the request asks for who, or, if that is nobody, for the key
// in its body.
func amend(w http.ResponseWriter, r *http.Request, who core.Who) error {
	if err := allow(w, r, http.MethodPost); err != nil {
		return err
	}
	app, pg, err := activePage(r)
	if err != nil {
		return err
	}
	byKey, name := who == (core.Who{}), r.PathValue("action")
	act, ok := actions[name]
	if isUsage := byKey && name == "usage"; !ok && !isUsage {
		return apiError(http.StatusNotFound, "there is no action %q%s", name, core.DidYouMean(name, sortedNames(actions)))
	}
	var a amendment
	if err := readJSON(w, r, &a); err != nil {
		return err
	}
	if err := a.check(pg.policy, act, byKey); err != nil {
		return err
	}
	if byKey {
		who.Key = a.Key
	}
	if !ok {
		return app.answerUsage(w, r, pg, who)
	}
	return app.amend(w, r, pg, who, &a, act)
}

// amend does what a says.
func (a *App) amend(w http.ResponseWriter, r *http.Request, pg *page, who core.Who, m *amendment, act action) error {
	engine, err := a.open()
	if err != nil {
		return adminFailure(err)
	}
	var op core.Settle
	if err := act.make(m, engine, pg.policy, &op); err != nil {
		return err
	}
	err = engine.Amend(r.Context(), a.state.clock.Now(), pg.policy, who, m.Limits, &op)
	settled := func(c core.Charge) bool { return c.Limit.Settled }
	if err != nil && op.HasCost && !slices.ContainsFunc(op.Charges, settled) {
		return apiError(http.StatusBadRequest, "%w", err)
	}
	if err != nil {
		return adminFailure(err)
	}
	return writeJSON(w, amendmentAnswer{op.Released, op.Renewed, op.Ignored, op.Duplicate})
}

// check checks that the fields are those that the action uses.
func (a *amendment) check(p *core.Policy, act action, byKey bool) error {
	given := map[string]bool{
		"leases": len(a.Leases) > 0, "id": a.ID != "", "cost": a.Cost != "",
		"limits": len(a.Limits) > 0, "attributes": len(a.Attributes) > 0,
	}
	for _, name := range sortedNames(given) {
		if given[name] && !slices.Contains(act.fields, name) {
			return apiError(http.StatusBadRequest, "%s means nothing here", name)
		}
	}
	switch {
	case act.needed && !given[act.fields[0]]:
		return apiError(http.StatusBadRequest, "%s is missing", act.fields[0])
	case byKey && a.Key == "":
		return apiError(http.StatusBadRequest, "key is missing")
	case !byKey && a.Key != "":
		return apiError(http.StatusBadRequest, "the path names the subject already; a key goes to …/keys/…")
	case slices.Contains(a.Leases, ""):
		return apiError(http.StatusBadRequest, "an id in leases is empty")
	}
	for _, name := range a.Limits {
		if p.Limit(name) == nil {
			return apiError(http.StatusBadRequest, "there is no limit %q%s", name, core.DidYouMean(name, limitNames(p)))
		}
	}
	return nil
}

func limitNames(p *core.Policy) (names []string) {
	for _, l := range p.Limits {
		names = append(names, l.Name)
	}
	return names
}

// settle charges a cost.
func (a *amendment) settle(e *core.Engine, p *core.Policy, op *core.Settle) error {
	if a.ID == "" {
		return apiError(http.StatusBadRequest, "id is missing: a cost is settled once for each")
	}
	cost, ok := core.ParseCost(a.Cost.String())
	if !ok {
		return apiError(http.StatusBadRequest, "cost %s is no decimal number from 0", a.Cost)
	}
	op.ID, op.HasCost, op.Cost = e.ParseID(p.Name, a.ID), true, cost
	return nil
}

// set sets attributes, as an origin's Weir-Set does.
func (a *amendment) set(_ *core.Engine, p *core.Policy, op *core.Settle) error {
	for _, name := range sortedNames(a.Attributes) {
		v := core.ParseVoice(nil, nil, nil, []string{name + "=" + a.Attributes[name].String()})
		if v.Invalid > 0 || len(v.Set) != 1 || v.Set[0].Name != name {
			return apiError(http.StatusBadRequest, "attribute %q cannot be set to that: names have letters, digits, _ and -, texts up to 256 bytes and no comma, numbers are from 0", name)
		}
		if !p.Sensible(v.Set[0]) {
			return apiError(http.StatusBadRequest, "attribute %q cannot be set to that: a plan must exist, and what limits depend on must be a number or unlimited", name)
		}
		op.Set = append(op.Set, v.Set[0])
	}
	return nil
}

// adminFailure returns the error for what the engine answers.
func adminFailure(err error) error {
	switch {
	case errors.Is(err, core.ErrUnknownCredential):
		return apiError(http.StatusNotFound, "%w", err)
	case errors.Is(err, core.ErrNobody), errors.Is(err, core.ErrNoID), errors.Is(err, core.ErrUncountable):
		return apiError(http.StatusBadRequest, "%w", err)
	default:
		return apiError(http.StatusServiceUnavailable, "%w", err)
	}
}
