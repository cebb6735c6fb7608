//go:build !otel

package tracing

import "context"

// start is nil: this program has no tracing.
var start func(ctx context.Context, service string) (Middleware, func(context.Context) error, error)

// Traceparent is empty: this program has no tracing.
func Traceparent(context.Context) string { return "" }

// Job does nothing: this program has no tracing.
func Job(ctx context.Context, _, _, _ string, _ int) (context.Context, func(error)) {
	return ctx, func(error) {}
}
