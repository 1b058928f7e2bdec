package storetest

import (
	"context"
	"slices"
	"strings"

	"github.com/weirhq/weir/core"
)

// settlePast settles an admitted request, perhaps again, perhaps after its end.
func (tr *trace) settlePast() {
	if len(tr.past) == 0 {
		return
	}
	s := tr.ending(one(tr, tr.past, "request"))
	s.End = tr.choose(2, "end") == 0
	tr.adorn(s)
	tr.settle(s)
}

// ending returns a settlement that ends a request.
func (tr *trace) ending(op *core.Take) *core.Settle {
	return &core.Settle{
		Now: tr.kit.now, ID: op.ID, Policy: op.Policy, Owner: op.Owner, Charges: settling(op, tr.kit.now), End: true,
	}
}

// outside settles work outside any request, or the reservation of one in the
// past, or a request whose Take failed.
func (tr *trace) outside() {
	owner := tr.owner()
	s := &core.Settle{Now: tr.kit.now, ID: tr.kit.newID(), Policy: "p", Owner: owner}
	switch kind := tr.choose(4, "outside"); {
	case kind == 0 && len(tr.past) > 0:
		op := one(tr, tr.past, "request")
		s.ID, s.Owner = op.ID, op.Owner
		s.Charges = tr.charges(op.Owner, func(l *core.Limit) bool { return l.Settled })
	case kind == 1:
		if len(tr.failed) > 0 && tr.choose(2, "again") == 0 {
			s.ID = one(tr, tr.failed, "request")
		}
		tr.failed = append(tr.failed, s.ID)
		s.Charges = tr.charges(owner, func(l *core.Limit) bool { return l.Settled || l.Kind == core.Hold })
		s.Unleased = true
	case kind == 2:
		s.Charges = tr.charges(owner, everything)
		s.Reset = true
	}
	for i := range s.Charges {
		s.Charges[i].Peek, s.Charges[i].CheckOnly = false, false
	}
	s.Charges = tr.kit.ask(s.Owner, s.Charges...).Charges
	tr.adorn(s)
	tr.settle(s)
}

var (
	names  = []string{"a", "b", "c", "", strings.Repeat("z", 257)}
	values = []core.Value{core.Number(2), core.Number(7), core.UnlimitedValue(), {}}
)

// adorn draws what else a settlement says.
func (tr *trace) adorn(s *core.Settle) {
	if tr.choose(2, "has cost") == 0 && !s.Reset {
		s.HasCost, s.Cost = true, int64(tr.choose(13, "cost"))*million/4
		s.Part = tr.choose(4, "part") == 0
	}
	if tr.choose(3, "leases") == 0 {
		s.Lease = tr.names("lease")
	}
	if tr.choose(4, "releases") == 0 {
		s.Release = tr.names("release")
	}
	if tr.choose(6, "renews") == 0 {
		s.Renew = tr.names("renew")
	}
	if tr.choose(8, "sets") == 0 {
		s.Set = core.Attributes{{Name: "credits", Value: one(tr, values, "set")}}
	}
}

func (tr *trace) names(what string) (list []string) {
	for range 1 + tr.choose(3, "names") {
		list = append(list, one(tr, names, what))
	}
	return list
}

// settle settles s and compares.
func (tr *trace) settle(s *core.Settle) {
	want := *s
	want.Charges = slices.Clone(s.Charges)
	tr.model.settle(&want)
	tr.kit.must(tr.kit.store.Settle(context.Background(), s))
	tr.operations++
	if tr.log != nil {
		tr.log("%d: settle %+v", tr.passed, *s)
	}
	if got, expected := told(s), told(&want); got != expected {
		tr.Fatalf("settled %+v, want %+v", got, expected)
	}
}

// A telling is what a settlement answers.
type telling struct {
	leased, released, renewed, ignored int
	duplicate                          bool
}

func told(s *core.Settle) telling {
	return telling{s.Leased, s.Released, s.Renewed, s.Ignored, s.Duplicate}
}
