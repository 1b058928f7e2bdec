package caddymodule

import (
	"fmt"
	"strings"
	"testing"
)

// sourced is a policy whose credential may stand in many places, and that admits one
// request of each.
const sourced = `weir {
		store memory volatile
		policy api {
			subject {header.X-API-Key} {
				or {header.Authorization} bearer
				or {cookie.key}
				or {query.key}
				or {header.X-Other}
			}
			limit requests {
				rolling 60s
				max 1
			}
		}
	}`

// TestAttackCredentialsThatSomeOriginsRead: a credential that is written so that some
// origins take it, and others another one or none, is none, and whoever sends it is
// not taken for whom the next place names.
func TestAttackCredentialsThatSomeOriginsRead(t *testing.T) {
	g := start(t, sourced, "weir api\nrespond ok")
	for i, test := range []struct{ target, line string }{
		{"/", "Cookie: key=real" + strings.Repeat(";", 3000)},
		{"/", "Cookie: key=real" + strings.Repeat("; a=b", 1000)},
		{"/?key=real" + strings.Repeat("&", 10000), "Accept: */*"},
		{"/?" + strings.Repeat("a&", 1000) + "key=real", "Accept: */*"},
		{"/?key=real;x=1", "Accept: */*"},
		{"/?x=1;key=real", "Accept: */*"},
		{"/?key=real%zz", "Accept: */*"},
		{"/?key=real%4", "Accept: */*"},
		{"/?%20key=real", "Accept: */*"},
		{"/?key[]=real", "Accept: */*"},
		{"/?key%5B0%5D=real", "Accept: */*"},
		{"/?key%00x=real", "Accept: */*"},
		{"/?key=&key=real", "Accept: */*"},
		{"/?key=re%00al", "Accept: */*"},
		{"/?[key]=real", "Accept: */*"},
		{"/?key]=real", "Accept: */*"},
		{"/?k%u0065y=real", "Accept: */*"},
		{"/?key=made-up]=", "Accept: */*"},
		{"/", "Cookie: key=j:%22real%22"},
		{"/", `Cookie: key="j%3A%22re%5Cu0061l%22"`},
		{"/", "Cookie: key=made-up%zz"},
		{"/", "Cookie: key=made-up%ff"},
		{"/?key=real#x", "Accept: */*"},
		{"/?x#&key=real", "Accept: */*"},
		{"/", `Cookie: key="re\141l"`},
		{"/", `Cookie: key="real`},
		{"/", `Cookie: key=real"`},
		{"/", `Cookie: key=""real""`},
		{"/", "Cookie: key=real x"},
		{"/", "Cookie: key=real,x"},
		{"/", "Cookie: key=r\xc3\xa9al"},
		{"/", "Cookie: x=1,key=real"},
		{"/", "Cookie: x=1 key=real"},
		{"/", "Cookie: \xa0key=real"},
		{"/", "Cookie: key\xa0=real"},
		{"/", `Cookie: x="a; key=made-up; b"`},
		{"/", "Cookie: key; key=real"},
		{"/", "Cookie: k%65y=real"},
		{"/", "Cookie: key[]=real"},
		{"/", "Cookie: key=re%00al"},
		{"/", "X-API-Key: re\tal"},
		{"/", "Authorization: Bearer real x"},
		{"/", "Authorization: Bearer\xa0real"},
		{"/", "Authorization: Bearer=real"},
		{"/", "Authorization: Token real"},
		{"/", "Authorization: Basic real"},
		{"/", "Authorization: Digest real"},
		{"/", "Authorization: Digest a=b, c=d real"},
		{"/", "Authorization: Digest a=b, c=d\nAuthorization: Bearer real"},
		{"/", `Authorization: Token token="real", nonce="a"`},
		{"/", "Authorization: Bearer real,x"},
		{"/", "Authorization: Bearer real;x"},
		{"/", `Authorization: Bearer "real"`},
		{"/", "Authorization: Bearer token=real"},
		{"/", `Cookie: x="a\"; key=made-up; b="`},
		{"/", "Authorization: real"},
	} {
		answer := g.raw(fmt.Sprintf("GET %s HTTP/1.1\nHost: %s\n%s\nX-Other: made-up-%d\nConnection: close\n\n", test.target, g.site, test.line, i))
		if !strings.HasPrefix(answer, "HTTP/1.1 401 ") {
			t.Errorf("%.40q with %.60q: %.80q, want 401", test.target, test.line, answer)
		}
	}
}

// TestAttackSpellingsOfOneCredential: one credential is one, however it is written,
// where origins that decode or trim it take it for one.
func TestAttackSpellingsOfOneCredential(t *testing.T) {
	g := start(t, sourced, "weir api\nrespond ok")
	for place, spellings := range map[string][]string{
		"header": {"X-API-Key: real1", "X-API-Key: real1\nAuthorization: Token real2", "x-api-key:  \treal1\t ", "X-API-Key: real1\xa0", "X-API-Key: \u00a0real1\ufeff"},
		"bearer": {"Authorization: Bearer real2", "Authorization: bEARER\t real2", "authorization: Bearer\treal2", "Authorization: Bearer real2\u2003"},
		"cookie": {
			"Cookie: key=real3", `Cookie: key="real3"`, "Cookie: key=re%61l3", "Cookie: key=%72%65al3", "Cookie: key = real3 ; x=y",
			"Cookie: key=real3%20", "Cookie: key=%E2%80%83real3", `Cookie: x="a"; key=real3; y={"a":"b c"}`,
		},
		"query": {"?key=real4", "?key=re%61l4", "?k%65y=real4%20%20", "?x=1&key=+real4%0d%0a", "?key=real4%C2%A0", "?key=%EF%BB%BFreal4&%zz=;"},
		"after": {"X-Other: real5", "X-Other: real5\nAuthorization: Basic dXNlcjpwYXNz", "X-Other: real5\nCookie: key=", "X-Other: real5\nAuthorization: Bearer", "X-Other: real5\nCookie: monkey=1; x=key"},
		"after another scheme": {
			"X-Other: real6", "X-Other: real6\nCookie: q=skeleton key", "X-Other: real6\nAuthorization: Negotiate YIIBAAYGKwYBBQUCoIH1MIHy",
			"X-Other: real6\nAuthorization: Digest username=\"Mufasa\", realm=\"a b\", response=\"6629\"",
			"X-Other: real6\nAuthorization: AWS4-HMAC-SHA256 Credential=AKID/20261123/eu/s3/aws4_request, SignedHeaders=host, Signature=fe5f",
		},
		"beside other cookies": {"Cookie: key=real7", "Cookie: q=skeleton key; consent=a,key,b; key=real7", `Cookie: x="a\"b"; key=real7; y=z`},
	} {
		for i, spelling := range spellings {
			target, line, query := "/", spelling, strings.HasPrefix(spelling, "?")
			if query {
				target, line = "/"+spelling, "Accept: */*"
			}
			want := "429"
			if i == 0 {
				want = "200"
			}
			answer := g.raw(fmt.Sprintf("GET %s HTTP/1.1\nHost: %s\n%s\nConnection: close\n\n", target, g.site, line))
			if !strings.HasPrefix(answer, "HTTP/1.1 "+want+" ") {
				t.Errorf("%s, %q: %.80q, want %s", place, spelling, answer, want)
			}
		}
	}
}

// TestAttackScopesInDisguise: a parameter or cookie that limits count by is the same
// however it is written, and all are counted together whose value nobody knows.
func TestAttackScopesInDisguise(t *testing.T) {
	g := start(t, `weir {
		store memory volatile
		policy api {
			per {query.x} {cookie.x}
			limit requests {
				rolling 60s
				max 1
			}
		}
	}`, "weir api\nrespond ok")
	for _, test := range []struct{ target, cookie, status string }{
		{"/?x=1", "x=2", "200"},
		{"/?x=%31%20", "x=%32", "429"},
		{"/?x=1&x=2", "x=2", "200"}, // with those that have none
		{"/?x=3&x=1", "x=2", "429"},
		{"/?x=1;y", "x=2", "429"},
		{"/?", "x=2", "429"},
		{"/?x=1", `x="\062"`, "200"},
		{"/?x=1", "x=3; x=2", "429"},
		{"/?x=1", "y=3", "429"},
		{"/?x=2", "x=1", "200"},
	} {
		answer := g.raw(fmt.Sprintf("GET %s HTTP/1.1\nHost: %s\nCookie: %s\nConnection: close\n\n", test.target, g.site, test.cookie))
		if !strings.HasPrefix(answer, "HTTP/1.1 "+test.status+" ") {
			t.Errorf("%s with %s: %.80q, want %s", test.target, test.cookie, answer, test.status)
		}
	}
}

// TestAttackPreflightThatIsNone: an OPTIONS whose header the proxy removes, so that
// the origin gets another request than was decided, is no preflight.
func TestAttackPreflightThatIsNone(t *testing.T) {
	g := start(t, sourced, "weir api\nrespond ok")
	const header = "Access-Control-Request-Method"
	for lines, want := range map[string]string{
		header + ": POST": "200",
		header + ": POST\nConnection: access-control-request-method": "401",
		header + ": POST\n" + header + ": PUT":                       "401",
		"Connection: " + header:                                      "401",
	} {
		answer := g.raw(fmt.Sprintf("OPTIONS / HTTP/1.1\nHost: %s\n%s\nConnection: close\n\n", g.site, lines))
		if !strings.HasPrefix(answer, "HTTP/1.1 "+want+" ") {
			t.Errorf("%q: %.80q, want %s", lines, answer, want)
		}
	}
}
