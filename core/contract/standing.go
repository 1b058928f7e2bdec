package contract

import "github.com/weirhq/weir/core"

// Speaker returns the charge that an answer to d speaks of: the one that
// refuses it, else the one that the headers speak of. It is nil where none may
// be spoken of.
func (c *Contract) Speaker(d *core.Decision) *core.Charge {
	if r := d.Refuser(); r != nil {
		return r
	}
	if d.Outcome != core.Withheld && !tells(d) {
		return nil
	}
	return c.headers.speaker(d)
}

// Reset returns in how many whole seconds charge, one of d's, resets, as headers
// that count from now tell it. ok is false where nobody can know.
func Reset(d *core.Decision, charge *core.Charge) (delta int64, ok bool) {
	µs, ok := reset(charge, d.Now.Wall)
	return seconds(charge, µs), ok
}
