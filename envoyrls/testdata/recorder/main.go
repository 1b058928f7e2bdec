// The recorder writes testdata/ratelimit/recorded.yaml: the replies of
// envoyproxy/ratelimit itself, with a counter in memory in place of Redis and a
// clock in place of the time, to random calls by random files. It is built in a
// clone of that repository, whose packages it uses:
//
//	git clone https://github.com/envoyproxy/ratelimit && cd ratelimit && git checkout f2fb1577
//	mkdir src/recorder && cp WEIR/envoyrls/testdata/recorder/main.go src/recorder
//	go run ./src/recorder >WEIR/envoyrls/testdata/ratelimit/recorded.yaml
package main

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"strings"

	limit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	envoytype "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	gostats "github.com/lyft/gostats"
	"google.golang.org/grpc/health"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/envoyproxy/ratelimit/src/config"
	"github.com/envoyproxy/ratelimit/src/provider"
	"github.com/envoyproxy/ratelimit/src/redis"
	"github.com/envoyproxy/ratelimit/src/server"
	ratelimit "github.com/envoyproxy/ratelimit/src/service"
	"github.com/envoyproxy/ratelimit/src/settings"
	"github.com/envoyproxy/ratelimit/src/stats"
)

// memory is Redis, as far as counting needs it.
type memory struct{ n map[string]uint64 }

func (m *memory) DoCmd(any, string, string, ...any) error { return nil }
func (m *memory) PipeAppend(p redis.Pipeline, rcv any, cmd, key string, args ...any) redis.Pipeline {
	if cmd == "INCRBY" {
		m.n[key] += args[0].(uint64)
		*rcv.(*uint64) = m.n[key]
	}
	return append(p, redis.PipelineAction{Key: key})
}
func (m *memory) PipeDo(context.Context, redis.Pipeline) error { return nil }
func (m *memory) Close() error                                 { return nil }
func (m *memory) NumActiveConns() int                          { return 1 }

type clock struct{ now int64 }

func (c *clock) UnixNow() int64 { return c.now }

type event struct{ c config.RateLimitConfig }

func (e event) GetConfig() (config.RateLimitConfig, any) { return e.c, nil }

type prov struct {
	ch chan provider.ConfigUpdateEvent
}

func (p prov) ConfigUpdateEvent() <-chan provider.ConfigUpdateEvent { return p.ch }
func (p prov) Stop()                                                {}

var r = rand.New(rand.NewSource(4))

func pick[T any](all ...T) T { return all[r.Intn(len(all))] }

// gen writes a list of descriptors.
func gen(depth int, indent string) string {
	var b strings.Builder
	seen := map[string]bool{}
	for range r.Intn(5) + 1 {
		key, value := pick("a", "b", "c"), pick("", "", "x", "y", "xx", "x*", "*", "*y", "x*y")
		if seen[key+"_"+value] {
			continue
		}
		seen[key+"_"+value] = true
		fmt.Fprintf(&b, "%s- key: %s\n", indent, key)
		line := func(f string, a ...any) { fmt.Fprintf(&b, indent+"  "+f+"\n", a...) }
		if value != "" {
			line("value: %q", value)
		}
		if strings.Contains(value, "*") && r.Intn(2) == 0 {
			line("share_threshold: true")
		}
		if r.Intn(6) == 0 {
			line("shadow_mode: true")
		}
		if r.Intn(4) == 0 {
			line("quota_mode: true")
		}
		if r.Intn(6) == 0 {
			line("detailed_metric: true")
		}
		if r.Intn(6) == 0 {
			line("value_to_metric: true")
		}
		if r.Intn(5) > 0 {
			line("rate_limit:")
			name := pick("", "", "one", "two")
			if name != "" {
				line("  name: %s", name)
			}
			if other := pick("", "", "one", "two"); other != "" && other != name {
				line("  replaces: [{ name: %s }]", other)
			}
			if r.Intn(10) == 0 {
				line("  unlimited: true")
			} else {
				line("  unit: %s", pick("second", "minute", "hour", "day", "week"))
				line("  requests_per_unit: %d", pick(0, 1, 2, 3, 5, 10))
			}
		}
		if depth > 0 && r.Intn(3) == 0 {
			line("descriptors:")
			b.WriteString(gen(depth-1, indent+"    "))
		}
	}
	return b.String()
}

// ask makes up a call, with its notation.
func ask() (string, *rls.RateLimitRequest) {
	req := &rls.RateLimitRequest{Domain: "d", HitsAddend: pick[uint32](0, 0, 0, 1, 2, 4)}
	var words []string
	for range pick(1, 1, 2, 3) {
		d := &limit.RateLimitDescriptor{}
		text := ""
		for range pick(1, 1, 1, 2, 3) {
			e := &limit.RateLimitDescriptor_Entry{Key: pick("a", "b", "c", "ab"), Value: pick("x", "y", "xx", "xy", "z", "")}
			d.Entries = append(d.Entries, e)
			text += "(" + e.Key + "=" + e.Value + ")"
		}
		if r.Intn(6) == 0 {
			d.HitsAddend = wrapperspb.UInt64(pick[uint64](0, 0, 1, 3, 7))
			text += fmt.Sprintf(" hits=%d", d.HitsAddend.Value)
		}
		if r.Intn(8) == 0 {
			u := pick[int32](1, 2, 3, 4, 7)
			d.Limit = &limit.RateLimitDescriptor_RateLimitOverride{RequestsPerUnit: uint32(r.Intn(6)), Unit: envoytype.RateLimitUnit(u)}
			text += fmt.Sprintf(" limit=%d/%d", d.Limit.RequestsPerUnit, u)
		}
		req.Descriptors = append(req.Descriptors, d)
		words = append(words, text)
	}
	return strings.Join(words, " "), req
}

// show tells a reply in the notation of testdata/ratelimit.
func show(r *rls.RateLimitResponse) string {
	word := map[rls.RateLimitResponse_Code]string{1: "OK", 2: "OVER"}
	all := []string{word[r.GetOverallCode()] + ":"}
	for _, s := range r.GetStatuses() {
		text := word[s.GetCode()]
		if l := s.GetCurrentLimit(); l != nil {
			text += fmt.Sprintf(" %d of %d/%s in %ds", s.GetLimitRemaining(), l.GetRequestsPerUnit(), strings.ToLower(l.GetUnit().String()), s.GetDurationUntilReset().GetSeconds())
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

func main() {
	os.Setenv("LIMIT_RESPONSE_HEADERS_ENABLED", "true")
	fmt.Println(`# Replies recorded from envoyproxy/ratelimit itself, commit f2fb1577, run with a
# counter in memory in place of Redis and a clock in place of the time, on random
# files and random calls. Left out is where it is wrong: keys and values with _,
# months and years, units whose windows begin at the same second.`)
	for i := range 40 {
		text := "domain: d\ndescriptors:\n" + gen(2, "  ")
		sm := stats.NewStatManager(gostats.NewStore(gostats.NewNullSink(), false), settings.NewSettings())
		cfg := config.NewRateLimitConfigImpl([]config.RateLimitConfigToLoad{{Name: "a", ConfigYaml: config.ConfigFileContentToYaml("a", text)}}, sm, false)
		c := &clock{1_700_000_000}
		cache := redis.NewFixedRateLimitCacheImpl(&memory{map[string]uint64{}}, nil, c, nil, 0, nil, 0.8, "", sm, false)
		p := prov{make(chan provider.ConfigUpdateEvent, 1)}
		p.ch <- event{cfg}
		s := ratelimit.NewService(cache, p, sm, server.NewHealthChecker(health.NewServer(), "ratelimit", false), c, false, false, false)
		fmt.Printf("- name: file %d\n  from: envoyproxy/ratelimit at f2fb1577\n  headers: true\n  config: |\n", i)
		for line := range strings.Lines(text) {
			fmt.Print("    " + line)
		}
		fmt.Println("  calls:")
		for range 15 {
			if r.Intn(6) == 0 {
				c.now += pick[int64](1, 7, 41, 61, 3700, 7200, 90_061, 180_123)
				for c.now%60 == 0 || c.now%3600 < 60 || c.now%86400 < 3600 || c.now%604800 < 86400 {
					c.now += 3661
				}
			}
			words, req := ask()
			reply, err := s.ShouldRateLimit(context.Background(), req)
			if err != nil {
				panic(err)
			}
			fmt.Printf("    - { at: %d, ask: %q, ", c.now, words)
			if req.HitsAddend != 0 {
				fmt.Printf("hits: %d, ", req.HitsAddend)
			}
			fmt.Printf("want: %q", show(reply))
			var headers []string
			for _, h := range reply.GetResponseHeadersToAdd() {
				headers = append(headers, h.GetValue())
			}
			if len(headers) > 0 {
				fmt.Printf(", headers: %q", strings.Join(headers, " "))
			}
			fmt.Println(" }")
		}
	}
}
