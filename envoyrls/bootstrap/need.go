package bootstrap

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/contract"
	"github.com/weirhq/weir/envoyrls"
)

// A need is what Envoy must send and do for a policy.
type need struct {
	policy *core.Policy
	// Request are the entries of the descriptor that asks whether a request may
	// go on, and Done of the one that tells that its stream has ended; there is
	// none where nothing depends on that.
	Request, Done []action
	// Voice are the parts of what the origin may say that the policy can act
	// on: cost, lease, release, set.
	Voice []string
	// ClientIP says that the client's address is sent.
	ClientIP bool
	// Statuses that answers can have, other than 429.
	Statuses []int
	// Owned are the names of header fields that only the policy tells.
	Owned []string
}

// newNeed works out what the policy needs.
func newNeed(p *core.Policy, c *contract.Contract) (*need, error) {
	n := &need{policy: p, Voice: voice(p)}
	facts, err := facts(p)
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", p.Name, err)
	}
	n.Request = facts
	if ends(p, n.Voice) {
		n.Request = append([]action{constant(envoyrls.EntryKind, envoyrls.KindStream)}, facts...)
		n.Done = append(n.done(), facts...)
	}
	n.ClientIP = slices.ContainsFunc(p.Uses(), func(u core.Use) bool { return u.Ref.Kind == core.RefClientIP })
	for o := core.Passed; o <= core.Withheld; o++ {
		switch o {
		case core.BodyTooLarge, core.BodyEncoding, core.BodyBroken: // Envoy sends none
		default:
			n.Statuses = append(n.Statuses, c.Statuses(o)...)
		}
	}
	slices.Sort(n.Statuses)
	n.Statuses = slices.DeleteFunc(slices.Compact(n.Statuses), func(status int) bool { return status == 429 })
	for _, name := range c.Owns() {
		n.Owned = append(n.Owned, strings.ToLower(name))
	}
	return n, nil
}

// facts returns the actions that send what the policy reads, once each.
func facts(p *core.Policy) (actions []action, err error) {
	uses := p.Uses()
	for i := range uses {
		a, ok, err := actionFor(&uses[i].Ref)
		if err != nil {
			return nil, err
		}
		if uses[i].Purpose == core.ForPreflight && a.header != "" { // that it is there is enough
			a = firstHeader(a.header)
		}
		if ok && !slices.Contains(actions, a) {
			actions = append(actions, a)
		}
	}
	return actions, nil
}

// metadataNamespace is where Envoy keeps what Weir says of a request.
const metadataNamespace = "envoy.filters.http.ratelimit"

// voiceNamespace is where Envoy keeps what the origin says to Weir.
const voiceNamespace = "weir"

// done returns the entries of the descriptor that tells of a stream's end,
// without the facts.
func (n *need) done() []action {
	id := metadata(metadataNamespace, envoyrls.MetadataID, envoyrls.EntryID)
	if !slices.Contains(n.Voice, "release") { // all else ends or charges a request that has an id
		id.text = strings.Replace(id.text, ", skip_if_absent: true", "", 1)
	}
	actions := []action{constant(envoyrls.EntryKind, envoyrls.KindDone), id}
	for _, part := range n.Voice {
		actions = append(actions, metadata(voiceNamespace, part, envoyrls.EntryKind+"."+part))
	}
	return actions
}

// voice returns what of an origin's voice the policy can act on.
func voice(p *core.Policy) (parts []string) {
	if slices.ContainsFunc(p.Limits, func(l *core.Limit) bool { return l.Settled }) {
		parts = append(parts, "cost")
	}
	if slices.ContainsFunc(p.Limits, func(l *core.Limit) bool { return l.Released }) {
		parts = append(parts, "lease", "release")
	}
	if hasAttributes(p) {
		parts = append(parts, "set")
	}
	return parts
}

// hasAttributes reports whether attributes of subjects matter to the policy.
func hasAttributes(p *core.Policy) bool {
	c := &p.Config
	if c.Subject == nil {
		return false
	}
	texts := []string{}
	denials := []*core.DenyConfig{c.Deny}
	for i := range c.Limits {
		denials = append(denials, c.Limits[i].Deny)
	}
	for _, d := range denials {
		if d != nil {
			texts = append(texts, d.Body)
		}
	}
	for i := range c.Usage {
		texts = append(texts, c.Usage[i].Body)
	}
	return len(c.Plans) > 0 ||
		slices.ContainsFunc(p.Limits, func(l *core.Limit) bool { return l.Max.Attribute != "" || l.Rate.Attribute != "" }) ||
		slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, "{weir.subject.") })
}

// ends reports whether the policy must be told when streams end.
func ends(p *core.Policy, voice []string) bool {
	return len(voice) > 0 || slices.ContainsFunc(p.Limits, func(l *core.Limit) bool { return l.Kind == core.Hold })
}
