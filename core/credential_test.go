package core

import (
	"strings"
	"testing"
)

func TestBearerToken(t *testing.T) {
	for _, tc := range []struct {
		in, token string
		clear     bool
	}{
		{"Bearer x", "x", true},
		{"bearer   x", "x", true},
		{"BEARER\tx", "x", true},
		{" Bearer \t x ", "x", true},
		{"Bearer 1|a.b~c+/==", "1|a.b~c+/==", true},
		{"Bearer AZaz09-._~+/==", "AZaz09-._~+/==", true},
		{"Bearer eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJub25lIn0.e30.", true},
		{"Bearer 123:a%20b&c?d#e", "123:a%20b&c?d#e", true},
		{`Bearer x,a=1`, "", false}, // Rails takes each of these for x
		{`Bearer x;1`, "", false},
		{`Bearer "x"`, "", false},
		{`Bearer token=x`, "", false},
		{"", "", true},
		{"Bearer", "", true},
		{"Basic dXNlcjpwYXNz", "", true},
		{"basic  dXNlcjo=", "", true},
		{"Bearer x y", "", false},
		{"Bearer x\ty", "", false},
		{"Bearer\xa0x", "", false},
		{"Bearerx", "", false},
		{"Bearer: x", "", false},
		{"Basic x", "", false},
		{"Basic bm9uZQ==", "", false}, // no name and password
		{"Token x", "", false},
		{"x", "", false},
		{"basic dXNlcjpww6Rzcw==", "", true},
		{"Basic 6a2f06c1d3e84b5a", "", false}, // decodes to bytes with a colon
		{`Digest username="Mufasa", realm="a b, \"c\"", uri="/x?a=b,c", nc=00000001, qop=auth, response="6629"`, "", true},
		{"AWS4-HMAC-SHA256 Credential=AKID/20261123/eu-west-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=fe5f", "", true},
		{"AWS4-HMAC-SHA256 Credential=AKID/20261123/eu-west-1/s3/aws4_request,SignedHeaders=host,Signature=fe5f", "", true},
		{"AWS4-ECDSA-P256-SHA256 Credential=AKID/20261123/s3/aws4_request, SignedHeaders=host, Signature=fe5f", "", true},
		{`OAuth realm="Photos", oauth_consumer_key="dpf4", oauth_signature="wJalr%3D"`, "", true},
		{`Hawk id="dh37", ts="1353832234", nonce="j4h3g2", mac="6R4r="`, "", true},
		{`Signature keyId="a",algorithm="hs2019",signature="Ye=="`, "", true},
		{"Negotiate YIIBAAYGKwYBBQUCoIH1MIHy", "", true},
		{"Negotiate YIIBAAYJKoZIhvcSAQICAQBuggEA", "", true},
		{`Digest username="a", uri="/oauth/bearer-tokens?bearer"`, "", true},
		{`Digest username="bearer", uri="/bearer/bearer"`, "", true},
		{`Digest a="b", c="bearer\treal"`, "", false},
		{`Digest a="b", c="Bearer=real"`, "", false},
		{`Digest a="b", bearer=real`, "", false},
		{"Basic am9zZTpw5HNz", "", false}, // in Latin-1, which some keys look like
		{"NTLM TlRMTVNTUAABAAAAB4IIogAAAAAAAAAA", "", true},
		{"negotiate TlRMTVNTUAABAAAAB4IIogAAAAAAAAAA", "", true},
		{"Negotiate 6a2f06c1d3e84b5a", "", false},
		{"NTLM real", "", false},
		{"Digest real", "", false},
		{"Digest real, a=b", "", false},
		{"Digest a=b, real", "", false},
		{"Digest a=b, c= real", "", false},
		{"Digest a=b, c=d real", "", false},
		{"Digest a=b, real==", "", false},
		{"Digest a=real", "", false},
		{`Digest a="b", c="d" real`, "", false},
		{`Digest a="b", c="d`, "", false},
		{`Digest a="b", c="Bearer real"`, "", false},
		{"Digest a=b, c=\xa0real", "", false},
		{`Digest a="b", c="d",Bearer real`, "", false},
		{`Token token="real", nonce="def"`, "", false},
		{`Token realm="a", x="b"`, "", false},
		{"OAuth real", "", false},
		{"AWS AKID:fe5f=", "", false},
		{"DPoP real", "", false},
		{"ApiKey real", "", false},
	} {
		token, clear := bearerToken(tc.in)
		if clear != tc.clear || clear && token != tc.token {
			t.Errorf("%q: %q, %v", tc.in, token, clear)
		}
	}
}

func TestTrimmed(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "a": "a", " a b ": "a b", "\x00\t\r\n\v\f a\x1f\x7f": "a", "\u00a0\u2003\u3000a\ufeff\u2028": "a",
		"\xa0a\x85": "a", "\xff": "\xff", "caf\xc3\xa0": "caf\xc3\xa0", "\u200ba": "\u200ba", " \t": "", "\xa0": "",
	} {
		if got := trimmed(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestFindingAllocatesNothing: what is written plainly is found in place.
func TestFindingAllocatesNothing(t *testing.T) {
	lines := []string{"a=b; session=3f2a; x={\"y\":1}"}
	n := testing.AllocsPerRun(100, func() {
		Cookie(lines, "session")
		RepeatsCookie(lines, "session")
		Parameter("a=b&key=3f2a&x=%20", "key")
		RepeatsParameter("a=b&key=3f2a&x=1", "key")
		bearerToken("Bearer 3f2a")
		otherScheme("Bearer 3f2a")
		otherScheme(`Digest username="Mufasa", response="6629"`)
		largestCost("70")
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestFindingTakesTimeInProportion: no header makes the search slow. One whose time
// grew with the square of the header's length would outlast all patience here.
func TestFindingTakesTimeInProportion(t *testing.T) {
	for _, unit := range []string{";", " ", "key ", "key[", "key,", "key=", "key=1 ", "key=1,", "key[ ", `key="`, "%6bey ", "x "} {
		for _, end := range []string{" ", `"`, "%37"} {
			line := strings.Repeat(" ", 1<<20) + strings.Repeat(unit, (1<<20)/len(unit)) + strings.Repeat(end, (1<<19)/len(end))
			if RepeatsCookie([]string{line}, "other") || RepeatsParameter(line, "other") {
				t.Errorf("%q has another name", unit)
			}
			RepeatsCookie([]string{line}, "key")
			RepeatsParameter(line, "key")
			size := 0
			for _, v := range append(Cookies([]string{line}, "key"), Parameters(line, "key")...) {
				largestCost(v)
				size += len(v)
			}
			if size > 5*len(line) {
				t.Errorf("%q and %q: %d bytes of %d", unit, end, size, len(line))
			}
			bearerToken("Digest " + line)
		}
	}
}

// FuzzFind: all that is found alone and beyond doubt is among all that may be taken.
func FuzzFind(f *testing.F) {
	for _, s := range []string{"key=a", "key=%61;key", `x="; key="a"; b`, "k%65y[]=1#&key", "key = \xa0,key\\141"} {
		f.Add(s, "key")
	}
	f.Fuzz(func(t *testing.T, s, name string) {
		if !IsToken(name) {
			return
		}
		among := func(value string, all []string) bool {
			for _, v := range all {
				if strings.Trim(trimmed(v), `"`) == strings.Trim(trimmed(value), `"`) {
					return true
				}
			}
			return false
		}
		if v, ok := Parameter(s, name); ok && !RepeatsParameter(s, name) && !among(v, Parameters(s, name)) {
			t.Errorf("query %q: %q is not among %q", s, v, Parameters(s, name))
		}
		if v, ok := Cookie([]string{s}, name); ok && !RepeatsCookie([]string{s}, name) && !among(v, Cookies([]string{s}, name)) {
			t.Errorf("cookies %q: %q is not among %q", s, v, Cookies([]string{s}, name))
		}
		if n, ok := largestCost(s); ok && (n < 0 || n > MaxAmount) {
			t.Errorf("%q costs %d", s, n)
		}
		strict, ok := parseCost(s)
		if n, found := largestCost(s); ok && (!found || n < strict) {
			t.Errorf("%q costs %d, and strictly read %d", s, n, strict)
		}
	})
}
