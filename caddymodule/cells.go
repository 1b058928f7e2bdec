package caddymodule

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirhq/weir/core/memory"
)

// A cellCollector tells how much the open stores hold.
type cellCollector struct {
	state                *state
	cells, holds, leases *prometheus.Desc
	refused, shared      *prometheus.Desc
}

func newCellCollector(s *state) *cellCollector {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &cellCollector{
		state:  s,
		cells:  desc("weir_cells", "Counters in memory: one for each limit and whom it counts."),
		holds:  desc("weir_holds", "Slots of requests in flight that a lease may follow."),
		leases: desc("weir_leases", "Slots that origins lease beyond their request."),
		refused: desc("weir_cells_refused_total",
			"Operations that failed because there was no room for another counter."),
		shared: desc("weir_cells_shared_total",
			"Charges in counters that subjects share because there was no room for their own."),
	}
}

// Describe implements prometheus.Collector.
func (c *cellCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.cells
	ch <- c.holds
	ch <- c.leases
	ch <- c.refused
	ch <- c.shared
}

// Collect implements prometheus.Collector.
func (c *cellCollector) Collect(ch chan<- prometheus.Metric) {
	var all memory.Stats
	for _, store := range c.state.stores() {
		if s, ok := store.(interface{ Stats() memory.Stats }); ok {
			one := s.Stats()
			all.Cells += one.Cells
			all.Slots += one.Slots
			all.Leases += one.Leases
			all.Refused += one.Refused
			all.Shared += one.Shared
		}
	}
	counter := func(d *prometheus.Desc, n int64) prometheus.Metric {
		return prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n))
	}
	gauge := func(d *prometheus.Desc, n int) prometheus.Metric {
		return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n))
	}
	ch <- gauge(c.cells, all.Cells)
	ch <- gauge(c.holds, all.Slots)
	ch <- gauge(c.leases, all.Leases)
	ch <- counter(c.refused, all.Refused)
	ch <- counter(c.shared, all.Shared)
}

// Interface guards
var _ prometheus.Collector = (*cellCollector)(nil)
