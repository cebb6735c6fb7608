package cli

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/ui"
)

// remarks shows a driver's warnings to the person at the terminal, as text and not as a log. The supervisor, which has a
// log, does not use it.
type remarks struct {
	io    *ui.Streams
	attrs []slog.Attr
}

var _ slog.Handler = (*remarks)(nil)

// Enabled keeps what is below a warning from the screen.
func (*remarks) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle writes one warning: the message, and the facts in brackets.
func (h *remarks) Handle(_ context.Context, r slog.Record) error {
	var facts []string
	add := func(a slog.Attr) bool {
		facts = append(facts, fmt.Sprintf("%s %s", a.Key, a.Value.Resolve()))
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	text := r.Message
	if len(facts) > 0 {
		text += " (" + strings.Join(facts, ", ") + ")"
	}
	printWarning(h.io, text, "")
	return nil
}

// WithAttrs returns a handler that adds attrs to every warning.
func (h *remarks) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &remarks{io: h.io, attrs: append(slices.Clip(h.attrs), attrs...)}
}

// WithGroup changes nothing: no group is used.
func (h *remarks) WithGroup(string) slog.Handler { return h }
