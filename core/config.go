package core

import (
	"bytes"
	"encoding/json"
)

// Config is the canonical form of a configuration: what Caddy's native JSON
// holds of the engine, and what a Caddyfile adapts to.
type Config struct {
	// Policies by name.
	Policies map[string]PolicyConfig `json:"policies,omitempty"`
	// OnStoreError says what happens to a request that the store cannot
	// decide: `allow`, `deny` (the default) or `local`, which counts in this
	// process alone until the store is back.
	OnStoreError string `json:"on_store_error,omitempty"`
}

// PolicyConfig is a named set of limits, the plans behind their numbers, and
// the contract that its answers follow.
type PolicyConfig struct {
	// Subject says who is counted; without it every limit needs a `per`.
	Subject *SubjectConfig `json:"subject,omitempty"`
	// Per is what limits count by that do not say so themselves: `key`,
	// `subject` (the default), `all`, or one or several attributes of the
	// request such as `{client_ip}`.
	Per []string `json:"per,omitempty"`
	// Plans are rows of default attributes: plan → attribute → value. The row
	// `default` serves subjects without a plan and those whose plan is unknown.
	Plans map[string]map[string]Value `json:"plans,omitempty"`
	// Limits in policy order, counts among them. At most 64.
	Limits []LimitConfig `json:"limits,omitempty"`
	// Headers of answers; none by default.
	Headers *HeadersConfig `json:"headers,omitempty"`
	// Deny is the answer to refusals by limits that have none of their own.
	Deny *DenyConfig `json:"deny,omitempty"`
	// Usage are requests that are answered with what was used.
	Usage []UsageConfig `json:"usage,omitempty"`
	// Shadow makes every limit of the policy a shadow: it decides, counts and
	// reports, but never denies.
	Shadow bool `json:"shadow,omitempty"`
	// BodyLimit in bytes is how much of a body is read for `{json.…}`;
	// 1 MiB by default.
	BodyLimit int64 `json:"body_limit,omitempty"`
	// OversizeCost is charged for a request whose body is larger; without it
	// such a request is answered 413, and nothing is charged.
	OversizeCost *int64 `json:"oversize_cost,omitempty"`
}

// SubjectConfig says where credentials come from and what becomes of requests
// without a known one.
type SubjectConfig struct {
	// Sources are tried in order.
	Sources []SourceConfig `json:"sources"`
	// Missing and Unknown: 401 by default.
	Missing *FallbackConfig `json:"missing,omitempty"`
	Unknown *FallbackConfig `json:"unknown,omitempty"`
}

// SourceConfig is one place where a credential may be.
type SourceConfig struct {
	// From is an attribute, such as `{header.X-API-Key}` or `{http.auth.user.id}`.
	From string `json:"from"`
	// Scheme is the authorization scheme before the credential: `bearer`, or
	// empty for none.
	Scheme string `json:"scheme,omitempty"`
}

// FallbackConfig is what becomes of a request whose credential is missing or
// unknown: it is denied, or counted.
type FallbackConfig struct {
	// Deny is the answer; its status is from 400 to 599.
	Deny *DenyConfig `json:"deny,omitempty"`
	// CountBy admits the request to the policy. It is counted by its `key`
	// (an unknown one; made-up keys then have a quota each), by `client_ip`,
	// or with `all` others of its sort together.
	CountBy string `json:"count_by,omitempty"`
	// Plan of the subject that is counted; the default row if empty.
	Plan string `json:"plan,omitempty"`
}

// LimitConfig is one rule.
type LimitConfig struct {
	// Name in lower case: letters, digits, `_` and `-`.
	Name string `json:"name"`
	// Match says which requests are charged: any of these, or all if empty.
	Match []MatchConfig `json:"match,omitempty"`
	// Except names limits whose requests are not this limit's.
	Except []string `json:"except,omitempty"`
	// Refuse says which requests may be refused; by default those of Match.
	Refuse []MatchConfig `json:"refuse,omitempty"`
	// Per as in PolicyConfig.
	Per []string `json:"per,omitempty"`

	// Kind is `rolling`, `fixed`, `calendar`, `bucket` or `hold`; counts may
	// also be `ever`.
	Kind string `json:"kind"`
	// Window is the length of a rolling or fixed window, or the time in which
	// a bucket's Rate drains.
	Window Duration `json:"window,omitempty"`
	// Unit of a calendar window: `day`, `week`, `month` or `year`.
	Unit string `json:"unit,omitempty"`
	// Zone is the IANA time zone of a calendar window.
	Zone string `json:"zone,omitempty"`
	// Anchor is where calendar windows start: a time of day `15:04`, a weekday
	// `monday`, a day of the month `31` (clamped in shorter ones), or for years
	// a date `04-01`. By default 00:00, monday, 1, and 01-01.
	Anchor string `json:"anchor,omitempty"`
	// Rate is what drains from a bucket in Window.
	Rate Amount `json:"rate,omitzero"`
	// Until says when a hold's slot ends: with the `response`, or, under the
	// id the origin gives, when `released`.
	Until string `json:"until,omitempty"`
	// TTL ends leases that nobody releases.
	TTL Duration `json:"ttl,omitempty"`

	// Max is a number, `unlimited`, or `{subject.ATTRIBUTE} * FACTOR else N`.
	// For a bucket it is the burst.
	Max Amount `json:"max,omitzero"`
	// Cost of a request: 1 by default. A cost at a Match beats it.
	Cost *CostConfig `json:"cost,omitempty"`
	// Retry is announced where the wait cannot be known.
	Retry Duration `json:"retry,omitempty"`
	// Shadow decides and reports, but never denies.
	Shadow bool `json:"shadow,omitempty"`
	// Count makes this a count: it never refuses. Refused counts refused
	// requests too.
	Count   bool `json:"count,omitempty"`
	Refused bool `json:"refused,omitempty"`
	// Deny is the answer to a refusal by this limit.
	Deny *DenyConfig `json:"deny,omitempty"`
}

// MatchConfig matches requests by all that it names: any of Methods, any of
// Paths, any of the Limits' requests.
type MatchConfig struct {
	Methods []string `json:"methods,omitempty"`
	// Paths start with a slash, or are `*`. A `*` inside is one segment, at
	// the end anything.
	Paths  []string `json:"paths,omitempty"`
	Limits []string `json:"limits,omitempty"`
	// Cost of the requests that this matches.
	Cost *CostConfig `json:"cost,omitempty"`
}

// CostConfig is what a request costs: a number, an attribute of the request, or
// what the origin says afterwards. As JSON a mere number will do.
type CostConfig struct {
	// Amount is a constant cost.
	Amount int64 `json:"amount,omitempty"`
	// From is an attribute such as `{json.images.length}`.
	From string `json:"from,omitempty"`
	// Min is charged where From is missing, malformed or less; 1 by default.
	Min *int64 `json:"min,omitempty"`
	// Settled: the origin says the cost afterwards, in `Weir-Cost`.
	Settled bool `json:"settled,omitempty"`
	// Reserve is taken in advance of a settled cost.
	Reserve Value `json:"reserve,omitzero"`
}

// UnmarshalJSON reads an object, or a number, which is the Amount.
func (c *CostConfig) UnmarshalJSON(b []byte) error {
	if !bytes.HasPrefix(b, []byte("{")) {
		return json.Unmarshal(b, &c.Amount)
	}
	type plain CostConfig
	return DecodeConfig(b, (*plain)(c))
}

// HeadersConfig is a dialect of rate limit headers.
type HeadersConfig struct {
	// Dialect is `x-ratelimit`, `ratelimit` (the IETF's) or `none`.
	Dialect string `json:"dialect"`
	// Reset is how moments are told: `unix` (seconds), `delta` (seconds from
	// now) or `iso` (ISO 8601 with milliseconds, UTC). For `x-ratelimit` only.
	Reset string `json:"reset,omitempty"`
	// For names the limit that the headers speak of, `tightest` the one with
	// the least remaining. By default the first that matches, on a refusal the
	// refusing one.
	For string `json:"for,omitempty"`
	// When says of `limit`, `remaining`, `reset`, `window` and `retry_after`
	// whether they appear `always`, `on_denial` or `never`. By default the
	// window never does, and retry_after on_denial.
	When map[string]string `json:"when,omitempty"`
	// Names overrides header names: `limit`, `remaining`, `reset`, `window`.
	Names map[string]string `json:"names,omitempty"`
}

// DenyConfig is the answer to a refused request.
type DenyConfig struct {
	// Status is 429 by default.
	Status int `json:"status,omitempty"`
	// Body is a template. Without a body (and Problem) the door's own error
	// handling answers.
	Body string `json:"body,omitempty"`
	// ContentType is application/json by default; then Body must be JSON.
	ContentType string `json:"content_type,omitempty"`
	// Problem answers with application/problem+json and the IETF's types.
	Problem bool `json:"problem,omitempty"`
}

// UsageConfig is a request that is answered with what its subject used. It is
// charged to the counts that match it, and to nothing else.
type UsageConfig struct {
	Methods []string `json:"methods,omitempty"`
	Paths   []string `json:"paths"`
	Body    string   `json:"body"`
	// ContentType is application/json by default; then Body must be JSON.
	ContentType string `json:"content_type,omitempty"`
}
