package envoyrls_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
)

// page runs the policy of a page's example, with these subjects.
func page(t *testing.T, name, people string) *gateway {
	t.Helper()
	text, err := os.ReadFile("../examples/" + name + "/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	_, policy, found := strings.Cut(string(text), "policy "+name+" {")
	policy, _, ended := strings.Cut(policy, "\n\t}\n}")
	if !found || !ended {
		t.Fatal("the example has no such policy")
	}
	return start(t, "store memory volatile\ndirectory file "+subjects(t, people)+
		"\npolicy api {\nper all\ncount all ever\n}\npolicy "+name+" {"+policy)
}

// bearer is a request with a bearer token.
func bearer(method, path, key string) *descriptor {
	return entries("method", method, "path", path, "header.authorization", "Bearer "+key)
}

// told returns a text or number of the reply's metadata.
func told(r *rls.RateLimitResponse, path ...string) string {
	fields := r.GetDynamicMetadata().GetFields()
	for i, name := range path {
		v := fields[name]
		if i == len(path)-1 {
			if s := v.GetStringValue(); s != "" || v == nil {
				return s
			}
			return strconv.FormatFloat(v.GetNumberValue(), 'f', -1, 64)
		}
		fields = v.GetStructValue().GetFields()
	}
	return ""
}

// wantTold checks texts of the reply: name, value pairs of headers, "body", and
// of the metadata in dots after "metadata.".
func wantTold(t *testing.T, r *rls.RateLimitResponse, pairs ...string) {
	t.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		name, want := pairs[i], pairs[i+1]
		got := ""
		path, meta := strings.CutPrefix(name, "metadata.")
		switch {
		case name == "body":
			got = string(r.GetRawBody())
		case meta:
			got = told(r, strings.Split(path, ".")...)
		default:
			got = header(t, r, name)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// wantStatus checks a descriptor's status.
func wantStatus(t *testing.T, s *rls.RateLimitResponse_DescriptorStatus, name string, most uint32, unit string, remaining uint32) {
	t.Helper()
	l := s.GetCurrentLimit()
	if l.GetName() != name || l.GetRequestsPerUnit() != most || l.GetUnit().String() != unit || s.GetLimitRemaining() != remaining {
		t.Errorf("status %v, want %s: %d a %s, %d remaining", s, name, most, unit, remaining)
	}
}

func TestHeadshotpro(t *testing.T) {
	g := page(t, "headshotpro", `{"k1":{"id":"org"},"k2":{"id":"org"},"big":{"id":"giant","plan":"enterprise"}}`)
	for i := range 300 {
		r := g.want(ok, "headshotpro", bearer("GET", "/api/v2/organization", []string{"k1", "k2"}[i%2]))
		if want := strconv.Itoa(299 - i); header(t, r, "X-RateLimit-Remaining") != want || len(r.GetRawBody()) > 0 {
			t.Fatalf("request %d: %v", i, r)
		}
	}
	r := g.want(over, "headshotpro", bearer("POST", "/api/v2/x", "k2"))
	wantTold(t, r, "X-RateLimit-Limit", "300", "X-RateLimit-Remaining", "0", "Content-Type", "application/json",
		"body", `{"success":false,"error":"Rate limit exceeded","code":"RATE_LIMIT_EXCEEDED"}`,
		"metadata.status", "429", "metadata.outcome", "denied", "metadata.limit", "requests", "metadata.policy", "headshotpro",
		"metadata.subject.id", "org", "metadata.subject.plan", "default",
		"metadata.limits.requests.used", "300", "metadata.limits.requests.max", "300", "metadata.limits.requests.remaining", "0")
	wantStatus(t, r.GetStatuses()[0], "requests", 300, "MINUTE", 0)
	reset, err := time.Parse("2006-01-02T15:04:05.000Z", header(t, r, "X-RateLimit-Reset"))
	wait := r.GetStatuses()[0].GetDurationUntilReset().AsDuration()
	if until := time.Until(reset); err != nil || until < 55*time.Second || until > time.Minute || wait < until || wait > until+2*time.Second {
		t.Errorf("reset in %s (%v), and in %s", until, err, wait)
	}
	r = g.want(ok, "headshotpro", bearer("GET", "/", "big"))
	wantTold(t, r, "X-RateLimit-Limit", "1000", "metadata.subject.plan", "enterprise", "metadata.outcome", "admitted", "metadata.status", "")
	wantTold(t, g.want(over, "headshotpro", bearer("GET", "/", "nobody")), "metadata.status", "401",
		"metadata.outcome", "unknown_credential", "WWW-Authenticate", `Bearer error="invalid_token"`, "body", "")
	wantTold(t, g.want(over, "headshotpro", entries("path", "/")), "metadata.status", "401",
		"metadata.outcome", "missing_credential", "WWW-Authenticate", "Bearer")
}

func TestPredictions(t *testing.T) {
	g := page(t, "predictions", `{"a":{"id":"u"},"b":{"id":"u"}}`)
	for range 60 { // running predictions are not counted: nobody tells their end
		g.want(ok, "predictions", bearer("POST", "/v1/predictions", "a"))
	}
	r := g.want(over, "predictions", bearer("POST", "/v1/predictions", "a"))
	wantTold(t, r, "body", `{"error":{"type":"rate_limit_error","message":"Rate limit exceeded.","code":"RATE_LIMIT_EXCEEDED","details":{"limit":60}}}`,
		"X-RateLimit-Limit", "60", "metadata.limits.running.used", "0")
	if wait, err := strconv.Atoi(header(t, r, "Retry-After")); err != nil || wait < 55 || wait > 60 {
		t.Errorf("retry after %d (%v)", wait, err)
	}
	wantTold(t, g.want(ok, "predictions", bearer("GET", "/v1/predictions/1", "b")), "X-RateLimit-Remaining", "59")
}

func TestShelfforce(t *testing.T) {
	g := page(t, "shelfforce", `{"free":{"id":"f","plan":"free"},"pro":{"id":"p","plan":"pro"}}`)
	for range 5 {
		g.want(ok, "shelfforce", bearer("POST", "/api/v1/analyses?dry=1", "free"))
	}
	r := g.want(over, "shelfforce", bearer("POST", "//api/V1/%61nalyses", "free"))
	wantStatus(t, r.GetStatuses()[0], "analyses", 5, "MINUTE", 0)
	if body := string(r.GetRawBody()); !strings.Contains(body, `"retryAfter":`+header(t, r, "Retry-After")+`,"limit":5,"window":"60s"`) {
		t.Errorf("body %s", body)
	}
	r = g.want(ok, "shelfforce", bearer("PATCH", "/api/v1/x", "free"))
	wantStatus(t, r.GetStatuses()[0], "writes", 20, "MINUTE", 19)
	r = g.want(ok, "shelfforce", bearer("GET", "/api/v1/x", "pro"))
	wantStatus(t, r.GetStatuses()[0], "reads", 600, "MINUTE", 599)
	// A batch's size is in its body, which Envoy does not send: it costs 1.
	r = g.want(ok, "shelfforce", bearer("POST", "/api/v1/analyses/batch", "pro"))
	wantStatus(t, r.GetStatuses()[0], "analyses", 60, "MINUTE", 59)
	// But its hits_addend may say it.
	r = g.want(ok, "shelfforce", hits(bearer("POST", "/api/v1/analyses/batch", "pro"), 9))
	wantStatus(t, r.GetStatuses()[0], "analyses", 60, "MINUTE", 50)
}

func TestMagnetite(t *testing.T) {
	g := page(t, "magnetite", `{"k":{"id":"u"}}`)
	for range 5 {
		g.want(ok, "magnetite", bearer("POST", "/projects/generate", "k"))
	}
	r := g.want(over, "magnetite", bearer("POST", "/projects/generate", "k"))
	wantStatus(t, r.GetStatuses()[0], "generation_burst", 5, "SECOND", 0)
	wantTold(t, r, "Retry-After", "1", "X-RateLimit-Window", "1",
		"body", `{"success":false,"error":{"code":"RATE_LIMIT_EXCEEDED","message":"Rate limit exceeded. Maximum 5 requests per 1 seconds allowed.","retryAfter":1}}`)
	r = g.want(ok, "magnetite", bearer("GET", "/generation/7/status", "k"))
	wantStatus(t, r.GetStatuses()[0], "status", 60, "MINUTE", 59)
	r = g.want(ok, "magnetite", bearer("GET", "/other", "k"))
	if r.GetStatuses()[0].GetCurrentLimit() != nil || len(r.GetResponseHeadersToAdd()) > 0 {
		t.Errorf("limited: %v", r)
	}
}

func TestOutfit(t *testing.T) {
	g := page(t, "outfit", `{"k1":{"id":"u"},"k2":{"id":"u"}}`)
	try := func(method, path, key string) *descriptor {
		return entries("method", method, "path", path, "header.x-api-key", key)
	}
	for range 20 {
		r := g.want(ok, "outfit", try("POST", "/try_on_outfit", "k1"))
		wantTold(t, r, "X-RateLimit-Reset", "")
	}
	r := g.want(over, "outfit", try("POST", "/style_me", "k2"))
	wantStatus(t, r.GetStatuses()[0], "daily", 20, "DAY", 0)
	reset := header(t, r, "X-RateLimit-Reset")
	wantTold(t, r, "body", `{"error":"Daily rate limit exceeded. You can make 20 requests per day.","limit":20,"remaining":0,"reset":"`+reset+`"}`)
	if !strings.HasSuffix(reset, "T00:00:00.000Z") {
		t.Errorf("reset %s", reset)
	}
	wantTold(t, g.want(over, "outfit", try("GET", "/usage?x", "k2")), "metadata.status", "200", "metadata.outcome", "usage",
		"body", `{"total_requests":22,"requests_today":22,"rate_limit":{"daily_limit":20,"used_today":20,"remaining":0}}`)
	wantTold(t, g.want(over, "outfit", try("GET", "/", "k3")), "metadata.status", "403")
	wantTold(t, g.want(over, "outfit", entries("path", "/")), "metadata.status", "401")
}

// describe writes a limit as "5 SECOND×90".
func describe(l *rls.RateLimitResponse_RateLimit) string {
	s := strconv.Itoa(int(l.GetRequestsPerUnit())) + " " + l.GetUnit().String()
	if l.GetUnitMultiplier() != nil {
		s += "×" + strconv.Itoa(int(l.GetUnitMultiplier().GetValue()))
	}
	return s
}
