package core_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/memory"
)

// start is when every test's clock starts: 2026-03-01 12:00:00 UTC, in µs.
const start int64 = 1_772_366_400_000_000

const (
	second int64 = 1_000_000
	minute       = 60 * second
	hour         = 60 * minute
	day          = 24 * hour
)

// A world is an engine with one policy, api, on a store in memory, and a clock
// that tests move.
type world struct {
	t      *testing.T
	engine *core.Engine
	policy *core.Policy
	store  core.Store
	now    core.Instant

	retries *core.Retries // nil: each engine has its own
}

// directory is a Directory of plain keys.
type directory map[string]*core.Subject

func (d directory) Lookup(_ context.Context, key string) (*core.Subject, error) {
	if s, ok := d[key]; ok {
		return s, nil
	}
	return nil, core.ErrUnknownCredential
}

// compilePolicy compiles the policy api given as JSON.
func compilePolicy(t *testing.T, text string) *core.Policy {
	t.Helper()
	var c core.PolicyConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	p, err := core.CompilePolicy("policies.api", "api", &c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newWorld(t *testing.T, policy string, d core.Directory) *world {
	t.Helper()
	store := memory.New(memory.Options{})
	t.Cleanup(func() { _ = store.Close() })
	return newWorldOn(t, policy, core.Options{Directory: d, Store: store})
}

// newWorldOn is newWorld with other options.
func newWorldOn(t *testing.T, policy string, o core.Options) *world {
	t.Helper()
	p := compilePolicy(t, policy)
	o.Policies = map[string]*core.Policy{"api": p}
	o.Hasher = core.NewHasher([16]byte{1, 2, 3})
	engine := core.NewEngine(o)
	t.Cleanup(func() { _ = engine.Close() })
	return &world{t: t, engine: engine, policy: p, store: o.Store, retries: o.Retries, now: core.Instant{Wall: start, Steady: start}}
}

// reload gives the world a new engine with another policy on the same store.
func (w *world) reload(policy string, d core.Directory) {
	w.t.Helper()
	next := newWorldOn(w.t, policy, core.Options{Directory: d, Store: w.store, Retries: w.retries})
	w.engine, w.policy = next.engine, next.policy
}

// pass moves the clock by d µs.
func (w *world) pass(d int64) { w.now = w.now.Add(d) }

// A facts is a request's Source.
type facts struct {
	values map[string]string
	body   string
	limit  int64 // that Body was asked with
}

func (f *facts) Attribute(r *core.Ref) (string, bool) {
	v, ok := f.values[r.Text]
	return v, ok
}

func (*facts) Several(*core.Ref) bool { return false }

func (f *facts) All(r *core.Ref) []string { return []string{f.values[r.Text]} }

func (f *facts) Body(limit int64) ([][]byte, error) {
	f.limit = limit
	if int64(len(f.body)) > limit {
		return nil, core.ErrBodyTooLarge
	}
	return [][]byte{[]byte(f.body)}, nil
}

// get decides "METHOD /path" by key, with more attributes as name, value pairs.
func (w *world) do(line, key string, more ...string) *core.Decision {
	w.t.Helper()
	f := &facts{values: map[string]string{}}
	if key != "" {
		f.values["header.X-Api-Key"] = key
	}
	for i := 0; i+1 < len(more); i += 2 {
		if more[i] == "body" {
			f.body = more[i+1]
		}
		f.values[more[i]] = more[i+1]
	}
	method, path, _ := strings.Cut(line, " ")
	r := &core.Request{Method: method, Path: core.NormalizePath(path), Source: f}
	d := &core.Decision{}
	w.engine.Decide(context.Background(), w.now, w.policy, r, d)
	return d
}

// want checks a decision's outcome.
func (w *world) want(d *core.Decision, o core.Outcome) *core.Decision {
	w.t.Helper()
	if d.Outcome != o {
		w.t.Fatalf("got %s (%v), want %s", d.Outcome, d.Err, o)
	}
	return d
}

// admit and deny decide one request more and check what became of it.
func (w *world) admit(line, key string, more ...string) *core.Decision {
	w.t.Helper()
	return w.want(w.do(line, key, more...), core.Admitted)
}

func (w *world) deny(line, key string, more ...string) *core.Decision {
	w.t.Helper()
	return w.want(w.do(line, key, more...), core.Denied)
}

// hear lets the origin answer with headers.
func (w *world) hear(d *core.Decision, headers ...string) core.Heard {
	w.t.Helper()
	h := http.Header{}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Add(headers[i], headers[i+1])
	}
	v := core.ParseVoice(h[core.HeaderCost], h[core.HeaderLease], h[core.HeaderRelease], h[core.HeaderSet])
	heard := w.engine.Hear(context.Background(), w.now, d, &v)
	if heard.Err != nil {
		w.t.Fatal(heard.Err)
	}
	return heard
}

// end ends a request, after the origin's headers.
func (w *world) end(d *core.Decision, headers ...string) {
	w.t.Helper()
	if len(headers) > 0 {
		w.hear(d, headers...)
	}
	w.engine.Finish(w.now, d)
}

// used checks what a decision tells of a limit.
func (w *world) used(d *core.Decision, limit string, used, remaining int64) *core.Charge {
	w.t.Helper()
	c := d.Charge(limit)
	if c == nil {
		w.t.Fatalf("no charge of %s", limit)
	}
	if c.Used != used || c.Remaining() != remaining {
		w.t.Fatalf("%s: used %d, remaining %d, want %d, %d", limit, c.Used, c.Remaining(), used, remaining)
	}
	return c
}

// look reads the state of key's limits.
func (w *world) look(key string) *core.Decision {
	w.t.Helper()
	d := &core.Decision{}
	if err := w.engine.Inspect(context.Background(), w.now, w.policy, core.Who{Key: key}, d); err != nil {
		w.t.Fatal(err)
	}
	return d
}

const keyed = `"subject":{"sources":[{"from":"{header.X-Api-Key}"}]},`
