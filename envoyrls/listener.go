package envoyrls

import (
	"net"
	"sync"
	"time"

	"github.com/weirhq/weir/caddymodule"
)

// patience is for how long a door that closes waits for those who have connected
// and not yet said what they want.
const patience = 3 * time.Second

// A listener is one door's share in a socket.
type listener struct {
	*socket
	app    *caddymodule.App
	key    string
	closed chan struct{}
	once   sync.Once
	served sync.WaitGroup // connections that the server may still turn away
	taking sync.Mutex     // held while a connection is handed over

	mu      sync.Mutex // guards pending
	pending map[*served]struct{}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	l.taking.Lock()
	defer l.taking.Unlock()
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case conn := <-l.conns:
		return l.serve(conn), nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// serve takes charge of a connection.
func (l *listener) serve(conn net.Conn) *served {
	l.served.Add(1)
	c := &served{Conn: conn, listener: l, note: sync.OnceFunc(l.served.Done)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending[c] = struct{}{}
	return c
}

// Close implements net.Listener. It returns when the server answers all
// connections that it was given, and has those end soon that have not begun to
// ask: the server waits for them.
func (l *listener) Close() (err error) {
	l.once.Do(func() {
		close(l.closed)
		l.taking.Lock()
		l.taking.Unlock() //nolint:staticcheck // waits for Accept
		l.served.Wait()
		l.hurry(time.Now().Add(patience))
		l.leave(l.app)
		_, err = sockets.Delete(l.key)
	})
	return err
}

// hurry bounds how long connections may still take to begin.
func (l *listener) hurry(deadline time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.pending {
		_ = c.Conn.SetDeadline(deadline)
	}
}

// A served connection notes when the server begins to read from it, for one that
// is stopping closes connections before, and when its handshake, or the head of
// its first request over HTTP, has ended.
type served struct {
	net.Conn
	listener *listener
	note     func()
}

// Read implements net.Conn.
func (c *served) Read(b []byte) (int, error) {
	c.note()
	return c.Conn.Read(b)
}

// SetDeadline implements net.Conn. The server sets one for the handshake and
// takes it back afterwards.
func (c *served) SetDeadline(t time.Time) error {
	if t.IsZero() {
		c.begun()
	}
	return c.Conn.SetDeadline(t)
}

// Close implements net.Conn.
func (c *served) Close() error {
	c.note()
	c.begun()
	return c.Conn.Close()
}

// begun notes that c has begun to ask.
func (c *served) begun() {
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	delete(c.listener.pending, c)
}

// Interface guards
var (
	_ net.Listener = (*listener)(nil)
	_ net.Conn     = (*served)(nil)
)
