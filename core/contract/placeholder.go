package contract

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weirhq/weir/core"
)

// What a placeholder tells.
type what uint8

const (
	whatMax what = iota
	whatUsed
	whatRemaining
	whatReset
	whatRetryAfter
	whatWindow
	whatLimit // the name of the limit
	whatPolicy
	whatSubject
	whatViolated
)

// words are the placeholders that speak of one limit, by what they tell.
var words = []string{"max", "used", "remaining", "reset", "retry_after", "window", "limit", "policy"}

// facts are those that can be asked of a named limit.
var facts = words[:whatLimit]

// A placeholder is one of {weir.…}.
type placeholder struct {
	what  what
	limit string // the limit that it names, or empty
	name  string // the subject's attribute
}

// parsePlaceholder reads a placeholder without its braces.
func parsePlaceholder(s string) (placeholder, error) {
	name, ok := strings.CutPrefix(s, "weir.")
	if !ok {
		return placeholder{}, errors.New("expected weir.…")
	}
	switch {
	case strings.HasPrefix(name, "limits."):
		return parseNamed(strings.TrimPrefix(name, "limits."))
	case strings.HasPrefix(name, "subject."):
		return parseSubject(strings.TrimPrefix(name, "subject."))
	}
	if i := slices.Index(words, name); i >= 0 {
		return placeholder{what: what(i)}, nil
	}
	return placeholder{}, fmt.Errorf("{weir.%s} is unknown%s", core.Clip(name), suggestPlaceholder(name))
}

// suggestPlaceholder suggests a placeholder, in braces.
func suggestPlaceholder(name string) string {
	known := slices.Concat(words, []string{"limits.NAME." + facts[0], "subject.id", "subject.plan"})
	for i := range known {
		known[i] = "{weir." + known[i] + "}"
	}
	return core.DidYouMean("{weir."+name+"}", known)
}

// parseNamed reads NAME.FACT.
func parseNamed(s string) (placeholder, error) {
	dot := strings.LastIndexByte(s, '.')
	if dot <= 0 {
		return placeholder{}, fmt.Errorf("{weir.limits.%s} is not {weir.limits.NAME.used}", core.Clip(s))
	}
	limit, fact := s[:dot], s[dot+1:]
	i := slices.Index(facts, fact)
	if i < 0 {
		return placeholder{}, fmt.Errorf("%q is not told of a limit%s", core.Clip(fact), core.DidYouMean(fact, facts))
	}
	return placeholder{what: what(i), limit: limit}, nil
}

// parseSubject reads the name of an attribute.
func parseSubject(s string) (placeholder, error) {
	if s == "" || strings.ContainsFunc(s, notNameRune) {
		return placeholder{}, fmt.Errorf("{weir.subject.%s}: a name has letters, digits, _ and -", core.Clip(s))
	}
	return placeholder{what: whatSubject, name: s}, nil
}

func notNameRune(r rune) bool {
	alnum := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	return !alnum && r != '_' && r != '-'
}

// value returns what the placeholder stands for in the answer to d; charge is
// the one that it speaks of if it names no limit.
func (p *placeholder) value(c *Contract, d *core.Decision, charge *core.Charge) value {
	switch p.what {
	case whatPolicy:
		return value{kind: text, text: c.policy}
	case whatSubject:
		return subject(d, p.name)
	case whatViolated:
		return value{kind: raw, text: string(appendViolated(nil, d))}
	}
	if p.limit != "" {
		charge = find(d, p.limit)
	}
	if charge == nil {
		return value{}
	}
	return p.of(c, d, charge)
}

// subject returns an attribute of d's subject.
func subject(d *core.Decision, name string) value {
	if name == "id" {
		if id := d.SubjectID(); id != "" {
			return value{kind: text, text: id}
		}
		return value{}
	}
	return ofAttribute(d.Value(name))
}

// of returns what the placeholder tells of one charge.
func (p *placeholder) of(c *Contract, d *core.Decision, charge *core.Charge) value {
	scale := charge.Limit.Scale()
	switch p.what {
	case whatMax:
		return amount(charge.Max, scale)
	case whatUsed:
		return amount(charge.Used, scale)
	case whatRemaining:
		return amount(charge.Remaining(), scale)
	case whatReset:
		if µs, ok := reset(charge, d.Now.Wall); ok {
			return moment(c.headers.form, charge, d.Now.Wall, µs)
		}
	case whatRetryAfter:
		if s, ok := retryAfter(charge); ok {
			return amount(s, 1)
		}
	case whatWindow:
		return amount(window(charge, d.Now.Wall), 1)
	case whatLimit:
		return value{kind: text, text: charge.Limit.Name}
	}
	return value{}
}
