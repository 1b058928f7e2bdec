package core

import (
	"context"
	"errors"
)

// ErrClosed is what a closed store answers.
var ErrClosed = errors.New("store is closed")

// ErrUnsaved is what the error of a Settle wraps that has taken effect, but that
// the end of the process would undo. The store tries on its own to save it: it
// is not to be repeated.
var ErrUnsaved = errors.New("not saved yet")

// A Store keeps cells. Its operations are values that it fills in. All methods
// may be called concurrently; each Take, Settle and Read is one atomic step
// for all the cells it names, in an order that all callers agree on.
//
// An error means that the operation had no effect that the caller may rely on;
// being refused is not an error.
type Store interface {
	// Take decides op.Charges together, and with them those of op.Next and so
	// on. Unless they are Denied it takes those that fit (a Shadow that does
	// not fit is left out) and sets Admitted; else it takes only counts with
	// CountRefused. It takes those that are Always in either case. It fills in
	// every charge's State, and Overrides.
	Take(ctx context.Context, op *Take) error
	// Settle applies what became known after Take. See ErrUnsaved.
	Settle(ctx context.Context, op *Settle) error
	// Read fills in the State of op.Charges, but of no op.Next's, as they are
	// and Overrides, and changes nothing.
	Read(ctx context.Context, op *Take) error
	// Close keeps what must outlive the process and releases the rest. Later
	// calls answer ErrClosed.
	Close() error
}

// A Take asks for several charges, all or nothing.
type Take struct {
	// Now is the door's clock, and afterwards the time that the store used.
	Now Instant
	// ID names the request's reservations and slots.
	ID ID
	// Policy is the name under which the slots are leased and released.
	Policy string
	// Owner is the subject's scope: whose overrides apply, who holds slots.
	Owner Scope
	// Subject and Plans give the maxima, with Overrides applied.
	Subject *Subject
	Plans   *Plans
	// Charges to decide. No two are of the same cell.
	Charges []Charge
	// Overrides (out) are the attributes set on the Owner; nil if none are.
	Overrides Attributes
	// Admitted (out): no charge denies, none of Next's either.
	Admitted bool
	// Next is a request to be decided in the same step, at the same time: this
	// one and all that follow are admitted, or none is charged. It may charge
	// the same cells; each charge is then checked as if those before it that
	// fit were taken. nil for the last.
	Next *Take
}

// Override renews the maxima of all charges with o, the attributes that were
// set on the Owner. A store calls it inside Take, before checking.
func (op *Take) Override(o Attributes) {
	op.Overrides = o
	for i := range op.Charges {
		op.Charges[i].bind(op)
	}
}

// Denied reports whether the charges of op, or of a request that is decided in
// the same step, deny it: one of them does alone, or all that are Quota do not
// fit. It requires that they are checked.
func (op *Take) Denied() bool {
	quotas, exceeded := 0, 0
	for ; op != nil; op = op.Next {
		for i := range op.Charges {
			c := &op.Charges[i]
			switch {
			case c.Denies():
				return true
			case c.Quota && c.Refused && !c.Limit.Shadow:
				exceeded++
				fallthrough
			case c.Quota:
				quotas++
			}
		}
	}
	return quotas > 0 && exceeded == quotas
}

// Override renews the maxima and rates of all charges with o, the attributes that
// are set on the Owner: what is charged now goes by those of now. A store calls it
// before it charges a cost, or gives a reservation back. A maximum that is guessed
// to be none is the largest, lest a cost is lost that counts.
func (op *Settle) Override(o Attributes) {
	who := Take{Subject: op.Subject, Plans: op.Plans, Overrides: o}
	for i := range op.Charges {
		c := &op.Charges[i]
		c.bind(&who)
		if op.Guessed && c.Max == Unlimited && c.Limit.guessed(o) {
			c.Max = MaxAmount
		}
	}
}

// bind resolves the charge's maximum and rate for op's subject.
func (c *Charge) bind(op *Take) {
	if c.Capped {
		return
	}
	l := c.Limit
	c.Max = l.Max.resolve(op, l.Scale())
	if l.Kind == Bucket {
		c.Rate = max(1, l.Rate.resolve(op, l.Scale()))
	}
}

// A Settle tells a store what became known of a request, or of work outside
// any request. Each part is optional; they act in the order of the fields.
type Settle struct {
	// Now is the door's clock.
	Now Instant
	// ID is that of the Take, or one derived from an id that the origin gave.
	// A cost is settled once per ID and limit, within 24 hours.
	ID ID
	// Policy, Owner, Subject and Plans as in Take; nil is a Subject of whom nothing
	// is known. Guessed: more may be known of it where it makes requests.
	Policy  string
	Owner   Scope
	Subject *Subject
	Plans   *Plans
	Guessed bool
	// Charges are those of the Take, with their State; for work outside any
	// request, ones of the limits meant, with Taken unset. Windows of Calendar
	// limits are those current now.
	Charges []Charge
	// HasCost: Cost, in millionths, is what the request turned out to cost. It
	// replaces what the Settled charges reserved: the excess is added now, a
	// refund is taken from the reservation's own entry if that still counts. Part:
	// limits other than those of Charges are not settled by it.
	HasCost bool
	Cost    int64
	Part    bool
	// Set changes attributes of the Owner; a zero Value removes one.
	Set Attributes
	// Lease gives slots of this request's released holds these names, one
	// slot each in order. A name that is live for the Owner in the same cell
	// is merged: the slot is freed, the TTL renewed. Unleased: the Take failed, but the slots
	// count all the same, above any maximum.
	Lease    []string
	Unleased bool
	// Release ends the slots of these names: the Owner's, else any holder's in
	// the policy. A name that nobody holds is remembered until all requests
	// admitted before have ended.
	Release []string
	// Renew starts the TTL of these names anew (a heartbeat).
	Renew []string
	// Reset empties the cells of Charges.
	Reset bool
	// End frees the request's slots that were not leased. Ending twice is
	// ending once.
	End bool

	// Out: how many names were leased or merged, released, renewed; how many
	// were ignored, for want of a slot or a holder. Duplicate: this ID was
	// settled before in all limits meant, and Cost had no effect.
	Leased, Released, Renewed, Ignored int
	Duplicate                          bool
}
