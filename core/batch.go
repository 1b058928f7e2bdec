package core

import "context"

// DecideAll decides several requests in one step, requests[i] in decisions[i]:
// all of them are admitted, or none is charged. Where one is refused the others
// are Withheld, but for those to which nothing of p applies. Otherwise it is
// Decide.
func (e *Engine) DecideAll(ctx context.Context, now Instant, p *Policy, requests []*Request, decisions []*Decision) {
	var first, last *Take
	refused := false
	for i, d := range decisions {
		if !e.prepare(ctx, now, p, requests[i], d) {
			d.overlook()
			refused = refused || d.Outcome != Passed
			continue
		}
		if last != nil {
			last.Next = &d.Take
		} else {
			first = &d.Take
		}
		last = &d.Take
	}
	if first == nil {
		return
	}
	var store Store
	var err error
	if !refused {
		store, err = e.ask(ctx, first)
	}
	for _, d := range decisions {
		switch {
		case d.Charges == nil || d.Outcome.bodyless() || d.Shadowed != Passed: // not prepared
		case refused:
			d.Outcome = Withheld
			d.forget()
		default:
			d.store, d.Err = store, err
			e.conclude(d)
			d.overlook()
		}
	}
}
