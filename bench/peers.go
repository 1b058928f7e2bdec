package main

import (
	"context"
	"sync"
	"time"

	"github.com/sethvargo/go-limiter/memorystore"
	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
	"golang.org/x/time/rate"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/memory"
)

// peers, Weir first: the ratios are to it. All allow 300 in 60 s a key; nobody
// is refused while times are measured, for that is the common case.
var peers = []peer{
	{"weir, engine: rolling", "exact", weirEngine(`"kind":"rolling","window":"60s","max":300`)},
	{"weir, engine: three limits", "exact", weirEngine(
		`"kind":"rolling","window":"60s","max":300`,
		`"kind":"calendar","unit":"day","zone":"UTC","max":1000000000`,
		`"kind":"bucket","window":"1s","rate":1000000,"max":300`)},
	{"weir, engine: bucket", "exact", weirEngine(`"kind":"bucket","window":"60s","rate":1000000000,"max":300`)},
	{"weir, engine: fixed", "windows", weirEngine(`"kind":"fixed","window":"60s","max":1000000000`)},
	{"golang.org/x/time/rate in a map", "token bucket", timeRate},
	{"sethvargo/go-limiter memorystore", "windows", goLimiter},
	{"throttled memstore", "GCRA", throttledGCRA},
}

// weirEngine decides with limits of these kinds, through the whole engine.
func weirEngine(kinds ...string) func(func() core.Instant) func(string) bool {
	return func(now func() core.Instant) func(string) bool {
		policy := compile(kinds)
		store := memory.New(memory.Options{})
		engine := core.NewEngine(core.Options{
			Policies: map[string]*core.Policy{"bench": policy}, Store: store,
			Hasher: core.NewHasher([16]byte{1}),
		})
		pool := sync.Pool{New: func() any { return &call{} }}
		return func(key string) bool {
			c := pool.Get().(*call)
			c.key = key
			c.request.Method, c.request.Path, c.request.Source = "GET", "/", c
			c.decision.Reset()
			engine.Decide(context.Background(), now(), policy, &c.request, &c.decision)
			admitted := c.decision.Outcome == core.Admitted
			pool.Put(c)
			return admitted
		}
	}
}

// A call is a request whose key is its only attribute.
type call struct {
	key      string
	request  core.Request
	decision core.Decision
}

func (c *call) Attribute(*core.Ref) (string, bool) { return c.key, true }
func (c *call) Several(*core.Ref) bool             { return false }
func (c *call) All(*core.Ref) []string             { return nil }
func (c *call) Body(int64) ([][]byte, error)       { return nil, core.ErrNoBody }

func timeRate(func() core.Instant) func(string) bool {
	var mu sync.Mutex
	limiters := map[string]*rate.Limiter{}
	return func(key string) bool {
		mu.Lock()
		l, ok := limiters[key]
		if !ok {
			l = rate.NewLimiter(1e9, 300)
			limiters[key] = l
		}
		mu.Unlock()
		return l.Allow()
	}
}

func goLimiter(func() core.Instant) func(string) bool {
	store, err := memorystore.New(&memorystore.Config{Tokens: 1 << 40, Interval: time.Minute})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	return func(key string) bool {
		_, _, _, ok, _ := store.Take(ctx, key)
		return ok
	}
}

func throttledGCRA(func() core.Instant) func(string) bool {
	store, err := memstore.NewCtx(1 << 20)
	if err != nil {
		panic(err)
	}
	limiter, err := throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{
		MaxRate: throttled.PerSec(1_000_000_000), MaxBurst: 300,
	})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	return func(key string) bool {
		limited, _, err := limiter.RateLimitCtx(ctx, key, 1)
		return err == nil && !limited
	}
}
