package ui

import (
	"bytes"
	"strings"
	"testing"
)

func TestProgressLeavesNoSpinner(t *testing.T) {
	t.Parallel()
	var screen bytes.Buffer
	p := NewProgress(&Streams{Err: &screen, ErrIsTerminal: true, ErrWidth: 80})
	p.Set("golang", PhaseRunning, "compiling")
	p.Close()
	p.Close() // a second time does nothing
	last := screen.String()[strings.LastIndex(screen.String(), "\x1b[J"):]
	if !strings.Contains(last, "- golang") {
		t.Errorf("the last state of a line that was left is %q, want it with a mark that does not move", last)
	}
}

func TestProgressWithoutTerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := NewProgress(&Streams{Err: &out})
	p.Set("golang", PhaseRunning, "compiling")
	p.Set("golang", PhaseRunning, "compiling")
	p.Print("a remark")
	p.Close()
	if got, want := out.String(), "… golang    compiling\na remark\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
