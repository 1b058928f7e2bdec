package envoyrls

import (
	"context"
	"encoding/binary"
	"net"
	"reflect"
	"slices"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// Envoy takes a call back, whose client is gone or that took too long, by
// resetting its stream, and then tells no end. gRPC cancels the call's context,
// but only until the reply is written: a reset that crosses it on the wire goes
// unheard. So a conn watches for resets itself, in the frames that Envoy sends
// (RFC 9113, section 4.1).

const (
	preface       = 24 // bytes that a client's frames come after
	frameHeader   = 9
	typeRSTStream = 0x3
	// resetsKept is how many resets a conn remembers, for calls that are not
	// answered yet: as many as there may be. gRPC reads many frames at once, and
	// cancels what one of them resets only when it comes to it.
	resetsKept = maxStreams
)

// A conn is a connection of Envoy's.
type conn struct {
	net.Conn

	// Of the reading goroutine alone:
	skip   int // bytes until the next frame
	header []byte

	mu     sync.Mutex // guards what follows
	resets [resetsKept]uint32
	next   int // in resets
	held   map[uint32]func()
}

func newConn(c net.Conn) *conn {
	return &conn{Conn: c, skip: preface, header: make([]byte, 0, frameHeader), held: make(map[uint32]func())}
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.scan(b[:n])
	return n, err
}

// scan notes the resets in what was read.
func (c *conn) scan(b []byte) {
	for len(b) > 0 {
		if c.skip > 0 {
			n := min(c.skip, len(b))
			c.skip, b = c.skip-n, b[n:]
			continue
		}
		n := min(frameHeader-len(c.header), len(b))
		c.header, b = append(c.header, b[:n]...), b[n:]
		if len(c.header) < frameHeader {
			return
		}
		c.skip = int(c.header[0])<<16 | int(c.header[1])<<8 | int(c.header[2])
		if c.header[3] == typeRSTStream {
			c.reset(binary.BigEndian.Uint32(c.header[5:]) &^ (1 << 31))
		}
		c.header = c.header[:0]
	}
}

// reset notes that a stream was reset.
func (c *conn) reset(stream uint32) {
	c.mu.Lock()
	c.resets[c.next%resetsKept] = stream
	c.next++
	end := c.held[stream]
	delete(c.held, stream)
	c.mu.Unlock()
	if end != nil {
		end()
	}
}

// hold has end called if the stream is reset, unless it is forgotten before. It
// returns false where the stream was reset already.
func (c *conn) hold(stream uint32, end func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.resets[:], stream) {
		return false
	}
	c.held[stream] = end
	return true
}

// forget undoes hold.
func (c *conn) forget(stream uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.held, stream)
}

// caller returns the connection and the stream that a call comes by, nil where
// they cannot be told. gRPC shows a stream's number to nobody.
func caller(ctx context.Context) (*conn, uint32) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil, 0
	}
	info, ok := p.AuthInfo.(*watchedInfo)
	if !ok {
		return nil, 0
	}
	v := reflect.Indirect(reflect.ValueOf(grpc.ServerTransportStreamFromContext(ctx)))
	if v.Kind() != reflect.Struct {
		return nil, 0
	}
	id := v.FieldByName("id")
	if id.Kind() != reflect.Uint32 || id.Uint() == 0 {
		return nil, 0
	}
	return info.conn, uint32(id.Uint())
}

// watched are credentials whose connections are conns.
type watched struct {
	credentials.TransportCredentials
}

// A watchedInfo tells calls which conn they come by.
type watchedInfo struct {
	credentials.AuthInfo
	conn *conn
}

// ServerHandshake implements credentials.TransportCredentials.
func (w watched) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secured, info, err := w.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	c := newConn(secured)
	return c, &watchedInfo{info, c}, nil
}

// Clone implements credentials.TransportCredentials.
func (w watched) Clone() credentials.TransportCredentials {
	return watched{w.TransportCredentials.Clone()}
}

// Interface guards
var _ credentials.TransportCredentials = watched{}
