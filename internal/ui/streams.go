// Package ui is how nself talks to a person or a script: streams, styles, progress, prompts, tables and JSON. Only
// internal/cli imports it; other packages return values or report through callbacks.
package ui

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// Streams are the three standard streams and what is known about them.
type Streams struct {
	In  io.Reader
	Out io.Writer // results, for a person or a pipe
	Err io.Writer // everything else: progress, warnings, errors

	// InIsTerminal, OutIsTerminal and ErrIsTerminal tell whether a person sits at the other end.
	InIsTerminal, OutIsTerminal, ErrIsTerminal bool
	// OutColor and ErrColor tell whether styles may be used: a terminal, no NO_COLOR, TERM not "dumb".
	OutColor, ErrColor bool
	// ErrWidth is the terminal's width in columns, 0 when Err is no terminal.
	ErrWidth int
}

// System returns the process's own streams. It honours NO_COLOR (no-color.org), TERM=dumb and CI: with CI set nothing
// is treated as interactive.
func System(getenv func(string) string) *Streams {
	s := &Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	isTerminal := func(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
	s.InIsTerminal = isTerminal(os.Stdin) && getenv("CI") == ""
	s.OutIsTerminal, s.ErrIsTerminal = isTerminal(os.Stdout), isTerminal(os.Stderr)
	styled := getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	s.OutColor, s.ErrColor = styled && s.OutIsTerminal, styled && s.ErrIsTerminal
	if s.ErrIsTerminal {
		if w, _, err := term.GetSize(int(os.Stderr.Fd())); err == nil {
			s.ErrWidth = w
		}
	}
	return s
}

// Interactive tells whether a question can be asked: a person can read it and answer.
func (s *Streams) Interactive() bool { return s.InIsTerminal && s.ErrIsTerminal }

// Printf writes a result to Out.
func (s *Streams) Printf(format string, args ...any) { fmt.Fprintf(s.Out, format, args...) }

// Notef writes a remark to Err.
func (s *Streams) Notef(format string, args ...any) { fmt.Fprintf(s.Err, format, args...) }

// JSON writes v to Out as indented JSON with a final newline.
func (s *Streams) JSON(v any) error {
	enc := json.NewEncoder(s.Out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// JSONLine writes v to Out as JSON on one line.
func (s *Streams) JSONLine(v any) error {
	enc := json.NewEncoder(s.Out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
