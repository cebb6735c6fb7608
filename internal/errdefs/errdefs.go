// Package errdefs holds the classes of failure that nself's packages share, and the hints that tell a person what to do
// next. internal/cli maps the classes to exit codes; nothing else does.
package errdefs

import (
	"errors"
	"io/fs"
	"os"
)

// Classes of failure. Wrap them with %w; read them with [errors.Is].
var (
	// ErrUsage is a command line that cannot be carried out as written. Exit code 2.
	ErrUsage = errors.New("usage")
	// ErrInvalid is a project whose files cannot be used as they stand. Exit code 3.
	ErrInvalid = errors.New("invalid project")
	// ErrDrift is a project whose generated files are not what nself would write. Exit code 3.
	ErrDrift = errors.New("drift")
	// ErrUnavailable is a program, port or server that nself needs and cannot get. Exit code 4.
	ErrUnavailable = errors.New("unavailable")
	// ErrUnhealthy is a service that was started and did not become, or stay, healthy. Exit code 5.
	ErrUnhealthy = errors.New("unhealthy")
)

// class attaches a class to an error without adding its text: the message stays about the matter at hand.
type class struct {
	error
	kind error
}

func (c *class) Unwrap() []error { return []error{c.error, c.kind} }

// As returns err marked as belonging to kind, one of the classes above, with its text unchanged. A nil err stays nil.
func As(kind, err error) error {
	if err == nil {
		return nil
	}
	return &class{error: err, kind: kind}
}

// hinted is an error with advice for the person at the keyboard.
type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// WithHint attaches advice to err: what to do next, as an imperative without a full stop. A nil err stays nil.
func WithHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &hinted{error: err, hint: hint}
}

// Writing gives a file system's error the path that a person knows in place of that of the temporary file beside it. A nil err
// stays nil.
func Writing(path string, err error) error {
	if wrong, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: "write", Path: path, Err: wrong.Err}
	}
	if wrong, ok := errors.AsType[*os.LinkError](err); ok {
		return &fs.PathError{Op: "write", Path: path, Err: wrong.Err}
	}
	return err
}

// Hints collects the advice attached anywhere in err's tree, outermost first, without duplicates.
func Hints(err error) []string {
	var hints []string
	seen := map[string]bool{}
	var walk func(error)
	walk = func(err error) {
		if h, ok := err.(*hinted); ok && !seen[h.hint] { //nolint:errorlint // the walk visits every node itself
			seen[h.hint] = true
			hints = append(hints, h.hint)
		}
		switch u := err.(type) { //nolint:errorlint // the walk visits every node itself
		case interface{ Unwrap() error }:
			if next := u.Unwrap(); next != nil {
				walk(next)
			}
		case interface{ Unwrap() []error }:
			for _, next := range u.Unwrap() {
				walk(next)
			}
		}
	}
	if err != nil {
		walk(err)
	}
	return hints
}
