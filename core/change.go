package core

import "math"

// AppendChange appends to b what Take or Settle has just made of the cell: of a
// rolling cell what was added or taken away, of others, which are small, how
// they stand. delta is the charge's cost, or what Settle was told. Times are
// relative to now, the operation's.
func (c PoolCell) AppendChange(b []byte, now Instant, charge *Charge, delta int64) []byte {
	if c.ref.kind() == Rolling {
		return c.rolling().appendChange(b, now, charge, delta)
	}
	return c.cell().appendChange(b, now, charge, delta)
}

// ApplyChange does to the cell ref, the zero CellRef for a new one, what AppendChange
// wrote at the beginning of b, and returns the cell and what follows. kind and
// length are the limit's. Of bytes that AppendChange did not write it makes an
// error, or a cell that works.
func (p *Pool) ApplyChange(kind Kind, length int64, ref CellRef, now Instant, b []byte) (CellRef, []byte, error) {
	fresh := ref == 0
	if fresh {
		ref = p.add(kind, length)
	}
	from := cellReader{rest: b, bad: ref == 0 || ref.kind() != kind || kind == Hold}
	switch c := p.Cell(ref); {
	case from.bad:
	case kind == Rolling:
		from = c.rolling().applyChange(from, now)
	default:
		from = c.cell().applyChange(from, now)
	}
	if from.bad {
		if fresh {
			p.Drop(ref)
		}
		return 0, nil, errCellOf(kind)
	}
	return ref, from.rest, nil
}

// appendChange appends the latest time, how many units were added or taken
// away, and with which parameter or of which stamp.
func (r rolling) appendChange(b []byte, now Instant, c *Charge, delta int64) []byte {
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

func (r rolling) applyChange(from cellReader, now Instant) cellReader {
	latest := from.time(now.Steady)
	delta := from.int(-MaxAmount, MaxAmount)
	if from.bad {
		return from
	}
	r.advance(Instant{Steady: latest})
	switch {
	case delta > 0:
		floor := from.byte(maxRice)
		stamp := r.next()
		if from.bad = from.bad || r.used() > 0 && stamp < r.newest(); !from.bad {
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
	return from
}

func (s *span) appendChange(b []byte, now Instant, _ *Charge, _ int64) []byte {
	return appendInts(b, s.start-now.Wall, s.end-s.start, s.used)
}

func (s *span) applyChange(r cellReader, now Instant) cellReader {
	start := now.Wall + r.int(-maxTime, maxTime)
	*s = span{start, start + r.int(0, maxTime), r.int(0, MaxAmount)}
	r.bad = r.bad || start < -maxTime || s.end > maxTime
	return r
}

func (b *bucketCell) appendChange(to []byte, now Instant, _ *Charge, _ int64) []byte {
	return appendInts(to, b.latest-now.Steady, b.latest-b.time, b.empty-b.latest, b.units, b.part,
		b.poured, b.poured-b.hole, b.given, max(0, b.until-b.latest))
}

func (b *bucketCell) applyChange(r cellReader, now Instant) cellReader {
	b.latest = r.time(now.Steady)
	b.time = b.latest - r.int(0, maxTime)
	b.empty = b.latest + r.int(-maxTime, maxTime)
	b.units, b.part = r.int(0, MaxAmount), r.int(0, maxTime)
	b.poured = r.int(math.MinInt64, math.MaxInt64)
	b.hole = b.poured - r.int(math.MinInt64, math.MaxInt64)
	b.given = r.int(0, math.MaxInt64)
	b.until = b.latest + r.int(0, 2*maxTime)
	r.bad = r.bad || b.time < 0 || b.empty < 0
	return r
}

func (e *everCell) appendChange(b []byte, _ Instant, _ *Charge, _ int64) []byte { return e.encode(b) }

func (e *everCell) applyChange(r cellReader, _ Instant) cellReader { return e.decode(r) }

func (h *hold) appendChange(b []byte, _ Instant, _ *Charge, _ int64) []byte { return b }

func (h *hold) applyChange(r cellReader, _ Instant) cellReader { return r }

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
