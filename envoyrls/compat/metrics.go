package compat

import (
	"errors"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// maxNames is how many names with values of calls have series of their own;
	// more are counted by the rule's own name.
	maxNames = 10_000
	// maxName is how long such a name is at most.
	maxName = 1024
)

// pool has the metrics of this process, which count on through reloads.
var pool = caddy.NewUsagePool()

// Metrics are envoyproxy/ratelimit's, as its mapping for Prometheus names them,
// and Weir's own.
type Metrics struct {
	loaded, rejected prometheus.Counter
	failed           prometheus.Counter
	calls, shadowed  prometheus.Counter
	stale            *prometheus.GaugeVec
	crowded          prometheus.Counter
	mu               sync.RWMutex // guards what follows
	series           map[labels]*series
	names            map[string]*series // with values of calls
	watched          map[string]int     // how many services watch a directory
}

// AcquireMetrics returns the process's metrics. Whoever acquires them must call
// ReleaseMetrics.
func AcquireMetrics() (*Metrics, error) {
	m, _, err := pool.LoadOrNew("metrics", func() (caddy.Destructor, error) { return newMetrics(), nil })
	if err != nil {
		return nil, err
	}
	return m.(*Metrics), nil
}

// ReleaseMetrics gives the reference back.
func ReleaseMetrics() error {
	_, err := pool.Delete("metrics")
	return err
}

// Destruct implements caddy.Destructor.
func (*Metrics) Destruct() error { return nil }

func newMetrics() *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &Metrics{
		loaded:   counter("ratelimit_service_config_load_success", "Configurations loaded from a directory of envoyproxy/ratelimit's YAML."),
		rejected: counter("ratelimit_service_config_load_error", "Configurations in such a directory that were rejected; the one before stays in force."),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ratelimit_service_should_rate_limit_error", ConstLabels: prometheus.Labels{"err_type": "service_error"},
			Help: "Calls that could not be answered.",
		}),
		calls: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ratelimit_service_total_requests", ConstLabels: prometheus.Labels{"grpc_method": "ShouldRateLimit"},
			Help: "Calls for the domains of such a directory.",
		}),
		shadowed: counter("ratelimit_service_global_shadow_mode", "Calls over their limit that shadow mode let pass."),
		stale: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "weir_ratelimit_config_rejected",
			Help: "1 while a directory of envoyproxy/ratelimit's YAML holds what was rejected, so that an earlier configuration is in force.",
		}, []string{"directory"}),
		crowded: counter("weir_ratelimit_series_omitted_total", "Descriptors whose values would need more series than there may be; their hits are counted by their rule alone."),
		series:  make(map[labels]*series), names: make(map[string]*series), watched: make(map[string]int),
	}
}

// Register makes the metrics known to a configuration's registry. Several doors
// of one configuration may do so.
func (m *Metrics) Register(r *prometheus.Registry) error {
	for i, c := range []prometheus.Collector{m.loaded, m.rejected, m.failed, m.calls, m.shadowed, m.stale, m.crowded, m} {
		var already prometheus.AlreadyRegisteredError
		err := r.Register(c)
		if i == 0 && errors.As(err, &already) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Describe implements prometheus.Collector. It tells nothing, for series of one
// name have key2 or not.
func (*Metrics) Describe(chan<- *prometheus.Desc) {}

// families are the metrics of a series: with key1, and with key2 too.
var families = func() (all []descs) {
	for _, one := range []struct {
		name, help string
		value      func(*series) uint64
	}{
		{"total_hits", "Hits of a rule.", func(s *series) uint64 { return s.totalHits.Load() }},
		{"over_limit", "Hits over a rule's limit.", func(s *series) uint64 { return s.overLimit.Load() }},
		{"near_limit", "Hits within a rule's limit, but above four fifths of it.", func(s *series) uint64 { return s.nearLimit.Load() }},
		{"within_limit", "Hits within a rule's limit.", func(s *series) uint64 { return s.withinLimit.Load() }},
		{"shadow_mode", "Hits over a rule's limit that its shadow_mode let pass.", func(s *series) uint64 { return s.shadowMode.Load() }},
	} {
		name := "ratelimit_service_rate_limit_" + one.name
		all = append(all, descs{
			one.value,
			prometheus.NewDesc(name, one.help, []string{"domain", "key1"}, nil),
			prometheus.NewDesc(name, one.help, []string{"domain", "key1", "key2"}, nil),
		})
	}
	return all
}()

type descs struct {
	value  func(*series) uint64
	flat   *prometheus.Desc
	nested *prometheus.Desc
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for l, s := range m.series {
		for _, d := range families {
			desc, values := d.flat, []string{l.domain, l.key1, l.key2}
			if l.key2 == "" {
				values = values[:2]
			} else {
				desc = d.nested
			}
			ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(d.value(s)), values...)
		}
	}
}

// declare returns the series of a name that a configuration gives, which is told
// from now on, also while it is 0. by has what the same service has declared.
func (m *Metrics) declare(name string, by map[labels]struct{}) *series {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, l := m.get(name), labelsOf(name)
	if _, already := by[l]; !already {
		by[l] = struct{}{}
		s.holders++
	}
	return s
}

// retract undoes what a service has declared: series that counted nothing, and
// that nobody else has, are told no more.
func (m *Metrics) retract(by map[labels]struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for l := range by {
		s := m.series[l]
		if s.holders--; s.holders == 0 && s.empty() {
			delete(m.series, l)
		}
	}
}

// get returns the series of a name. It requires that mu is held.
func (m *Metrics) get(name string) *series {
	l := labelsOf(name)
	s := m.series[l]
	if s == nil {
		s = new(series)
		m.series[l] = s
	}
	return s
}

// ofCall returns the series of a name with values of a call, or otherwise's
// where there are too many.
func (m *Metrics) ofCall(name []byte, otherwise string) *series {
	m.mu.RLock()
	s := m.names[string(name)]
	m.mu.RUnlock()
	if s != nil {
		return s
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.names[string(name)]; s != nil {
		return s
	}
	if len(name) > maxName || len(m.names) >= maxNames {
		m.crowded.Inc()
		return m.get(otherwise)
	}
	s = m.get(string(name))
	s.holders++
	m.names[string(name)] = s
	return s
}

// watch notes that one more service watches the directory.
func (m *Metrics) watch(dir string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watched[dir]++
}

// unwatch undoes watch. Of a directory that nobody watches nothing is told.
func (m *Metrics) unwatch(dir string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.watched[dir]--; m.watched[dir] == 0 {
		delete(m.watched, dir)
		m.stale.DeleteLabelValues(dir)
	}
}

// Interface guards
var (
	_ prometheus.Collector = (*Metrics)(nil)
	_ caddy.Destructor     = (*Metrics)(nil)
)
