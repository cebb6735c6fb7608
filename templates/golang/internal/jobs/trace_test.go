//go:build otel

package jobs

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/nself-org/nself/templates/golang/internal/tracing"
)

// collector keeps what a service sends it over OTLP.
type collector struct {
	t  *testing.T
	mu sync.Mutex
	bytes.Buffer
}

func (c *collector) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(r.Body); err != nil {
			c.t.Error(err)
			return
		}
	}
	if _, err := c.ReadFrom(body); err != nil || r.URL.Path != "/v1/traces" {
		c.t.Errorf("the collector got %s: %v", r.URL, err)
	}
}

// The span of a job lies within that of the request that has queued it.
func TestTrace(t *testing.T) {
	got := &collector{t: t}
	srv := httptest.NewServer(got)
	defer srv.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", srv.URL) // the exporter reads it itself
	env := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": srv.URL}
	wrap, flush, err := tracing.Start(t.Context(), func(key string) string { return env[key] }, "shop", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s, stop := start(t, openPool(t), func(context.Context, *Run) (string, error) { return "", nil })
	var traceparent string
	h := wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		traceparent = tracing.Traceparent(r.Context())
		enqueueIn(r.Context(), t, s)
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/actions/ping", nil))
	var id string
	if err := s.pool.QueryRow(t.Context(), "SELECT id::text FROM jobs").Scan(&id); err != nil {
		t.Fatal(err)
	}
	await(t, s, id, Succeeded)
	stop()
	if err := flush(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	sent, parts := got.String(), strings.Split(traceparent, "-") // version, trace, span, flags
	if len(parts) != 4 {
		t.Fatalf("traceparent %q", traceparent)
	}
	for _, tt := range []struct{ what, id string }{{"trace", parts[1]}, {"request's span", parts[2]}} {
		raw, err := hex.DecodeString(tt.id)
		// Once in the request's span, and once in the job's: as its trace, and as its parent.
		if n := strings.Count(sent, string(raw)); err != nil || n != 2 {
			t.Errorf("the %s is in what was sent %d times, %v", tt.what, n, err)
		}
	}
	for _, text := range []string{"POST /actions/ping", "job test", "job.id", id, "job.attempt"} {
		if !strings.Contains(sent, text) {
			t.Errorf("%q is not in what was sent", text)
		}
	}
}
