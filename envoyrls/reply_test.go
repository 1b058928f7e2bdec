package envoyrls

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	limit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/contract"
	"github.com/weirhq/weir/core/memory"
)

// people are a directory of plain keys.
type people map[string]*core.Subject

func (p people) Lookup(_ context.Context, key string) (*core.Subject, error) {
	switch s, ok := p[key]; {
	case key == "broken":
		return nil, errors.New("the directory is down")
	case ok:
		return s, nil
	}
	return nil, core.ErrUnknownCredential
}

// broken is a store that fails.
type broken struct{ core.Store }

func (broken) Take(context.Context, *core.Take) error { return errors.New("the store is down") }

// policyOf compiles the lines of a policy's block.
func policyOf(t *testing.T, lines string) (*core.Policy, *contract.Contract) {
	t.Helper()
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte("{\nweir {\npolicy api {\n"+lines+"\n}\n}\n}\n"), nil)
	var config struct {
		Apps struct {
			Weir struct {
				Policies map[string]*core.PolicyConfig
			}
		}
	}
	if err == nil {
		err = json.Unmarshal(adapted, &config)
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := core.CompilePolicy("policies.api", "api", config.Apps.Weir.Policies["api"])
	if err != nil {
		t.Fatal(err)
	}
	c, err := contract.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	return p, c
}

// everything is a policy with limits of every kind.
const everything = `
	subject {header.X-API-Key} {
		missing 401 <<BODY
			{"error":"who are you?"}
			BODY
	}
	plans requests {
		default 3
		pro unlimited
		Größe 5
	}
	limit minute {
		rolling 90s
		max {subject.requests}
		deny 429 <<BODY
			{"error":"slow down","limit":{weir.max},"retry":{weir.retry_after}}
			BODY
	}
	limit spending {
		calendar month Europe/Berlin
		cost settled
		max 2.5
	}
	limit burst {
		match POST *
		bucket 2/1s burst 4
	}
	limit tiny {
		match POST /tiny
		fixed 1500ms
		max 1
	}
	limit slots {
		hold response
		max 100
	}
	limit dry {
		rolling 1m
		max 1
		shadow
	}
	count total ever refused
	headers x-ratelimit iso
	usage GET /usage {"used":{weir.limits.minute.used}}`

// TestReply compares replies as they go out with messages that say the same.
func TestReply(t *testing.T) {
	crowd := people{
		"k1": {ID: "alice"}, "k2": {ID: "bob", Plan: "pro"}, "k3": {ID: "carol", Plan: "Größe"},
		"long": {ID: strings.Repeat("x", 20_000)}, "free": {ID: "dave", Plan: "nobody's"},
	}
	ask := func(method, path string, keys ...string) (all [][]string) {
		for _, key := range keys {
			all = append(all, []string{"method", method, "path", path, "header.x-api-key", key})
		}
		return all
	}
	seen := make(map[core.Outcome]bool)
	for name, tc := range map[string]struct {
		policy string
		broken bool
		calls  [][][]string
	}{
		"everything": {everything, false, [][][]string{
			ask("GET", "/", "k1"), ask("POST", "/tiny", "k1"), ask("POST", "/tiny", "k1"), ask("GET", "/", "k1"), ask("GET", "/", "k1"),
			ask("GET", "/", "k2"), ask("GET", "/", "k3"), ask("GET", "/", "long"), ask("GET", "/usage", "k1"), ask("GET", "/usage", "k2"),
			ask("GET", "/", ""), ask("GET", "/", "nobody"), ask("GET", "/", "broken"), ask("GET", "/", "free"),
			{{}},
			{{"path", "/"}},
			ask("GET", "/", "k2", "k3", "k1"), ask("GET", "/", "k1", "nobody"), ask("POST", "/", "k3", "k3", "k3", "k3"),
			ask("OPTIONS", "/", "k1"),
		}},
		"a failing store": {everything, true, [][][]string{ask("GET", "/", "k1"), ask("GET", "/usage", "k1")}},
		"the IETF's":      {"per all\nlimit a {\nfixed 1h\nmax 2\n}\nlimit b {\nrolling 14d\nmax 9007199254740991\n}\nheaders ratelimit", false, [][][]string{{{}}, {{}, {}}, {{}}}},
		"in shadow":       {"shadow\nsubject {header.X-API-Key}\nlimit a {\nrolling 100ms\nmax 1\n}", false, [][][]string{ask("GET", "/", "nobody"), ask("GET", "/", "k1"), ask("GET", "/", "k1")}},
		"a long body": {"per all\nlimit a {\nfixed 1h\nmax 0\n}\ndeny 429 " + strings.Repeat("é", 9000) + " {\ntype text/plain\n}", false, [][][]string{
			{{}}, {{}, {}},
		}},
		"no default plan": {"subject {header.X-API-Key}\nplans requests {\npro 5\n}\nlimit a {\nrolling 1m\nmax {subject.requests}\n}", false, [][][]string{
			ask("GET", "/", "k1"), ask("GET", "/", "k2"), ask("GET", "/", "k2", "k1"),
		}},
		"nothing": {"per all\ncount all ever", false, [][][]string{{{}}}},
	} {
		t.Run(name, func(t *testing.T) {
			policy, c := policyOf(t, tc.policy)
			var store core.Store = memory.New(memory.Options{})
			defer store.Close()
			if tc.broken {
				store = broken{store}
			}
			engine := core.NewEngine(core.Options{
				Policies: map[string]*core.Policy{"api": policy}, Directory: crowd, Store: store, OnStoreError: "deny",
				Hasher: core.NewHasher([16]byte{1}),
			})
			defer engine.Close()
			for i, descriptors := range tc.calls {
				asked := new(call)
				for _, pairs := range descriptors {
					d := new(limit.RateLimitDescriptor)
					for i := 0; i+1 < len(pairs); i += 2 {
						d.Entries = append(d.Entries, &limit.RateLimitDescriptor_Entry{Key: pairs[i], Value: pairs[i+1]})
					}
					asked.add(d, 1)
				}
				engine.DecideAll(t.Context(), core.Instant{Wall: 1_772_366_400_000_123, Steady: 123}, policy, asked.requests, asked.decisions)
				for _, d := range asked.decisions {
					seen[d.Outcome] = true
				}
				id := core.ID{Lo: uint64(i % 2)} // of a stay, now and then
				want, got := slowReply(c, asked.decisions, id), new(rls.RateLimitResponse)
				if err := proto.Unmarshal(*newReply(c, asked.decisions, id), got); err != nil {
					t.Fatalf("call %d: %v", i, err)
				}
				if !proto.Equal(got, want) {
					t.Errorf("call %d:\n%v\nwant\n%v", i, got, want)
				}
			}
		})
	}
	for o := core.Passed; o <= core.Withheld; o++ {
		if !seen[o] && !strings.HasPrefix(o.String(), "body_") {
			t.Errorf("no request was %s", o)
		}
	}
	got := new(rls.RateLimitResponse)
	if err := proto.Unmarshal(*unlimited(3), got); err != nil || !proto.Equal(got, slowUnlimited(3)) {
		t.Errorf("%v, %v", got, err)
	}
}

// TestEncoder: lengths of any size, and texts of any bytes.
func TestEncoder(t *testing.T) {
	for _, n := range []int{0, 1, 126, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152} {
		e := encoder{}
		outer := e.openStruct("s")
		e.stringMember("text", strings.Repeat("x", n))
		e.numberMember("number", -1.5)
		e.closeStruct(outer)
		got := new(structpb.Struct)
		if err := proto.Unmarshal(e.out, got); err != nil {
			t.Fatalf("%d: %v", n, err)
		}
		fields := got.GetFields()["s"].GetStructValue().GetFields()
		if len(fields["text"].GetStringValue()) != n || fields["number"].GetNumberValue() != -1.5 {
			t.Errorf("%d bytes come back as %d, and %v", n, len(fields["text"].GetStringValue()), fields["number"])
		}
	}
	e := encoder{}
	e.text(headerKey, "a\xffb\xf0\x9f")
	if _, _, n := protowire.ConsumeField(e.out); n != len(e.out) || !strings.Contains(string(e.out), "a\uFFFDb\uFFFD") {
		t.Errorf("%q", e.out)
	}
}
