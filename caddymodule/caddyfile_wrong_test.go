package caddymodule

import (
	"slices"
	"strings"
	"testing"
)

// inOption returns a Caddyfile whose global option has these lines, from line 3
// on, and a policy `api` behind them.
func inOption(lines string) string {
	return "{\n\tweir {\n" + lines + "\n\t\tpolicy api {\n\t\t\tper all\n\t\t}\n\t}\n}\n"
}

// inPolicy returns a Caddyfile whose policy has these lines, from line 4 on.
func inPolicy(lines string) string {
	return "{\n\tweir {\n\t\tpolicy api {\n" + lines + "\n\t\t}\n\t}\n}\n"
}

// inLimit returns a Caddyfile whose policy's limit has these lines, from line 6 on.
func inLimit(lines string) string {
	return inPolicy("per all\nlimit a {\n" + lines + "\n}")
}

// A wrong Caddyfile, and what is said of it.
type wrong struct {
	name, config string
	want         []string
}

// TestCaddyfileWrong adapts Caddyfiles with mistakes in them.
func TestCaddyfileWrong(t *testing.T) {
	for _, tt := range slices.Concat(wrongOptions, wrongPolicies, wrongLimits, wrongSites, wrongWords) {
		t.Run(tt.name, func(t *testing.T) {
			_, err := adapt(tt.config)
			if err == nil {
				t.Fatal("no error")
			}
			_, got, _ := strings.Cut(err.Error(), "parsing caddyfile tokens for 'weir': ")
			if got != strings.Join(tt.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", got, strings.Join(tt.want, "\n"))
			}
		})
	}
}

// wrongOptions have mistakes in the global option.
var wrongOptions = []wrong{
	{
		"option arguments",
		"{\n\tweir x {\n\t}\n}",
		[]string{`Caddyfile:2: expected "weir { ... }", got "weir x"`},
	},
	{
		"option twice",
		"{\n\tweir {\n\t}\n\tweir {\n\t}\n}",
		[]string{`Caddyfile:4: the option "weir" is repeated; one block holds everything`},
	},
	{
		"option directive",
		inOption("polcy b {\n}"),
		[]string{`Caddyfile:3: unknown directive "polcy" in the option "weir"; did you mean "policy"?`},
	},
	{
		"store missing",
		inOption("store"),
		[]string{`Caddyfile:3: expected "store NAME ...", got "store"`},
	},
	{
		"store unknown",
		inOption("store memroy x"),
		[]string{`Caddyfile:3: unknown store "memroy"; did you mean "memory"?`},
	},
	{
		"store directory missing",
		inOption("store memory"),
		[]string{`Caddyfile:3: "store memory" needs a directory, for counters outlive the process there; "store memory volatile" does without`},
	},
	{
		"store spills over",
		inOption("store memory a b"),
		[]string{`Caddyfile:3: expected "store memory DIRECTORY|volatile", got "memory a b"`},
	},
	{
		"store directive",
		inOption("store memory a {\nmaxcells 5\n}"),
		[]string{`Caddyfile:4: unknown directive "maxcells" in a memory store; did you mean "max_cells"?`},
	},
	{
		"store max_cells missing",
		inOption("store memory a {\nmax_cells\n}"),
		[]string{`Caddyfile:4: expected "max_cells N", got "max_cells"`},
	},
	{
		"store max_cells no number",
		inOption("store memory a {\nmax_cells 1e6\noverflow shar\n}"),
		[]string{
			`Caddyfile:4: "1e6" is not a number of counters from 1`,
			`Caddyfile:5: expected "overflow deny|share", got "shar"; did you mean "share"?`,
		},
	},
	{
		"store max_cells none",
		inOption("store memory volatile {\nmax_cells 0\n}"),
		[]string{`Caddyfile:4: "0" is not a number of counters from 1`},
	},
	{
		"store overflow twice",
		inOption("store memory a {\noverflow deny\noverflow share\n}"),
		[]string{`Caddyfile:5: "overflow" is repeated; it stands in line 4 already`},
	},
	{
		"durability unknown",
		inOption("store memory a {\ndurability proces\n}"),
		[]string{`Caddyfile:4: durability: unknown word "proces"; did you mean "process"?`},
	},
	{
		"durability of an interval without one",
		inOption("store memory a {\ndurability interval\n}"),
		[]string{`Caddyfile:4: expected "durability process|none|interval DURATION", got "durability interval"`},
	},
	{
		"durability of no interval with one",
		inOption("store memory a {\ndurability process 1s\n}"),
		[]string{`Caddyfile:4: expected "durability process|none|interval DURATION", got "durability process 1s"`},
	},
	{
		"durability of an interval that is none",
		inOption("store memory a {\ndurability interval often\n}"),
		[]string{`Caddyfile:4: "often" is not a duration such as 60s, 1m, 24h or 30d`},
	},
	{
		"durability of too short an interval",
		inOption("store memory a {\ndurability interval 1ms\n}"),
		[]string{`Caddyfile:4: interval: 1ms is not from 2ms to 1h`},
	},
	{
		"durability twice",
		inOption("store memory a {\ndurability none\ndurability process\n}"),
		[]string{`Caddyfile:5: "durability" is repeated; it stands in line 4 already`},
	},
	{
		"durability of volatile counters",
		inOption("store memory volatile {\ndurability process\n}"),
		[]string{`Caddyfile:4: durability: volatile counters are kept nowhere; give the store a directory instead`},
	},
	{
		"store with an unknown option",
		inOption("store memory a {\ndurabilty none\n}"),
		[]string{`Caddyfile:4: unknown directive "durabilty" in a memory store; did you mean "durability"?`},
	},
	{
		"store repeated",
		inOption("store memory a\nstore memory b"),
		[]string{`Caddyfile:4: "store" is repeated; it stands in line 3 already`},
	},
	{
		"directory unknown",
		inOption("directory fil x"),
		[]string{`Caddyfile:3: unknown directory "fil"; did you mean "file"?`},
	},
	{
		"directory file without path",
		inOption("directory file"),
		[]string{`Caddyfile:3: expected "directory file PATH", got "file"`},
	},
	{
		"directory inline odd words",
		inOption("directory inline {\n\tsk_live id acme plan\n}"),
		[]string{`Caddyfile:4: expected "CREDENTIAL id ID [plan PLAN] [ATTRIBUTE VALUE]...", got 3 words after the credential`},
	},
	{
		"directory inline without id",
		inOption("directory inline {\n\tsk_live plan pro\n}"),
		[]string{`Caddyfile:4: expected "CREDENTIAL id ID [plan PLAN] [ATTRIBUTE VALUE]...", got 2 words after the credential`},
	},
	{
		"directory inline credential twice",
		inOption("directory inline {\n\tk id a\n\tk id b\n}"),
		[]string{`Caddyfile:5: the credential is repeated`},
	},
	{
		"directory inline attribute twice",
		inOption("directory inline {\n\tk id a x 1 x 2\n}"),
		[]string{`Caddyfile:4: "x" is repeated`},
	},
	{
		"directory http option",
		inOption("directory http https://a {\n\tnegative_tll 5s\n\tttl 5x\n}"),
		[]string{
			`Caddyfile:4: unknown directive "negative_tll" in an HTTP directory; did you mean "negative_ttl"?`,
			`Caddyfile:5: "5x" is not a duration such as 60s, 1m, 24h or 30d`,
		},
	},
	{
		"directory inline attribute name",
		inOption("directory inline {\n\tsk_live id a b.c 1\n}"),
		[]string{`Caddyfile:4: "b.c": the name of an attribute has letters, digits, _ and -, at most 64`},
	},
	{
		"directory inline without a value",
		inOption("directory inline {\n\tsk_live id \"\"\n}"),
		[]string{`Caddyfile:4: the id is empty`},
	},
	{
		"directory file poll",
		inOption("directory file a {\n\tpoll -5s\n}"),
		[]string{`Caddyfile:4: -5s is below 0`},
	},
	{
		"directory http url",
		inOption("directory http accounts/keys"),
		[]string{`Caddyfile:3: url: expected http://HOST/… or https://HOST/…`},
	},
	{
		"directory http password",
		inOption("directory http https://me:secret@accounts/keys {\n\tunknown_status 200\n}"),
		[]string{
			"Caddyfile:3: url: a password in a URL gets logged; send it in `headers`",
			`Caddyfile:4: unknown_status: a status from 400 to 499 says that a credential is unknown`,
		},
	},
	{
		"directory http secret spills over",
		inOption("directory http https://accounts/keys {\n\theader_up Authorization Bearer secret\n}"),
		[]string{`Caddyfile:4: expected "header_up NAME VALUE", got 3 words`},
	},
	{
		"directory http status",
		inOption("directory http https://accounts/keys {\n\tunknown_status gone\n\tmax_known -1\n}"),
		[]string{`Caddyfile:4: "gone" is not a status from 400 to 499`},
	},
	{
		"directory http header",
		inOption("directory http https://accounts/keys {\n\theader X:Key\n\tttl -5s\n}"),
		[]string{
			`Caddyfile:4: header: is no name of a header field`,
			`Caddyfile:5: ttl: -5s is below 0`,
		},
	},
	{
		"secret spills over",
		inOption("secret correct horse"),
		[]string{`Caddyfile:3: expected "secret TEXT", got 2 words`},
	},
	{
		"secret empty",
		inOption(`secret ""`),
		[]string{`Caddyfile:3: the secret is empty`},
	},
	{
		"on_store_error word",
		inOption("on_store_error alow"),
		[]string{`Caddyfile:3: unknown word "alow"; did you mean "allow"?`},
	},
	{
		"policy without name",
		inOption("policy {\n}"),
		[]string{`Caddyfile:3: expected "policy NAME { ... }", got "policy"`},
	},
	{
		"policy twice",
		inOption("policy api {\n\tper all\n}"),
		[]string{`Caddyfile:6: a policy named "api" exists already`},
	},
	{
		"policy name",
		inOption("policy API {\n\tper all\n}"),
		[]string{`Caddyfile:3: invalid policy name "API": a name is up to 63 lower-case letters, digits, _ and -, and starts with a letter`},
	},
	{
		"behind a closing brace",
		inOption("policy b {\n\tper all\n} x"),
		[]string{`Caddyfile:3: expected "policy NAME { ... }", got "policy b x"`},
	},
}

// wrongSites have mistakes in sites.
var wrongSites = []wrong{
	{
		"site without policy",
		":80 {\n\tweir\n}",
		[]string{`Caddyfile:2: expected "weir [MATCHER] POLICY", got "weir"`},
	},
	{
		"site matcher only",
		":80 {\n\tweir /api/*\n}",
		[]string{`Caddyfile:2: expected "weir [MATCHER] POLICY", got "weir"`},
	},
	{
		"site unknown matcher",
		":80 {\n\tweir @api api\n}",
		[]string{`Caddyfile:2: unrecognized matcher name: @api`},
	},
	{
		"site unknown policy",
		inPolicy("per all") + ":80 {\n\tweir apo\n}",
		[]string{`Caddyfile:9: there is no policy "apo"; did you mean "api"?`},
	},
	{
		"site no policies",
		":80 {\n\tweir api\n}",
		[]string{`Caddyfile:2: there is no policy "api"; define it in the global option "weir", or here in a block`},
	},
	{
		"site defines a global policy",
		inPolicy("per all") + ":80 {\n\tweir api {\n\t\tper all\n\t}\n}",
		[]string{`Caddyfile:9: the global option "weir" defines the policy "api" already; use it without a block`},
	},
	{
		"sites differ",
		":80 {\n\tweir api {\n\t\tper all\n\t}\n}\n:81 {\n\tweir api {\n\t\tper key\n\t}\n}",
		[]string{`Caddyfile:7: another site defines the policy "api" differently; give this one a name of its own`},
	},
	{
		"site's policy",
		":80 {\n\tweir api {\n\t\tlimit a {\n\t\t\trollin 1m\n\t\t}\n\t}\n}",
		[]string{`Caddyfile:4: unknown directive "rollin" in a limit; did you mean "rolling"?`},
	},
	{
		"site imports",
		"(l) {\n\tlimit a {\n\t\trolling {args[0]}\n\t\tmax 1\n\t}\n}\n:80 {\n\tweir api {\n\t\tper all\n\t\timport l 5x\n\t}\n}",
		[]string{`Caddyfile:3: "5x" is not a duration such as 60s, 1m, 24h or 30d (imported by ['Caddyfile:10 (import l)'])`},
	},
}
