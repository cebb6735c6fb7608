package observe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/actionlog"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/gateway"
	"github.com/nself-org/nself/internal/observe"
)

func read(t *testing.T, h http.Handler) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Fatalf("got %d %v", w.Code, w.Header())
	}
	return w.Body.String()
}

func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// entries is a log of asynchronous actions as far as it is counted.
type entries struct {
	depth []actionlog.Depth
	err   error
}

func (e *entries) Depth(context.Context) ([]actionlog.Depth, error) { return e.depth, e.err }

func TestMetrics(t *testing.T) {
	t.Parallel()
	m := observe.New()
	h := m.Handler(observe.Options{
		WebSockets: func() int { return 3 },
		ActionLog: &entries{depth: []actionlog.Depth{
			{Action: "report", Status: actionlog.StatusCreated, Rows: 2}, {Action: "report", Status: actionlog.StatusError, Rows: 1},
		}},
	})
	m.Loaded([]string{"greet", "bye"}, 1)
	m.Request(gateway.GraphQLEndpoint, 200, false, 3*time.Millisecond)
	m.Request(gateway.GraphQLEndpoint, 200, true, 3*time.Millisecond)
	greet, bye := m.Action("greet"), m.Action("bye")
	for _, status := range []int{200, 204, 404, 503, 0, 999} {
		greet.Call(status, 20*time.Millisecond)
	}
	bye.Call(200, time.Minute)
	wantLines(t, read(t, h),
		`nself_requests_total{endpoint="graphql",result="ok"} 1`, `nself_requests_total{endpoint="graphql",result="failed"} 1`,
		`nself_request_duration_seconds_bucket{endpoint="graphql",le="0.0025"} 0`,
		`nself_request_duration_seconds_bucket{endpoint="graphql",le="0.005"} 2`,
		`nself_action_calls_total{action="greet",status="2xx"} 2`, `nself_action_calls_total{action="greet",status="none"} 1`,
		`nself_action_calls_total{action="greet",status="5xx"} 2`, `nself_action_calls_total{action="greet",status="4xx"} 1`,
		`nself_action_call_duration_seconds_count{action="greet"} 6`, `nself_metadata_inconsistencies 1`,
		`nself_metadata_actions 2`, `hasura_websocket_connections 3`,
		`nself_action_log_entries{action="report",status="created"} 2`, `nself_action_log_entries{action="report",status="error"} 1`)

	m.Loaded([]string{"greet"}, 0)
	bye.Call(200, time.Millisecond) // a call that was under way
	text := read(t, h)
	wantLines(t, text, `nself_action_calls_total{action="greet",status="2xx"} 2`, `nself_metadata_loads_total 2`)
	if strings.Contains(text, `"bye"`) {
		t.Error("a dropped action still has metrics")
	}
}

// TestBoundedCardinality holds that any number of actions makes a bounded number of series.
func TestBoundedCardinality(t *testing.T) {
	t.Parallel()
	m := observe.New()
	log := &entries{}
	names := make([]string, 10_000)
	for i := range names {
		names[i] = fmt.Sprintf("action%d", i)
		log.depth = append(log.depth, actionlog.Depth{Action: names[i], Status: actionlog.StatusCreated, Rows: 1})
	}
	m.Loaded(names, 0)
	for _, name := range names {
		m.Action(name).Call(200, time.Millisecond)
	}
	text := read(t, m.Handler(observe.Options{ActionLog: log}))
	wantLines(t, text, `nself_action_calls_total{action="(others)",status="2xx"} 9000`,
		`nself_action_log_entries{action="(others)",status="created"} 9000`)
	if lines := strings.Count(text, "\n"); lines > 30_000 {
		t.Errorf("%d lines", lines)
	}
}

// TestUnreadableActionLog holds that the other metrics are there when the database is not.
func TestUnreadableActionLog(t *testing.T) {
	t.Parallel()
	var logged strings.Builder
	m := observe.New()
	text := read(t, m.Handler(observe.Options{
		ActionLog: &entries{err: errors.New("connection refused")}, Log: slog.New(slog.NewTextHandler(&logged, nil)),
	}))
	wantLines(t, text, `nself_requests_total{endpoint="graphql",result="ok"} 0`)
	if strings.Contains(text, "nself_action_log_entries{") || !strings.Contains(logged.String(), "connection refused") {
		t.Errorf("got %s and %s", text, logged.String())
	}
}

func TestTracerIsOff(t *testing.T) {
	t.Parallel()
	for name, vars := range map[string]map[string]string{
		"not set": {}, "none": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318", "OTEL_TRACES_EXPORTER": "none"},
		"disabled": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318", "OTEL_SDK_DISABLED": "true"},
	} {
		tracer, stop, err := observe.Tracer(t.Context(), func(key string) string { return vars[key] }, "v", slog.New(slog.DiscardHandler))
		if tracer != nil || err != nil || stop(t.Context()) != nil {
			t.Errorf("%s: got %v, %v", name, tracer, err)
		}
	}
	for _, vars := range []map[string]string{
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_TRACES_EXPORTER": "zipkin"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
	} {
		_, _, err := observe.Tracer(t.Context(), func(key string) string { return vars[key] }, "v", slog.New(slog.DiscardHandler))
		if !errors.Is(err, errdefs.ErrInvalid) {
			t.Errorf("%v: got %v", vars, err)
		}
	}
}

// TestTracerSends runs against a collector. OpenTelemetry's own code reads the process environment, so that it cannot run
// beside other tests.
func TestTracerSends(t *testing.T) {
	bodies := make(chan []byte, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/v1/traces" {
			bodies <- body
		}
	}))
	defer collector.Close()
	vars := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL}
	for key, value := range vars {
		t.Setenv(key, value)
	}
	tracer, stop, err := observe.Tracer(t.Context(), func(key string) string { return vars[key] }, "v9", slog.New(slog.DiscardHandler))
	if err != nil || tracer == nil {
		t.Fatalf("got %v, %v", tracer, err)
	}
	_, span := tracer.Start(t.Context(), "action greet")
	span.End()
	if err := stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case body := <-bodies:
		for _, want := range []string{"action greet", "nself-gateway", "v9"} {
			if !strings.Contains(string(body), want) {
				t.Errorf("no %q in %q", want, body)
			}
		}
	case <-time.After(30 * time.Second):
		t.Error("nothing was sent")
	}
}
