package core

import (
	"math/rand/v2"
	"testing"
)

func TestDefinitionEverCountsWithoutAnEnd(t *testing.T) {
	runRows(t, &Limit{Kind: Ever, Count: true}, steadyStart, Charge{Max: Unlimited}, []row{
		{0, 0, State{Taken: true}},
		{0, 3, State{Used: 3, Grow: Unknown, Taken: true}},
		{1e15, 4, State{Used: 7, Grow: Unknown, Taken: true}},
		{-1e15, MaxAmount, State{Used: MaxAmount, Grow: Unknown, Taken: true}},
	})
	runRows(t, &Limit{Kind: Ever}, steadyStart, Charge{Max: 5}, []row{
		{0, 5, State{Used: 5, Grow: Unknown, Taken: true}},
		{0, 1, State{Used: 5, Grow: Unknown, Wait: Unknown, Refused: true}},
		{0, 6, State{Used: 5, Grow: Unknown, Wait: Unknown, Refused: true, NeverFits: true}},
	})
}

func TestTraceEver(t *testing.T) {
	runTraces(t, func(r *rand.Rand) *trace {
		return &trace{
			model:  &naiveWindows{window: func(int64, *Charge) (start, end int64) { return 0, Unknown }},
			limits: variants(Limit{Kind: Ever, Length: second}, settledVariant, countVariant),
			maxima: []int64{10_000, 100, Unlimited},
			costs:  pick(r, [][]int64{{1}, {0, 1, 1, 2}, {1, MaxAmount / 1024}}),
			rates:  []int64{1},
		}
	})
}
