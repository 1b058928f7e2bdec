package contract_test

import (
	"testing"
	"time"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/contract"
)

// The policies of the five pages, as far as answers depend on them.

func page(t testing.TB, name string) (*core.Policy, *contract.Contract) {
	t.Helper()
	config, ok := pages()[name]
	if !ok {
		t.Fatalf("no page %q", name)
	}
	return compile(t, name, config)
}

func compile(t testing.TB, name string, config core.PolicyConfig) (*core.Policy, *contract.Contract) {
	t.Helper()
	p, err := core.CompilePolicy("policies."+name, name, &config)
	if err != nil {
		t.Fatal(err)
	}
	c, err := contract.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	return p, c
}

func pages() map[string]core.PolicyConfig {
	return map[string]core.PolicyConfig{
		"headshotpro": headshotpro(),
		"predictions": predictions(),
		"shelfforce":  shelfforce(),
		"magnetite":   magnetite(),
		"outfit":      outfit(),
	}
}

func headshotpro() core.PolicyConfig {
	return core.PolicyConfig{
		Subject: bearer(),
		Plans: plans("requests credits", map[string]string{
			"default": "300 0", "enterprise": "1000 0",
		}),
		Limits: []core.LimitConfig{
			{
				Name: "requests", Kind: "rolling", Window: minute, Max: max("{subject.requests}"),
				Deny: deny(`{"success":false,"error":"Rate limit exceeded","code":"RATE_LIMIT_EXCEEDED"}`),
			},
			{
				Name: "invites", Match: match("POST", "/api/v2/organization/invites"),
				Kind: "hold", Until: "released", TTL: core.Duration(90 * 24 * time.Hour),
				Max: max("{subject.credits} * 2"),
				Deny: deny(`{"success":false,"error":"Too many pending invites. You have {weir.used} pending invites and ` +
					`{weir.subject.credits} credits. Wait for invites to be completed or revoke unused invites.",` +
					`"code":"INVITE_LIMIT_EXCEEDED","pendingInvites":{weir.used},"credits":{weir.subject.credits},` +
					`"maxPendingInvites":{weir.max}}`),
			},
		},
		Headers: &core.HeadersConfig{Dialect: "x-ratelimit", Reset: "iso", For: "requests"},
	}
}

func predictions() core.PolicyConfig {
	spending := func(name, unit, code, text string) core.LimitConfig {
		return core.LimitConfig{
			Name: name, Refuse: match("POST", "/v1/predictions"), Kind: "calendar", Unit: unit, Zone: "UTC",
			Cost: &core.CostConfig{Settled: true}, Max: max("{subject." + name + "_spending}"),
			Deny: deny(`{"error":{"type":"rate_limit_error","message":"` + text + ` spending limit exceeded.",` +
				`"code":"` + code + `_SPENDING_LIMIT_EXCEEDED","details":{"limit":{weir.max},"spent":{weir.used}}}}`),
		}
	}
	return core.PolicyConfig{
		Subject: bearer(), Per: []string{"key"},
		Plans: plans("requests_per_minute concurrent_predictions daily_spending monthly_spending", map[string]string{
			"default": "60 5 unlimited unlimited",
		}),
		Limits: []core.LimitConfig{
			{
				Name: "requests", Kind: "rolling", Window: minute, Max: max("{subject.requests_per_minute}"),
				Deny: deny(`{"error":{"type":"rate_limit_error","message":"Rate limit exceeded.",` +
					`"code":"RATE_LIMIT_EXCEEDED","details":{"limit":{weir.max}}}}`),
			},
			{
				Name: "running", Match: match("POST", "/v1/predictions"), Kind: "hold", Until: "released",
				TTL: core.Duration(24 * time.Hour), Retry: core.Duration(time.Second),
				Max: max("{subject.concurrent_predictions}"),
				Deny: deny(`{"error":{"type":"rate_limit_error","message":"Concurrent prediction limit exceeded. ` +
					`{weir.used}/{weir.max} predictions running.","code":"CONCURRENT_LIMIT_EXCEEDED",` +
					`"details":{"limit":{weir.max},"active":{weir.used}}}}`),
			},
			spending("daily", "day", "DAILY", "Daily"),
			spending("monthly", "month", "MONTHLY", "Monthly"),
		},
		Headers: &core.HeadersConfig{Dialect: "x-ratelimit", Reset: "unix", For: "requests"},
	}
}

func shelfforce() core.PolicyConfig {
	one := int64(1)
	batch := core.MatchConfig{
		Methods: []string{"POST"}, Paths: []string{"/api/v1/analyses/batch"},
		Cost: &core.CostConfig{From: "{json.images.length}", Min: &one},
	}
	return core.PolicyConfig{
		Subject: bearer(), Per: []string{"key"},
		Plans: plans("analyses reads writes", map[string]string{
			"free": "5 60 20", "starter": "10 120 40", "growth": "30 300 80",
			"pro": "60 600 150", "scale": "150 1200 300", "enterprise": "150 1200 300",
		}),
		Limits: []core.LimitConfig{
			{
				Name: "analyses", Match: append(match("POST", "/api/v1/analyses"), batch),
				Kind: "rolling", Window: minute, Max: max("{subject.analyses}"),
			},
			{
				Name: "reads", Match: []core.MatchConfig{{Methods: []string{"GET", "HEAD"}, Paths: []string{"*"}}},
				Kind: "rolling", Window: minute, Max: max("{subject.reads}"),
			},
			{
				Name: "writes", Match: []core.MatchConfig{{Methods: []string{"POST", "PATCH"}, Paths: []string{"*"}}},
				Except: []string{"analyses"}, Kind: "rolling", Window: minute, Max: max("{subject.writes}"),
			},
		},
		Headers: &core.HeadersConfig{Dialect: "x-ratelimit", Reset: "unix"},
		Deny: deny(`{"error":{"code":"RATE_LIMITED","message":"Rate limit exceeded. Retry after {weir.retry_after} seconds.",` +
			`"details":{"retryAfter":{weir.retry_after},"limit":{weir.max},"window":"{weir.window}s"}}}`),
	}
}

func magnetite() core.PolicyConfig {
	second := core.Duration(time.Second)
	of := func(limit string) []core.MatchConfig { return []core.MatchConfig{{Limits: []string{limit}}} }
	return core.PolicyConfig{
		Subject: bearer(), Per: []string{"key"},
		Plans: plans("generation_limit generation_burst", map[string]string{"default": "10 5"}),
		Limits: []core.LimitConfig{
			{
				Name: "generation", Match: match("POST", "/projects/generate"),
				Kind: "rolling", Window: minute, Max: max("{subject.generation_limit}"),
			},
			{Name: "generation_burst", Match: of("generation"), Kind: "rolling", Window: second, Max: max("{subject.generation_burst}")},
			{
				Name: "status", Match: match("GET", "/generation/*/status", "/leads/*/job-status"),
				Kind: "rolling", Window: minute, Max: max("60"),
			},
			{Name: "status_burst", Match: of("status"), Kind: "rolling", Window: second, Max: max("20")},
		},
		Headers: &core.HeadersConfig{Dialect: "x-ratelimit", Reset: "unix", When: map[string]string{"window": "always"}},
		Deny: deny(`{"success":false,"error":{"code":"RATE_LIMIT_EXCEEDED","message":"Rate limit exceeded. Maximum {weir.max} ` +
			`requests per {weir.window} seconds allowed.","retryAfter":{weir.retry_after}}}`),
	}
}

func outfit() core.PolicyConfig {
	count := func(name, kind string) core.LimitConfig {
		l := core.LimitConfig{Name: name, Kind: kind, Count: true, Refused: true}
		if kind == "calendar" {
			l.Unit, l.Zone = "day", "UTC"
		}
		return l
	}
	return core.PolicyConfig{
		Subject: &core.SubjectConfig{
			Sources: []core.SourceConfig{{From: "{header.X-API-Key}"}},
			Missing: &core.FallbackConfig{Deny: &core.DenyConfig{Status: 401}},
			Unknown: &core.FallbackConfig{Deny: &core.DenyConfig{Status: 403}},
		},
		Limits: []core.LimitConfig{
			{
				Name: "daily", Match: match("POST", "/try_on_outfit", "/style_me", "/analyze_outfit"),
				Kind: "calendar", Unit: "day", Zone: "UTC", Max: max("20"),
				Deny: deny(`{"error":"Daily rate limit exceeded. You can make {weir.max} requests per day.",` +
					`"limit":{weir.max},"remaining":{weir.remaining},"reset":"{weir.reset}"}`),
			},
			{
				Name: "concurrent", Match: []core.MatchConfig{{Limits: []string{"daily"}}},
				Kind: "hold", Until: "response", Retry: core.Duration(5 * time.Second), Max: max("1"),
				Deny: deny(`{"error":"A request is already in progress. Please wait for it to complete."}`),
			},
			count("requests_today", "calendar"),
			count("total_requests", "ever"),
		},
		Headers: &core.HeadersConfig{
			Dialect: "x-ratelimit", Reset: "iso", For: "daily",
			When: map[string]string{"reset": "on_denial"},
		},
		Usage: []core.UsageConfig{{
			Methods: []string{"GET"}, Paths: []string{"/usage"},
			Body: `{"total_requests":{weir.limits.total_requests.used},"requests_today":{weir.limits.requests_today.used},` +
				`"rate_limit":{"daily_limit":{weir.limits.daily.max},"used_today":{weir.limits.daily.used},` +
				`"remaining":{weir.limits.daily.remaining}}}`,
		}},
	}
}

const minute = core.Duration(time.Minute)

func bearer() *core.SubjectConfig {
	return &core.SubjectConfig{Sources: []core.SourceConfig{{From: "{header.Authorization}", Scheme: "bearer"}}}
}

func match(method string, paths ...string) []core.MatchConfig {
	return []core.MatchConfig{{Methods: []string{method}, Paths: paths}}
}

func deny(body string) *core.DenyConfig { return &core.DenyConfig{Status: 429, Body: body} }
