package gateway

import (
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"github.com/nself-org/nself/internal/metadata"
)

// TestCompression holds that a large answer is compressed for those who can read it, and nothing else is.
func TestCompression(t *testing.T) {
	t.Parallel()
	long := `"` + strings.Repeat("lorem ipsum ", 1000) + `"`
	e := newEngine(t, Options{}, one(handlerServer(t, answer(200, long)),
		func(d *metadata.ActionDefinition) { d.OutputType = "String!" }))
	tests := map[string]bool{
		"": false, "gzip": true, "GZIP": true, "br, gzip;q=0.5": true, "*": true, "x-gzip": true,
		"gzip;q=0": false, "gzip; q=0.00": false, "*;q=0": false, "*, gzip;q=0": false, "br": false, "identity": false,
		"gzip;q=0.001": true,
	}
	for accept, compressed := range tests {
		header := map[string]string{}
		if accept != "" {
			header["Accept-Encoding"] = accept
		}
		w := send(t, e, request{body: `{"query":"{ a }"}`, header: header})
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != compressed {
			t.Errorf("%q: compressed %v, want %v", accept, got, compressed)
		}
		if w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q: Vary is %q", accept, w.Header().Get("Vary"))
		}
		var body io.Reader = w.Body
		if compressed {
			if w.Body.Len() > 1000 {
				t.Errorf("%q: %d bytes", accept, w.Body.Len())
			}
			z, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			body = z
		}
		got, err := io.ReadAll(body)
		if err != nil || string(got) != `{"data":{"a":`+long+`}}` {
			t.Errorf("%q: got %.100s, %v", accept, got, err)
		}
	}
	w := send(t, e, request{body: `{"query":"{ __typename }"}`, header: map[string]string{"Accept-Encoding": "gzip"}})
	if w.Header().Get("Content-Encoding") != "" || w.Body.String() != `{"data":{"__typename":"query_root"}}` {
		t.Errorf("a short answer: got %v %s", w.Header(), w.Body)
	}
}
