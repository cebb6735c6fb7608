package webhook

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"testing"

	"github.com/valyala/fasthttp"
)

// FuzzAnswer holds that whatever a handler sends is an answer within the limit or an error, and that no panic comes of it.
func FuzzAnswer(f *testing.F) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write(make([]byte, 1<<16))
	_ = z.Close()
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 99999999999\r\n\r\n{",
		"HTTP/1.1 302 Found\r\nLocation: /x\r\nSet-Cookie: a=b; Path=/\r\n\r\n", "HTTP/1.0 200\r\n\r\n{}", "HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 97\r\n\r\n" + zipped.String(), "HTTP/1.1 101 S\r\n\r\n", "\r\n",
	} {
		f.Add([]byte(seed))
	}
	const limit = 1 << 12
	f.Fuzz(func(t *testing.T, sent []byte) {
		req, resp := &fasthttp.Request{}, &fasthttp.Response{}
		r := bufio.NewReaderSize(bytes.NewReader(sent), maxHeaderBytes)
		if failed := readAnswer(r, req, resp, limit); failed != nil {
			if failed.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		if len(resp.Body()) > limit {
			t.Errorf("%d bytes, above the limit", len(resp.Body()))
		}
		if plain, err := gunzip(resp.Body(), limit); err == nil && len(plain) > limit {
			t.Errorf("%d bytes after decompression, above the limit", len(plain))
		}
		answer := &Response{Status: resp.StatusCode(), Body: resp.Body(), response: resp}
		for name := range answer.Header {
			_ = name
		}
		_ = answer.SetCookies()
	})
}
