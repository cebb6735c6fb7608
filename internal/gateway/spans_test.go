package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/nself-org/nself/internal/auth"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/metadata"
)

// TestSpans holds that a request is traced below the client's span, and the handler's call below the request.
func TestSpans(t *testing.T) {
	t.Parallel()
	var traceparent string
	handler := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		traceparent = r.Header.Get("Traceparent")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"message":"no"}`)
	}))
	defer handler.Close()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	e := newTracedEngine(t, handler.URL, provider.Tracer("test"))
	for name, header := range map[string]http.Header{
		"W3C": {"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
		"B3":  {"X-B3-Traceid": {"0af7651916cd43dd8448eb211c80319c"}, "X-B3-Spanid": {"b7ad6b7169203331"}},
	} {
		recorder.Reset()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/graphql", strings.NewReader(`{"query":"{ greet }"}`))
		r.Header = header
		r.Header.Set("X-Hasura-Admin-Secret", "s")
		e.Handler().ServeHTTP(httptest.NewRecorder(), r)
		spans := recorder.Ended()
		if len(spans) != 2 {
			t.Fatalf("%s: %d spans", name, len(spans))
		}
		call, request := spans[0], spans[1]
		if diff := cmp.Diff([]string{"action greet", "graphql"}, []string{call.Name(), request.Name()}); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
		if got := request.Parent(); got.SpanID().String() != "b7ad6b7169203331" || !got.IsRemote() {
			t.Errorf("%s: the request is below %v", name, got.SpanID())
		}
		if call.Parent().SpanID() != request.SpanContext().SpanID() {
			t.Errorf("%s: the call is not below the request", name)
		}
		if want := "00-0af7651916cd43dd8448eb211c80319c-" + call.SpanContext().SpanID().String() + "-01"; traceparent != want {
			t.Errorf("%s: the handler got %s, want %s", name, traceparent, want)
		}
		if call.Status().Code != codes.Error || request.Status().Code != codes.Error {
			t.Errorf("%s: the failure is not in the spans", name)
		}
	}
}

// newTracedEngine serves the query greet, whose handler is at url.
func newTracedEngine(t *testing.T, url string, tracer trace.Tracer) *Engine {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	authenticator, err := auth.New(context.WithoutCancel(t.Context()), auth.Config{AdminSecrets: []env.Secret{"s"}}, nil, log)
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(Options{Auth: authenticator, Log: log, Tracer: tracer})
	if err != nil {
		t.Fatal(err)
	}
	actions, types, err := metadata.ParseSDL("type Query { greet: String }", "greet.graphql")
	if err != nil {
		t.Fatal(err)
	}
	actions[0].Definition.Handler = url
	if _, err := e.Load(&metadata.Metadata{Version: 3, Actions: actions, CustomTypes: types}); err != nil {
		t.Fatal(err)
	}
	return e
}
