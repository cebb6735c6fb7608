package quickhttp

import (
	"net"
	"net/http"
	"strconv"
	"strings"
)

const (
	// keptResponse bounds the memory that a connection keeps from answer to answer.
	keptResponse = 4 << 10
	// directBody is the size from which a body of known length is sent as it is, without a copy.
	directBody = 16 << 10
)

// response is the answer to the present request. It is sent when the handler returns, with its length.
type response struct {
	c      *conn
	header http.Header
	status int
	body   []byte
	out    []byte
	sent   bool // by a write of the whole body
	failed bool
}

func (w *response) begin(c *conn) {
	w.c, w.status, w.sent, w.failed = c, 0, false, false
	if w.header == nil {
		w.header = make(http.Header, 8)
	}
	clear(w.header)
	w.body = w.body[:0]
}

// Header implements [http.ResponseWriter].
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
}

// Write implements [http.ResponseWriter].
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if w.sent {
		return 0, http.ErrContentLength
	}
	if len(p) >= directBody && len(w.body) == 0 && !w.bodiless() && w.header.Get("Content-Length") == strconv.Itoa(len(p)) {
		w.sent = true
		w.out = w.appendHead(w.out[:0], len(p))
		message := net.Buffers{w.out, p}
		if _, err := message.WriteTo(w.c.net); err != nil {
			w.failed = true
			return 0, err
		}
		return len(p), nil
	}
	w.body = append(w.body, p...)
	return len(p), nil
}

// finish sends the answer. It tells whether the connection can be used again.
func (w *response) finish() bool {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if w.bodiless() {
		w.body = w.body[:0]
	}
	if w.header["Content-Type"] == nil && len(w.body) > 0 {
		w.header["Content-Type"] = []string{http.DetectContentType(w.body)}
	}
	if !w.sent {
		w.out = append(w.appendHead(w.out[:0], len(w.body)), w.body...)
		_, err := w.c.net.Write(w.out)
		w.failed = err != nil
	}
	if cap(w.out) > keptResponse {
		w.out = nil
	}
	if cap(w.body) > keptResponse {
		w.body = nil
	}
	return !w.failed && !strings.EqualFold(w.header.Get("Connection"), "close")
}

// appendHead appends the status line and the header.
func (w *response) appendHead(dst []byte, length int) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(w.status), 10)
	dst = append(append(dst, ' '), http.StatusText(w.status)...)
	dst = append(dst, "\r\n"...)
	for name, values := range w.header {
		if name == "Content-Length" || name == "Date" || !token([]byte(name)) {
			continue
		}
		for _, value := range values {
			dst = append(append(append(dst, name...), ": "...), value...)
			// A line that ends in a value would be a header, or a body, of somebody else's choice.
			for i := len(dst) - len(value); i < len(dst); i++ {
				if dst[i] == '\r' || dst[i] == '\n' {
					dst[i] = ' '
				}
			}
			dst = append(dst, "\r\n"...)
		}
	}
	dst = append(append(append(dst, "Date: "...), *w.c.l.date.Load()...), "\r\n"...)
	if w.c.l.draining.Load() && w.header["Connection"] == nil {
		dst = append(dst, "Connection: close\r\n"...)
	}
	if !w.bodiless() {
		dst = strconv.AppendInt(append(dst, "Content-Length: "...), int64(length), 10)
		dst = append(dst, "\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// bodiless tells whether an answer of the status has no body (RFC 9110, 6.4.1).
func (w *response) bodiless() bool {
	return w.status == http.StatusNoContent || w.status == http.StatusNotModified
}
