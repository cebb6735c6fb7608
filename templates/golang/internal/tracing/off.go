//go:build !otel

package tracing

import "context"

// start is nil: this program has no tracing.
var start func(ctx context.Context, service string) (Middleware, func(context.Context) error, error)
