package core

// A Cap is a maximum that a request brings with it, for the limits of its policy
// whose window has this length. It stands for the maximum that they have, for
// that one request; their cells are the same.
type Cap struct {
	// Given says that the request has a Cap.
	Given bool
	// Max in configured units, from 0; larger ones than MaxAmount are MaxAmount.
	// For a Bucket it is what drains in the window, and the burst.
	Max int64
	// Length in µs is that of the Rolling, Fixed and Bucket limits meant, Unit
	// (day, week, month, year) that of Calendar ones; 0 or "" are none.
	Length int64
	Unit   string
}

// meets reports whether the cap is l's.
func (k *Cap) meets(l *Limit) bool {
	switch {
	case !k.Given || l.Count:
		return false
	case l.Kind == Rolling || l.Kind == Fixed || l.Kind == Bucket:
		return k.Length > 0 && l.Length == k.Length
	case l.Kind == Calendar:
		return l.Schedule.unit == k.Unit
	}
	return false
}

// amount returns the cap in l's scale.
func (k *Cap) amount(l *Limit) int64 {
	return scaled(min(k.Max, MaxAmount), 0, l.Scale())
}

// Overlooked reports whether d's request has a Cap that none of its charges meets,
// though it was decided by limits.
func (d *Decision) Overlooked() bool {
	if d.request == nil || !d.request.Cap.Given || len(d.Charges) == 0 {
		return false
	}
	for i := range d.Charges {
		if d.Charges[i].Capped {
			return false
		}
	}
	return true
}
