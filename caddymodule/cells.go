package caddymodule

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirhq/weir/core/memory"
)

// A cellCollector tells how much the open stores hold.
type cellCollector struct {
	state                *state
	cells, holds, leases *prometheus.Desc
}

func newCellCollector(s *state) *cellCollector {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &cellCollector{
		state:  s,
		cells:  desc("weir_cells", "Counters in memory: one for each limit and whom it counts."),
		holds:  desc("weir_holds", "Slots of requests in flight that a lease may follow."),
		leases: desc("weir_leases", "Slots that origins lease beyond their request."),
	}
}

// Describe implements prometheus.Collector.
func (c *cellCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.cells
	ch <- c.holds
	ch <- c.leases
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
		}
	}
	gauge := func(d *prometheus.Desc, n int) prometheus.Metric {
		return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n))
	}
	ch <- gauge(c.cells, all.Cells)
	ch <- gauge(c.holds, all.Slots)
	ch <- gauge(c.leases, all.Leases)
}

// Interface guards
var _ prometheus.Collector = (*cellCollector)(nil)
