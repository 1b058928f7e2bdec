package envoyrls

import (
	"context"
	"errors"
	"net"
	"sync"
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
	return &listener{socket: value.(*socket), key: key, closed: make(chan struct{})}, nil
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

// A listener is one door's share in a socket.
type listener struct {
	*socket
	key    string
	closed chan struct{}
	once   sync.Once
	served sync.WaitGroup // connections that the server may still turn away
	mu     sync.Mutex     // held while a connection is handed over
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case conn := <-l.conns:
		l.served.Add(1)
		return &served{Conn: conn, note: sync.OnceFunc(l.served.Done)}, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. It returns when the server answers all
// connections that it was given.
func (l *listener) Close() (err error) {
	l.once.Do(func() {
		close(l.closed)
		l.mu.Lock()
		l.mu.Unlock() //nolint:staticcheck // waits for Accept
		l.served.Wait()
		_, err = sockets.Delete(l.key)
	})
	return err
}

// A served connection notes when the server begins to read from it: one that is
// stopping closes connections before.
type served struct {
	net.Conn
	note func()
}

// Read implements net.Conn.
func (c *served) Read(b []byte) (int, error) {
	c.note()
	return c.Conn.Read(b)
}

// Close implements net.Conn.
func (c *served) Close() error {
	c.note()
	return c.Conn.Close()
}

// Interface guards
var (
	_ net.Listener     = (*listener)(nil)
	_ caddy.Destructor = (*socket)(nil)
)
