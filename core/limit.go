package core

// A Kind is a way of counting.
type Kind uint8

// The kinds of cell. A count ([Limit.Count]) has one of them too.
const (
	Rolling  Kind = iota + 1 // every interval of a length
	Fixed                    // windows of a length, aligned to the epoch
	Calendar                 // days, weeks, months or years of a time zone
	Bucket                   // GCRA, kept as debt
	Hold                     // slots that are taken and freed
	Ever                     // one window without an end; counts only
)

var kindNames = [...]string{"", "rolling", "fixed", "calendar", "bucket", "hold", "ever"}

// String returns the kind as configurations spell it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// A Limit is one compiled rule of a policy. It is immutable.
type Limit struct {
	// ID identifies the limit's cells: a hash of the policy's name, the limit's
	// name, its kind and its window, and of nothing else. A reload that changes
	// only max, cost or match keeps the ID and so the cells.
	ID uint64
	// Policy and Name are as configured.
	Policy, Name string
	// Index is the limit's place in its policy, from 0.
	Index int
	// Kind says how cells count.
	Kind Kind
	// Length in µs is the window of Rolling and Fixed (Rolling: whole
	// milliseconds), and for Bucket the time in which Rate units drain.
	Length int64
	// Schedule gives the windows of Calendar; nil for other kinds.
	Schedule *Schedule
	// Released says of a Hold that a slot can outlive its response under the
	// IDs that the origin leases; such a lease ends after TTL µs.
	Released bool
	TTL      int64
	// Retry in µs is announced where the wait cannot be known; 0: nothing is.
	Retry int64
	// Count says that the limit never refuses. CountRefused: it is charged by
	// refused requests too.
	Count, CountRefused bool
	// Settled says that the cost is known afterwards: a request takes Reserve
	// (0: nothing, and is admitted while used < max) and is settled later.
	Settled bool
	Reserve int64
	// Max caps what is used at once: the burst of a Bucket.
	Max Amount
	// Rate is what drains from a Bucket in Length µs.
	Rate Amount
	// Shadow says that the limit only reports: where it would refuse it takes
	// nothing and stays silent.
	Shadow bool

	scope  scopeRule
	match  []rule
	except uint64 // limits whose requests are not this limit's, by index
	refuse []rule // nil: as match
	cost   *cost
	// ruleCosts: some rule of match has a cost of its own.
	ruleCosts bool
}

// Leasable reports whether the limit's slots can outlive their response, as leases.
func (l *Limit) Leasable() bool { return l.Kind == Hold && l.Released }

// Scale is what one configured unit is in the amounts of this limit's charges:
// a Million for settled limits, else 1.
func (l *Limit) Scale() int64 {
	if l.Settled {
		return Million
	}
	return 1
}
