package envoyrls

import (
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirhq/weir/caddymodule"
	"github.com/weirhq/weir/core"
)

// maxStays bounds the requests under way, and so their memory: of one with four
// charges some 2 KB.
const maxStays = 1 << 17

// pools has the stays of all doors of this process, which outlive
// configurations: Envoy may tell another one of a request's end.
var pools = caddy.NewUsagePool()

// A stay is a call whose requests are under way, until Envoy tells their end,
// takes back the call, or has not told it in time.
type stay struct {
	*caddymodule.Stay
	id     core.ID
	timer  *time.Timer
	conn   *conn // that the call came by; nil if unknown
	stream uint32
}

// stays are the requests under way, by the id that Envoy was told.
type stays struct {
	mu     sync.Mutex
	byID   map[core.ID]*stay
	places int // taken, by stays and calls that may get one
	most   int
	closed bool
}

func newStays(most int) *stays { return &stays{byID: make(map[core.ID]*stay), most: most} }

// openStays returns the stays of this process. Whoever has them must call
// closeStays.
func openStays() (*stays, error) {
	value, _, err := pools.LoadOrNew("stays", func() (caddy.Destructor, error) { return newStays(maxStays), nil })
	if err != nil {
		return nil, err
	}
	return value.(*stays), nil
}

// closeStays ends all stays, if nobody else has them.
func closeStays() error {
	_, err := pools.Delete("stays")
	return err
}

// reserve takes a place, for a call to be decided; ok is false if there is none.
func (s *stays) reserve() (ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.places == s.most {
		return false
	}
	s.places++
	return true
}

// cancel gives a place back.
func (s *stays) cancel() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places--
}

// add gives the place that was reserved to st, for no longer than ttl. Where the
// door has closed it ends st.
func (s *stays) add(st *stay, ttl time.Duration) {
	if !s.keep(st, ttl) {
		st.End(nil)
	}
}

// keep is add, but returns false where the caller must end st.
func (s *stays) keep(st *stay, ttl time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.places--
		return false
	}
	s.byID[st.id] = st
	st.timer = time.AfterFunc(ttl, func() {
		if s.remove(st.id) == st {
			st.Expire()
		}
	})
	return true
}

// remove removes the named stay, nil if there is none, and gives its place back.
// The caller must end it.
func (s *stays) remove(id core.ID) *stay {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.byID[id]
	if st == nil {
		return nil
	}
	delete(s.byID, id)
	s.places--
	st.timer.Stop()
	if st.conn != nil {
		st.conn.forget(st.stream)
	}
	return st
}

// Destruct implements caddy.Destructor: it ends all stays.
func (s *stays) Destruct() error {
	s.mu.Lock()
	s.closed = true
	ids := make([]core.ID, 0, len(s.byID))
	for id := range s.byID {
		ids = append(ids, id)
	}
	s.mu.Unlock()
	for _, id := range ids {
		if st := s.remove(id); st != nil {
			st.End(nil)
		}
	}
	return nil
}

// Interface guards
var _ caddy.Destructor = (*stays)(nil)
