package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/contract"
)

// A Configuration is what one of Caddy's has of Weir. Nothing of it is
// provisioned, so that it can be looked at while another one runs.
type Configuration struct {
	// OnStoreError as in core.Config, with its default.
	OnStoreError string
	// Doors as in App.
	Doors []json.RawMessage

	app *App
}

// ReadConfiguration reads and checks Weir's part of a configuration in Caddy's
// JSON: the app's policies, and those that handlers define.
func ReadConfiguration(config []byte) (*Configuration, error) {
	var whole struct {
		Apps map[string]json.RawMessage `json:"apps"`
	}
	if err := json.Unmarshal(config, &whole); err != nil {
		return nil, err
	}
	app := new(App)
	if raw := whole.Apps["weir"]; raw != nil {
		if err := caddy.StrictUnmarshalJSON(raw, app); err != nil {
			return nil, fmt.Errorf("apps.weir: %w", err)
		}
	}
	var err error
	if app.pages, err = pages(&app.Config); err != nil {
		return nil, err
	}
	for _, name := range sortedNames(whole.Apps) {
		var value any
		decoder := json.NewDecoder(bytes.NewReader(whole.Apps[name]))
		decoder.UseNumber()
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		if err := app.defineAll(value); err != nil {
			return nil, err
		}
	}
	c := &Configuration{OnStoreError: app.OnStoreError, Doors: app.DoorsRaw, app: app}
	if c.OnStoreError == "" {
		c.OnStoreError = "deny"
	}
	return c, nil
}

// defineAll defines the policies of all handlers in a value of JSON, wherever
// in Caddy's routes they are.
func (a *App) defineAll(value any) error {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			if err := a.defineAll(item); err != nil {
				return err
			}
		}
	case map[string]any:
		if v["handler"] == "weir" && v["define"] != nil {
			return a.defineIn(v)
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if err := a.defineAll(v[key]); err != nil {
				return err
			}
		}
	}
	return nil
}

// defineIn defines a handler's policy.
func (a *App) defineIn(handler map[string]any) error {
	delete(handler, "handler") // the module's name
	text, err := json.Marshal(handler)
	if err != nil {
		return err
	}
	var h Handler
	if err := json.Unmarshal(text, &h); err != nil {
		return fmt.Errorf("a handler weir: %w", err)
	}
	if _, err := a.define(h.Policy, h.Define); err != nil {
		return fmt.Errorf("the handler that defines the policy %q: %w", clip(h.Policy), err)
	}
	return nil
}

// Policies returns the names of all policies, sorted.
func (c *Configuration) Policies() []string { return sortedNames(c.app.pages) }

// Policy returns a policy and the contract of its answers.
func (c *Configuration) Policy(name string) (*core.Policy, *contract.Contract, error) {
	if pg := c.app.pages[name]; pg != nil {
		return pg.policy, pg.contract, nil
	}
	if len(c.app.pages) == 0 {
		return nil, nil, fmt.Errorf("there is no policy %q: the configuration has none", clip(name))
	}
	return nil, nil, fmt.Errorf("there is no policy %q%s", clip(name), core.DidYouMean(name, c.Policies()))
}
