package webhook

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// Request is one call.
type Request struct {
	Target *Target
	// Method is sent as it is written. Empty: POST.
	Method string
	Header []Field
	Body   []byte
	// Timeout bounds the call from connecting to the last byte of the answer. Zero: [DefaultTimeout].
	Timeout time.Duration
}

// Response is the answer of a handler. Its bytes are valid until Release.
type Response struct {
	Status   int
	Body     []byte
	response *fasthttp.Response
}

// Release gives the memory of the answer back. A nil Response is fine.
func (r *Response) Release() {
	if r != nil {
		fasthttp.ReleaseResponse(r.response)
	}
}

// Header calls yield with each header, names as the handler wrote them.
func (r *Response) Header(yield func(name, value string) bool) {
	for name, value := range r.response.Header.All() {
		// fasthttp reports a default content type for an answer without one, and the framing headers that it consumed.
		if !yield(string(name), string(value)) {
			return
		}
	}
}

// SetCookies returns the values of Set-Cookie headers.
func (r *Response) SetCookies() []string {
	var values []string
	for _, cookie := range r.response.Header.Cookies() {
		values = append(values, string(cookie))
	}
	return values
}

// Do makes the call. It is made once: a handler never gets a request twice. Redirects are followed on the same scheme, host
// and port only, so that a secret in a header goes nowhere else. When ctx ends the connection is cut, and the handler may
// notice. The error is an *Error.
func (c *Client) Do(ctx context.Context, r *Request) (*Response, error) {
	req := fasthttp.AcquireRequest()
	defer fasthttp.ReleaseRequest(req)
	req.Header.DisableNormalizing()
	req.Header.SetNoDefaultContentType(true) // a transform may have removed it
	req.SetURI(&r.Target.uri)
	method := r.Method
	if method == "" {
		method = http.MethodPost
	}
	req.Header.SetMethod(method)
	writeHeader(req, r.Header)
	req.SetBodyRaw(r.Body)

	timeout := r.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	deadline := time.Now().Add(timeout)
	resp := fasthttp.AcquireResponse()
	for redirects := 0; ; redirects++ {
		if failed := r.Target.host.do(ctx, req, resp, deadline); failed != nil {
			fasthttp.ReleaseResponse(resp)
			return nil, failed
		}
		if !redirect(req, resp, r.Target) {
			break
		}
		if redirects == maxRedirects {
			fasthttp.ReleaseResponse(resp)
			return nil, &Error{What: "Too many redirects: " + strconv.Itoa(redirects+1) + " redirects"}
		}
	}
	body := resp.Body()
	if encoding := resp.Header.ContentEncoding(); len(encoding) > 0 && bytes.EqualFold(encoding, []byte("gzip")) {
		plain, failed := gunzip(body, c.options.MaxResponseBytes)
		if failed != nil {
			fasthttp.ReleaseResponse(resp)
			return nil, failed
		}
		body = plain
	}
	return &Response{Status: resp.StatusCode(), Body: body, response: resp}, nil
}

// writeHeader copies the header into a request. What frames the body is the client's own business.
func writeHeader(req *fasthttp.Request, header []Field) {
	encoding := false
	for _, f := range header {
		switch {
		case strings.EqualFold(f.Name, "Content-Type"):
			req.Header.SetContentType(f.Value)
		case strings.EqualFold(f.Name, "User-Agent"):
			req.Header.SetUserAgent(f.Value)
		case strings.EqualFold(f.Name, "Host"):
			req.UseHostHeader = true
			req.Header.SetHost(f.Value)
		case strings.EqualFold(f.Name, "Content-Length"), strings.EqualFold(f.Name, "Transfer-Encoding"),
			strings.EqualFold(f.Name, "Connection"):
		default:
			encoding = encoding || strings.EqualFold(f.Name, "Accept-Encoding")
			req.Header.Add(f.Name, f.Value)
		}
	}
	if !encoding {
		req.Header.Add("Accept-Encoding", "gzip")
	}
}

// redirect points req at where resp sends it, if it may go there.
func redirect(req *fasthttp.Request, resp *fasthttp.Response, t *Target) bool {
	status := resp.StatusCode()
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect,
		http.StatusPermanentRedirect:
	default:
		return false
	}
	var location []byte
	for name, value := range resp.Header.All() { // names are kept as written, so a lookup may miss
		if bytes.EqualFold(name, []byte("Location")) {
			location = value
		}
	}
	if len(location) == 0 {
		return false
	}
	var next fasthttp.URI
	req.URI().CopyTo(&next)
	next.UpdateBytes(location)
	if !bytes.Equal(next.Scheme(), t.uri.Scheme()) || !bytes.EqualFold(next.Host(), t.uri.Host()) {
		return false
	}
	req.SetURI(&next)
	if status == http.StatusFound || status == http.StatusSeeOther {
		req.Header.SetMethod(http.MethodGet)
		req.ResetBody()
		req.Header.Del("Content-Length") // of the body that is gone; the handler would wait for it
	}
	return true
}

// gunzip decompresses at most limit bytes.
func gunzip(body []byte, limit int) ([]byte, *Error) {
	reader, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, &Error{What: "HTTP zlib error", Err: err}
	}
	plain, err := io.ReadAll(io.LimitReader(reader, int64(limit)+1))
	if err != nil {
		return nil, &Error{What: "HTTP zlib error", Err: err}
	}
	if len(plain) > limit {
		return nil, tooLarge(limit)
	}
	return plain, nil
}
