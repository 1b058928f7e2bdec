// Package storetest checks that a store keeps the duties of [core.Store]: the
// rows of every kind, all or nothing, exactness under concurrency, and the
// definitions of settled costs and holds, each as a case with its explanation.
// Random traces compare the store with a naive model: lists of events, of slots
// and of leases, searched from end to end. Histories of what several do at once
// are checked to be linearizable by that model, each operation as one step
// however many cells it names.
//
// [Run] is what every store passes; [Operations] and [Histories] do some of it at
// any length.
//
// Time is an argument everywhere; no case waits, none depends on the clock. A
// store that owns its clock is tested with one that follows the operations.
package storetest

import (
	"testing"

	"github.com/weirhq/weir/core"
)

// Run runs the suite. open returns an empty store each time, and has it closed
// when its test ends.
func Run(t *testing.T, open func(testing.TB) core.Store) {
	for _, group := range [][]testCase{kindCases, decisionCases, mannerCases, batchCases, settleCases, holdCases, leaseCases, raceCases} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				k := newKit(t, open(t))
				c.run(k)
				if t.Failed() {
					t.Log("why: " + c.why)
				}
			})
		}
	}
	t.Run("Clocks", func(t *testing.T) { runClocks(t, open) })
	t.Run("Traces", func(t *testing.T) { runTraces(t, open) })
	t.Run("Histories", func(t *testing.T) {
		Histories(t, 100, func() (core.Store, error) { return open(t), nil })
	})
}

// A testCase is one duty of a store.
type testCase struct {
	name string
	why  string // the duty in words, printed when it is not kept
	run  func(*kit)
}
