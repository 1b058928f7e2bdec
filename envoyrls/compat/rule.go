package compat

import (
	"strings"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/weirhq/weir/core"
)

// A domain is a compiled tree of descriptors.
type domain struct {
	name string
	at   place
	root level
	// overrides are the limits of calls that bring their own.
	overrides limits
}

// A level has the descriptors of one list.
type level struct {
	exact     map[pair]*step
	wildcards []*step // in the order of the files
	bare      map[string]*step
}

// A pair is an entry's key and value.
type pair struct{ key, value string }

// A step is a descriptor.
type step struct {
	pair
	at   place
	next level
	rule *rule // nil: no limit
	// keys and values match by these, where one of both has a wildcard.
	keys, values pattern

	shareThreshold bool
	valueToMetric  bool
}

// A rule is a rate_limit. It is immutable.
type rule struct {
	unlimited bool
	name      string
	replaces  []string
	told      *rls.RateLimitResponse_RateLimit
	metadata  *structpb.Struct

	limit     *core.Limit // nil if unlimited
	plain     *core.Limit // the same without shadow_mode
	algorithm algorithm
	burst     int64 // 0: none
	always    bool  // charge: all
	shadow    bool
	quota     bool

	// path is the rule's name in metrics: the domain, and keys with values as
	// configured, with dots between.
	path string
	// detailed metrics tell the values of calls; variable ones where some step
	// says so.
	detailed, variable bool
	series             *series
}

// wild reports whether the step has a wildcard.
func (s *step) wild() bool { return s.keys != nil }

// matches reports whether a step with a wildcard takes an entry.
func (s *step) matches(key, value string) bool {
	return s.keys.matches(key) && (s.value == "" || s.values.matches(value))
}

// shown returns the value that stands for all that a step with a wildcard takes.
func (s *step) shown() string {
	if s.value == "" {
		return s.key
	}
	return s.value
}

// find returns the step that takes an entry, nil if none does, and whether it is
// by a wildcard.
func (l *level) find(key, value string) (s *step, wildcard bool) {
	if s = l.exact[pair{key, value}]; s != nil {
		return s, false
	}
	for _, s = range l.wildcards {
		if s.matches(key, value) {
			return s, true
		}
	}
	return l.bare[key], false
}

// add adds a step to the level, and returns the one that is there already.
func (l *level) add(s *step) *step {
	if before := l.exact[s.pair]; before != nil {
		return before
	}
	if before := l.bare[s.key]; before != nil && s.value == "" {
		return before
	}
	if s.value != "" {
		if l.exact == nil {
			l.exact = make(map[pair]*step)
		}
		l.exact[s.pair] = s
	} else {
		if l.bare == nil {
			l.bare = make(map[string]*step)
		}
		l.bare[s.key] = s
	}
	if strings.Contains(s.key, "*") || strings.Contains(s.value, "*") {
		s.keys, s.values = newPattern(s.key), newPattern(s.value)
		l.wildcards = append(l.wildcards, s)
	}
	return nil
}
