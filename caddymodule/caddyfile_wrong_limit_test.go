package caddymodule

// wrongLimits have mistakes in a limit.
var wrongLimits = []wrong{
	{
		"no kind",
		inLimit("max 1"),
		[]string{`Caddyfile:5: a limit needs a kind: one of rolling, fixed, calendar, bucket, hold`},
	},
	{
		"no max",
		inLimit("rolling 1m"),
		[]string{`Caddyfile:5: a limit needs a max: a number, unlimited, or {subject.ATTRIBUTE}`},
	},
	{
		"kind word",
		inLimit("rollin 1m\nmax 1"),
		[]string{`Caddyfile:6: unknown directive "rollin" in a limit; did you mean "rolling"?`},
	},
	{
		"two kinds",
		inLimit("rolling 1m\nfixed 1m\nmax 1"),
		[]string{`Caddyfile:7: "fixed" contradicts "rolling" in line 6; one of them must go`},
	},
	{
		"kind twice",
		inLimit("rolling 1m\nrolling 2m\nmax 1"),
		[]string{`Caddyfile:7: "rolling" is repeated; it stands in line 6 already`},
	},
	{
		"max twice",
		inLimit("rolling 1m\nmax 1\nmax 2"),
		[]string{`Caddyfile:8: "max" is repeated; it stands in line 7 already`},
	},
	{
		"duration",
		inLimit("rolling 60\nmax 1"),
		[]string{`Caddyfile:6: "60" is not a duration such as 60s, 1m, 24h or 30d`},
	},
	{
		"duration spills over",
		inLimit("rolling 60 s\nmax 1"),
		[]string{`Caddyfile:6: expected "rolling DURATION", got "rolling 60 s"`},
	},
	{
		"duration too short",
		inLimit("rolling 1us\nmax 1"),
		[]string{`Caddyfile:6: window: 1µs is not from 1ms to 366d`},
	},
	{
		"calendar unit",
		inLimit("calendar dya UTC\nmax 1"),
		[]string{`Caddyfile:6: unit: "dya" is not a unit; did you mean "day"?`},
	},
	{
		"calendar zone",
		inLimit("calendar day Europe/Zurch\nmax 1"),
		[]string{`Caddyfile:6: zone: "Europe/Zurch" is not an IANA time zone such as UTC or Europe/Berlin`},
	},
	{
		"calendar anchor",
		inLimit("calendar week UTC munday\nmax 1"),
		[]string{`Caddyfile:6: anchor: "munday" is not a weekday; did you mean "monday"?`},
	},
	{
		"bucket rate",
		inLimit("bucket 10 burst 5"),
		[]string{`Caddyfile:6: "10" is not a rate such as 10/1s, 100/1m or {subject.rate}/1m`},
	},
	{
		"bucket word",
		inLimit("bucket 10/1s brust 5"),
		[]string{`Caddyfile:6: expected "bucket N/DURATION burst AMOUNT", got "bucket 10/1s brust 5"`},
	},
	{
		"bucket burst and max",
		inLimit("bucket 10/1s burst 5\nmax 5"),
		[]string{`Caddyfile:7: the bucket has a burst already, which is its max`},
	},
	{
		"bucket max and burst",
		inLimit("max 5\nbucket 10/1s burst 5"),
		[]string{`Caddyfile:7: the limit has a max already, which is a bucket's burst`},
	},
	{
		"bucket nothing drains",
		inLimit("bucket 0/1s burst 5"),
		[]string{`Caddyfile:6: rate: a bucket needs a rate from 1, such as 10/1s`},
	},
	{
		"hold until",
		inLimit("hold respons\nmax 1"),
		[]string{`Caddyfile:6: until: unknown word "respons"; did you mean "response"?`},
	},
	{
		"hold released without ttl",
		inLimit("hold released\nmax 1"),
		[]string{`Caddyfile:5: a slot that is released needs a ttl, such as 24h, for those that nobody releases`},
	},
	{
		"ttl of response",
		inLimit("hold response\nttl 1m\nmax 1"),
		[]string{`Caddyfile:7: ttl: a slot that ends with the response has no ttl`},
	},
	{
		"ttl of rolling",
		inLimit("rolling 1m\nttl 1m\nmax 1"),
		[]string{`Caddyfile:7: ttl: a rolling limit has no ttl`},
	},
	{
		"max number",
		inLimit("rolling 1m\nmax many"),
		[]string{`Caddyfile:7: "many" is not a number from 0 to 9007199254740991, unlimited, or {subject.ATTRIBUTE}`},
	},
	{
		"max negative",
		inLimit("rolling 1m\nmax -1"),
		[]string{`Caddyfile:7: "-1" is not a number from 0 to 9007199254740991, unlimited, or {subject.ATTRIBUTE}`},
	},
	{
		"max attribute without default",
		inLimit("rolling 1m\nmax {subject.requests}"),
		[]string{"Caddyfile:7: max: attribute \"requests\" has no default: give it a column in `plans`, or add `else N`"},
	},
	{
		"max of the request",
		inLimit("rolling 1m\nmax {header.X-Max}"),
		[]string{`Caddyfile:7: "{http.request.header.X-Max}" is not {subject.ATTRIBUTE}`},
	},
	{
		"max factor",
		inLimit("rolling 1m\nmax {subject.n} * x else 1"),
		[]string{`Caddyfile:7: factor: "x" is not a number`},
	},
	{
		"cost word",
		inLimit("rolling 1m\nmax 1\ncost setled"),
		[]string{`Caddyfile:8: "setled" is not a cost: a whole number, an attribute such as {json.images.length}, or settled; did you mean "settled"?`},
	},
	{
		"cost min",
		inLimit("rolling 1m\nmax 1\ncost {json.n} mn 1"),
		[]string{`Caddyfile:8: expected "cost N|{ATTRIBUTE} [min N]|settled [reserve N]", got "cost {json.n} mn 1"`},
	},
	{
		"cost settled hold",
		inLimit("hold response\nmax 1\ncost settled"),
		[]string{`Caddyfile:8: settled: a settled cost is for limits that count amounts, not for a hold or a count`},
	},
	{
		"cost reserve without settled",
		inLimit("rolling 1m\nmax 1\nreserve 5"),
		[]string{`Caddyfile:8: reserve: only a settled cost is reserved`},
	},
	{
		"cost reserve twice",
		inLimit("rolling 1m\nmax 1\ncost settled reserve 5\nreserve 5"),
		[]string{`Caddyfile:9: the reserve is repeated`},
	},
	{
		"match case",
		inLimit("match Post /x\nrolling 1m\nmax 1"),
		[]string{`Caddyfile:6: "Post" is neither a METHOD in upper case, nor a /path or *, nor a limit in lower case`},
	},
	{
		"match path",
		inLimit("match POST x/y\nrolling 1m\nmax 1"),
		[]string{`Caddyfile:6: "x/y" is neither a METHOD in upper case, nor a /path or *, nor a limit in lower case`},
	},
	{
		"match dead path",
		inLimit("match POST //x\nrolling 1m\nmax 1"),
		[]string{`Caddyfile:6: paths: "//x" can match nothing: paths are matched without doubled slashes and dot segments, as "/x"`},
	},
	{
		"match limit",
		inLimit("match b\nrolling 1m\nmax 1"),
		[]string{`Caddyfile:6: limits: there is no limit "b"; did you mean "a"?`},
	},
	{
		"match circle",
		inLimit("match a\nrolling 1m\nmax 1"),
		[]string{`Caddyfile:3: limits match each other's requests in a circle: a`},
	},
	{
		"match comma",
		inLimit("match GET,,POST\nrolling 1m\nmax 1"),
		[]string{`Caddyfile:6: methods: "" is not a method in upper case`},
	},
	{
		"match block",
		inLimit("match * {\n\tcots 2\n}\nrolling 1m\nmax 1"),
		[]string{`Caddyfile:7: unknown directive "cots" in a match; did you mean "cost"?`},
	},
	{
		"except itself",
		inLimit("except a\nrolling 1m\nmax 1"),
		[]string{`Caddyfile:6: except: a limit cannot leave out its own requests`},
	},
	{
		"refuse cost",
		inLimit("refuse * {\n\tcost 2\n}\nrolling 1m\nmax 1"),
		[]string{`Caddyfile:6: "refuse" has no block`},
	},
	{
		"shadow argument",
		inLimit("shadow yes\nrolling 1m\nmax 1"),
		[]string{`Caddyfile:6: expected "shadow", got "shadow yes"`},
	},
	{
		"several",
		inPolicy("per keyz\nlimit a {\n\trolling\n\tmax x\n}\nlimit b {\n\trolling 1m\n}\nheaders y"),
		[]string{
			`Caddyfile:6: expected "rolling DURATION", got "rolling"`,
			`Caddyfile:7: "x" is not a number from 0 to 9007199254740991, unlimited, or {subject.ATTRIBUTE}`,
		},
	},
	{
		"several meanings",
		inPolicy("limit a {\n\tcalendar day Mars\n}\nlimit b {\n\tmatch c\n\trolling 0s\n\tmax 1\n}\nheaders y"),
		[]string{
			`Caddyfile:4: a limit needs a max: a number, unlimited, or {subject.ATTRIBUTE}`,
			"Caddyfile:4: nobody to count: give the policy a `subject`, or count `per` an attribute such as {client_ip}, or `per all`",
			`Caddyfile:5: zone: "Mars" is not an IANA time zone such as UTC or Europe/Berlin`,
			"Caddyfile:7: nobody to count: give the policy a `subject`, or count `per` an attribute such as {client_ip}, or `per all`",
			`Caddyfile:8: limits: there is no limit "c"; did you mean "a"?`,
			`Caddyfile:9: window: a rolling limit needs a length, such as 60s`,
			`Caddyfile:12: dialect: unknown word "y"; expected one of none, x-ratelimit, ratelimit`,
		},
	},
}
