package metadata

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"

	"github.com/nself-org/nself/internal/errdefs"
)

// Severity says whether a problem stops a build.
type Severity int

// The two severities. The zero value is an error.
const (
	SeverityError Severity = iota
	SeverityWarning
)

// String returns "error" or "warning".
func (s Severity) String() string {
	if s == SeverityWarning {
		return "warning"
	}
	return "error"
}

// Problem is one fault of the metadata on disk.
type Problem struct {
	Pos      Pos
	Severity Severity
	// Text says what is wrong, without the place.
	Text string
	// Hint says what to do about it; empty where the text already does.
	Hint string
}

// Error returns the text with file and line in front, where they are known.
func (p *Problem) Error() string {
	if at := p.Pos.String(); at != "" {
		return at + ": " + p.Text
	}
	return p.Text
}

// String returns file:line, the file alone where the line is unknown, or nothing.
func (p Pos) String() string {
	switch {
	case p.File == "":
		return ""
	case p.Line == 0:
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Problems are all faults found, in the order of the files.
type Problems []*Problem

// Errors returns those that stop a build.
func (ps Problems) Errors() Problems { return ps.with(SeverityError) }

// Warnings returns those that do not.
func (ps Problems) Warnings() Problems { return ps.with(SeverityWarning) }

func (ps Problems) with(s Severity) Problems {
	var out Problems
	for _, p := range ps {
		if p.Severity == s {
			out = append(out, p)
		}
	}
	return out
}

// Err returns the problems that stop a build as one error of class [errdefs.ErrInvalid], each with its hint; nil where
// there are none. Each *[Problem] can be reached with errors.As.
func (ps Problems) Err() error {
	var errs []error
	for _, p := range ps.Errors() {
		var err error = p
		if p.Hint != "" {
			err = errdefs.WithHint(err, p.Hint)
		}
		errs = append(errs, err)
	}
	return errdefs.As(errdefs.ErrInvalid, errors.Join(errs...))
}

// sorted orders problems by file and line, and drops repetitions.
func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b *Problem) int {
		if c := strings.Compare(a.Pos.File, b.Pos.File); c != 0 {
			return c
		}
		return a.Pos.Line - b.Pos.Line
	})
	return slices.CompactFunc(ps, func(a, b *Problem) bool { return *a == *b })
}

func (ps *Problems) errorf(pos Pos, format string, args ...any) *Problem {
	p := &Problem{Pos: pos, Text: fmt.Sprintf(format, args...)}
	*ps = append(*ps, p)
	return p
}

func (ps *Problems) warnf(pos Pos, format string, args ...any) *Problem {
	p := ps.errorf(pos, format, args...)
	p.Severity = SeverityWarning
	return p
}

func (p *Problem) hint(format string, args ...any) { p.Hint = fmt.Sprintf(format, args...) }

// didYouMean returns ` (did you mean "x"?)` for the candidate nearest to name, or nothing when none is near.
func didYouMean(name string, candidates []string) string {
	best := nearest(name, candidates)
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// nearest finds the candidate with the fewest edits, ignoring case; at most a third of the name may differ.
func nearest(name string, candidates []string) string {
	best, bestDistance := "", max(1, len(name)/3)+1
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if c == name {
			continue
		}
		if d := levenshtein.Distance(strings.ToLower(name), strings.ToLower(c), nil); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}
