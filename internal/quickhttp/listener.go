package quickhttp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure a [Listener]. Handler and Log are required.
type Options struct {
	// Handler answers. It must not keep a request, its header or its URL beyond its return, nor change the URL.
	Handler http.Handler
	// Paths are those that are served here, without a query.
	Paths []string
	// HeaderTimeout is how long a client may take to send a request's head, IdleTimeout how long a connection may stand
	// between two requests. Both are kept to the second. Zero: for ever.
	HeaderTimeout, IdleTimeout time.Duration
	Log                        *slog.Logger
}

// Listener accepts connections, serves what it can and hands on the others. It is to be given to [http.Server.Serve].
type Listener struct {
	opt  Options
	from net.Listener

	others  chan net.Conn // for net/http
	failure chan error    // of accepting
	closed  chan struct{}
	closing sync.Once
	clock   atomic.Int64           // seconds since the start, roughly
	date    atomic.Pointer[string] // now, as the header Date has it

	draining atomic.Bool

	mu    sync.Mutex
	conns map[*conn]struct{}
	gone  sync.WaitGroup // a connection each
}

// New serves what comes in on from, which it takes over.
func New(from net.Listener, o Options) *Listener {
	l := &Listener{
		opt: o, from: from, others: make(chan net.Conn), failure: make(chan error), closed: make(chan struct{}),
		conns: map[*conn]struct{}{},
	}
	l.tell(time.Now())
	go l.accept()
	go l.watch()
	return l
}

// Addr implements [net.Listener].
func (l *Listener) Addr() net.Addr { return l.from.Addr() }

// Accept implements [net.Listener]: it returns the connections that are not served here.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.others:
		return c, nil
	case err := <-l.failure:
		return nil, err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener]: no more connections are accepted. Those that are open are served on.
func (l *Listener) Close() error {
	var err error
	l.closing.Do(func() {
		close(l.closed)
		err = l.from.Close()
	})
	return err
}

// Shutdown closes the listener and the connections, each when its request has been answered. When ctx ends it returns
// the cause; it may be called again to wait on.
func (l *Listener) Shutdown(ctx context.Context) error {
	err := l.Close()
	l.mu.Lock()
	l.draining.Store(true) // under the lock: whoever is let in later sees it
	for c := range l.conns {
		if c.phase.Load() != phaseBusy {
			_ = c.net.Close()
		}
	}
	l.mu.Unlock()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		l.gone.Wait()
	}()
	select {
	case <-gone:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Abort closes the listener and cuts off all connections.
func (l *Listener) Abort() {
	_ = l.Close()
	l.each(func(c *conn) { _ = c.net.Close() })
}

// accept serves connections until the listener is closed. What fails is told to the http.Server, which waits and tries
// again where that makes sense.
func (l *Listener) accept() {
	for {
		c, err := l.from.Accept()
		if err == nil {
			l.serve(c)
			continue
		}
		select {
		case l.failure <- err:
		case <-l.closed:
			return
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

func (l *Listener) serve(stream net.Conn) {
	c := &conn{l: l, net: stream, remote: stream.RemoteAddr().String()}
	c.enter(phaseHead)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.draining.Load() {
		_ = stream.Close()
		return
	}
	l.conns[c] = struct{}{}
	l.gone.Add(1)
	go c.serve()
}

// forget gives up what is known of a connection that has ended, or goes elsewhere.
func (l *Listener) forget(c *conn) {
	l.mu.Lock()
	delete(l.conns, c)
	l.mu.Unlock()
	l.gone.Done()
}

func (l *Listener) each(f func(*conn)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		f(c)
	}
}

// watch keeps the time, and closes connections that have waited for too long.
func (l *Listener) watch() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	began := time.Now()
	for closed := l.closed; closed != nil || l.left() > 0; {
		select {
		case <-closed:
			closed = nil
		case <-tick.C:
		}
		now := time.Now()
		l.clock.Store(int64(now.Sub(began) / time.Second))
		l.tell(now)
		l.each(func(c *conn) {
			if c.late() {
				_ = c.net.Close()
			}
		})
	}
}

func (l *Listener) left() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
}

func (l *Listener) tell(now time.Time) {
	date := now.UTC().Format(http.TimeFormat)
	l.date.Store(&date)
}
