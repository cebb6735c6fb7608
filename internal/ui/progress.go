package ui

import (
	"cmp"
	"fmt"
	"strings"
	"sync"
	"time"

	"charm.land/lipgloss/v2"
)

// Phase is where one line of a progress display stands.
type Phase int

// The phases of a progress line.
const (
	PhaseRunning Phase = iota
	PhaseDone
	PhaseFailed
)

// spinnerInterval is how often a running line moves on a terminal.
const spinnerInterval = 100 * time.Millisecond

var spinnerFrames = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

// Progress shows the state of several things at once. On a terminal each has one line that is redrawn in place;
// elsewhere every change is a line of its own. It is safe for concurrent use. Close it before anything else is printed.
type Progress struct {
	io    *Streams
	theme Theme

	mu     sync.Mutex
	lines  []*progressLine
	byName map[string]*progressLine
	drawn  int // lines on the screen that the next draw replaces
	frame  int
	ended  bool
	stop   chan struct{}
	done   chan struct{}
}

type progressLine struct {
	name, detail string
	phase        Phase
	started      time.Time
	elapsed      time.Duration
}

// NewProgress starts a display on Err.
func NewProgress(io *Streams) *Progress {
	p := &Progress{io: io, theme: io.ErrTheme(), byName: map[string]*progressLine{}, stop: make(chan struct{}), done: make(chan struct{})}
	if !io.ErrIsTerminal {
		close(p.done)
		return p
	}
	go p.spin()
	return p
}

// Set shows that name is in phase, with a short detail such as "compiling". A line's clock starts when it is first set,
// or set running again.
func (p *Progress) Set(name string, phase Phase, detail string) { p.set(name, phase, detail, 0) }

// Done shows that name is done after took, or, where took is zero, after the time that its line's clock shows.
func (p *Progress) Done(name, detail string, took time.Duration) {
	p.set(name, PhaseDone, detail, took)
}

func (p *Progress) set(name string, phase Phase, detail string, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line, known := p.byName[name]
	if !known {
		line = &progressLine{name: name, started: time.Now()}
		p.byName[name] = line
		p.lines = append(p.lines, line)
	}
	changed := !known || line.phase != phase || line.detail != detail
	if phase == PhaseRunning && line.phase != PhaseRunning {
		line.started = time.Now()
	}
	line.phase, line.detail = phase, detail
	if phase != PhaseRunning {
		line.elapsed = cmp.Or(took, time.Since(line.started))
	}
	switch {
	case p.io.ErrIsTerminal:
		p.draw()
	case changed:
		fmt.Fprintln(p.io.Err, p.render(line))
	}
}

// Print writes a remark above the display.
func (p *Progress) Print(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	fmt.Fprintln(p.io.Err, text)
	if p.io.ErrIsTerminal {
		p.draw()
	}
}

// Close draws the last state and ends the display. What still runs, as after Ctrl-C, gets a mark that does not move.
func (p *Progress) Close() {
	select {
	case <-p.stop:
		return
	default:
		close(p.stop)
	}
	<-p.done
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	if p.io.ErrIsTerminal {
		p.draw()
	}
}

func (p *Progress) spin() {
	defer close(p.done)
	tick := time.NewTicker(spinnerInterval)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.mu.Lock()
			p.frame++
			p.draw()
			p.mu.Unlock()
		}
	}
}

// erase moves the cursor to the display's first line and clears from there.
func (p *Progress) erase() {
	if p.drawn > 0 {
		fmt.Fprintf(p.io.Err, "\x1b[%dA\x1b[J", p.drawn)
		p.drawn = 0
	}
}

func (p *Progress) draw() {
	p.erase()
	for _, line := range p.lines {
		fmt.Fprintln(p.io.Err, p.fit(p.render(line)))
		p.drawn++
	}
}

// fit cuts a line to the terminal's width: a wrapped line would break the redrawing.
func (p *Progress) fit(line string) string {
	if p.io.ErrWidth > 0 && lipgloss.Width(line) >= p.io.ErrWidth {
		return lipgloss.NewStyle().MaxWidth(p.io.ErrWidth - 1).Render(line)
	}
	return line
}

func (p *Progress) render(line *progressLine) string {
	mark, detail, clock := "", line.detail, ""
	switch line.phase {
	case PhaseDone:
		mark, clock = p.theme.Good("✓"), Duration(line.elapsed)
	case PhaseFailed:
		mark, clock = p.theme.Bad("✗"), Duration(line.elapsed)
		detail = p.theme.Bad(detail)
	default:
		mark = p.theme.Link(spinnerFrames[p.frame%len(spinnerFrames)])
		if p.ended {
			mark = p.theme.Warn("-")
		}
		if !p.io.ErrIsTerminal {
			mark = "…"
		} else if age := time.Since(line.started); age >= time.Second {
			clock = Duration(age)
		}
	}
	text := fmt.Sprintf("%s %-9s %s", mark, line.name, detail)
	if clock != "" {
		text += " " + p.theme.Dim(clock)
	}
	return strings.TrimRight(text, " ")
}

// Duration prints d as a person reads it: "48ms", "1.2s", "2m5s".
func Duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	default:
		return d.Round(time.Second).String()
	}
}
