package envoyrls

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	limit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	envoytype "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirhq/weir/envoyrls/compat"
)

// A rateLimitCase is one of testdata/ratelimit: calls one after another, and
// what each is answered.
type rateLimitCase struct {
	Name    string
	From    string // where what is wanted is written
	Config  string
	Second  string // another file
	Headers bool
	Shadow  bool
	Merge   bool
	Calls   []rateLimitCall
}

// A rateLimitCall is a call. Its notation:
//
//	ask:  (key=value)(key2=value2) (key=value) hits=3
//	want: OVER | OK 9 of 10/minute in 40s | OVER 0 of 1/day in 6400s name
//
// A word without parentheses belongs to the descriptor before: hits=N, back
// (negative hits), limit=N/UNIT (an override; 0/ is one without a unit,
// 5/day*7 one of several).
type rateLimitCall struct {
	At      int64  // seconds since the epoch; 0: as before
	Domain  string // of the config, if it is not given; - is none
	Ask     string
	Hits    uint32 // of the call
	Times   int    // how often; what is wanted is of the last one
	Want    string
	Headers string // limit, remaining, reset
	Error   string
}

// TestRateLimitCases makes the calls of testdata/ratelimit over gRPC.
func TestRateLimitCases(t *testing.T) {
	paths, err := filepath.Glob("testdata/ratelimit/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var all []rateLimitCase
		decoder := yaml.NewDecoder(bytes.NewReader(text))
		decoder.KnownFields(true)
		if err := decoder.Decode(&all); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, c := range all {
			if c.From == "" || len(c.Calls) == 0 {
				t.Errorf("%s, %s: from nowhere, or without calls", path, c.Name)
			}
			cases++
			t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml")+"/"+c.Name, c.run)
		}
	}
	t.Logf("%d cases", cases)
	if cases < 60 {
		t.Errorf("only %d cases", cases)
	}
}

func (c *rateLimitCase) run(t *testing.T) {
	files := map[string]string{"a.yaml": c.Config}
	if c.Second != "" {
		files["b.yaml"] = c.Second
	}
	l := newRateLimiter(t, files, func(o *compat.Options) {
		o.Headers, o.ShadowMode, o.MergeDomains = c.Headers, c.Shadow, c.Merge
	})
	domain := regexp.MustCompile(`(?m)^domain: *(.*)$`).FindStringSubmatch(c.Config)[1]
	for i, call := range c.Calls {
		if call.At != 0 {
			l.wall.Store(call.At * 1_000_000)
		}
		ask := &rls.RateLimitRequest{Domain: domain, HitsAddend: call.Hits, Descriptors: parseDescriptors(t, call.Ask)}
		if call.Domain != "" {
			ask.Domain = strings.Trim(call.Domain, "-")
		}
		var reply *rls.RateLimitResponse
		var err error
		for range max(1, call.Times) {
			reply, err = l.client.ShouldRateLimit(t.Context(), ask)
		}
		if call.Error != "" {
			if s := status.Convert(err); !strings.Contains(s.Code().String()+": "+s.Message(), call.Error) {
				t.Errorf("call %d: %v, want %s", i, err, call.Error)
			}
			continue
		}
		if err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		if got := showReply(reply); got != strings.Join(strings.Fields(call.Want), " ") {
			t.Errorf("call %d, %s:\n got %s\nwant %s", i, call.Ask, got, call.Want)
		}
		if got := showHeaders(reply); got != call.Headers {
			t.Errorf("call %d: headers %q, want %q", i, got, call.Headers)
		}
	}
}

// parseDescriptors reads the notation of a call.
func parseDescriptors(t *testing.T, text string) (all []*limit.RateLimitDescriptor) {
	t.Helper()
	for _, word := range strings.Fields(text) {
		if strings.HasPrefix(word, "(") {
			all = append(all, new(limit.RateLimitDescriptor))
			for pair := range strings.SplitSeq(strings.Trim(word, "()"), ")(") {
				if key, value, found := strings.Cut(pair, "="); found {
					last := all[len(all)-1]
					last.Entries = append(last.Entries, &limit.RateLimitDescriptor_Entry{Key: key, Value: value})
				}
			}
			continue
		}
		d := all[len(all)-1]
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "hits":
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			d.HitsAddend = wrapperspb.UInt64(n)
		case "back":
			d.IsNegativeHits = true
		case "limit":
			requests, unit, _ := strings.Cut(value, "/")
			unit, multiplier, several := strings.Cut(unit, "*")
			n, err := strconv.ParseUint(requests, 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			d.Limit = &limit.RateLimitDescriptor_RateLimitOverride{
				RequestsPerUnit: uint32(n),
				Unit:            envoytype.RateLimitUnit(envoytype.RateLimitUnit_value[strings.ToUpper(unit)]),
			}
			if several {
				n, err := strconv.ParseUint(multiplier, 10, 32)
				if err != nil {
					t.Fatal(err)
				}
				d.Limit.UnitMultiplier = wrapperspb.UInt32(uint32(n))
			}
			if u, err := strconv.Atoi(unit); err == nil {
				d.Limit.Unit = envoytype.RateLimitUnit(u)
			}
		default:
			t.Fatalf("%q: nobody knows %q", text, word)
		}
	}
	return all
}

// showReply tells a reply in the notation of a call: its code, if it is not that
// of its only descriptor, then each descriptor's.
func showReply(r *rls.RateLimitResponse) string {
	word := map[rls.RateLimitResponse_Code]string{rls.RateLimitResponse_OK: "OK", rls.RateLimitResponse_OVER_LIMIT: "OVER"}
	all := []string{word[r.GetOverallCode()] + ":"}
	for _, s := range r.GetStatuses() {
		text := word[s.GetCode()]
		if l := s.GetCurrentLimit(); l != nil {
			unit := strings.ToLower(l.GetUnit().String())
			if n := l.GetUnitMultiplier(); n != nil {
				unit += fmt.Sprintf("*%d", n.GetValue())
			}
			text += fmt.Sprintf(" %d of %d/%s in %ds", s.GetLimitRemaining(), l.GetRequestsPerUnit(),
				unit, s.GetDurationUntilReset().GetSeconds())
			if l.GetName() != "" {
				text += " " + l.GetName()
			}
		} else if s.GetLimitRemaining() > 0 {
			text += fmt.Sprintf(" %d", s.GetLimitRemaining())
		}
		all = append(all, text+";")
	}
	return strings.TrimSuffix(strings.Join(all, " "), ";")
}

func showHeaders(r *rls.RateLimitResponse) string {
	var all []string
	for _, name := range []string{"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"} {
		for _, h := range r.GetResponseHeadersToAdd() {
			if h.GetKey() == name {
				all = append(all, h.GetValue())
			}
		}
	}
	return strings.Join(all, " ")
}
