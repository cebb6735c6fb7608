package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/ui"
)

// The exit codes that scripts may rely on.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitInvalid     = 3
	exitUnavailable = 4
	exitUnhealthy   = 5
	exitInterrupted = 130
)

// exitError ends the program with a code that a child process or a check has chosen; what there was to say is printed.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit status %d", e.code) }

// exitCode maps an error to the program's exit code.
func exitCode(ctx context.Context, err error) int {
	var exit *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		return exit.code
	case ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, ctx.Err())):
		return exitInterrupted
	case errors.Is(err, errdefs.ErrUsage):
		return exitUsage
	case errors.Is(err, errdefs.ErrInvalid), errors.Is(err, errdefs.ErrDrift):
		return exitInvalid
	case errors.Is(err, errdefs.ErrUnavailable):
		return exitUnavailable
	case errors.Is(err, errdefs.ErrUnhealthy):
		return exitUnhealthy
	default:
		return exitFailure
	}
}

// printError writes an error for a person: one line per fault, then what to do next.
func printError(io *ui.Streams, err error) {
	var exit *exitError
	if errors.As(err, &exit) {
		return
	}
	t := io.ErrTheme()
	for line := range strings.SplitSeq(strings.TrimRight(err.Error(), "\n"), "\n") {
		if strings.HasPrefix(line, " ") || line == "" {
			io.Notef("%s\n", line) // detail of the fault above: a diff, a compiler's output
			continue
		}
		io.Notef("%s %s\n", t.Bad("error:"), line)
	}
	for _, hint := range errdefs.Hints(err) {
		io.Notef("%s %s\n", t.Good("  fix:"), strings.ReplaceAll(hint, "\n", "\n       "))
	}
}
