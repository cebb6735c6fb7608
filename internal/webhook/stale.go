package webhook

import (
	"errors"
	"net"
	"syscall"
)

// errStale is a connection that the other side had closed before anything was written to it.
var errStale = errors.New("connection closed by the handler while idle")

// watchedConn looks, before the first write after a read, whether the other side has closed the connection meanwhile.
// Without the look a call on a kept connection fails, or would have to be repeated without knowing whether the handler
// has seen it; actions are seldom safe to repeat.
type watchedConn struct {
	net.Conn
	raw   syscall.RawConn
	idle  bool // an answer was read and nothing written since
	dead  bool
	probe func(fd uintptr) bool
	peek  [1]byte
}

// watch wraps conn where the system allows a look.
func watch(conn net.Conn) net.Conn {
	source, ok := conn.(syscall.Conn)
	if !ok {
		return conn
	}
	raw, err := source.SyscallConn()
	if err != nil {
		return conn
	}
	w := &watchedConn{Conn: conn, raw: raw}
	w.probe = w.look // made once: a closure per call would be garbage per call
	return w
}

// Read reads and remembers that the connection may become idle.
func (w *watchedConn) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.idle = true
	return n, err
}

// Write refuses with errStale when the connection is already closed.
func (w *watchedConn) Write(p []byte) (int, error) {
	if w.idle {
		w.idle = false
		if err := w.raw.Read(w.probe); err != nil || w.dead {
			return 0, errStale
		}
	}
	return w.Conn.Write(p)
}
