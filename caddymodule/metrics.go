package caddymodule

import (
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirhq/weir/core"
)

// metrics are a state's collectors. Their labels are policy, limit and outcome,
// never a subject or a key.
type metrics struct {
	decisions    *prometheus.CounterVec
	shadows      *prometheus.CounterVec
	storeErrors  *prometheus.CounterVec
	lookupErrors *prometheus.CounterVec
	originErrors *prometheus.CounterVec

	overrides *prometheus.CounterVec

	unknownPolicies prometheus.Counter
	streams         prometheus.Gauge
	lostStreams     prometheus.Counter
	duration        prometheus.Histogram
	cells           *cellCollector
}

// newMetrics makes the collectors of s.
func newMetrics(s *state) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	return &metrics{
		decisions: counter("weir_decisions_total",
			"Requests decided. On a refusal limit is the one that refuses; outcome never_fits is a refusal of a cost above the maximum.",
			"policy", "limit", "outcome"),
		shadows: counter("weir_shadow_refusals_total",
			"Requests that a limit in shadow mode would have refused; limit is empty where a policy in shadow mode would have for another reason.", "policy", "limit", "outcome"),
		storeErrors: counter("weir_store_errors_total",
			"Operations that the store failed.", "policy"),
		lookupErrors: counter("weir_directory_errors_total",
			"Credentials that the directory failed to look up.", "policy"),
		originErrors: counter("weir_origin_errors_total",
			"What origins said in Weir-* that had no effect: headers that there are none of, values that cannot be read, ids without a slot or a holder, costs that nothing settles.",
			"policy"),
		overrides: counter("weir_overrides_ignored_total",
			"Requests that brought a maximum for a window that no limit of theirs has.", "policy"),
		unknownPolicies: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "weir_unknown_policies_total",
			Help: "Calls that named a policy there is none of, from doors whose callers name it: Envoy's domains.",
		}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "weir_streams",
			Help: "Admitted requests through Envoy that are under way, and whose end it will tell.",
		}),
		lostStreams: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "weir_streams_lost_total",
			Help: "Requests through Envoy whose end it has not told in time.",
		}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "weir_decision_duration_seconds",
			Help:    "How long decisions took; one in 64 is measured.",
			Buckets: []float64{1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1},
		}),
		cells: newCellCollector(s),
	}
}

// register makes the collectors known to a configuration's registry.
func (m *metrics) register(r *prometheus.Registry) error {
	for _, c := range []prometheus.Collector{
		m.decisions, m.shadows, m.storeErrors, m.lookupErrors, m.originErrors, m.overrides, m.unknownPolicies,
		m.streams, m.lostStreams, m.duration, m.cells,
	} {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// sampled reports whether to measure a decision's duration.
func (*metrics) sampled() bool { return rand.Uint32()&63 == 0 }

// A tally has the counters of one policy, so that no request looks them up.
type tally struct {
	outcomes     []prometheus.Counter // by outcome
	denied       []prometheus.Counter // by limit
	neverFits    []prometheus.Counter
	shadows      []prometheus.Counter
	shadowed     []prometheus.Counter // by outcome, by no limit
	storeErrors  prometheus.Counter
	lookupErrors prometheus.Counter
	originErrors prometheus.Counter
	overrides    prometheus.Counter
}

// neverFits is the outcome of a refusal that no waiting helps.
const neverFits = "never_fits"

// tally makes the counters of p.
func (m *metrics) tally(p *core.Policy) *tally {
	t := &tally{
		storeErrors:  m.storeErrors.WithLabelValues(p.Name),
		lookupErrors: m.lookupErrors.WithLabelValues(p.Name),
		originErrors: m.originErrors.WithLabelValues(p.Name),
		overrides:    m.overrides.WithLabelValues(p.Name),
	}
	for o := core.Passed; o <= core.Withheld; o++ {
		var c prometheus.Counter
		if o != core.Denied { // those are counted by limit
			c = m.decisions.WithLabelValues(p.Name, "", o.String())
		}
		t.outcomes = append(t.outcomes, c)
		var shadowed prometheus.Counter
		if o > core.Denied && o != core.Usage { // those are not overlooked, or by limit
			shadowed = m.shadows.WithLabelValues(p.Name, "", o.String())
		}
		t.shadowed = append(t.shadowed, shadowed)
	}
	for _, l := range p.Limits {
		var denied, never, shadow prometheus.Counter
		if !l.Count { // a count refuses nothing
			denied = m.decisions.WithLabelValues(p.Name, l.Name, core.Denied.String())
			never = m.decisions.WithLabelValues(p.Name, l.Name, neverFits)
			shadow = m.shadows.WithLabelValues(p.Name, l.Name, core.Denied.String())
		}
		t.denied, t.neverFits = append(t.denied, denied), append(t.neverFits, never)
		t.shadows = append(t.shadows, shadow)
	}
	return t
}

// count counts a decision.
func (t *tally) count(d *core.Decision) {
	switch refuser := d.Refuser(); {
	case d.Outcome != core.Denied:
		t.outcomes[d.Outcome].Inc()
	case refuser != nil && refuser.NeverFits:
		t.neverFits[refuser.Limit.Index].Inc()
	case refuser != nil:
		t.denied[refuser.Limit.Index].Inc()
	}
	for i := range d.Charges {
		if c := &d.Charges[i]; c.Refused && c.Limit.Shadow {
			t.shadows[c.Limit.Index].Inc()
		}
	}
	if c := t.shadowed[d.Shadowed]; c != nil {
		c.Inc()
	}
	switch {
	case d.Err == nil:
	case d.Outcome == core.DirectoryFailed || d.Shadowed == core.DirectoryFailed:
		t.lookupErrors.Inc()
	default:
		t.storeErrors.Inc()
	}
}

// heard counts what became of the origin's voice.
func (t *tally) heard(h *core.Heard) {
	if n := h.Ignored + h.Invalid; n > 0 {
		t.originErrors.Add(float64(n))
	}
	if h.Err != nil {
		t.storeErrors.Inc()
	}
}

// observe notes how long a decision took.
func (m *metrics) observe(start time.Time) { m.duration.Observe(time.Since(start).Seconds()) }
