package observe

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/nself-org/nself/internal/errdefs"
)

// Tracer reads OpenTelemetry's variables with lookup and returns what makes spans, and what sends the last ones and ends
// it. Without OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, and with OTEL_SDK_DISABLED=true or
// OTEL_TRACES_EXPORTER=none, there is no tracer: nil, which costs nothing. The only exporter is otlp over HTTP. The other
// variables (headers, timeouts, sampling, batches, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES) are read by
// OpenTelemetry's own code from the process environment. Errors are of class [errdefs.ErrInvalid].
func Tracer(
	ctx context.Context, lookup func(string) string, version string, log *slog.Logger,
) (trace.Tracer, func(context.Context) error, error) {
	none := func(context.Context) error { return nil }
	endpoint := lookup("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") + lookup("OTEL_EXPORTER_OTLP_ENDPOINT")
	exporter := lookup("OTEL_TRACES_EXPORTER")
	if endpoint == "" || exporter == "none" || strings.EqualFold(lookup("OTEL_SDK_DISABLED"), "true") {
		return nil, none, nil
	}
	if exporter != "" && exporter != "otlp" {
		return nil, nil, errdefs.As(errdefs.ErrInvalid,
			fmt.Errorf("OTEL_TRACES_EXPORTER: expected otlp or none, got %q", exporter))
	}
	for _, key := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol := lookup(key); protocol != "" && protocol != "http/protobuf" {
			return nil, nil, errdefs.As(errdefs.ErrInvalid, fmt.Errorf("%s: expected http/protobuf, got %q", key, protocol))
		}
	}
	sender, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(fmt.Errorf("open the exporter of traces: %w", err),
			"check OTEL_EXPORTER_OTLP_ENDPOINT and the other OTEL_EXPORTER_OTLP variables"))
	}
	name := lookup("OTEL_SERVICE_NAME")
	options := []resource.Option{resource.WithTelemetrySDK(), resource.WithFromEnv()}
	if name == "" && !strings.Contains(lookup("OTEL_RESOURCE_ATTRIBUTES"), "service.name=") {
		options = append(options, resource.WithAttributes(serviceName("nself-gateway")))
	}
	options = append(options, resource.WithAttributes(serviceVersion(version)))
	about, err := resource.New(ctx, options...)
	if err != nil {
		log.WarnContext(ctx, "resource of traces is not complete", slog.String("error", err.Error()))
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(sender), sdktrace.WithResource(about))
	return provider.Tracer("github.com/nself-org/nself/internal/gateway"), provider.Shutdown, nil
}
