package caddymodule

// wrongWords look right, and would mean something else or nothing.
var wrongWords = []wrong{
	{
		"max nearly unlimited",
		inLimit("rolling 1m\nmax unlimted"),
		[]string{`Caddyfile:7: "unlimted" is not a number from 0 to 9007199254740991, unlimited, or {subject.ATTRIBUTE}; did you mean "unlimited"?`},
	},
	{
		"max of a plan",
		inLimit("rolling 1m\nmax {plan.rpm}"),
		[]string{`Caddyfile:7: "{plan.rpm}" is not {subject.ATTRIBUTE}; did you mean {subject.rpm}?`},
	},
	{
		"max nearly else",
		inLimit("rolling 1m\nmax {subject.rpm} els 5"),
		[]string{`Caddyfile:7: "{subject.rpm} els 5" is not {subject.ATTRIBUTE} [* FACTOR] [else N]`},
	},
	{
		"retry of nothing",
		inLimit("hold response\nmax 5\nretry 0s"),
		[]string{`Caddyfile:8: "0s" is not above 0`},
	},
	{
		"ttl of nothing",
		inLimit("hold response\nmax 5\nttl 0s"),
		[]string{`Caddyfile:8: "0s" is not above 0`},
	},
	{
		"cost of the subject",
		inLimit("rolling 1m\nmax 5\ncost {subject.weight}"),
		[]string{`Caddyfile:8: "{subject.weight}" is of the subject, and may stand in a max; expected an attribute of the request, such as {header.X-API-Key} or {client_ip}`},
	},
	{
		"cost nearly json",
		inLimit("rolling 1m\nmax 5\ncost {jsn.n}"),
		[]string{`Caddyfile:8: unknown attribute "{jsn.n}"; did you mean {json.n}?`},
	},
	{
		"cost of the body",
		inLimit("rolling 1m\nmax 5\ncost {body.n}"),
		[]string{`Caddyfile:8: unknown attribute "{body.n}"; did you mean {json.n}?`},
	},
	{
		"cost by index",
		inLimit("rolling 1m\nmax 5\ncost {json.a[0].n}"),
		[]string{`Caddyfile:8: "{json.a[0].n}": a path has names with dots between them, such as {json.images.length}, and no indexes`},
	},
	{
		"cost without a name",
		inLimit("rolling 1m\nmax 5\ncost {json.a..n}"),
		[]string{`Caddyfile:8: "{json.a..n}": a path has names with dots between them, such as {json.images.length}, and no indexes`},
	},
	{
		"per the subject's attribute",
		inLimit("rolling 1m\nmax 5\nper {subject.org}"),
		[]string{`Caddyfile:8: "{subject.org}" is of the subject, and may stand in a max; expected an attribute of the request, such as {header.X-API-Key} or {client_ip}`},
	},
	{
		"per the body",
		inLimit("rolling 1m\nmax 5\nper {http.request.body}"),
		[]string{`Caddyfile:8: "{http.request.body}" has no bound; what a cost may read of a body is {json.PATH}`},
	},
	{
		"per nearly a header",
		inLimit("rolling 1m\nmax 5\nper {http.request.heder.X-Org}"),
		[]string{`Caddyfile:8: unknown attribute "{http.request.heder.X-Org}"; did you mean {header.X-Org}?`},
	},
	{
		"per twice the same",
		inLimit("rolling 1m\nmax 5\nper {client_ip} {client_ip}"),
		[]string{`Caddyfile:8: per: {client_ip} is repeated`},
	},
	{
		"match a name",
		inLimit("rolling 1m\nmax 5\nmatch /users/:id"),
		[]string{`Caddyfile:8: paths: "/users/:id": a * is any part of a segment, as in /users/*/files; there are no names for it`},
	},
	{
		"match commas",
		inLimit("rolling 1m\nmax 5\nmatch /a,/b /c,"),
		[]string{
			`Caddyfile:8: paths: "/a,/b": paths have spaces between them, no commas`,
			`Caddyfile:8: paths: "/c,": paths have spaces between them, no commas`,
		},
	},
	{
		"match an expression",
		inLimit("rolling 1m\nmax 5\nmatch /users/[0-9]+"),
		[]string{`Caddyfile:8: paths: "/users/[0-9]+": a path pattern has * and nothing else that is special`},
	},
	{
		"deny without the prefix",
		inLimit("rolling 1m\nmax 5\ndeny `{\"error\":\"wait {retry_after} s\"}`"),
		[]string{`Caddyfile:8: body: {retry_after} would be sent as it stands; did you mean "{weir.retry_after}"?`},
	},
	{
		"deny with spaces",
		inLimit("rolling 1m\nmax 5\ndeny `{\"error\":\"{ Weir.Subject.plan }\"}`"),
		[]string{`Caddyfile:8: body: { Weir.Subject.plan } would be sent as it stands; did you mean "{weir.subject.plan}"?`},
	},
	{
		"deny another limit",
		inLimit("rolling 1m\nmax 5\ndeny `{\"error\":\"{limits.a.used}\"}`"),
		[]string{`Caddyfile:8: body: {limits.a.used} would be sent as it stands; did you mean "{weir.limits.a.used}"?`},
	},
	{
		"deny text",
		inLimit("rolling 1m\nmax 5\ndeny 429 \"slow down\""),
		[]string{`Caddyfile:8: body: is no JSON once its placeholders are filled in: invalid character 's' looking for beginning of value; a body of another sort needs a type, such as text/plain`},
	},
	{
		"plans nearly unlimited",
		inPolicy("per all\nplans rpm {\n\tfree unlimted\n}\nlimit a {\n\trolling 1m\n\tmax {subject.rpm}\n}"),
		[]string{`Caddyfile:10: max: plan "free" has the text "unlimted" for "rpm", which must be a number or unlimited; did you mean "unlimited"?`},
	},
	{
		"plans number",
		inPolicy("plans rpm {\n\tfree 0.1234567\n\tpro 99999999999999999999\n}"),
		[]string{
			`Caddyfile:5: "0.1234567" is not a number up to 9007199254740991 with at most six decimals`,
			`Caddyfile:6: "99999999999999999999" is not a number up to 9007199254740991 with at most six decimals`,
		},
	},
	{
		"subject source twice",
		inPolicy("subject {header.A} {\n\tor {header.A} bearer\n\tor {header.A}\n}"),
		[]string{`Caddyfile:6: from: {header.A} is repeated`},
	},
	{
		"usage without body",
		inPolicy("usage GET /usage"),
		[]string{`Caddyfile:4: expected "usage [METHOD...] PATH... BODY", got "usage GET /usage"`},
	},
	{
		"usage twice",
		inPolicy("per all\ncount a ever\nusage GET /u `{}`\nusage GET /u `{}`"),
		[]string{`Caddyfile:7: usage: another usage answers these requests already`},
	},
	{
		"count nearly refused",
		inPolicy("per all\ncount a ever refusd"),
		[]string{`Caddyfile:5: unknown word "refusd"; did you mean "refused"?`},
	},
	{
		"directory inline empty",
		inOption("directory inline {\n}"),
		[]string{`Caddyfile:3: expected lines of "CREDENTIAL id ID [plan PLAN] [ATTRIBUTE VALUE]..." in a block, got none`},
	},
	{
		"directory inline without a credential",
		inOption("directory inline {\n\t\"\" id a\n}"),
		[]string{`Caddyfile:4: the credential is empty`},
	},
	{
		"directory inline number",
		inOption("directory inline {\n\tsk_live id a rpm 1e30\n}"),
		[]string{`Caddyfile:4: "1e30" is not a number up to 9007199254740991 with at most six decimals`},
	},
}
