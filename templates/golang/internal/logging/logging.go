// Package logging makes the service's logger: one JSON object a line, with the id of the request that it belongs to.
package logging

import (
	"context"
	"io"
	"log/slog"
)

// New returns a logger that writes JSON lines to w. A line logged with a context that went through [WithRequestID] has
// the attribute request_id. When w is a [Buffer], what is a warning or worse does not wait there.
func New(w io.Writer, level slog.Level) *slog.Logger {
	buffer, _ := w.(*Buffer)
	return slog.New(handler{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}), buffer})
}

type requestIDKey struct{}

// WithRequestID returns a context that carries the id of a request.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the id that ctx carries, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// handler adds the request id to every record, so that no call site can forget it.
type handler struct {
	slog.Handler
	buffer *Buffer // may be nil
}

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if id := RequestID(ctx); id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	if err := h.Handler.Handle(ctx, r); err != nil || h.buffer == nil || r.Level < slog.LevelWarn {
		return err
	}
	return h.buffer.Flush()
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs), h.buffer}
}

func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name), h.buffer}
}
