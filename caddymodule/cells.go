package caddymodule

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirhq/weir/core/memory"
)

// A cellCollector tells how much the open stores hold, and what waits for them.
type cellCollector struct {
	state                *state
	cells, holds, leases *prometheus.Desc
	refused, shared      *prometheus.Desc
	waiting, givenUp     *prometheus.Desc

	journalBytes, journalFailing                           *prometheus.Desc
	journalRecords, journalSyncs, journalErrors, snapshots *prometheus.Desc
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
		waiting: desc("weir_settlements_waiting",
			"What origins said, and ends of requests, that the store failed: they are tried again."),
		givenUp: desc("weir_settlements_given_up_total", "Those of which there were too many to wait."),

		journalBytes: desc("weir_journal_bytes", "Size of the journal that a restart would read."),
		journalFailing: desc("weir_journal_failing",
			"1 while the state directory cannot be written to, so that what would change counters fails; else 0."),
		journalRecords: desc("weir_journal_records_total", "Records in the journal since the state directory was made."),
		journalSyncs:   desc("weir_journal_syncs_total", "How often the journal was put on disk."),
		journalErrors:  desc("weir_journal_errors_total", "Writes to the state directory that failed."),
		snapshots:      desc("weir_snapshots_total", "How often a snapshot took the place of the journal."),
	}
}

// Describe implements prometheus.Collector.
func (c *cellCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.cells
	ch <- c.holds
	ch <- c.leases
	ch <- c.refused
	ch <- c.shared
	ch <- c.waiting
	ch <- c.givenUp
	ch <- c.journalBytes
	ch <- c.journalFailing
	ch <- c.journalRecords
	ch <- c.journalSyncs
	ch <- c.journalErrors
	ch <- c.snapshots
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
			if one.Journal != (memory.JournalStats{}) {
				all.Journal = one.Journal
			}
		}
	}
	tell := func(d *prometheus.Desc, kind prometheus.ValueType, n int64) {
		ch <- prometheus.MustNewConstMetric(d, kind, float64(n))
	}
	tell(c.cells, prometheus.GaugeValue, int64(all.Cells))
	tell(c.holds, prometheus.GaugeValue, int64(all.Slots))
	tell(c.leases, prometheus.GaugeValue, int64(all.Leases))
	tell(c.refused, prometheus.CounterValue, all.Refused)
	tell(c.shared, prometheus.CounterValue, all.Shared)
	waiting, givenUp := c.state.retries.Pending()
	tell(c.waiting, prometheus.GaugeValue, int64(waiting))
	tell(c.givenUp, prometheus.CounterValue, int64(givenUp))
	failing := int64(0)
	if all.Journal.Failing {
		failing = 1
	}
	tell(c.journalBytes, prometheus.GaugeValue, all.Journal.Bytes)
	tell(c.journalFailing, prometheus.GaugeValue, failing)
	tell(c.journalRecords, prometheus.CounterValue, all.Journal.Records)
	tell(c.journalSyncs, prometheus.CounterValue, all.Journal.Syncs)
	tell(c.journalErrors, prometheus.CounterValue, all.Journal.Errors)
	tell(c.snapshots, prometheus.CounterValue, all.Journal.Snapshots)
}

// Interface guards
var _ prometheus.Collector = (*cellCollector)(nil)
