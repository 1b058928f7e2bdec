package caddymodule

// wrongPolicies have mistakes in a policy.
var wrongPolicies = []wrong{
	{
		"unknown directive",
		inPolicy("limits a {\n}"),
		[]string{`Caddyfile:4: unknown directive "limits" in a policy; did you mean "limit"?`},
	},
	{
		"subject without source",
		inPolicy("subject"),
		[]string{`Caddyfile:4: expected "subject {ATTRIBUTE} [bearer]", got "subject"`},
	},
	{
		"subject source",
		inPolicy("subject X-API-Key"),
		[]string{`Caddyfile:4: "X-API-Key" is not an attribute such as {header.X-API-Key} or {client_ip}`},
	},
	{
		"subject scheme",
		inPolicy("subject {header.Authorization} baerer"),
		[]string{`Caddyfile:4: scheme: unknown word "baerer"; did you mean "bearer"?`},
	},
	{
		"subject body",
		inPolicy("subject {json.key}"),
		[]string{`Caddyfile:4: from: a credential cannot come from the body`},
	},
	{
		"subject directive",
		inPolicy("subject {header.K} {\n\tmising 401\n}"),
		[]string{`Caddyfile:5: unknown directive "mising" in a subject; did you mean "missing"?`},
	},
	{
		"subject fallback",
		inPolicy("subject {header.K} {\n\tmissing deny\n}"),
		[]string{`Caddyfile:5: expected "missing STATUS [BODY|problem]|[all|ip] [plan NAME]", got "missing deny"`},
	},
	{
		"subject status",
		inPolicy("subject {header.K} {\n\tmissing 200\n}"),
		[]string{`Caddyfile:5: status: 200 is not a status from 400 to 599`},
	},
	{
		"subject fallback plan",
		inPolicy("subject {header.K} {\n\tmissing ip plam free\n}"),
		[]string{`Caddyfile:5: expected "missing STATUS [BODY|problem]|[all|ip] [plan NAME]", got "missing ip plam free"`},
	},
	{
		"subject missing key",
		inPolicy("subject {header.K} {\n\tmissing key plan free\n}"),
		[]string{`Caddyfile:5: expected "missing STATUS [BODY|problem]|[all|ip] [plan NAME]", got "missing key plan free"`},
	},
	{
		"subject unknown plan",
		inPolicy("subject {header.K} {\n\tmissing plan fre\n}\nplans n {\n\tfree 1\n}"),
		[]string{`Caddyfile:5: plan: there is no plan "fre"; did you mean "free"?`},
	},
	{
		"per word",
		inPolicy("per keys\nlimit a {\n\trolling 1m\n\tmax 1\n}"),
		[]string{`Caddyfile:4: per: unknown word "keys"; did you mean "key"?`},
	},
	{
		"per nobody",
		inPolicy("limit a {\n\trolling 1m\n\tmax 1\n}"),
		[]string{"Caddyfile:4: nobody to count: give the policy a `subject`, or count `per` an attribute such as {client_ip}, or `per all`"},
	},
	{
		"per twice",
		inPolicy("per key\nper all"),
		[]string{`Caddyfile:5: "per" is repeated; it stands in line 4 already`},
	},
	{
		"plans without rows",
		inPolicy("plans a b"),
		[]string{`Caddyfile:4: expected "plans ATTRIBUTE... { PLAN VALUE... }", got no plans`},
	},
	{
		"plans short row",
		inPolicy("plans a b {\n\tfree 1\n}"),
		[]string{`Caddyfile:5: the plan "free" needs 2 values (a, b), got 1`},
	},
	{
		"plans long row",
		inPolicy("plans a b {\n\tfree 1 2 3\n}"),
		[]string{`Caddyfile:5: the plan "free" needs 2 values (a, b), got 3`},
	},
	{
		"plans of several lines",
		inPolicy("plans \"a\nb\" c {\n\tfree 1\n}"),
		[]string{`Caddyfile:6: the plan "free" needs 2 values (a…, c), got 1`},
	},
	{
		"plans row twice",
		inPolicy("plans a {\n\tfree 1\n\tfree 2\n}"),
		[]string{`Caddyfile:6: the plan "free" is repeated`},
	},
	{
		"plans attribute twice",
		inPolicy("plans a a {\n\tfree 1 2\n}"),
		[]string{`Caddyfile:4: the attribute "a" is repeated`},
	},
	{
		"plans attribute name",
		inPolicy("plans id {\n\tfree 1\n}"),
		[]string{`Caddyfile:5: id: "id" is what a subject has anyway; an attribute needs another name`},
	},
	{
		"limit without name",
		inPolicy("limit {\n}"),
		[]string{`Caddyfile:4: expected "limit NAME { ... }", got "limit"`},
	},
	{
		"limit twice",
		inPolicy("per all\nlimit a {\n\trolling 1m\n\tmax 1\n}\nlimit a {\n\trolling 1m\n\tmax 1\n}"),
		[]string{`Caddyfile:9: name: a limit named "a" exists already`},
	},
	{
		"limit name",
		inPolicy("per all\nlimit A {\n\trolling 1m\n\tmax 1\n}"),
		[]string{`Caddyfile:5: name: invalid limit name "A": a name is up to 63 lower-case letters, digits, _ and -, and starts with a letter`},
	},
	{
		"headers dialect",
		inPolicy("headers x-ratelimits unix"),
		[]string{`Caddyfile:4: dialect: unknown word "x-ratelimits"; did you mean "x-ratelimit"?`},
	},
	{
		"headers reset",
		inPolicy("headers x-ratelimit unx"),
		[]string{`Caddyfile:4: reset: unknown word "unx"; did you mean "unix"?`},
	},
	{
		"headers for",
		inPolicy("per all\nlimit requests {\n\trolling 1m\n\tmax 1\n}\nheaders x-ratelimit {\n\tfor request\n}"),
		[]string{`Caddyfile:10: for: "request" is no limit of this policy; did you mean "requests"?`},
	},
	{
		"headers when",
		inPolicy("headers x-ratelimit {\n\treset on_denail\n}"),
		[]string{`Caddyfile:5: reset: unknown word "on_denail"; did you mean "on_denial"?`},
	},
	{
		"headers part",
		inPolicy("headers x-ratelimit {\n\tremaning never\n}"),
		[]string{`Caddyfile:5: unknown directive "remaning" in headers; did you mean "remaining"?`},
	},
	{
		"headers name",
		inPolicy("headers x-ratelimit {\n\tname remaining X Left\n}"),
		[]string{`Caddyfile:5: expected "name limit|remaining|reset|window HEADER", got "name remaining X Left"`},
	},
	{
		"headers names",
		inPolicy("headers x-ratelimit {\n\tname remain X-Left\n\tname reset X/Reset\n\tname limit A\n\tname limit B\n}"),
		[]string{`Caddyfile:8: the name of "limit" is repeated`},
	},
	{
		"headers names of one part",
		inPolicy("headers x-ratelimit {\n\tname remaning X-Left\n\tname reset X/Reset\n\tretry_after always\n}"),
		[]string{
			`Caddyfile:5: remaning: unknown; did you mean "remaining"?`,
			`Caddyfile:6: reset: "X/Reset" is no name of a header field (RFC 9110, section 5.6.2)`,
			`Caddyfile:7: retry_after: Retry-After is only told on a refusal: on_denial or never`,
		},
	},
	{
		"deny status",
		inPolicy("deny 42 problem"),
		[]string{`Caddyfile:4: status: 42 is no status from 400 to 599`},
	},
	{
		"deny no status",
		inPolicy("deny 4a9 problem"),
		[]string{`Caddyfile:4: "4a9" is not a status from 400 to 599`},
	},
	{
		"deny word",
		inPolicy("deny 429 problm"),
		[]string{`Caddyfile:4: "problm" is no body; quote it, or expected problem`},
	},
	{
		"deny not JSON",
		inPolicy("deny 429 `{\"error\":oops}`"),
		[]string{`Caddyfile:4: body: is no JSON once its placeholders are filled in: invalid character 'o' looking for beginning of value`},
	},
	{
		"deny placeholder",
		inPolicy("per all\nlimit a {\n\trolling 1m\n\tmax 1\n}\ndeny 429 `{\"limit\":{weir.mx}}`"),
		[]string{`Caddyfile:9: body: {weir.mx} is unknown; did you mean "{weir.max}"?`},
	},
	{
		"deny other placeholder",
		inPolicy("deny 429 `{\"path\":\"{path}\"}`"),
		[]string{`Caddyfile:4: a body tells {weir.…} only; {http.request.uri.path} would be sent as it stands`},
	},
	{
		"deny type",
		inPolicy("deny 429 problem {\n\tcontent_type text/plain\n}"),
		[]string{`Caddyfile:5: unknown directive "content_type" in an answer; expected one of type`},
	},
	{
		"deny spilling heredoc",
		inPolicy("deny 429 <<BODY\n\t{\"error\":\"a BODY in the text\"}\n\tBODY"),
		[]string{
			`Caddyfile:4: expected "deny [STATUS] [BODY|problem]", got "deny 429 \"\" in the text\"}"; a heredoc ends at its marker, wherever that stands`,
			`Caddyfile:6: unknown directive "BODY" in a policy; expected one of subject, per, plans, limit, count, headers, deny, usage, shadow, body_limit, oversize`,
		},
	},
	{
		"deny empty heredoc",
		inPolicy("deny 429 <<BODY\n\tBODY"),
		[]string{`Caddyfile:4: expected "deny [STATUS] [BODY|problem]", got "deny 429 \"\" }"; a heredoc ends at its marker, wherever that stands`},
	},
	{
		"usage without path",
		inPolicy("usage GET `{}`"),
		[]string{`Caddyfile:4: a usage answer needs a path, such as /usage`},
	},
	{
		"usage limit",
		inPolicy("usage usage `{}`"),
		[]string{`Caddyfile:4: "usage" is neither a METHOD in upper case nor a /path`},
	},
	{
		"body_limit",
		inPolicy("body_limit 1Mb1"),
		[]string{`Caddyfile:4: "1Mb1" is not a size such as 64KiB or 1MiB`},
	},
	{
		"oversize",
		inPolicy("oversize 3 4"),
		[]string{`Caddyfile:4: expected "oversize cost N", got "oversize 3 4"`},
	},
	{
		"oversize cost",
		inPolicy("oversize cost many"),
		[]string{`Caddyfile:4: "many" is not a whole number`},
	},
	{
		"count window",
		inPolicy("per all\ncount a evr"),
		[]string{`Caddyfile:5: unknown directive "evr" in a count; did you mean "ever"?`},
	},
	{
		"count hold",
		inPolicy("per all\ncount a hold response"),
		[]string{`Caddyfile:5: unknown directive "hold" in a count; expected one of rolling, fixed, calendar, ever`},
	},
	{
		"count calendar",
		inPolicy("per all\ncount a calendar day"),
		[]string{`Caddyfile:5: expected "calendar day|week|month|year ZONE [ANCHOR]", got "calendar day"`},
	},
	{
		"count refuse",
		inPolicy("per all\ncount a ever {\n\tmax 5\n}"),
		[]string{`Caddyfile:6: unknown directive "max" in a count; expected one of match, except, per, cost`},
	},
	{
		"count spills over",
		inPolicy("per all\ncount a ever refused x"),
		[]string{`Caddyfile:5: expected "ever", got "ever refused x"`},
	},
}
