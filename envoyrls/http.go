package envoyrls

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/weirhq/weir/caddymodule"
)

// httpTimeout bounds a call over HTTP.
const httpTimeout = 10 * time.Second

// An httpServer is one door's, on a socket that outlives it.
type httpServer struct {
	server   *http.Server
	listener *listener
	served   sync.WaitGroup // the server, and its connections
}

// openHTTP has handler answer for app at the address.
func openHTTP(address caddy.NetworkAddress, app *caddymodule.App, handler http.Handler, logger *zap.Logger) (*httpServer, error) {
	opened, err := listen(address, app)
	if err != nil {
		return nil, fmt.Errorf("listening for HTTP on %s: %w", address, err)
	}
	s := &httpServer{listener: opened}
	s.server = &http.Server{
		Handler: handler, ConnState: s.note,
		ReadTimeout: httpTimeout, WriteTimeout: httpTimeout, MaxHeaderBytes: maxHeaders,
	}
	s.served.Go(func() {
		if err := s.server.Serve(opened); !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
			logger.Error("answering over HTTP", zap.Stringer("address", address), zap.Error(err))
		}
	})
	return s, nil
}

// note counts connections, and notes which have begun to ask.
func (s *httpServer) note(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.served.Add(1)
	case http.StateActive:
		conn.(*served).begun()
	case http.StateClosed, http.StateHijacked:
		s.served.Done()
	default:
	}
}

// close stops answering. Who has connected already is answered within drain:
// http.Server.Shutdown would turn them away.
func (s *httpServer) close(drain time.Duration) error {
	s.server.SetKeepAlivesEnabled(false)
	err := s.listener.Close()
	timer := time.AfterFunc(drain, func() { _ = s.server.Close() })
	defer timer.Stop()
	s.served.Wait()
	return errors.Join(err, s.server.Close())
}
