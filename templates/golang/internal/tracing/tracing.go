// Package tracing sends traces of requests, and of the jobs that they queue, to an OpenTelemetry collector, when OTEL_EXPORTER_OTLP_ENDPOINT says where one
// is. OpenTelemetry's libraries take longer to compile than all the rest, so they are part of programs that are built
// with the tag otel only; nself does that when the variable is set.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
)

// Middleware puts tracing around a handler.
type Middleware func(http.Handler) http.Handler

// Start reads OpenTelemetry's variables. It returns what traces requests, and what sends the last traces at the end; both
// do nothing when no collector is named, OTEL_SDK_DISABLED is true or OTEL_TRACES_EXPORTER is none. service is the name
// of this service in traces, unless OTEL_SERVICE_NAME has another.
func Start(
	ctx context.Context, getenv func(string) string, service string, log *slog.Logger,
) (Middleware, func(context.Context) error, error) {
	off := func(next http.Handler) http.Handler { return next }
	nothing := func(context.Context) error { return nil }
	endpoint := getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") + getenv("OTEL_EXPORTER_OTLP_ENDPOINT")
	if endpoint == "" || strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") || getenv("OTEL_TRACES_EXPORTER") == "none" {
		return off, nothing, nil
	}
	for _, key := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol := getenv(key); protocol != "" && protocol != "http/protobuf" {
			return nil, nil, fmt.Errorf("%s must be http/protobuf, got %q", key, protocol)
		}
	}
	if start == nil {
		log.WarnContext(ctx, "requests are not traced: the program was built without -tags otel")
		return off, nothing, nil
	}
	if name := getenv("OTEL_SERVICE_NAME"); name != "" {
		service = name
	}
	return start(ctx, service)
}
