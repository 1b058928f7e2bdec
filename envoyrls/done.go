package envoyrls

import (
	"context"
	"errors"
	"slices"
	"strings"

	limit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"

	"github.com/weirhq/weir/caddymodule"
	"github.com/weirhq/weir/core"
)

// A done is what a call's descriptors tell of the end of one request.
type done struct {
	id     core.ID // zero where Weir did not admit it
	source source  // of the first of them

	cost, lease, release, set []string
	hits                      int64 // the most of them, core.NoHits for none
}

// kind returns what d is: KindStream, KindDone, or "".
func kind(d *limit.RateLimitDescriptor) string {
	s := source{entries: d.GetEntries()}
	k, _ := s.entry(EntryKind)
	return k
}

// isDone reports whether d tells an end.
func isDone(d *limit.RateLimitDescriptor) bool { return kind(d) == KindDone }

// dones gathers what r tells of each request that has ended.
func dones(r *rls.RateLimitRequest) (all []done) {
	for _, d := range r.GetDescriptors() {
		s := source{entries: d.GetEntries()}
		text, _ := s.entry(EntryID)
		id, _ := core.ReadID(text)
		i := slices.IndexFunc(all, func(o done) bool { return o.id == id })
		if i < 0 {
			i = len(all)
			all = append(all, done{id: id, source: s, hits: core.NoHits})
		}
		all[i].add(d)
		if n := r.GetHitsAddend(); d.GetHitsAddend() == nil && n > 0 {
			all[i].hits = max(all[i].hits, int64(n))
		}
	}
	return all
}

// add adds what one descriptor says.
func (e *done) add(d *limit.RateLimitDescriptor) {
	for _, entry := range d.GetEntries() {
		var values *[]string
		switch entry.GetKey() {
		case EntryCost:
			values = &e.cost
		case EntryLease:
			values = &e.lease
		case EntryRelease:
			values = &e.release
		case EntrySet:
			values = &e.set
		default:
			continue
		}
		*values = append(*values, strings.Clone(entry.GetValue())) // not the whole message
	}
	if n := d.GetHitsAddend(); n != nil {
		e.hits = max(e.hits, int64(min(n.GetValue(), uint64(core.MaxAmount/core.Million))))
	}
}

// voice returns what the origin said, nil if nothing. Hits are a cost in whole
// units where it told no other.
func (e *done) voice() *core.Voice {
	v := core.ParseVoice(e.cost, e.lease, e.release, e.set)
	if e.hits != core.NoHits && len(e.cost) == 0 && e.id != (core.ID{}) {
		v.HasCost, v.Cost = true, e.hits*core.Million
	}
	if !v.HasCost && v.Invalid+len(v.Lease)+len(v.Release)+len(v.Set) == 0 {
		return nil
	}
	return &v
}

// finish acts on a call that tells ends.
func (s *service) finish(ctx context.Context, r *rls.RateLimitRequest) error {
	var errs []error
	ended := dones(r)
	for i := range ended {
		errs = append(errs, s.end(ctx, r.GetDomain(), &ended[i]))
	}
	return errors.Join(errs...)
}

// end acts on the end of one request. Of one that this process does not know,
// what the origin said still acts: it was told before a restart, say.
func (s *service) end(ctx context.Context, domain string, e *done) error {
	v := e.voice()
	if st := s.stays.remove(e.id); st != nil {
		st.End(v)
		return nil
	}
	if v == nil {
		return nil
	}
	request := e.source.request()
	err := s.app.HearOf(context.WithoutCancel(ctx), domain, &request, e.id, v)
	if errors.Is(err, caddymodule.ErrNoPolicy) {
		return nil
	}
	return err
}
