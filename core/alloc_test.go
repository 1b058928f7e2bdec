package core_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/weirhq/weir/core"
)

// TestDecideAllocatesNothing pins the allocations of a decision in memory: from
// the request to the charged cells, and to the end of the request, with one
// limit and with three, admitted and denied.
func TestDecideAllocatesNothing(t *testing.T) {
	one := `{"name":"a","kind":"rolling","window":"1m","max":%[1]d}`
	three := one + `,{"name":"b","kind":"calendar","unit":"day","zone":"UTC","max":"{subject.n}"},
		{"name":"c","kind":"hold","until":"response","max":10,"match":[{"methods":["GET"],"paths":["/v1/*"]}]}`
	people := directory{"key": {ID: "u", Attributes: core.Attributes{{Name: "n", Value: core.Number(1 << 40)}}}}
	for name, tc := range map[string]struct {
		limits string
		most   int64
		step   int64 // µs between requests
		want   core.Outcome
	}{
		"one limit":            {one, 300, minute / 250, core.Admitted},
		"three limits":         {three, 300, minute / 250, core.Admitted},
		"one limit, denied":    {one, 50, 0, core.Denied},
		"three limits, denied": {three, 50, 0, core.Denied},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, `{`+keyed+`"plans":{"default":{"n":1}},"limits":[`+fmt.Sprintf(tc.limits, tc.most)+`]}`, people)
			request := &core.Request{Method: "GET", Path: "/v1/x", Source: &facts{values: map[string]string{"header.X-Api-Key": "key"}}}
			d, ctx := &core.Decision{}, context.Background()
			decide := func() {
				w.pass(tc.step)
				d.Reset()
				w.engine.Decide(ctx, w.now, w.policy, request, d)
				if err := w.engine.Finish(w.now, d); err != nil {
					t.Fatal(err)
				}
			}
			for range 500 { // the window fills
				decide()
			}
			w.want(d, tc.want)
			if n := testing.AllocsPerRun(1000, decide); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

// TestAKeyOfItsOwnAllocatesNothing: without a directory a credential is hashed in place,
// with the scheme before it too, and however long.
func TestAKeyOfItsOwnAllocatesNothing(t *testing.T) {
	w := newWorld(t, `{"subject":{"sources":[{"from":"{header.Authorization}"}]},"limits":[{"name":"r","kind":"rolling","window":"1m","max":1}]}`, nil)
	for _, value := range []string{"key", "Token key", "Bearer " + strings.Repeat("eyJ", 500)} {
		request := &core.Request{Method: "GET", Path: "/", Source: &facts{values: map[string]string{"header.Authorization": value}}}
		d, ctx := &core.Decision{}, context.Background()
		n := testing.AllocsPerRun(100, func() {
			d.Reset()
			w.engine.Decide(ctx, w.now, w.policy, request, d)
		})
		if w.want(d, core.Denied); n != 0 {
			t.Errorf("%.20q: %v allocations", value, n)
		}
	}
}
