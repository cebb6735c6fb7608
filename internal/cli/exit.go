package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

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

// printError writes an error for a person: one line per fault, each followed by what to do about it.
func printError(io *ui.Streams, err error) {
	if _, said := errors.AsType[*exitError](err); said {
		return
	}
	t := io.ErrTheme()
	faults := faultsOf(err)
	for i := range faults {
		if errors.Is(err, errdefs.ErrUsage) { // the usage line that follows says as much
			faults[i].text = strings.TrimPrefix(faults[i].text, errdefs.ErrUsage.Error()+": ")
		}
		if len(faults[i].hints) == 0 {
			faults[i].hints = systemHints(faults[i].cause)
		}
	}
	for i, f := range faults {
		for n, line := range strings.Split(strings.TrimRight(f.text, "\n"), "\n") {
			switch {
			case strings.HasPrefix(line, " ") || line == "": // detail of the fault above: a diff, a compiler's output
				io.Notef("%s\n", line)
			case n > 0: // the fault goes on; a second "error:" would make two of it
				io.Notef("%s %s\n", "      ", line)
			default:
				io.Notef("%s %s\n", t.Bad("error:"), line)
			}
		}
		if i+1 < len(faults) && slices.Equal(f.hints, faults[i+1].hints) {
			continue // one advice for a run of faults of one kind
		}
		for _, hint := range f.hints {
			io.Notef("%s %s\n", t.Good("  fix:"), strings.ReplaceAll(hint, "\n", "\n       "))
		}
	}
}

// fault is one thing that is wrong, with the advice that belongs to it.
type fault struct {
	text  string
	hints []string
	cause error
}

// faultsOf takes an error apart into the faults that errors.Join put together. Advice on a joined error stands with the
// last of its faults.
func faultsOf(err error) []fault {
	text := err.Error()
	switch u := err.(type) { //nolint:errorlint // each node is visited itself
	case interface{ Unwrap() error }:
		if next := u.Unwrap(); next != nil && next.Error() == text {
			faults := faultsOf(next)
			last := &faults[len(faults)-1]
			last.hints = append(ownHints(err, next), last.hints...)
			return faults
		}
	case interface{ Unwrap() []error }:
		var faults []fault
		var texts []string
		for _, next := range u.Unwrap() {
			if next.Error() == text { // a class beside the error that has the text
				return faultsOf(next)
			}
			faults = append(faults, faultsOf(next)...)
			texts = append(texts, next.Error())
		}
		if strings.Join(texts, "\n") == text {
			return faults
		}
	}
	return []fault{{text: text, hints: errdefs.Hints(err), cause: err}}
}

// systemHints is the advice for what the operating system refuses, wherever it happens.
func systemHints(err error) []string {
	var where *fs.PathError
	folder := "the project's folder"
	if errors.As(err, &where) {
		folder = filepath.Dir(where.Path)
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return []string{"free some disk space and run the command again"}
	case errors.Is(err, syscall.EROFS):
		return []string{folder + " is on a read-only file system: make it writable, or work on a copy of the project"}
	case errors.Is(err, syscall.ENOTDIR):
		return []string{"a file stands where a folder is needed: move it away"}
	case errors.Is(err, syscall.EISDIR) && where != nil:
		return []string{where.Path + " is a folder where a file is needed: move it away, or name a file"}
	case errors.Is(err, fs.ErrPermission):
		return []string{"make " + folder + " readable and writable for you, or run nself as its owner"}
	}
	return nil
}

// ownHints returns the advice that err adds to that of the error it wraps.
func ownHints(err, wrapped error) []string {
	inner := errdefs.Hints(wrapped)
	return slices.DeleteFunc(errdefs.Hints(err), func(hint string) bool { return slices.Contains(inner, hint) })
}
