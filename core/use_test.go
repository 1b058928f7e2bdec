package core_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weirhq/weir/core"
)

// A witness is a source that has every fact, and notes which it is asked for.
type witness struct {
	asked map[string]bool
	value string
	body  bool
}

func (w *witness) Attribute(a *core.Ref) (string, bool) {
	w.asked[a.Text] = true
	return w.value, w.value != ""
}

func (w *witness) Several(a *core.Ref) bool {
	w.asked[a.Text] = true
	return false
}

func (w *witness) All(a *core.Ref) []string {
	w.asked[a.Text] = true
	return []string{w.value}
}

func (w *witness) Body(int64) ([][]byte, error) {
	w.body = true
	return [][]byte{[]byte(`{"n": 2}`)}, nil
}

// used returns the uses as "fact purpose limit".
func used(p *core.Policy) (all []string) {
	for _, u := range p.Uses() {
		name := ""
		if u.Limit != nil {
			name = " " + u.Limit.Name
		}
		all = append(all, fmt.Sprint(u.Ref.Text, " ", u.Purpose, name))
	}
	return all
}

// everything is a policy that reads whatever can be read.
const everything = `{
	"subject": {
		"sources": [{"from": "{header.A}"}, {"from": "{query.b}"}, {"from": "{cookie.c}"}, {"from": "{http.auth.user.id}"}],
		"missing": {"count_by": "client_ip"}, "unknown": {"count_by": "client_ip"}
	},
	"limits": [
		{"name": "l1", "kind": "rolling", "window": "1m", "max": 9, "match": [{"methods": ["POST"], "paths": ["/x"], "cost": {"from": "{json.n}"}}]},
		{"name": "l2", "kind": "fixed", "window": "1m", "max": 9, "per": ["{header.D}", "{host}", "{method}", "{path}"], "cost": {"from": "{query.e}"}},
		{"name": "l3", "kind": "hold", "until": "response", "max": 9, "match": [{"limits": ["l1"]}], "refuse": [{"paths": ["/y"]}], "per": ["all"]},
		{"name": "l4", "kind": "ever", "count": true, "match": [{"paths": ["*"]}], "per": ["{tenant}"]}
	],
	"usage": [{"methods": ["GET"], "paths": ["/usage"], "body": "{}"}]
}`

func TestUses(t *testing.T) {
	got := used(compilePolicy(t, everything))
	want := []string{
		"method 1", "header.Access-Control-Request-Method 1",
		"header.A 2", "query.b 2", "cookie.c 2", "http.auth.user.id 2", "client_ip 2",
		"method 3 l1", "path 3 l1", "json.n 5 l1",
		"query.e 5 l2", "header.D 4 l2", "host 4 l2", "method 4 l2", "path 4 l2",
		"path 3 l3",
		"tenant 4 l4",
		"method 3", "path 3",
	}
	if !slices.Equal(got, want) {
		t.Errorf("uses\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	small := used(compilePolicy(t, `{"limits":[{"name":"a","kind":"rolling","window":"1m","max":9,"per":["all"],"match":[{"paths":["*"]}]}]}`))
	if !slices.Equal(small, want[:2]) {
		t.Errorf("uses %q", small)
	}
}

// TestNothingElseIsRead: whatever a decision asks of a request is among the
// policy's uses.
func TestNothingElseIsRead(t *testing.T) {
	w := newWorld(t, everything, directory{"known": {ID: "u"}})
	uses := map[string]bool{}
	for _, u := range w.policy.Uses() {
		uses[u.Ref.Text] = true
	}
	asked := map[string]bool{}
	for _, value := range []string{"", "known", "unknown", "7"} {
		for _, line := range []string{"POST /x", "GET /y", "GET /usage", "OPTIONS /x", "PUT /z"} {
			method, path, _ := strings.Cut(line, " ")
			source := &witness{asked: asked, value: value}
			var d core.Decision
			w.engine.Decide(context.Background(), w.now, w.policy, &core.Request{Method: method, Path: path, Source: source}, &d)
			if source.body && !uses["json.n"] {
				t.Error("the body is read")
			}
		}
	}
	for fact := range asked {
		if !uses[fact] {
			t.Errorf("{%s} is read, and not among the uses", fact)
		}
	}
	for _, fact := range []string{"header.A", "query.b", "cookie.c", "http.auth.user.id", "client_ip", "query.e", "header.D", "host", "tenant"} {
		if !asked[fact] {
			t.Errorf("{%s} is never asked for: the test proves nothing of it", fact)
		}
	}
}
