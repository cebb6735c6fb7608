// Package logging makes the service's logger: one JSON object a line, with the id of the request that it belongs to.
package logging

import (
	"context"
	"io"
	"log/slog"
)

// New returns a logger that writes JSON lines to w. A line logged with a context that went through [WithRequest] has
// the attribute request_id. When w is a [Buffer], what is a warning or worse does not wait there.
func New(w io.Writer, level slog.Level) *slog.Logger {
	buffer, _ := w.(*Buffer)
	return slog.New(handler{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}), buffer})
}

// Request is what the lines of a request have in common, and what its last one tells of it. It belongs to the goroutine that
// answers the request.
type Request struct {
	// ID is in every line.
	ID string

	notes []slog.Attr
	room  [usualNotes]slog.Attr
}

// usualNotes are the action, the role, the user and an error's code.
const usualNotes = 4

type requestKey struct{}

// WithRequest returns a context for all that is done for a request.
func WithRequest(ctx context.Context, r *Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// RequestID returns the id of the request that ctx belongs to, or "".
func RequestID(ctx context.Context) string {
	if r, ok := ctx.Value(requestKey{}).(*Request); ok {
		return r.ID
	}
	return ""
}

// Note adds what has been learnt about the request that ctx belongs to. Empty values are left out.
func Note(ctx context.Context, attrs ...slog.Attr) {
	r, ok := ctx.Value(requestKey{}).(*Request)
	if !ok {
		return
	}
	if r.notes == nil {
		r.notes = r.room[:0]
	}
	for _, a := range attrs {
		if a.Value.String() != "" {
			r.notes = append(r.notes, a)
		}
	}
}

// Notes returns what was learnt, in the order in which it was.
func (r *Request) Notes() []slog.Attr { return r.notes }

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
