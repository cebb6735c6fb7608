package mailcatcher

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// trackedListener knows its open connections, so that those that wait for a command can be ended at once while those
// in the middle of a mail finish. The SMTP library can only wait for all of them or cut all of them.
type trackedListener struct {
	net.Listener

	draining atomic.Bool
	mu       sync.Mutex
	conns    map[*trackedConn]struct{}
}

func newTrackedListener(l net.Listener) *trackedListener {
	return &trackedListener{Listener: l, conns: map[*trackedConn]struct{}{}}
}

// Accept waits for a connection and remembers it.
func (l *trackedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tc := &trackedConn{Conn: c, listener: l}
	l.mu.Lock()
	l.conns[tc] = struct{}{}
	l.mu.Unlock()
	return tc, nil
}

// drain ends every wait for a command, now and from now on. The library answers 421 and closes.
func (l *trackedListener) drain() {
	l.draining.Store(true)
	for _, c := range l.open() {
		c.stopWaiting()
	}
}

func (l *trackedListener) closeConns() {
	for _, c := range l.open() {
		_ = c.Close()
	}
}

func (l *trackedListener) open() []*trackedConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	conns := make([]*trackedConn, 0, len(l.conns))
	for c := range l.conns {
		conns = append(conns, c)
	}
	return conns
}

// trackedConn is one SMTP connection.
type trackedConn struct {
	net.Conn

	listener *trackedListener

	mu        sync.Mutex
	receiving bool // between DATA and its answer
}

// receive says that a mail begins. Its client was told so before: it may have been taken for one that waits meanwhile.
func (c *trackedConn) receive() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.receiving = true
	_ = c.Conn.SetReadDeadline(time.Now().Add(smtpIdleTimeout))
}

// received says that the mail has ended.
func (c *trackedConn) received() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.receiving = false
}

// stopWaiting ends the wait for a command, but no mail.
func (c *trackedConn) stopWaiting() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.receiving {
		_ = c.Conn.SetReadDeadline(time.Now())
	}
}

// SetReadDeadline is called by the library before it waits for each command.
func (c *trackedConn) SetReadDeadline(t time.Time) error {
	if c.listener.draining.Load() {
		t = time.Now()
	}
	return c.Conn.SetReadDeadline(t)
}

// Close closes the connection and forgets it.
func (c *trackedConn) Close() error {
	c.listener.mu.Lock()
	delete(c.listener.conns, c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}
