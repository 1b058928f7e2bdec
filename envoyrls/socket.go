package envoyrls

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirhq/weir/caddymodule"
)

// sockets are those that doors listen on, by address. A socket outlives the
// configuration that opened it for as long as the next one listens there: the
// kernel resets connections that wait on one that is closed.
var sockets = caddy.NewUsagePool()

// A socket hands its connections to whichever door asks for one.
type socket struct {
	net.Listener
	conns  chan net.Conn
	closed chan struct{}

	mu   sync.Mutex // guards apps
	apps map[*caddymodule.App]struct{}
}

// listen returns a listener of app's at the address. Whoever has it must close
// it. An app has at most one at an address, for each would get some of the
// connections.
func listen(address caddy.NetworkAddress, app *caddymodule.App) (*listener, error) {
	key := address.String()
	value, _, err := sockets.LoadOrNew(key, func() (caddy.Destructor, error) {
		opened, err := address.Listen(context.Background(), 0, net.ListenConfig{})
		if err != nil {
			return nil, err
		}
		s := &socket{
			Listener: opened.(net.Listener), conns: make(chan net.Conn), closed: make(chan struct{}),
			apps: make(map[*caddymodule.App]struct{}),
		}
		go s.accept()
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	s := value.(*socket)
	if !s.enter(app) {
		_, err := sockets.Delete(key)
		return nil, errors.Join(errors.New("something else of this configuration listens there already"), err)
	}
	return &listener{
		socket: s, app: app, key: key,
		closed: make(chan struct{}), pending: make(map[*served]struct{}),
	}, nil
}

// enter notes that app listens; false if it does already.
func (s *socket) enter(app *caddymodule.App) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, listens := s.apps[app]
	s.apps[app] = struct{}{}
	return !listens
}

// leave undoes enter.
func (s *socket) leave(app *caddymodule.App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.apps, app)
}

// accept accepts connections until the socket is closed.
func (s *socket) accept() {
	for {
		conn, err := s.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // such as too many open files
			select {
			case <-time.After(50 * time.Millisecond):
			case <-s.closed:
				return
			}
			continue
		}
		select {
		case s.conns <- conn:
		case <-s.closed:
			conn.Close()
		}
	}
}

// Destruct implements caddy.Destructor.
func (s *socket) Destruct() error {
	close(s.closed)
	return s.Close()
}

// Interface guards
var _ caddy.Destructor = (*socket)(nil)
