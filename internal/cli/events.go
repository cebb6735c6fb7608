package cli

import (
	"fmt"
	"strings"

	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/ui"
)

// eventDisplay shows a driver's progress events.
type eventDisplay struct {
	progress *ui.Progress
	theme    ui.Theme
}

func newEventDisplay(io *ui.Streams) *eventDisplay {
	return &eventDisplay{progress: ui.NewProgress(io), theme: io.ErrTheme()}
}

// Close ends the display; call it before anything else is printed.
func (d *eventDisplay) Close() { d.progress.Close() }

// Event shows one event.
func (d *eventDisplay) Event(e stack.Event) {
	switch e.Kind {
	case stack.EventBuilding, stack.EventStarting, stack.EventStopping:
		d.progress.Set(e.Service, ui.PhaseRunning, detailOr(e.Detail, string(e.Kind)))
	case stack.EventWaiting:
		d.progress.Set(e.Service, ui.PhaseRunning, strings.TrimSuffix("waiting: "+e.Detail, ": "))
	case stack.EventHealthy, stack.EventStopped:
		d.progress.Done(e.Service, detailOr(e.Detail, string(e.Kind)), e.Elapsed)
	case stack.EventFailed:
		d.progress.Set(e.Service, ui.PhaseFailed, firstLine(e.Detail))
		d.failure(e)
	case stack.EventNote:
		d.progress.Print(d.theme.Dim(prefixed(e)))
	case stack.EventWarning:
		text := d.theme.Warn("warning: ") + prefixed(e)
		if e.Hint != "" {
			text += "\n" + d.theme.Good("    fix: ") + e.Hint
		}
		d.progress.Print(text)
	}
}

// failure writes why a service failed: the whole reason, its last log lines, and what to do.
func (d *eventDisplay) failure(e stack.Event) {
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s: %s", d.theme.Bad("✗"), d.theme.Bold(e.Service), e.Detail)
	for _, line := range e.Log {
		fmt.Fprintf(&out, "\n    %s", d.theme.Dim(line))
	}
	if e.Hint != "" {
		fmt.Fprintf(&out, "\n  %s %s", d.theme.Good("fix:"), e.Hint)
	}
	d.progress.Print(out.String())
}

func prefixed(e stack.Event) string {
	if e.Service == "" {
		return e.Detail
	}
	return e.Service + ": " + e.Detail
}

func detailOr(detail, fallback string) string {
	if detail == "" {
		return fallback
	}
	return detail
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
