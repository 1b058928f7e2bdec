package storetest

import (
	"runtime"

	"github.com/anishathalye/porcupine"

	"github.com/weirhq/weir/core"
)

// A caller makes some of a history's operations, one after the other.
type caller struct {
	*record
	random
	number int
	past   []*core.Take
}

// step makes an operation.
func (c *caller) step() {
	switch n := c.choose(10, "operation"); {
	case n < 5:
		c.request()
	case n < 6:
		c.ask(&asked{take: c.newTake(), read: true})
	case n < 9 && len(c.past) > 0:
		c.settlePast()
	default:
		c.outside()
	}
}

// request asks for one request or, where operations are on several cells,
// sometimes for several in one step.
func (c *caller) request() {
	op := c.newTake()
	if !c.single && c.choose(4, "batch") == 0 {
		op.Next = c.newTake()
	}
	c.ask(&asked{take: op})
	for t := op; t != nil; t = t.Next {
		if t.Admitted {
			c.past = append(c.past, t)
		}
	}
}

// newTake makes a request: of one cell, or of one cell of each limit.
func (c *caller) newTake() *core.Take {
	var charges []core.Charge
	for _, l := range c.limits {
		if !c.single || l == c.limits[0] {
			charges = append(charges, c.charge(l))
		}
	}
	if c.single {
		charges[0] = c.charge(one(c, c.limits, ""))
	}
	return c.kit.ask(one(c, c.scopes, ""), charges...)
}

func (c *caller) charge(l *core.Limit) core.Charge {
	tr := trace{source: c.random}
	charge := tr.charge(l, one(c, c.scopes, ""), false)
	if c.choose(2, "plain") == 0 {
		charge.Peek, charge.CheckOnly, charge.Quota, charge.Always = false, false, false, false
	}
	return charge
}

// settlePast settles one of the caller's requests.
func (c *caller) settlePast() {
	op := one(c, c.past, "request")
	s := &core.Settle{Now: c.kit.now, ID: op.ID, Policy: op.Policy, Owner: op.Owner, Charges: settling(op, c.kit.now)}
	if c.choose(2, "cost") == 0 {
		s.HasCost, s.Cost = true, int64(c.choose(9, "cost"))*million/4
	}
	if s.End = c.choose(2, "end") == 0; !c.single {
		c.name(s)
	}
	if c.single && len(s.Charges) == 0 {
		return
	}
	c.ask(&asked{settle: s})
}

// outside resets a cell, or sets, releases and renews, or leases slots of a
// request whose Take failed.
func (c *caller) outside() {
	s := &core.Settle{Now: c.kit.now, ID: c.kit.newID(), Policy: "p", Owner: one(c, c.scopes, "")}
	s.Charges = c.kit.ask(s.Owner, charge(one(c, c.limits, ""), one(c, c.scopes, ""), 1)).Charges
	s.Reset = c.choose(4, "reset") == 0
	if !c.single {
		if c.choose(2, "set") == 0 {
			s.Set = core.Attributes{{Name: "credits", Value: one(c, values, "")}}
		}
		c.name(s)
		s.Unleased = !s.Reset && c.choose(3, "failed") == 0
	}
	c.ask(&asked{settle: s})
}

// name adds names of leases to s.
func (c *caller) name(s *core.Settle) {
	switch c.choose(4, "names") {
	case 0:
		s.Lease = []string{one(c, names[:2], "")}
	case 1:
		s.Release = []string{one(c, names[:2], "")}
	case 2:
		s.Lease, s.Release = []string{"a"}, []string{"b"}
	}
}

// ask has the store do something, and notes when it was asked and answered.
// Now and then it lets others go before, or after.
func (c *caller) ask(a *asked) {
	in := a.copy()
	o := porcupine.Operation{ClientId: c.number, Input: in, Output: a, Call: c.clock.Add(1)}
	if c.choose(4, "yield") == 0 {
		runtime.Gosched()
	}
	err := a.do(c.store)
	if c.choose(4, "yield") == 0 {
		runtime.Gosched()
	}
	o.Return = c.clock.Add(1)
	o.Output = a.copy() // who asked may change it
	c.mu.Lock()
	defer c.mu.Unlock()
	c.operations = append(c.operations, o)
	if err != nil {
		c.errors = append(c.errors, err)
	}
}
