package webhook

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	// maxHeaderBytes bounds the head of an answer. It is Node's own bound, and well above what a handler's cookies need.
	maxHeaderBytes = 16 << 10
	// writeBuffer holds a usual request, so that it goes out in one packet.
	writeBuffer = 4 << 10
	// maxInterim bounds the interim answers (1xx) before the answer itself.
	maxInterim = 10
)

// conn is a connection to a handler. One call at a time uses it.
type conn struct {
	stream net.Conn // TCP, or TLS on top of it
	owner  *Client
	since  time.Time // idle since

	raw   syscall.RawConn // nil: the system does not allow a look
	probe func(fd uintptr) bool
	dead  bool
	peek  [1]byte
}

// newConn wraps a new connection; tcp is what lies under it.
func newConn(owner *Client, c, tcp net.Conn) *conn {
	k := &conn{stream: c, owner: owner}
	if source, ok := tcp.(syscall.Conn); ok {
		if raw, err := source.SyscallConn(); err == nil {
			k.raw = raw
			k.probe = k.look // made once: a closure per call would be garbage per call
		}
	}
	return k
}

// close ends the connection. It may be called more than once, and while a call uses the connection.
func (c *conn) close() {
	c.owner.forget(c)
	_ = c.stream.Close()
}

// alive looks whether a connection that was idle can be used: the other side has neither closed it nor said anything that
// nobody has asked for. Without the look a call on it would fail, or would have to be repeated without knowing whether the
// handler has seen it; actions are seldom safe to repeat. And an answer that came too late would be taken for the next
// call's. What TLS has to say of its own comes before an answer, such as session tickets, or is its goodbye.
func (c *conn) alive() bool {
	if c.raw == nil {
		return true
	}
	c.dead = false
	return c.raw.Read(c.probe) == nil && !c.dead
}

// buffers are what a call reads and writes through.
type buffers struct {
	r *bufio.Reader
	w *bufio.Writer
}

func newBuffers() any {
	return &buffers{r: bufio.NewReaderSize(nil, maxHeaderBytes), w: bufio.NewWriterSize(nil, writeBuffer)}
}

// roundTrip sends a request and reads the answer, within the deadline that was set on the connection. keep tells that the
// connection can serve another call.
func (c *conn) roundTrip(pool *sync.Pool, req *fasthttp.Request, resp *fasthttp.Response, limit int) (keep bool, failed *Error) {
	b := pool.Get().(*buffers) //nolint:forcetypeassert // the pool holds nothing else
	b.r.Reset(c.stream)
	b.w.Reset(c.stream)
	defer func() {
		b.r.Reset(nil)
		b.w.Reset(nil)
		pool.Put(b)
	}()
	unsent := req.Write(b.w)
	if unsent == nil {
		unsent = b.w.Flush()
	}
	if unsent != nil && isTimeout(unsent) {
		return false, timedOut(responseTimeout)
	}
	// A handler may refuse a request before it has read all of it, and close: its answer counts, if there is one.
	if failed := readAnswer(b.r, req, resp, limit); failed != nil {
		return false, failed
	}
	keep = unsent == nil && !req.ConnectionClose() && !resp.ConnectionClose() && b.r.Buffered() == 0 &&
		resp.StatusCode() >= http.StatusOK
	return keep, nil
}

// readAnswer reads the answer to req into resp. What the handler has sent is in no error.
func readAnswer(r *bufio.Reader, req *fasthttp.Request, resp *fasthttp.Response, limit int) *Error {
	resp.Reset()
	resp.Header.DisableNormalizing()
	for range maxInterim {
		if err := resp.Header.Read(r); err != nil {
			return headError(r, err)
		}
		if status := resp.StatusCode(); status >= http.StatusOK || status == http.StatusSwitchingProtocols {
			break
		}
	}
	status := resp.StatusCode()
	if req.Header.IsHead() || status < http.StatusOK || status == http.StatusNoContent || status == http.StatusNotModified {
		return nil
	}
	expected := resp.Header.ContentLength()
	if err := resp.ReadBody(r, limit); err != nil {
		return bodyError(err, expected, len(resp.Body()), limit)
	}
	if expected == chunked {
		if err := resp.Header.ReadTrailer(r); err != nil && !errors.Is(err, io.EOF) {
			return bodyError(err, expected, 0, limit)
		}
	}
	return nil
}

// chunked is the length that fasthttp reports for a body in chunks.
const chunked = -1

func headError(r *bufio.Reader, err error) *Error {
	var small *fasthttp.ErrSmallBuffer
	switch {
	case isTimeout(err):
		return timedOut(responseTimeout)
	case errors.As(err, &small):
		return &Error{What: "Overlong headers"}
	case r.Buffered() == 0:
		return &Error{What: "No response data received"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET):
		return &Error{What: "Incomplete headers"}
	}
	return &Error{What: "Invalid Header"} // what is wrong with it may be a secret
}

func bodyError(err error, expected, actual, limit int) *Error {
	switch {
	case isTimeout(err):
		return timedOut(responseTimeout)
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return tooLarge(limit)
	case expected == chunked:
		return &Error{What: "Invalid chunk headers"}
	case expected >= 0:
		return &Error{
			What: "Response body too short. expected: " + strconv.Itoa(expected) + ", actual: " + strconv.Itoa(actual),
		}
	}
	return &Error{What: "Connection closed"}
}
