package contract

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"

	"github.com/dunglas/httpsfv"

	"github.com/weirhq/weir/core"
)

// maxInteger is the largest Integer of a structured field: RFC 9651, section
// 3.3.1.
const maxInteger = 999_999_999_999_999

// Quota units of draft-ietf-httpapi-ratelimit-headers-11, section 3.1.2. The
// default, requests, is left unsaid. What settled limits count is in no
// registry: a value of Weir's own keeps clients from taking it for requests.
const (
	unitConcurrent = "concurrent-requests"
	unitSettled    = "weir-cost"
)

// An item is what of a limit's structured field items never changes.
type item struct {
	name string // the limit's name as a String of structured fields
	unit string // `;qu="…"`, or empty
}

// newItem serialises a limit's name and unit.
func newItem(l *core.Limit) (item, error) {
	name, err := httpsfv.Marshal(httpsfv.NewItem(l.Name))
	if err != nil {
		return item{}, err
	}
	unit := ""
	switch {
	case l.Kind == core.Hold:
		unit = `;qu="` + unitConcurrent + `"`
	case l.Settled:
		unit = `;qu="` + unitSettled + `"`
	}
	return item{name, unit}, nil
}

// list appends the IETF's fields to b: lists with an item for each limit that
// the headers may speak of. An empty list is no field (RFC 9651, section 3.1).
func (h *headers) list(w *writer, b []byte, d *core.Decision, denied bool) []byte {
	start := len(b)
	if h.shows(partLimit, denied) {
		if b = h.policies(b, d, denied); len(b) > start {
			w.add(h.names[partLimit], b)
		}
	}
	start = len(b)
	if h.shows(partRemaining, denied) {
		if b = h.services(b, d, denied); len(b) > start {
			w.add(h.names[partRemaining], b)
		}
	}
	return b
}

// policies appends the Quota Policy Items of section 3.1. With `for tightest`
// all limits are listed, for this field is meant to be the same on every
// response.
func (h *headers) policies(b []byte, d *core.Decision, denied bool) []byte {
	start := len(b)
	for i := range d.Charges {
		c := &d.Charges[i]
		if !visible(c) || h.limit != "" && c.Limit.Name != h.limit {
			continue
		}
		b = h.open(b, start, c)
		b = append(b, ";q="...)
		b = appendUnits(b, c.Max, c.Limit.Scale())
		b = append(b, h.items[c.Limit.Index].unit...)
		if seconds := window(c, d.Now.Wall); seconds > 0 && h.shows(partWindow, denied) {
			b = append(b, ";w="...)
			b = strconv.AppendInt(b, min(seconds, maxInteger), 10)
		}
		b = h.appendKey(b, c, denied)
	}
	return b
}

// services appends the Service Limit Items of section 4.1. Retry-After should
// not be earlier than the end of an effective window (section 6): a limit that
// lets the request pass leaves out the t, which is optional, where it is later.
func (h *headers) services(b []byte, d *core.Decision, denied bool) []byte {
	start := len(b)
	var only *core.Charge
	if h.tightest {
		only = first(d, tighter)
	}
	latest, bounded := h.retry(d)
	for i := range d.Charges {
		c := &d.Charges[i]
		if !visible(c) || h.limit != "" && c.Limit.Name != h.limit || only != nil && c != only {
			continue
		}
		b = h.open(b, start, c)
		b = append(b, ";r="...)
		b = appendUnits(b, c.Remaining(), c.Limit.Scale())
		µs, ok := reset(c, d.Now.Wall)
		if t := seconds(c, µs); ok && h.shows(partReset, denied) && (!bounded || t <= latest) {
			b = append(b, ";t="...)
			b = strconv.AppendInt(b, t, 10)
		}
		b = h.appendKey(b, c, denied)
	}
	return b
}

// open starts an item of a list whose text began at start.
func (h *headers) open(b []byte, start int, c *core.Charge) []byte {
	if len(b) > start {
		b = append(b, ", "...)
	}
	return append(b, h.items[c.Limit.Index].name...)
}

// appendKey writes the partition key: a part of the cell's keyed hash, which
// tells a client which of its requests share a quota, and nobody anything else.
func (h *headers) appendKey(b []byte, c *core.Charge, denied bool) []byte {
	if !h.shows(partKey, denied) || c.Scope == (core.Scope{}) {
		return b
	}
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], c.Scope.Hi)
	b = append(b, ";pk=:"...)
	b = base64.StdEncoding.AppendEncode(b, key[:])
	return append(b, ':')
}

// appendUnits writes whole units, rounded down, as an Integer.
func appendUnits(b []byte, n, scale int64) []byte {
	return strconv.AppendInt(b, min(n/scale, maxInteger), 10)
}
