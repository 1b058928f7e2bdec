package core

// An everCell counts without an end; only counts do.
type everCell struct{ used int64 }

func (e *everCell) Check(_ Instant, c *Charge) {
	if !c.weigh(e.used) {
		c.Wait = Unknown
	}
	c.Grow = e.grow()
}

func (e *everCell) Take(_ Instant, c *Charge) {
	e.used = max(0, SaturatingAdd(e.used, c.Cost))
	c.State = State{Used: e.used, Grow: e.grow(), Taken: true}
}

func (e *everCell) Settle(_ Instant, c *Charge, delta int64) {
	switch {
	case delta > 0:
		e.used = SaturatingAdd(e.used, min(delta, MaxAmount))
	case c.Taken:
		e.used = max(0, e.used+delta)
	}
}

func (e *everCell) Idle(Instant) bool { return e.used == 0 }

func (e *everCell) grow() int64 {
	if e.used == 0 {
		return 0
	}
	return Unknown
}
