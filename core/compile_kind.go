package core

import (
	"slices"
	"strings"
)

var kindWords = []string{"rolling", "fixed", "calendar", "bucket", "hold"}

// kind compiles the way of counting, and refuses options of other ways.
func (k *limitCompiler) kind(l *Limit, c *LimitConfig) {
	words := kindWords
	if c.Count {
		words = []string{"rolling", "fixed", "calendar", "ever"}
	}
	if c.Kind == "" {
		k.errorf(k.path+".kind", "a limit needs a kind: one of %s", strings.Join(words, ", "))
		return
	}
	if !k.oneOf(k.path+".kind", c.Kind, words) {
		return
	}
	l.Kind = Kind(slices.Index(kindNames[:], c.Kind))
	k.options(l.Kind, c)
	switch l.Kind {
	case Rolling, Fixed, Bucket:
		k.length(l, c)
	case Calendar:
		s, err := NewSchedule(c.Unit, c.Zone, c.Anchor)
		if err != nil {
			k.fail(k.path+"."+scheduleField(c), err)
		}
		l.Schedule = s
	case Hold:
		k.hold(l, c)
	}
}

// scheduleField names the field that is to blame for a schedule's error.
func scheduleField(c *LimitConfig) string {
	if _, err := NewSchedule(c.Unit, "UTC", ""); err != nil {
		return "unit"
	}
	if _, err := NewSchedule(c.Unit, c.Zone, ""); err != nil {
		return "zone"
	}
	return "anchor"
}

// options refuses what belongs to other kinds.
func (k *limitCompiler) options(kind Kind, c *LimitConfig) {
	options := []struct {
		name  string
		set   bool
		kinds []Kind
	}{
		{"window", c.Window != 0, []Kind{Rolling, Fixed, Bucket}},
		{"unit", c.Unit != "", []Kind{Calendar}},
		{"zone", c.Zone != "", []Kind{Calendar}},
		{"anchor", c.Anchor != "", []Kind{Calendar}},
		{"rate", !c.Rate.IsZero(), []Kind{Bucket}},
		{"until", c.Until != "", []Kind{Hold}},
		{"ttl", c.TTL != 0, []Kind{Hold}},
		{"retry", c.Retry != 0, []Kind{Hold}},
	}
	for _, o := range options {
		if o.set && !slices.Contains(o.kinds, kind) {
			k.errorf(k.path+"."+o.name, "a %s limit has no %s", kind, o.name)
		}
	}
}

const (
	minLength = 1000                             // 1 ms
	maxLength = 366 * 24 * 60 * 60 * 1000 * 1000 // a year
)

func (k *limitCompiler) length(l *Limit, c *LimitConfig) {
	l.Length = c.Window.Micro()
	switch {
	case c.Window == 0:
		k.errorf(k.path+".window", "a %s limit needs a length, such as 60s", l.Kind)
	case l.Length < minLength || l.Length > maxLength:
		k.errorf(k.path+".window", "%s is not from 1ms to 366d", c.Window)
	case l.Kind == Rolling && l.Length%1000 != 0:
		k.errorf(k.path+".window", "%s is not a whole number of milliseconds", c.Window)
	}
	if l.Kind != Bucket {
		return
	}
	l.Rate = c.Rate
	if n, ok := c.Rate.Value.amount(1); c.Rate.IsZero() || c.Rate.Attribute == "" && (!ok || n < 1 || n == Unlimited) {
		k.errorf(k.path+".rate", "a bucket needs a rate from 1, such as 10/1s")
	}
	k.whole(k.path+".rate", c.Rate)
	k.attributeDefault(k.path+".rate", c.Rate)
}

func (k *limitCompiler) hold(l *Limit, c *LimitConfig) {
	if c.Until == "" {
		k.errorf(k.path+".until", "a hold lasts until the `response` ends, or until it is `released`")
		return
	}
	if !k.oneOf(k.path+".until", c.Until, []string{"response", "released"}) {
		return
	}
	l.Released, l.TTL = c.Until == "released", c.TTL.Micro()
	switch {
	case l.Released && c.TTL <= 0:
		k.errorf(k.path+".ttl", "a slot that is released needs a ttl, such as 24h, for those that nobody releases")
	case l.Released && l.TTL < minLength:
		k.errorf(k.path+".ttl", "%s is less than 1ms", c.TTL)
	case !l.Released && c.TTL != 0:
		k.errorf(k.path+".ttl", "a slot that ends with the response has no ttl")
	}
}
