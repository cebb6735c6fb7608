package cli

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/nself-org/nself/internal/calllog"
	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/ui"
)

const (
	// keptCalls and keptLines are how much the view has at hand, more than a screen shows.
	keptCalls = 200
	keptLines = 1000
)

// devView is what nself dev shows. It only holds state and draws it; who changes it is runDev's business.
type devView struct {
	theme  ui.Theme
	driver string

	status   stack.Status
	busy     map[string]string      // by service: what is being done to it
	failing  map[string]stack.Event // by service: why it is not as its files say
	calls    []calllog.Entry        // oldest first
	renewals map[string]int         // by service: how often it was renewed after a save
	note     string                 // the last thing that happened

	selected int
	logs     string // the service whose lines are shown; empty: the overview
	lines    []string
}

func newDevView(theme ui.Theme, driver string) *devView {
	return &devView{
		theme: theme, driver: driver, busy: map[string]string{}, failing: map[string]stack.Event{}, renewals: map[string]int{},
	}
}

// event takes the driver's progress in.
func (v *devView) event(e stack.Event) {
	switch e.Kind {
	case stack.EventBuilding, stack.EventStarting, stack.EventStopping:
		v.busy[e.Service] = detailOr(e.Detail, string(e.Kind))
		if e.Kind == stack.EventStarting {
			v.renewals[e.Service]++
		}
	case stack.EventHealthy, stack.EventStopped:
		delete(v.busy, e.Service)
		if e.Kind == stack.EventHealthy {
			delete(v.failing, e.Service)
		}
	case stack.EventFailed:
		delete(v.busy, e.Service)
		e.Hint, _, _ = strings.Cut(e.Hint, ", then run nself ")
		v.failing[e.Service] = e
	case stack.EventNote, stack.EventWarning:
		v.note = prefixed(e)
	case stack.EventWaiting:
	}
}

func (v *devView) call(e calllog.Entry) {
	if v.calls = append(v.calls, e); len(v.calls) > keptCalls {
		v.calls = v.calls[len(v.calls)-keptCalls:]
	}
}

func (v *devView) line(text string) {
	if v.lines = append(v.lines, text); len(v.lines) > keptLines {
		v.lines = v.lines[len(v.lines)-keptLines:]
	}
}

// current is the selected service; empty before anything is known.
func (v *devView) current() stack.ServiceStatus {
	if v.selected < len(v.status.Services) {
		return v.status.Services[v.selected]
	}
	return stack.ServiceStatus{}
}

// move selects another service.
func (v *devView) move(by int) {
	if n := len(v.status.Services); n > 0 {
		v.selected = (v.selected + by + n) % n
	}
}

// draw returns height lines of at most width columns.
func (v *devView) draw(width, height int) string {
	var body []string
	keys := "↑↓ select   l logs   r restart   o open   q quit"
	if v.logs != "" {
		keys = "esc back   r restart   o open   q quit"
		body = v.drawLogs(height - 4)
	} else {
		body = v.drawOverview(height - 4)
	}
	all := append([]string{v.title(), ""}, body...)
	for len(all) < height-2 {
		all = append(all, "")
	}
	if height > 2 && len(all) > height-2 {
		all = all[:height-2]
	}
	all = append(all, v.note, v.theme.Dim(keys))
	for i, line := range all {
		if lipgloss.Width(line) > width {
			all[i] = lipgloss.NewStyle().MaxWidth(width).Render(line)
		}
	}
	return strings.Join(all, "\n")
}

func (v *devView) title() string {
	state := v.theme.Good("all healthy")
	switch {
	case len(v.failing) > 0:
		state = v.theme.Bad(strings.Join(slices.Sorted(maps.Keys(v.failing)), ", ") + " failing")
	case len(v.busy) > 0:
		state = v.theme.Warn("working")
	case !v.status.Running:
		state = v.theme.Dim("stopped")
	case slices.ContainsFunc(v.status.Services, func(s stack.ServiceStatus) bool { return s.State != stack.StateHealthy }):
		state = v.theme.Bad("not healthy")
	}
	return fmt.Sprintf("%s  %s  %s", v.theme.Bold(v.status.Project), v.theme.Dim(v.driver), state)
}

func (v *devView) drawOverview(height int) []string {
	rows := make([][]string, 0, len(v.status.Services)+1)
	rows = append(rows, []string{" ", "SERVICE", "STATE", "UP", "RESTARTS", "ADDRESS"})
	for i, s := range v.status.Services {
		mark := " "
		if i == v.selected {
			mark = v.theme.Link("›")
		}
		state := paintState(v.theme, s.State)
		if busy := v.busy[s.Name]; busy != "" {
			state = v.theme.Warn(busy)
		} else if _, failing := v.failing[s.Name]; failing {
			state = v.theme.Bad("old version")
			if s.State != stack.StateHealthy {
				state = paintState(v.theme, s.State)
			}
		}
		up, restarts := "", ""
		if !s.Started.IsZero() && s.State != stack.StateStopped {
			up = ui.Duration(time.Since(s.Started).Round(time.Second))
		}
		if n := s.Restarts + v.renewals[s.Name]; n > 0 {
			restarts = strconv.Itoa(n)
		}
		rows = append(rows, []string{mark, s.Name, state, up, restarts, v.theme.Link(s.URL)})
	}
	lines := append(columns(rows), "")
	lines = append(lines, v.drawFailures()...)
	return append(lines, v.drawCalls(height-len(lines))...)
}

// drawFailures shows why services are not as their files say, until they are.
func (v *devView) drawFailures() []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(v.failing)) {
		e := v.failing[name]
		lines = append(lines, fmt.Sprintf("%s %s: %s", v.theme.Bad("✗"), v.theme.Bold(name), firstLine(e.Detail)))
		for _, line := range e.Log {
			lines = append(lines, "    "+line)
		}
		if e.Hint != "" {
			lines = append(lines, "  "+v.theme.Good("fix:")+" "+e.Hint)
		}
		lines = append(lines, "")
	}
	return lines
}

// drawCalls shows the newest calls, the newest one first.
func (v *devView) drawCalls(height int) []string {
	rows := [][]string{{"CALL", "TIME", "ACTION", "ROLE", "STATUS", "TOOK", "ERROR"}}
	for _, e := range slices.Backward(v.calls) {
		if len(rows) >= height {
			break
		}
		rows = append(rows, callRow(v.theme, e))
	}
	if len(v.calls) == 0 {
		return []string{v.theme.Dim("no calls yet: make one with nself action test NAME")}
	}
	return columns(rows)
}

func (v *devView) drawLogs(height int) []string {
	lines := []string{v.theme.Bold("logs of " + v.logs), ""}
	from := max(0, len(v.lines)-max(0, height-len(lines)))
	return append(lines, v.lines[from:]...)
}

// columns puts rows under one another.
func columns(rows [][]string) []string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], lipgloss.Width(cell))
		}
	}
	lines := make([]string, len(rows))
	for n, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-lipgloss.Width(cell)+2))
			}
		}
		lines[n] = strings.TrimRight(b.String(), " ")
	}
	return lines
}
