package quickhttp

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	// maxHead bounds the head of a request, and what a connection holds; longer ones go to net/http.
	maxHead = 8 << 10
	// maxDrain is how much of a body that the handler has not read is worth reading to keep the connection.
	maxDrain = 256 << 10
	// lingering is how long a client may read an answer that came before it had sent its whole request.
	lingering = 500 * time.Millisecond
)

// The phases of a connection.
const (
	phaseHead int32 = iota // part of a head may be there
	phaseBusy              // a request is under way
	phaseIdle              // between two requests
)

// conn is one connection. One goroutine serves it.
type conn struct {
	l      *Listener
	net    net.Conn
	remote string
	phase  atomic.Int32
	since  atomic.Int64 // by the listener's clock

	buf      []byte // what was read; from is where the part begins that nobody has used
	from     int
	head     head
	request  http.Request
	body     body
	response response
}

func (c *conn) enter(phase int32) {
	c.phase.Store(phase)
	c.since.Store(c.l.clock.Load())
}

// late tells whether the client has taken too long.
func (c *conn) late() bool {
	limit := time.Duration(0)
	switch c.phase.Load() {
	case phaseHead:
		limit = c.l.opt.HeaderTimeout
	case phaseIdle:
		limit = c.l.opt.IdleTimeout
	}
	return limit > 0 && time.Duration(c.l.clock.Load()-c.since.Load())*time.Second > limit
}

// serve answers requests until the connection ends or turns out to be one for net/http.
func (c *conn) serve() {
	handed := false
	defer func() {
		if !handed {
			_ = c.net.Close()
		}
		c.l.forget(c)
	}()
	c.buf = make([]byte, 0, maxHead)
	for {
		text, complete := c.readHead()
		if text == nil {
			return
		}
		var length int64
		usual := false
		if complete {
			if length, usual = c.head.same(text); !usual {
				c.head, length, usual = parseHead(text, c.l.opt.Paths)
			}
		}
		if !usual {
			handed = c.handOver()
			return
		}
		c.enter(phaseBusy)
		c.from += len(text)
		if !c.answer(length) {
			return
		}
		c.enter(phaseIdle)
		if c.l.draining.Load() {
			return
		}
	}
}

// readHead reads up to the empty line behind a head. complete is false for the beginning of something that is not for
// here. The text is valid until the next read; nil: the connection has ended.
func (c *conn) readHead() (text []byte, complete bool) {
	for {
		have := c.buf[c.from:]
		if end := bytes.Index(have, []byte("\r\n\r\n")); end >= 0 {
			return have[:end+4], true
		}
		const begins = "POST /"
		if n := min(len(have), len(begins)); string(have[:n]) != begins[:n] || len(have) == maxHead {
			return have, false
		}
		if c.from > 0 {
			c.buf = c.buf[:copy(c.buf, have)]
			c.from = 0
		}
		n, err := c.net.Read(c.buf[len(c.buf):cap(c.buf)])
		if n > 0 && c.phase.Load() == phaseIdle {
			c.enter(phaseHead)
		}
		c.buf = c.buf[:len(c.buf)+n]
		if err != nil && n == 0 {
			return nil, false
		}
	}
}

// handOver gives the connection to net/http, with what was read and not used.
func (c *conn) handOver() bool {
	select {
	case c.l.others <- &replayed{Conn: c.net, before: bytes.Clone(c.buf[c.from:])}:
		return true
	case <-c.l.closed:
		return false
	}
}

// answer lets the handler answer a request. It tells whether the connection can be used again.
func (c *conn) answer(length int64) (again bool) {
	c.head.setLength(length)
	_, named := c.head.header["X-Request-Id"]
	c.body = body{c: c, left: length}
	c.request = http.Request{
		Method: http.MethodPost, URL: c.head.url, RequestURI: c.head.url.Path, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: c.head.header, Host: c.head.host, RemoteAddr: c.remote, ContentLength: length, Body: &c.body,
	}
	c.response.begin(c)
	if !c.handle() {
		return false
	}
	if !named {
		delete(c.head.header, "X-Request-Id") // the handler may note one there; the next request is another one
	}
	again = c.response.finish() && c.body.drain()
	if len(c.buf) == c.from {
		c.buf, c.from = c.buf[:0], 0
	}
	return again
}

// handle calls the handler; a panic ends the connection, as with net/http.
func (c *conn) handle() (done bool) {
	defer func() {
		if cause := recover(); cause != nil && cause != http.ErrAbortHandler { //nolint:errorlint // thrown as it is
			c.l.opt.Log.Error("request panicked", slog.Any("cause", cause), slog.String("stack", string(debug.Stack())))
		}
	}()
	c.l.opt.Handler.ServeHTTP(&c.response, &c.request)
	return true
}

// body is the body of the present request.
type body struct {
	c      *conn
	left   int64
	closed bool
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	switch {
	case b.closed:
		return 0, http.ErrBodyReadAfterClose
	case b.left == 0:
		return 0, io.EOF
	case int64(len(p)) > b.left:
		p = p[:b.left]
	}
	c := b.c
	if have := c.buf[c.from:]; len(have) > 0 {
		n := copy(p, have)
		c.from += n
		b.left -= int64(n)
		return n, nil
	}
	n, err := c.net.Read(p)
	b.left -= int64(n)
	if err == io.EOF && b.left > 0 { //nolint:errorlint // a reader returns it as it is
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Close implements [io.Closer].
func (b *body) Close() error {
	b.closed = true
	return nil
}

// drain reads what the handler has left, so that the next request can be found. It gives up on a long rest: the client is
// told that nobody listens, and gets some time to read the answer before the connection is cut.
func (b *body) drain() bool {
	if b.left == 0 {
		return true
	}
	b.closed = false
	if b.left <= maxDrain {
		_, err := io.Copy(io.Discard, b)
		return err == nil
	}
	if half, ok := b.c.net.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil &&
		b.c.net.SetReadDeadline(time.Now().Add(lingering)) == nil {
		_, _ = io.Copy(io.Discard, b) // it ends with the time
	}
	return false
}

// replayed is a connection of which something was read already.
type replayed struct {
	net.Conn
	before []byte
}

// Read returns what was read before first.
func (r *replayed) Read(p []byte) (int, error) {
	if len(r.before) == 0 {
		return r.Conn.Read(p)
	}
	n := copy(p, r.before)
	if r.before = r.before[n:]; len(r.before) == 0 {
		r.before = nil
	}
	return n, nil
}
