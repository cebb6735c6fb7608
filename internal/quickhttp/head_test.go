package quickhttp

import (
	"bufio"
	"bytes"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzHead holds that whatever is taken for a usual request is the same one to net/http.
func FuzzHead(f *testing.F) {
	for _, seed := range []string{
		"POST /q HTTP/1.1\r\nHost: h:1\r\nContent-Length: 3\r\nA: b\r\na: c\r\n\r\n",
		"POST /q HTTP/1.1\r\nHost: [::1]:80\r\nConnection: Keep-Alive\r\nX-Content-Length: 1\r\nContent-Length:  12\t\r\n\r\n",
		"POST /q HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST /q HTTP/1.1\r\nHost: h\r\n folded\r\nContent-Length: 1\r\n\r\n", "POST /q HTTP/1.1\nHost: h\n\r\n\r\n",
	} {
		f.Add([]byte(seed), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, text, next []byte) {
		h, length, ok := parse(t, text)
		if !ok {
			return
		}
		again, known := h.same(next)
		fresh, freshLength, usual := parse(t, next)
		if known {
			h.setLength(again)
			if !usual || again != freshLength || !cmp.Equal(h.header, fresh.header) || h.host != fresh.host {
				t.Errorf("%q\nis taken for another of\n%q", next, text)
			}
		}
		if same, ok := h.same(text); !ok || same != length {
			t.Errorf("%q is not known again", text)
		}
	})
}

// parse reads a head and compares it with what net/http reads.
func parse(t *testing.T, text []byte) (head, int64, bool) {
	t.Helper()
	if end := bytes.Index(text, []byte("\r\n\r\n")); end < 0 || end+4 != len(text) {
		return head{}, 0, false
	}
	h, length, ok := parseHead(text, []string{"/q"})
	if !ok {
		return h, 0, false
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
	if err != nil {
		t.Fatalf("net/http refuses %q: %v", text, err)
	}
	if r.Method != http.MethodPost || r.URL.String() != "/q" || r.ContentLength != length || r.Host != h.host || r.Close ||
		r.TransferEncoding != nil {
		t.Errorf("%q: got %d bytes for %q, net/http reads %+v", text, length, h.host, r)
	}
	if diff := cmp.Diff(r.Header, h.header); diff != "" {
		t.Errorf("%q: (-net/http +here)\n%s", text, diff)
	}
	return h, length, true
}
