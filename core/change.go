package core

// AppendChange appends to b what Take or Settle has just made of cell: of a
// rolling cell what was added or taken away, of others, which are small, how
// they stand. delta is the charge's cost, or what Settle was told. Times are
// relative to now, the operation's.
func AppendChange(b []byte, cell Cell, now Instant, c *Charge, delta int64) []byte {
	switch cell := cell.(type) {
	case *rollingCell:
		return cell.appendChange(b, now, c, delta)
	case *fixedCell:
		return cell.appendChange(b, now)
	case *calendarCell:
		return cell.appendChange(b, now)
	case *bucketCell:
		return appendInts(b, cell.latest-now.Steady, cell.latest-cell.time, cell.empty-cell.latest, cell.units, cell.part)
	case *everCell:
		return appendInts(b, cell.used)
	}
	return b
}

// ApplyChange does to cell, which may be nil, what AppendChange wrote at the
// beginning of b, and returns the cell and what follows. kind and length are
// the limit's. Of bytes that AppendChange did not write it makes an error, or a
// cell that works.
func (s *Slab) ApplyChange(kind Kind, length int64, cell Cell, now Instant, b []byte) (Cell, []byte, error) {
	if cell == nil {
		cell = s.newCell(kind, length)
	}
	r := cellReader{rest: b}
	switch cell := cell.(type) {
	case *rollingCell:
		r.bad = kind != Rolling
		cell.applyChange(&r, now)
	case *fixedCell:
		r.bad = kind != Fixed
		cell.applyChange(&r, now)
	case *calendarCell:
		r.bad = kind != Calendar
		cell.applyChange(&r, now)
	case *bucketCell:
		r.bad = kind != Bucket
		cell.applyChange(&r, now)
	case *everCell:
		r.bad = kind != Ever
		cell.used = r.int(0, MaxAmount)
	default:
		r.bad = true
	}
	if r.bad {
		return nil, nil, errCellOf(kind)
	}
	return cell, r.rest, nil
}

// appendChange appends the latest time, how many units were added or taken
// away, and with which parameter or of which stamp.
func (r *rollingCell) appendChange(b []byte, now Instant, c *Charge, delta int64) []byte {
	delta = min(max(delta, -MaxAmount), MaxAmount)
	back := r.latest/milli - c.Entry.Stamp/milli + stampBias
	switch {
	case c.Cost < 0 && delta < 0: // given back
		back = ofNewest
	case delta < 0 && c.Entry.Stamp == 0:
		delta = 0
	}
	if delta > 0 && !r.tracks(c) || back == ofNewest && !r.tracks(c) {
		delta = 0
	}
	b = appendInts(b, r.latest-now.Steady, delta)
	switch {
	case delta > 0:
		return append(b, byte(r.floor(c)))
	case delta < 0:
		return appendInts(b, back)
	}
	return b
}

// Of which stamp units were taken away is how many ms it is before the latest
// time, and a bias, for a stamp may be a millisecond ahead.
const (
	ofNewest  = 0 // whatever their stamps
	stampBias = 2
)

func (r *rollingCell) applyChange(from *cellReader, now Instant) {
	latest := from.time(now.Steady)
	delta := from.int(-MaxAmount, MaxAmount)
	if from.bad {
		return
	}
	r.advance(Instant{Steady: latest})
	switch {
	case delta > 0:
		floor := from.byte(maxRice)
		stamp := r.next()
		if from.bad = from.bad || r.used > 0 && stamp < r.newest; !from.bad {
			r.push(stamp, delta, floor)
		}
	case delta < 0:
		switch back := from.int(0, maxTime/milli); {
		case from.bad:
		case back == ofNewest:
			r.pop(-delta)
		default:
			r.remove(r.latest/milli-(back-stampBias), -delta)
		}
	}
}

func (s *span) appendChange(b []byte, now Instant) []byte {
	return appendInts(b, s.start-now.Wall, s.end-s.start, s.used)
}

func (s *span) applyChange(r *cellReader, now Instant) {
	start := now.Wall + r.int(-maxTime, maxTime)
	*s = span{start, start + r.int(0, maxTime), r.int(0, MaxAmount)}
	r.bad = r.bad || start < -maxTime || s.end > maxTime
}

func (b *bucketCell) applyChange(r *cellReader, now Instant) {
	b.latest = r.time(now.Steady)
	b.time = b.latest - r.int(0, maxTime)
	b.empty = b.latest + r.int(-maxTime, maxTime)
	b.units, b.part = r.int(0, MaxAmount), r.int(0, maxTime)
	r.bad = r.bad || b.time < 0 || b.empty < 0
}

// time reads a time relative to now.
func (r *cellReader) time(now int64) int64 {
	t := now + r.int(-maxTime, maxTime)
	if t < 0 || t > maxTime {
		r.bad = true
	}
	return t
}

// byte reads a byte of at most high.
func (r *cellReader) byte(high byte) uint {
	if len(r.rest) == 0 || r.rest[0] > high {
		r.bad = true
		return 0
	}
	n := r.rest[0]
	r.rest = r.rest[1:]
	return uint(n)
}
