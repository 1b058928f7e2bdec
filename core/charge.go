package core

// A Scope is who a cell counts: a keyed 128-bit hash of a key, a subject's id
// or attribute values. The zero Scope counts everybody.
type Scope struct{ Hi, Lo uint64 }

// An ID names one request's reservations and slots for as long as anybody may
// settle them.
type ID struct{ Hi, Lo uint64 }

// A Window is a calendar window [Start, End) and the end of the one after it,
// in µs of wall clock. A store whose own clock is past End uses [End, Next).
type Window struct{ Start, End, Next int64 }

// A Charge is one limit's demand for one request. The engine fills in the
// demand, the store the State.
type Charge struct {
	// Limit says how to count; its ID and the Scope name the cell.
	Limit *Limit
	Scope Scope
	// Cost in the limit's scale. A settled limit's is what it reserves; 0 is
	// admitted while used < max. A negative one gives back, and never refuses:
	// what the cell counts falls by as much, to 0 at least, in the current
	// window; of a Rolling's charges the newest are the first to go. Holds and
	// settled limits have no such charge.
	Cost int64
	// Max is the cap, or Unlimited; Rate is what a Bucket drains in
	// Limit.Length µs (from 1). Take.Override renews both, unless Capped: then
	// they are the request's own.
	Max, Rate int64
	Capped    bool
	// Window is of Calendar limits the one current at the door.
	Window Window
	// Peek: only the State is wanted; nothing is taken or refused.
	Peek bool
	// Refusable: the request may be refused by this limit. A charge that is
	// neither Peek nor Refusable is taken whatever the maximum.
	Refusable bool
	// CheckOnly: the request may be refused but takes nothing.
	CheckOnly bool
	// Always: the charge is taken also if it does not fit, and also if its
	// request is refused.
	Always bool
	// Quota: the charge refuses its request only if all charges of it that are
	// Quota do not fit.
	Quota bool
	// Ahead is what the store finds that charges before this one, of requests
	// that are decided in the same step, take from the same cell; below 0 what
	// they give back to it.
	Ahead int64

	State
}

// A State is what a store tells of a cell after a decision.
type State struct {
	// Used is what the cell counts after the decision.
	Used int64
	// Wait in µs after which this charge's cost fits: 0 now, Unknown for a hold.
	Wait int64
	// Grow in µs after which Remaining next grows: 0 if nothing is used,
	// Unknown for a hold or a window without an end.
	Grow int64
	// Refused: the charge does not fit (and, unless Limit.Shadow or Quota, the
	// request is refused by it). One that was taken all the same (Always) has
	// the Wait after which its cost fits once more.
	Refused bool
	// NeverFits: cost > max; Wait is then the window's length, the time to the
	// window's end, or the time to drain a full burst.
	NeverFits bool
	// Taken: the cell was charged. Entry then says where.
	Taken bool
	Entry Entry
}

// An Entry says where a charge was taken, for a refund or for ending a slot.
type Entry struct {
	// Stamp in µs: Rolling: the charge's time stamp (steady clock). Fixed and
	// Calendar: the start of the window (wall clock). Bucket: when the charge
	// will have drained (steady clock). Hold: the cell's generation.
	Stamp int64
	// Slot is the cell's or the store's own mark: which slot of a Hold it is, or
	// since which reset a Settled charge counts.
	Slot uint64
	// Place of a charge in a Bucket: where it ends in all that was poured in.
	Place int64
}

// Remaining returns max(0, max − used); Unlimited where there is no cap.
func (c *Charge) Remaining() int64 {
	if c.Max == Unlimited {
		return Unlimited
	}
	return max(0, c.Max-c.Used)
}

// Denies reports whether this charge alone refuses its request: it does not
// fit, and is neither a shadow nor one of several quotas.
func (c *Charge) Denies() bool {
	return c.Refused && !c.Limit.Shadow && !c.Quota
}
