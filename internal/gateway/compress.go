package gateway

import (
	"compress/gzip"
	"net/http"
	"strings"
	"sync"
)

// minCompressed is the size from which an answer is compressed: below it fits into a packet or two as it is.
const minCompressed = 2 << 10

// compressors are reused: each has more than a megabyte of tables.
type compressors struct{ pool sync.Pool }

// writeCompressed is writeJSON for a client that may take gzip.
func (e *Engine) writeCompressed(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	if len(body) < minCompressed {
		writeJSON(w, status, body)
		return
	}
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	if !acceptsGzip(r.Header["Accept-Encoding"]) {
		writeJSON(w, status, body)
		return
	}
	h["Content-Type"] = jsonContentType
	h.Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	z, ok := e.gzip.pool.Get().(*gzip.Writer)
	if !ok {
		z, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid
	}
	z.Reset(w)
	_, _ = z.Write(body) // the client is gone when this fails; there is nobody to tell
	_ = z.Close()
	z.Reset(nil)
	e.gzip.pool.Put(z)
}

// acceptsGzip reads Accept-Encoding (RFC 9110, 12.5.3) as far as gzip is concerned.
func acceptsGzip(values []string) bool {
	any := false
	for _, value := range values {
		for item := range strings.SplitSeq(value, ",") {
			coding, weight, _ := strings.Cut(item, ";")
			coding = strings.ToLower(strings.TrimSpace(coding))
			refused := false
			if q, ok := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q="); ok {
				refused = strings.Trim(q, "0.") == ""
			}
			switch coding {
			case "gzip", "x-gzip":
				return !refused
			case "*":
				any = !refused
			}
		}
	}
	return any
}
