package cli

import (
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/nself-org/nself/internal/calllog"
	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/ui"
)

func testView() *devView {
	v := newDevView(ui.Theme{}, "native")
	v.status = stack.Status{Project: "shop", Running: true, Services: []stack.ServiceStatus{
		{Name: "postgres", State: stack.StateHealthy, URL: "postgres://localhost:5432/shop", Started: time.Now()},
		{Name: "golang", State: stack.StateHealthy, URL: "http://localhost:3003", Started: time.Now()},
	}}
	return v
}

// has checks that the view shows each of the texts, and fits its terminal.
func has(t *testing.T, v *devView, texts ...string) {
	t.Helper()
	const width, height = 78, 20
	got := v.draw(width, height)
	for _, text := range texts {
		if !strings.Contains(got, text) {
			t.Errorf("the view lacks %q:\n%s", text, got)
		}
	}
	lines := strings.Split(got, "\n")
	if len(lines) != height {
		t.Errorf("%d lines, want %d:\n%s", len(lines), height, got)
	}
	for _, line := range lines {
		if lipgloss.Width(line) > width {
			t.Errorf("a line is %d columns wide: %s", lipgloss.Width(line), line)
		}
	}
}

func TestDevViewFailureStays(t *testing.T) {
	t.Parallel()
	v := testView()
	has(t, v, "shop", "all healthy", "›  postgres", "golang    healthy", "http://localhost:3003", "no calls yet", "q quit")

	v.event(stack.Event{Service: "golang", Kind: stack.EventBuilding, Detail: "compiling functions/golang"})
	has(t, v, "golang    compiling functions/golang", "working")
	v.event(stack.Event{
		Service: "golang", Kind: stack.EventFailed, Detail: "compile functions/golang: exit status 1",
		Log: []string{"functions/golang/actions/ping.go:7:2: undefined: x"}, Hint: "mend what the compiler says, then run nself up golang",
	})
	shown := []string{
		"golang failing", "golang    old version", "✗ golang: compile functions/golang: exit status 1",
		"    functions/golang/actions/ping.go:7:2: undefined: x", "fix: mend what the compiler says",
	}
	has(t, v, shown...)
	v.event(stack.Event{Service: "postgres", Kind: stack.EventHealthy})
	has(t, v, shown...)
	v.event(stack.Event{Service: "golang", Kind: stack.EventStarting})
	v.event(stack.Event{Service: "golang", Kind: stack.EventHealthy})
	has(t, v, "all healthy", "golang    healthy  0ms  1")
	if strings.Contains(v.draw(78, 20), "undefined") {
		t.Error("the mended fault is still shown")
	}
}

func TestDevViewCallsAndLogs(t *testing.T) {
	t.Parallel()
	v := testView()
	for range keptCalls + 5 {
		v.call(calllog.Entry{ID: "first", Action: "old", Role: "user", Status: 200})
	}
	v.call(calllog.Entry{ID: "last", Action: "ping", Role: "admin", Status: 500, Took: 1.5, Failed: true, Error: "internal error " + strings.Repeat("x", 90)})
	has(t, v, "ERROR", "last", "ping    admin  500     1ms   internal error")
	if got := v.draw(78, 20); strings.Index(got, "last") > strings.Index(got, "first") {
		t.Errorf("the newest call is not the first:\n%s", got)
	}
	v.move(-1)
	if got := v.current().Name; got != "golang" {
		t.Errorf("up from the first service leads to %q", got)
	}
	v.logs = "golang"
	for range keptLines + 1 {
		v.line("a line")
	}
	v.line("the newest line")
	has(t, v, "logs of golang", "the newest line", "esc back")
	if len(v.lines) > keptLines {
		t.Errorf("%d lines are kept", len(v.lines))
	}
}
