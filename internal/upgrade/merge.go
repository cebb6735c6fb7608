package upgrade

import (
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// The marks of a conflict, as git writes them, so that editors show them.
const (
	markOurs   = "<<<<<<< yours\n"
	markBase   = "||||||| as nself wrote it\n"
	markTheirs = "=======\n"
	markEnd    = ">>>>>>> nself now\n"
)

// Merge applies to ours what changed from base to theirs. Where both changed the same lines differently both stand between
// marks of a conflict, with the base between them; conflicts counts these places. Lines that both changed alike, or that one
// side changed, are no conflict.
func Merge(base, ours, theirs string) (merged string, conflicts int) {
	a, b := lineEdits(base, ours), lineEdits(base, theirs)
	var out strings.Builder
	pos := 0
	for len(a)+len(b) > 0 {
		start, end := region(&a, &b)
		ourPart, theirPart := start.apply(base, end, start.a), start.apply(base, end, start.b)
		out.WriteString(base[pos:start.at])
		old := base[start.at:end]
		switch {
		case ourPart == theirPart, theirPart == old:
			out.WriteString(ourPart)
		case ourPart == old:
			out.WriteString(theirPart)
		default:
			conflicts++
			out.WriteString(markOurs + line(ourPart) + markBase + line(old) + markTheirs + line(theirPart) + markEnd)
		}
		pos = end
	}
	out.WriteString(base[pos:])
	return out.String(), conflicts
}

// line ends a text with a line break, so that a mark stands on a line of its own.
func line(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}

// hunk is a part of the base that one or both sides changed, with the edits of each.
type hunk struct {
	at   int
	a, b []udiff.Edit
}

// region takes the next edits from both lists, and all that overlap with them or touch them.
func region(a, b *[]udiff.Edit) (h hunk, end int) {
	next := func(list *[]udiff.Edit) *udiff.Edit {
		if len(*list) == 0 {
			return nil
		}
		return &(*list)[0]
	}
	first := next(a)
	if other := next(b); first == nil || other != nil && other.Start < first.Start {
		first = other
	}
	h.at, end = first.Start, first.End
	for grown := true; grown; {
		grown = false
		for _, side := range []struct{ from, to *[]udiff.Edit }{{a, &h.a}, {b, &h.b}} {
			for e := next(side.from); e != nil && e.Start <= end; e = next(side.from) {
				*side.to = append(*side.to, *e)
				*side.from = (*side.from)[1:]
				end = max(end, e.End)
				grown = true
			}
		}
	}
	return h, end
}

// apply is the region as one side has it.
func (h hunk) apply(base string, end int, edits []udiff.Edit) string {
	var b strings.Builder
	pos := h.at
	for _, e := range edits {
		b.WriteString(base[pos:e.Start] + e.New)
		pos = e.End
	}
	return b.String() + base[pos:end]
}

// lineEdits are the edits from one text to another, each of whole lines.
func lineEdits(before, after string) []udiff.Edit {
	edits := slices.Clone(udiff.Lines(before, after))
	udiff.SortEdits(edits)
	return edits
}
