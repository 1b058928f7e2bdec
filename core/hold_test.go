package core

import "testing"

// A slot ends once, by its own entry, and with all or part of its cost.
func TestHoldEntries(t *testing.T) {
	l := &Limit{Kind: Hold}
	h := newCell(&Limit{Kind: Hold})
	take := func(cost int64) *Charge {
		c := &Charge{Limit: l, Cost: cost, Max: 5, Refusable: true}
		h.Take(Instant{}, c)
		return c
	}
	used := func(want int64) {
		t.Helper()
		c := &Charge{Limit: l, Max: 5}
		h.Check(Instant{}, c)
		if c.Used != want || h.Idle(Instant{}) != (want == 0) {
			t.Errorf("%d used, idle %v; want %d", c.Used, h.Idle(Instant{}), want)
		}
	}
	end := func(c *Charge) { h.Settle(Instant{}, c, -c.Cost) }

	one, three, none := take(1), take(3), take(0)
	used(4)
	end(none)
	used(4)
	h.Settle(Instant{}, three, -1)
	used(3)
	end(one)
	end(one)
	used(2)
	two := take(2)
	end(one)
	used(4)
	h.Settle(Instant{}, two, 3)
	used(7)
	h.Settle(Instant{}, two, -5)
	end(three)
	used(0)

	other := h
	h = newCell(&Limit{Kind: Hold})
	take(1)
	end(two)
	end(three)
	used(1)
	h = other
	used(0)
}

// The slots of a cell add up to MaxAmount at most, and each gives back what it took.
func TestHoldSaturates(t *testing.T) {
	l := &Limit{Kind: Hold}
	h := newCell(l)
	take := func(cost, used int64) *Charge {
		t.Helper()
		c := &Charge{Limit: l, Cost: cost, Max: Unlimited}
		if h.Take(Instant{}, c); c.Used != used {
			t.Errorf("%d used, want %d", c.Used, used)
		}
		return c
	}
	settle := func(c *Charge, delta, used int64) {
		t.Helper()
		h.Settle(Instant{}, c, delta)
		now := *c
		if h.Check(Instant{}, &now); now.Used != used {
			t.Errorf("%d used, want %d", now.Used, used)
		}
	}
	one, most := take(1, 1), take(MaxAmount, MaxAmount)
	for range 2000 {
		settle(take(MaxAmount, MaxAmount), -MaxAmount, MaxAmount)
		take(MaxAmount, MaxAmount)
	}
	settle(one, MaxAmount, MaxAmount)
	settle(most, -MaxAmount, 1)
	settle(take(2, 3), 2, 5)
	settle(one, MaxAmount, MaxAmount)
	settle(one, -MaxAmount, 4)
}

func TestHoldAllocatesNothing(t *testing.T) {
	h := newCell(&Limit{Kind: Hold})
	c := &Charge{Limit: &Limit{Kind: Hold}, Cost: 1, Max: 5, Refusable: true}
	n := testing.AllocsPerRun(100, func() {
		h.Check(Instant{}, c)
		h.Take(Instant{}, c)
		h.Settle(Instant{}, c, -1)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
	if n := len(h.(PoolCell).cell().(*hold).slots); n != 1 {
		t.Errorf("%d slots where one was taken at a time", n)
	}
}
