package compat

import (
	"math"

	"google.golang.org/protobuf/types/known/structpb"
)

// A document is what one file says.
type document struct {
	at          place
	domain      word
	descriptors []descriptor
}

// A word is a scalar, and where it stands.
type word struct {
	at   place
	text string
}

// A descriptor is an element of a list of descriptors.
type descriptor struct {
	at             place
	key, value     string
	limit          *rateLimit
	descriptors    []descriptor
	shadowMode     bool
	quotaMode      bool
	detailedMetric bool
	valueToMetric  bool
	shareThreshold bool
	metadata       *structpb.Struct
}

// A rateLimit is a descriptor's rate_limit.
type rateLimit struct {
	at        place
	unit      word
	requests  uint32
	unlimited bool
	name      string
	replaces  []word
	algorithm word
	charge    word
	burst     uint32
	burstAt   place // of burst, if there is one
}

// read reads the file's document; ok is false where there is none.
func (r *reader) document(text []byte) (d document, ok bool) {
	root := r.root(text)
	if root == nil {
		return d, false
	}
	d.at = place{r.file, 0}
	r.mapping(root, "a file", []key{
		{"domain", r.word(&d.domain)},
		{"descriptors", r.descriptors(&d.descriptors)},
	})
	return d, true
}

// descriptors returns what reads a list of descriptors.
func (r *reader) descriptors(to *[]descriptor) func(*node) {
	return r.list(func(n *node) {
		d := descriptor{at: r.place(n)}
		r.mapping(n, "a descriptor", []key{
			{"key", r.text(&d.key)},
			{"value", r.text(&d.value)},
			{"rate_limit", r.rateLimit(&d.limit)},
			{"descriptors", r.descriptors(&d.descriptors)},
			{"shadow_mode", r.flag(&d.shadowMode)},
			{"quota_mode", r.flag(&d.quotaMode)},
			{"detailed_metric", r.flag(&d.detailedMetric)},
			{"value_to_metric", r.flag(&d.valueToMetric)},
			{"share_threshold", r.flag(&d.shareThreshold)},
			{"metadata", r.metadata(&d.metadata)},
		})
		*to = append(*to, d)
	})
}

// rateLimit returns what reads a rate_limit. null is none.
func (r *reader) rateLimit(to **rateLimit) func(*node) {
	return func(n *node) {
		if n.isNull() {
			return
		}
		l := &rateLimit{at: r.place(n)}
		r.mapping(n, "a rate_limit", []key{
			{"unit", r.word(&l.unit)},
			{"requests_per_unit", r.number(&l.requests, 0, math.MaxUint32)},
			{"unlimited", r.flag(&l.unlimited)},
			{"name", r.text(&l.name)},
			{"replaces", r.list(func(n *node) {
				w := word{at: r.place(n)}
				r.mapping(n, "an element of replaces", []key{{"name", r.word(&w)}})
				l.replaces = append(l.replaces, w)
			})},
			{"algorithm", r.word(&l.algorithm)},
			{"charge", r.word(&l.charge)},
			{"burst", func(n *node) {
				l.burstAt = r.place(n)
				r.number(&l.burst, 1, math.MaxUint32)(n)
			}},
		})
		*to = l
	}
}
