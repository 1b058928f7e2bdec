package caddymodule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirhq/weir/core"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("weir", parseOption)
	httpcaddyfile.RegisterDirective("weir", parseDirective)
	// Authentication comes first, so that its user may be the subject.
	httpcaddyfile.RegisterDirectiveOrder("weir", httpcaddyfile.After, "forward_auth")
}

// parseOption reads the global option.
func parseOption(d *caddyfile.Dispenser, existing any) (any, error) {
	if existing != nil {
		d.Next()
		return nil, mistake{d.Token(), errors.New(`the option "weir" is repeated; one block holds everything`)}
	}
	app := new(App)
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "weir", Value: caddyconfig.JSON(app, nil)}, nil
}

var appGrammar = grammar[App]{
	{"store", "NAME ...", 1, many, true, "store", (*parser).store},
	{"directory", "NAME ...", 1, many, true, "directory", (*parser).directory},
	{"secret", "TEXT", 0, many, false, "secret", (*parser).secret},
	{"on_store_error", "allow|deny|local", 1, 1, false, "on_store_error", (*parser).onStoreError},
	{"policy", "NAME { ... }", 1, 1, true, "", (*parser).appPolicy},
}

// UnmarshalCaddyfile sets up the app from Caddyfile tokens. Syntax:
//
//	weir {
//		store <module> ...
//		directory <module> ...
//		secret <text>
//		on_store_error allow|deny|local
//		<door> ...
//		policy <name> {
//			...
//		}
//	}
//
// The blocks of policies are those of the handler's directive.
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	p := newParser()
	d.Next()
	dir := readDirective(d)
	if p.counts(&dir, "weir { ... }", 0, 0, true) {
		parseBlock(p, withDoors(appGrammar), `the option "weir"`, dir.block, a, "")
	}
	return p.err()
}

// secret reads the secret, which messages don't repeat.
func (p *parser) secret(a *App, _ string, d *directive) {
	if len(d.args) != 1 {
		p.errorf(d.name, "expected \"secret TEXT\", got %d words", len(d.args))
		return
	}
	if a.Secret = d.args[0].Text; a.Secret == "" {
		p.errorf(d.args[0], "the secret is empty")
	}
}

func (p *parser) onStoreError(a *App, _ string, d *directive) {
	const at = "on_store_error"
	p.mark(at, d.args[0])
	a.OnStoreError = d.args[0].Text
	_, err := core.Compile(&core.Config{OnStoreError: a.OnStoreError})
	p.translate(at, err)
}

func (p *parser) appPolicy(a *App, _ string, d *directive) {
	name := d.args[0].Text
	if _, twice := a.Policies[name]; twice {
		p.errorf(d.args[0], "a policy named %q exists already", clip(name))
		return
	}
	if a.Policies == nil {
		a.Policies = make(map[string]core.PolicyConfig)
	}
	// Caddy expands its shorthands for placeholders in sites alone.
	d.expand(httpcaddyfile.NewShorthandReplacer())
	a.Policies[name] = *p.policy(d, d.args[0])
}

// parseDirective reads the directive in a site with its matcher, whose mistakes
// Caddy tells without their place.
func parseDirective(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	h.Next()
	at := h.Token()
	matchers, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, mistake{at, err}
	}
	handler, err := parseHandler(h)
	if err != nil {
		return nil, err
	}
	return h.NewRoute(matchers, handler), nil
}

// parseHandler reads the directive without its matcher.
func parseHandler(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Handler)
	if err := handler.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	h.Reset()
	h.Next()
	h.NextArg()
	if err := handler.settle(h); err != nil {
		return nil, mistake{h.Token(), err}
	}
	return handler, nil
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	weir [<matcher>] <policy> {
//		subject {attribute} [bearer] {
//			or {attribute} [bearer]
//			missing <status> [<body>|problem] | [all|ip] [plan <name>]
//			unknown <status> [<body>|problem] | [all|ip|key] [plan <name>]
//		}
//		per key|subject|all|{attribute}...
//		plans <attribute...> {
//			<plan> <value...>
//		}
//		limit <name> {
//			match  <method|path|limit...> {
//				cost <n>|{attribute} [min <n>]
//			}
//			except <limit...>
//			refuse <method|path|limit...>
//			per    key|subject|all|{attribute}...
//
//			rolling  <duration>
//			fixed    <duration>
//			calendar day|week|month|year <zone> [<anchor>]
//			bucket   <n>/<duration> [burst <amount>]
//			hold     response|released
//
//			max     <n>|unlimited|{subject.attribute} [* <factor>] [else <n>]
//			cost    <n>|{attribute} [min <n>]|settled [reserve <n>]
//			reserve <n>
//			ttl     <duration>
//			retry   <duration>
//			shadow
//			deny ...
//		}
//		count <name> rolling|fixed|calendar|ever ... [refused] {
//			match  ...
//			except ...
//			per    ...
//			cost   ...
//		}
//		headers x-ratelimit|ratelimit|none [unix|delta|iso] {
//			for <limit>|tightest
//			limit|remaining|reset|window|retry_after [always|on_denial|never]
//			name limit|remaining|reset|window <header>
//		}
//		deny [<status>] [<body>|problem] {
//			type <content_type>
//		}
//		usage [<method...>] <path...> <body> {
//			type <content_type>
//		}
//		shadow
//		body_limit <size>
//		oversize cost <n>
//	}
//
// Without a block the policy is one of the global option's.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	p := newParser()
	d.Next()
	dir := readDirective(d)
	if !p.counts(&dir, "weir [MATCHER] POLICY", 1, 1, true) {
		return p.err()
	}
	h.Policy = dir.args[0].Text
	if !dir.braced() {
		return nil
	}
	h.Define = p.policy(&dir, dir.args[0])
	return p.err()
}

// settle checks the policy's name against those of the global option and of
// the sites before.
func (h *Handler) settle(helper httpcaddyfile.Helper) error {
	var global struct{ Policies map[string]json.RawMessage }
	if app, ok := helper.Option("weir").(httpcaddyfile.App); ok {
		if err := json.Unmarshal(app.Value, &global); err != nil {
			return err
		}
	}
	_, exists := global.Policies[h.Policy]
	switch {
	case h.Define == nil && !exists && len(global.Policies) == 0:
		return fmt.Errorf("there is no policy %q; define it in the global option \"weir\", or here in a block", clip(h.Policy))
	case h.Define == nil && !exists:
		return fmt.Errorf("there is no policy %q%s", clip(h.Policy), core.DidYouMean(h.Policy, slices.Sorted(maps.Keys(global.Policies))))
	case h.Define == nil:
		return nil
	case exists:
		return fmt.Errorf("the global option \"weir\" defines the policy %q already; use it without a block", clip(h.Policy))
	}
	return h.same(helper)
}

// same checks that two definitions of one name are the same: their cells are.
func (h *Handler) same(helper httpcaddyfile.Helper) error {
	key := "weir." + h.Policy
	definition := helper.JSON(h.Define)
	if earlier, ok := helper.State[key].(json.RawMessage); ok && !bytes.Equal(earlier, definition) {
		return fmt.Errorf("another site defines the policy %q differently; give this one a name of its own", clip(h.Policy))
	}
	helper.State[key] = definition
	return nil
}

// list joins words as messages do.
func list(words []string) string {
	clipped := make([]string, len(words))
	for i, word := range words {
		clipped[i] = clip(word)
	}
	return strings.Join(clipped, ", ")
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*App)(nil)
	_ caddyfile.Unmarshaler = (*Handler)(nil)
)
