package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// host keeps the connections to one address. It is safe for concurrent use.
type host struct {
	client *Client
	addr   string        // host:port
	tls    *tls.Config   // nil: http
	calls  chan struct{} // holds a value per call under way

	mu       sync.Mutex
	idle     []*conn // the one that was used last is the last
	sweeping bool    // a timer runs that closes those that are idle for too long
}

// newHost makes a host; addr is host:port.
func (c *Client) newHost(secure bool, addr string) *host {
	h := &host{client: c, addr: addr, calls: make(chan struct{}, maxConnsPerHost)}
	if !secure {
		return h
	}
	h.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	if c.options.TLS != nil {
		h.tls = c.options.TLS.Clone()
	}
	if h.tls.ServerName == "" {
		h.tls.ServerName, _, _ = net.SplitHostPort(addr)
	}
	if h.tls.ClientSessionCache == nil {
		h.tls.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	return h
}

// verifyDates is what is left of the checks of a certificate that need not be issued by anybody.
func verifyDates(state tls.ConnectionState) error {
	leaf := state.PeerCertificates[0]
	if now := time.Now(); now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return x509.CertificateInvalidError{Cert: leaf, Reason: x509.Expired}
	}
	return nil
}

// do sends req once and reads the answer. When ctx ends the connection is cut.
func (h *host) do(ctx context.Context, req *fasthttp.Request, resp *fasthttp.Response, deadline time.Time) *Error {
	if failed := h.enter(ctx, deadline); failed != nil {
		return failed
	}
	defer func() { <-h.calls }()
	c, failed := h.connect(ctx, deadline)
	if failed != nil {
		return failed
	}
	stop := func() bool { return true }
	if ctx.Done() != nil {
		stop = context.AfterFunc(ctx, c.close)
	}
	keep, failed := c.roundTrip(&h.client.buffers, req, resp, h.client.options.MaxResponseBytes)
	undisturbed := stop()
	switch {
	case failed != nil && !undisturbed:
		failed = &Error{What: givenUp, Err: context.Cause(ctx)}
	case failed != nil && h.client.life.Err() != nil:
		failed = aborted()
	}
	if keep && undisturbed {
		h.keep(c)
	} else {
		c.close()
	}
	return failed
}

// enter waits until there are fewer calls under way than may be.
func (h *host) enter(ctx context.Context, deadline time.Time) *Error {
	select {
	case h.calls <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case h.calls <- struct{}{}:
		return nil
	case <-timer.C:
		return timedOut(connectionTimeout)
	case <-ctx.Done():
		return &Error{What: givenUp, Err: context.Cause(ctx)}
	case <-h.client.life.Done():
		return aborted()
	}
}

// connect returns an idle connection that is alive, or a new one, with the deadline set.
func (h *host) connect(ctx context.Context, deadline time.Time) (*conn, *Error) {
	for {
		c := h.take()
		if c == nil {
			break
		}
		// The deadline comes first: with the last call's a look at the connection would fail.
		if c.stream.SetDeadline(deadline) == nil && c.alive() {
			return c, nil
		}
		c.close()
	}
	c, failed := h.dial(ctx, deadline)
	if failed != nil {
		return nil, failed
	}
	if err := c.stream.SetDeadline(deadline); err != nil {
		c.close()
		return nil, &Error{What: connectionFailure, Err: err}
	}
	return c, nil
}

// dial opens a connection, the handshake of TLS included.
func (h *host) dial(ctx context.Context, deadline time.Time) (*conn, *Error) {
	if h.client.life.Err() != nil {
		return nil, aborted()
	}
	within, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	defer context.AfterFunc(h.client.life, cancel)() //nolint:contextcheck // either may end it
	tcp, err := new(net.Dialer).DialContext(within, "tcp", h.addr)
	if err != nil {
		return nil, h.dialError(ctx, err, connectionFailure)
	}
	stream := tcp
	if h.tls != nil {
		secured := tls.Client(tcp, h.tls)
		if err := secured.HandshakeContext(within); err != nil {
			_ = tcp.Close()
			return nil, h.dialError(ctx, err, "Internal error")
		}
		stream = secured
	}
	c := newConn(h.client, stream, tcp)
	if !h.client.remember(c) {
		c.close()
		return nil, aborted()
	}
	return c, nil
}

func (h *host) dialError(ctx context.Context, err error, what string) *Error {
	switch {
	case ctx.Err() != nil:
		return &Error{What: givenUp, Err: context.Cause(ctx)}
	case h.client.life.Err() != nil:
		return aborted()
	case isTimeout(err):
		return timedOut(connectionTimeout)
	}
	return &Error{What: what, Err: err}
}

// take returns the connection that was used last; nil: none is idle.
func (h *host) take() *conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.idle) - 1
	if n < 0 {
		return nil
	}
	c := h.idle[n]
	h.idle[n] = nil
	h.idle = h.idle[:n]
	return c
}

// keep makes a connection idle, for a while.
func (h *host) keep(c *conn) {
	c.since = time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.idle = append(h.idle, c)
	if !h.sweeping {
		h.sweeping = true
		time.AfterFunc(idleConn, h.sweep)
	}
}

// sweep closes the connections that have been idle for too long, and comes back while there are others.
func (h *host) sweep() {
	now := time.Now()
	h.mu.Lock()
	n := 0
	for n < len(h.idle) && now.Sub(h.idle[n].since) >= idleConn {
		n++
	}
	old := append([]*conn(nil), h.idle[:n]...)
	rest := copy(h.idle, h.idle[n:])
	clear(h.idle[rest:])
	h.idle = h.idle[:rest]
	h.sweeping = rest > 0
	if h.sweeping {
		time.AfterFunc(idleConn-now.Sub(h.idle[0].since), h.sweep)
	}
	h.mu.Unlock()
	for _, c := range old {
		c.close()
	}
}

// closeIdle closes all idle connections.
func (h *host) closeIdle() {
	for c := h.take(); c != nil; c = h.take() {
		c.close()
	}
}
