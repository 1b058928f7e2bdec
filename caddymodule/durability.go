package caddymodule

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/memory"
)

var durabilities = []memory.Durability{memory.Process, memory.Interval, memory.None}

func durabilityNames() []string {
	var names []string
	for _, d := range durabilities {
		names = append(names, d.String())
	}
	return names
}

// durability returns the store's durability, which was checked.
func (m *MemoryStore) durability() memory.Durability {
	for _, d := range durabilities {
		if d.String() == m.Durability {
			return d
		}
	}
	return memory.Process
}

// The least and the most that an interval may be: the disk has to be written to
// twice in it.
const (
	minInterval = core.Duration(2 * time.Millisecond)
	maxInterval = core.Duration(time.Hour)
)

// checkDurability returns what is wrong with the store's durability.
func (m *MemoryStore) checkDurability() error {
	name := m.Durability
	known := m.durability().String() == name
	switch {
	case name == "" && m.Interval == 0:
		return nil
	case m.Volatile:
		return errors.New("durability: volatile counters are kept nowhere; give the store a directory instead")
	case name != "" && !known:
		return fmt.Errorf("durability: unknown word %q%s", clip(name), core.DidYouMean(name, durabilityNames()))
	case m.durability() != memory.Interval && m.Interval != 0:
		return errors.New("interval: only the durability interval has one")
	case m.durability() == memory.Interval && (m.Interval < minInterval || m.Interval > maxInterval):
		return fmt.Errorf("interval: %s is not from %s to %s", m.Interval, minInterval, maxInterval)
	}
	return nil
}

func (p *parser) durability(m *MemoryStore, _ string, d *directive) {
	m.Durability = d.args[0].Text
	at := d.args[0]
	switch interval := m.durability() == memory.Interval; {
	case interval != (len(d.args) == 2):
		p.errorf(d.name, "expected \"durability process|none|interval DURATION\", got %q", d.spoken())
		return
	case interval:
		at = d.args[1]
		before := len(p.mistakes)
		if m.Interval = p.duration(at, "interval"); len(p.mistakes) > before {
			return
		}
	}
	if err := m.checkDurability(); err != nil {
		p.fail(at, err)
	}
}

// logger returns the store's logger, which outlives configurations.
func (m *MemoryStore) logger() *zap.Logger {
	return caddy.Log().Named("weir.stores.memory").With(zap.String("dir", m.Dir))
}

// report logs that the directory fails, and that it works again.
func (m *MemoryStore) report(err error, failing bool) {
	logger := m.logger()
	switch {
	case failing:
		logger.Error("the state directory cannot be written to; what would change counters fails until it can", zap.Error(err))
	case err != nil:
		logger.Error("writing a snapshot; the journal goes on, and it is tried again", zap.Error(err))
	default:
		logger.Info("the state directory is written to again")
	}
}
