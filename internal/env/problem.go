package env

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/nself-org/nself/internal/errdefs"
)

// Problem is one thing that makes the configuration unusable. It is an error; its text holds no secret.
type Problem struct {
	Pos  Source // zero where the matter has no place, such as a key that nothing sets
	Key  string // empty for a line or file that cannot be read
	Text string
	Hint string // what to do, as an imperative; may be empty

	syntax bool // a line that cannot be read: what depends on the file's values is not reported
}

// Error is one line: ".env.local:7: NESTJS_PORT: ...".
func (p *Problem) Error() string { return finding(p.Pos, p.Key, p.Text) }

// Warning is one thing that works and is probably not meant.
type Warning struct {
	Pos  Source `json:"-"`
	Key  string `json:"key,omitempty"`
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"` // what to do, as an imperative; may be empty
}

// String is one line: ".env.local:7: NESTJS_ENABLE: ...".
func (w *Warning) String() string { return finding(w.Pos, w.Key, w.Text) }

func finding(pos Source, key, text string) string {
	var parts []string
	if pos.Kind != "" && pos.Kind != FromDefault {
		parts = append(parts, pos.String())
	}
	if key != "" {
		parts = append(parts, key)
	}
	return strings.Join(append(parts, text), ": ")
}

// Report is what Load found besides the values.
type Report struct {
	// Files are the files that were read, strongest first.
	Files []string
	// Problems make the configuration unusable; Load's error joins them.
	Problems []*Problem
	// Warnings are for a person to read.
	Warnings []*Warning
}

// Problems returns every Problem in err's tree, in order.
func Problems(err error) []*Problem {
	var found []*Problem
	var walk func(error)
	walk = func(err error) {
		if p, ok := err.(*Problem); ok { //nolint:errorlint // the walk visits every node itself
			found = append(found, p)
			return
		}
		switch u := err.(type) { //nolint:errorlint // the walk visits every node itself
		case interface{ Unwrap() error }:
			walk(u.Unwrap())
		case interface{ Unwrap() []error }:
			for _, next := range u.Unwrap() {
				walk(next)
			}
		}
	}
	walk(err)
	return found
}

// join makes one error of class errdefs.ErrInvalid out of problems, or nil.
func join(problems []*Problem) error {
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = p
		if p.Hint != "" {
			errs[i] = errdefs.WithHint(p, p.Hint)
		}
	}
	return errdefs.As(errdefs.ErrInvalid, errors.Join(errs...))
}

// order sorts the findings as a person works through them: file by file, line by line, what has no place last.
func (r *Report) order() {
	rank := func(pos Source) int {
		switch pos.Kind {
		case FromEnvironment:
			return -1
		case FromFile:
			return slices.Index(r.Files, pos.File)
		default:
			return len(r.Files)
		}
	}
	compare := func(a, b Source) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Line, b.Line))
	}
	slices.SortStableFunc(r.Problems, func(a, b *Problem) int { return compare(a.Pos, b.Pos) })
	slices.SortStableFunc(r.Warnings, func(a, b *Warning) int { return compare(a.Pos, b.Pos) })
}

// onLines names lines: "line 3", "lines 3, 5".
func onLines(numbers []int) string {
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = strconv.Itoa(n)
	}
	if len(texts) == 1 {
		return "line " + texts[0]
	}
	return "lines " + strings.Join(texts, ", ")
}
