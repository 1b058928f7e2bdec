package envoyrls

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/caddyserver/caddy/v2"
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
}

// listen returns a listener at the address. Whoever has it must close it.
func listen(address caddy.NetworkAddress) (*listener, error) {
	key := address.String()
	value, _, err := sockets.LoadOrNew(key, func() (caddy.Destructor, error) {
		opened, err := address.Listen(context.Background(), 0, net.ListenConfig{})
		if err != nil {
			return nil, err
		}
		s := &socket{Listener: opened.(net.Listener), conns: make(chan net.Conn), closed: make(chan struct{})}
		go s.accept()
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	return &listener{
		socket: value.(*socket), key: key,
		closed: make(chan struct{}), pending: make(map[*served]struct{}),
	}, nil
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
