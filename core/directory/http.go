package directory

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/weirhq/weir/core"
)

const (
	// maxCredential in bytes: a longer one is unknown without asking.
	maxCredential = 8 << 10
	// maxAnswer in bytes is how large a service's answer may be, and its header.
	maxAnswer = 64 << 10
	// retryAfter is how long a stale subject is used before the service is
	// asked again.
	retryAfter = time.Second
	// maxWaiting is how many questions about credentials that are not known wait for
	// their place: they go on when whoever asked has gone, until their timeout. One
	// takes some 4 KB, and the credential.
	maxWaiting = 4096
)

var errBusy = fmt.Errorf("directory: %d other questions wait already", maxWaiting)

// HTTPOptions are what an HTTP directory tells, and stands on.
type HTTPOptions struct {
	// OnError is told why a lookup failed, concurrently and once per request to
	// the service, whether or not a stale subject is used instead.
	OnError func(error)
	// Transport sends the requests; one of its own by default.
	Transport http.RoundTripper
}

// HTTP is a directory that asks a service and remembers its answers. Concurrent
// lookups of one credential make one request.
type HTTP struct {
	config         HTTPConfig
	onError        func(error)
	client         http.Client
	hasher         core.Hasher
	known, unknown *cache
	flights        singleflight.Group
	strangers      chan struct{} // has one for each question about a credential that is not known
	waiting        atomic.Int64  // for a place among the strangers

	mu      sync.Mutex // guards closed, and running against Close
	closed  bool
	running sync.WaitGroup
	ctx     context.Context // of all requests
	stop    context.CancelFunc
}

// NewHTTP returns a directory that asks nobody yet. Its error joins
// *core.ConfigErrors with paths relative to c.
func NewHTTP(c HTTPConfig, o HTTPOptions) (*HTTP, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	d := &HTTP{
		config: c, onError: o.OnError, hasher: newHasher(),
		known: newCache(c.MaxKnown), unknown: newCache(c.MaxUnknown),
		strangers: make(chan struct{}, strangersOf(c.MaxConnections)),
	}
	d.client.Transport = o.Transport
	if o.Transport == nil {
		d.client.Transport = newTransport(c.MaxConnections)
	}
	d.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	d.ctx, d.stop = context.WithCancel(context.Background())
	return d, nil
}

// strangersOf returns how many of the connections may ask about credentials that
// are not known: the others are left to those that are, which made-up ones then do
// not keep waiting.
func strangersOf(connections int) int { return max(1, connections-connections/4) }

// newTransport returns a transport that uses the environment's proxy, as Go
// programs do, and keeps its connections.
func newTransport(connections int) http.RoundTripper {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		ForceAttemptHTTP2:   true,
		MaxConnsPerHost:     connections,
		MaxIdleConnsPerHost: connections,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second,

		MaxResponseHeaderBytes: maxAnswer,
	}
}

// Close ends the requests under way. Lookups that need one fail from then on
// with core.ErrClosed.
func (d *HTTP) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.stop()
	d.running.Wait()
	d.client.CloseIdleConnections()
	return nil
}

// Lookup implements core.Directory. What is remembered is answered without
// allocating. An error other than core.ErrUnknownCredential says that the
// service failed, and never holds the credential; a ctx that ends first ends
// this lookup, but not the request, whose answer others wait for.
func (d *HTTP) Lookup(ctx context.Context, credential string) (*core.Subject, error) {
	if !plausible(credential) {
		return nil, core.ErrUnknownCredential
	}
	key := d.hasher.SumString(credential)
	if e := d.remembered(key, time.Now()); e != nil {
		return e.answer()
	}
	return d.fly(ctx, key, credential)
}

// plausible reports whether a service could know the credential. One that a
// header cannot hold is none; neither is one with white space around it, which
// would reach the service as another.
func plausible(credential string) bool {
	return credential != "" && len(credential) <= maxCredential &&
		sendable(credential) && strings.Trim(credential, " \t") == credential
}

// answer returns what the entry says.
func (e *entry) answer() (*core.Subject, error) {
	if e.subject == nil {
		return nil, core.ErrUnknownCredential
	}
	return e.subject, nil
}

// remembered returns the key's entry if the service need not be asked.
func (d *HTTP) remembered(key core.Scope, now time.Time) *entry {
	if e := d.known.get(key); e != nil {
		fresh := now.Sub(e.fetched) < time.Duration(d.config.TTL)
		if fresh || now.UnixNano() < e.retry.Load() && d.usable(e, now) {
			return e
		}
		return nil
	}
	e := d.unknown.get(key)
	if e != nil && now.Sub(e.fetched) < time.Duration(d.config.NegativeTTL) {
		return e
	}
	return nil
}

// usable reports whether the entry may stand in for a service that fails.
func (d *HTTP) usable(e *entry, now time.Time) bool {
	return now.Sub(e.fetched) < time.Duration(d.config.TTL)+time.Duration(d.config.Stale)
}

// fly asks the service, together with all who want to know the same.
func (d *HTTP) fly(ctx context.Context, key core.Scope, credential string) (*core.Subject, error) {
	var name [16]byte
	binary.BigEndian.PutUint64(name[:8], key.Hi)
	binary.BigEndian.PutUint64(name[8:], key.Lo)
	result := d.flights.DoChan(string(name[:]), func() (any, error) {
		if !d.start() {
			return nil, core.ErrClosed
		}
		defer d.running.Done()
		return d.ask(key, credential)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*entry).answer()
	}
}

// start counts a request as running, unless the directory is closed.
func (d *HTTP) start() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.running.Add(1)
	}
	return !d.closed
}

// ask asks the service and remembers its answer. A subject that is remembered,
// and not for too long, stands in where the service fails.
func (d *HTTP) ask(key core.Scope, credential string) (*entry, error) {
	if e := d.remembered(key, time.Now()); e != nil { // by a flight that ended just now
		return e, nil
	}
	subject, err := d.request(credential, d.known.get(key) == nil)
	now := time.Now()
	if err != nil {
		if d.onError != nil {
			d.onError(err)
		}
		if e := d.known.get(key); e != nil && d.usable(e, now) {
			e.retry.Store(now.Add(retryAfter).UnixNano())
			return e, nil
		}
		return nil, err
	}
	e := &entry{key: key, subject: subject, fetched: now}
	if subject == nil {
		d.known.drop(key)
		d.unknown.put(e)
	} else {
		d.known.put(e) // it is looked at first
	}
	return e, nil
}

// takePlace waits for a place among the strangers, unless too many do.
func (d *HTTP) takePlace(ctx context.Context) error {
	select {
	case d.strangers <- struct{}{}:
		return nil
	default:
	}
	defer d.waiting.Add(-1)
	if d.waiting.Add(1) > maxWaiting {
		return errBusy
	}
	select {
	case d.strangers <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("directory: waiting for other questions: %w", ctx.Err())
	}
}

// request sends one request. A subject that is nil and no error say that the
// credential is unknown. One about a stranger may have to wait for others.
func (d *HTTP) request(credential string, stranger bool) (*core.Subject, error) {
	ctx, cancel := context.WithTimeout(d.ctx, time.Duration(d.config.Timeout))
	defer cancel()
	if stranger {
		if err := d.takePlace(ctx); err != nil {
			return nil, err
		}
		defer func() { <-d.strangers }()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.config.URL, nil)
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	for name, value := range d.config.Headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set(d.config.Header, d.config.Prefix+credential)
	resp, err := d.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err) // it holds the URL, but no headers
	}
	defer func() { _ = resp.Body.Close() }() // nothing is lost by a failure to close what was read
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case slices.Contains(d.config.UnknownStatus, resp.StatusCode):
		return nil, nil
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("directory: the service answered with status %d", resp.StatusCode)
	case err != nil:
		return nil, fmt.Errorf("directory: reading the service's answer: %w", err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("directory: the service's answer is larger than %d bytes", maxAnswer)
	}
	return decode(body)
}

// decode reads the record that a service answered.
func decode(body []byte) (*core.Subject, error) {
	var r Record
	if err := r.UnmarshalJSON(body); err != nil {
		if len(body) == 0 {
			err = errors.New("it is empty")
		}
		return nil, fmt.Errorf("directory: the service's answer: %w", err)
	}
	return r.subject(), nil
}

var _ core.Directory = (*HTTP)(nil)
