package tracing

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
	"testing"
)

func TestOff(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]map[string]string{
		"unset":       {},
		"disabled":    {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "TRUE"},
		"no exporter": {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
	} {
		var log bytes.Buffer
		wrap, stop, err := Start(t.Context(), func(key string) string { return env[key] }, "s", slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		h := http.NewServeMux()
		if wrap(h) != http.Handler(h) || stop(t.Context()) != nil || log.Len() > 0 {
			t.Errorf("%s: tracing is on, or says something: %s", name, &log)
		}
	}
	env := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
	if _, _, err := Start(t.Context(), func(key string) string { return env[key] }, "s", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a protocol that is not spoken is no error")
	}
}

// With the tag otel, the collector gets a span of the caller's trace; without, the log says why there is none.
func TestStart(t *testing.T) {
	got := make(chan []byte, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			zipped, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = zipped
		}
		data, err := io.ReadAll(body)
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("the collector got %s %v: %v", r.URL, r.Header, err)
		}
		got <- data
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL) // the exporter reads it itself
	env := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL}
	var log bytes.Buffer
	wrap, stop, err := Start(t.Context(), func(key string) string { return env[key] }, "shop-golang", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	h := wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for _, path := range []string{"/healthz", "/actions/ping"} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, nil)
		req.Header.Set("traceparent", "00-"+trace+"-"+parent+"-01")
		rec := httptest.NewRecorder()
		if h.ServeHTTP(rec, req); rec.Code != http.StatusTeapot {
			t.Errorf("%s: got status %d", path, rec.Code)
		}
	}
	if err := stop(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	if start == nil {
		if !strings.Contains(log.String(), "-tags otel") {
			t.Errorf("the log does not say why nothing is traced: %s", &log)
		}
		return
	}
	data := string(<-got)
	for _, id := range []string{trace, parent} {
		raw, err := hex.DecodeString(id)
		if err != nil || !strings.Contains(data, string(raw)) {
			t.Errorf("%s is not in what was sent: %v", id, err)
		}
	}
	for _, text := range []string{"shop-golang", "POST /actions/ping", "http.response.status_code"} {
		if !strings.Contains(data, text) {
			t.Errorf("%s is not in what was sent", text)
		}
	}
	if strings.Contains(data, "/healthz") {
		t.Error("a health check was traced")
	}
}
