package memory

import (
	"context"
	"fmt"
	"testing"

	"github.com/weirhq/weir/core"
)

// TestMaxAttributes: an owner has so many attributes, which can be changed and taken
// back, and no more.
func TestMaxAttributes(t *testing.T) {
	s := newStore(t, Options{})
	set := func(ignored int, list ...core.Attribute) {
		t.Helper()
		op := core.Settle{Now: at(0), Policy: "p", Owner: alice, Set: list}
		must(t, s.Settle(context.Background(), &op))
		if op.Ignored != ignored {
			t.Errorf("%d of %d ignored, want %d", op.Ignored, len(list), ignored)
		}
	}
	one := func(n int, value string) core.Attribute {
		return core.Attribute{Name: fmt.Sprint("a", n), Value: core.ParseValue(value)}
	}
	var many []core.Attribute
	for n := range maxAttributes + 10 {
		many = append(many, one(n, "1"), one(n, "2"))
	}
	set(20, many...)
	set(1, one(0, "3"), one(maxAttributes, "3"))
	set(0, one(1, ""))
	set(0, one(maxAttributes, "3"))
	set(1, one(maxAttributes+1, "3"))
	read := core.Take{Now: at(0), Policy: "p", Owner: alice}
	must(t, s.Read(context.Background(), &read))
	if len(read.Overrides) != maxAttributes {
		t.Errorf("%d attributes, want %d", len(read.Overrides), maxAttributes)
	}
	for n, want := range map[int]string{0: "3", 1: "", 2: "2", maxAttributes: "3", maxAttributes + 1: ""} {
		if got := read.Overrides.Get(fmt.Sprint("a", n)).String(); got != want {
			t.Errorf("a%d is %q, want %q", n, got, want)
		}
	}
}
