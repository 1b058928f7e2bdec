package caddymodule

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/memory"
)

func init() {
	caddy.OnExit(func(context.Context) { closeStates() })
}

// closeStates closes all stores. When Caddy exits it waits for requests of
// configurations before the last no longer than it is told to, and those have
// their stores open.
func closeStates() {
	var all []*state
	states.Range(func(_, value any) bool {
		all = append(all, value.(*state))
		return true
	})
	states.turn.Lock()
	defer states.turn.Unlock()
	for _, s := range all {
		if err := s.Destruct(); err != nil {
			caddy.Log().Named("weir").Error("closing", zap.String("store", s.name), zap.Error(err))
		}
	}
}

// states are the stores of this process by name. Every configuration that uses
// one holds a reference; the last that lets go closes it.
var states = struct {
	*caddy.UsagePool
	// turn is held while a store opens or closes: one that closes, and is out
	// of the pool already, has its directory until it is done.
	turn sync.Mutex
}{UsagePool: caddy.NewUsagePool()}

// A state is what outlives a configuration: a store, with its clock, what waits for
// it to work again, the secret that hides keys in it, and the metrics, which count
// on through reloads.
type state struct {
	name, options string
	secret        *[16]byte // that was configured; nil if none was
	clock         *core.Clock
	retries       *core.Retries
	metrics       *metrics

	mu     sync.Mutex
	opened bool
	store  core.Store
	local  core.Store // what counts while store fails
	hasher core.Hasher

	destruct func() error // once
}

// differs says how what the state is of differs from other options and another
// secret, of which it says nothing else; "" if it does not.
func (s *state) differs(options string, secret *[16]byte) string {
	var all []string
	if s.options != options {
		all = append(all, fmt.Sprintf("%s, not %s", s.options, options))
	}
	if (s.secret == nil) != (secret == nil) || secret != nil && *s.secret != *secret {
		all = append(all, "another secret")
	}
	return strings.Join(all, ", and ")
}

// acquire returns the state of module's store. It touches nothing outside the
// process; open does. Whoever acquires a state must release it.
func acquire(module Store, secret string) (*state, error) {
	name, options := module.Identity()
	key := configuredSecret(secret)
	value, _, err := states.LoadOrNew(name, func() (caddy.Destructor, error) {
		s := &state{name: name, options: options, secret: key, clock: core.NewClock(), retries: core.NewRetries()}
		s.destruct = sync.OnceValue(s.close)
		s.metrics = newMetrics(s)
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	s := value.(*state)
	if difference := s.differs(options, key); difference != "" {
		return nil, errors.Join(
			fmt.Errorf("store %s is in use with other options, which can change only when Caddy restarts: it has %s", name, difference),
			s.release())
	}
	return s, nil
}

// release gives the reference back.
func (s *state) release() error {
	states.turn.Lock()
	defer states.turn.Unlock()
	_, err := states.Delete(s.name)
	return err
}

// open opens the store, unless it is open. After a failure the next call tries
// again.
func (s *state) open(module Store) error {
	states.turn.Lock()
	defer states.turn.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened {
		return nil
	}
	store, key, err := module.Open(s.secret)
	if err != nil {
		return fmt.Errorf("opening store %s: %w", s.name, err)
	}
	s.store, s.hasher, s.opened = store, core.NewHasher(key), true
	return nil
}

// configuredSecret returns the secret that a text stands for; nil if it is empty.
func configuredSecret(text string) *[16]byte {
	if text == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(text))
	return (*[16]byte)(sum[:16])
}

// openLocal returns the store that counts while module's fails. It begins
// empty, in this process alone.
func (s *state) openLocal(module Store) core.Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m, ok := module.(interface{ Local() core.Store }); {
	case s.local != nil:
	case ok:
		s.local = m.Local()
	default:
		s.local = memory.New(memory.Options{})
	}
	return s.local
}

// stores returns the stores that are open.
func (s *state) stores() (open []core.Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened {
		open = append(open, s.store)
	}
	if s.local != nil {
		open = append(open, s.local)
	}
	return open
}

// Destruct implements caddy.Destructor: it closes the stores. Doing so again does
// nothing.
func (s *state) Destruct() error { return s.destruct() }

func (s *state) close() error {
	s.retries.Close()
	var errs []error
	for _, store := range s.stores() {
		errs = append(errs, store.Close())
	}
	return errors.Join(errs...)
}

// Interface guards
var _ caddy.Destructor = (*state)(nil)
