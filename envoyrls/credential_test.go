package envoyrls_test

import (
	"fmt"
	"strings"
	"testing"
)

// sourced is a policy whose credential may stand in many places, and that admits one
// request of each.
const sourced = `store memory volatile
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
}`

// TestAttackCredentialsThroughEnvoy: the twin of what Caddy's door is held to. What some
// origins take for a credential, and others not, is none; one credential is one, however
// it is written.
func TestAttackCredentialsThroughEnvoy(t *testing.T) {
	g := start(t, sourced)
	for i, pair := range [][2]string{
		{"header.cookie", "key=real" + strings.Repeat(";", 3000)},
		{"path", "/?key=real" + strings.Repeat("&", 10000)},
		{"path", "/?key=real;x=1"},
		{"path", "/?x=1;key=real"},
		{"path", "/?key=real%zz"},
		{"path", "/?key[]=real"},
		{"path", "/?key=real#x"},
		{"header.cookie", `key="re\141l"`},
		{"header.cookie", "x=1,key=real"},
		{"header.cookie", "key=real x"},
		{"header.cookie", "key=a; key=real"},
		{"cookie.key", `re\141l`},
		{"header.authorization", "Bearer real x"},
		{"header.authorization", "Token real"},
		{"header.authorization", "Digest real"},
		{"header.authorization", `Digest a="b", c="d",Bearer real`},
		{"header.authorization", "Bearer real;x"},
		{"header.x-api-key", "real,made-up"},
	} {
		r := g.ask("api", entries("method", "GET", "header.x-other", fmt.Sprint("made-up-", i), pair[0], pair[1]))
		if r.GetOverallCode() != over {
			t.Errorf("%s %.60q: %s", pair[0], pair[1], r.GetOverallCode())
		}
	}
	for place, spellings := range map[string][][2]string{
		"header": {{"header.x-api-key", "real1"}, {"header.X-Api-Key", " real1\t"}},
		"bearer": {{"header.authorization", "Bearer real2"}, {"header.authorization", "bearer\treal2"}},
		"cookie": {{"header.cookie", "key=real3"}, {"header.cookie", "x=y; key=re%61l3"}, {"cookie.key", "re%61l3%20"}},
		"query":  {{"path", "/?key=real4"}, {":path", "/x?key=re%61l4%20"}, {"query.key", "real4 "}},
	} {
		for i, pair := range spellings {
			want := over
			if i == 0 {
				want = ok
			}
			if got := g.ask("api", entries("method", "GET", pair[0], pair[1])).GetOverallCode(); got != want {
				t.Errorf("%s: %s %q: %s, want %s", place, pair[0], pair[1], got, want)
			}
		}
	}
	for i, other := range [][2]string{ // and no credential at all is passed over
		{"header.authorization", `Digest username="Mufasa", realm="a b", response="6629"`},
		{"header.authorization", "AWS4-HMAC-SHA256 Credential=AKID/20261123/eu/s3/aws4_request, SignedHeaders=host, Signature=fe5f"},
		{"header.authorization", "Basic dXNlcjpwYXNz"},
		{"header.cookie", "q=skeleton key; consent=a,key,b"},
	} {
		if got := g.ask("api", entries("method", "GET", "header.x-other", fmt.Sprint("real-", i), other[0], other[1])).GetOverallCode(); got != ok {
			t.Errorf("beside %s %q: %s", other[0], other[1], got)
		}
	}
}
