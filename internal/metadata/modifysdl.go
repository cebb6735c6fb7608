package metadata

import (
	"slices"
	"strings"
)

// sdlEdit replaces a range of a text.
type sdlEdit struct {
	start, end int
	with       string
}

// rewriteSDL puts a fragment in the place of what an action and its types were.
func (m *Modified) rewriteSDL(text string, f *Fragment, was ActionType) []byte {
	eol := lineEnding([]byte(text))
	var edits []sdlEdit
	pieces := cutSDL(text)
	fresh := cutSDL(f.SDL())
	for _, p := range pieces {
		switch {
		case (p.isRoot(Mutation) || p.isRoot(Query)) && f.Action.Definition.Type == was:
			for _, field := range p.fields {
				if field.name == f.Action.Name {
					edits = append(edits, replacePiece(text, field, f.field))
				}
			}
		case slices.Contains(m.Changed, p.name) && !p.isRoot(Mutation) && !p.isRoot(Query):
			for _, n := range fresh {
				if n.name == p.name {
					edits = append(edits, sdlEdit{p.start, p.end, mergePieces(text, p, f.SDL(), n)})
				}
			}
		}
	}
	slices.SortFunc(edits, func(a, b sdlEdit) int { return b.start - a.start })
	for _, e := range edits {
		text = text[:e.start] + strings.ReplaceAll(strings.ReplaceAll(e.with, "\r\n", "\n"), "\n", eol) + text[e.end:]
	}
	for _, name := range m.Removed {
		text = cutTypeSDL(text, name)
	}
	added := *f
	if f.Action.Definition.Type != was {
		added.field = withComments(text, f)
		return spliceSDL(cutActionSDL(text, f.Action.Name), &added, m.Added)
	}
	return appendTypes(text, f, m.Added, eol)
}

// withComments is a fragment's field with the comments that the field has now.
func withComments(text string, f *Fragment) string {
	for _, p := range cutSDL(text) {
		for _, field := range p.fields {
			if (p.isRoot(Mutation) || p.isRoot(Query)) && field.name == f.Action.Name {
				return commented(dedent(text, field), f.field)
			}
		}
	}
	return f.field
}

// appendTypes puts new types at the end.
func appendTypes(text string, f *Fragment, names []string, eol string) []byte {
	var tail strings.Builder
	for _, t := range f.types {
		if slices.Contains(names, t.name) {
			tail.WriteString("\n" + t.text + "\n")
		}
	}
	if tail.Len() > 0 && !strings.HasSuffix(text, "\n") {
		text += eol
	}
	return []byte(text + strings.ReplaceAll(tail.String(), "\n", eol))
}

// cutTypeSDL removes a type's definition.
func cutTypeSDL(text, name string) string {
	for _, p := range cutSDL(text) {
		if p.name == name && !p.extend && p.keyword != "directive" {
			return string(cutLines(text, p.start, p.end))
		}
	}
	return text
}

// replacePiece puts new text in the place of a field; the comments above it stay when the new text has none.
func replacePiece(text string, p sdlPiece, with string) sdlEdit {
	lineStart := strings.LastIndexByte(text[:p.start], '\n') + 1
	prefix := text[lineStart:p.start]
	with = commented(dedent(text, p), with)
	if strings.TrimSpace(prefix) == "" {
		with = strings.TrimLeft(indent(with, prefix), " \t")
	}
	return sdlEdit{p.start, p.end, with}
}

// commented is text with the comment lines that stand above old, unless it has some of its own. A comment behind old on
// its last line stays too.
func commented(old, text string) string {
	if bareSDL(old) == bareSDL(text) {
		return old
	}
	if !strings.HasPrefix(text, "#") {
		var comments []string
		for line := range strings.SplitSeq(old, "\n") {
			if !strings.HasPrefix(strings.TrimSpace(line), "#") {
				break
			}
			comments = append(comments, strings.TrimSpace(line))
		}
		text = strings.Join(append(comments, text), "\n")
	}
	toks := scanSDL(old)
	last := scanSDL(text)
	if n := len(toks); n > 1 && toks[n-1].kind == tokenComment && toks[n-2].kind != tokenComment && last[len(last)-1].kind != tokenComment {
		text += " " + old[toks[n-1].start:]
	}
	return text
}

// bareSDL is a text's tokens without comments.
func bareSDL(text string) string {
	var b strings.Builder
	for _, t := range scanSDL(text) {
		if t.kind != tokenComment {
			b.WriteString(text[t.start:t.end] + " ")
		}
	}
	return b.String()
}

// mergePieces writes a type as its new definition has it, with the text and the comments of what stays.
func mergePieces(oldText string, old sdlPiece, newText string, fresh sdlPiece) string {
	if fresh.open == 0 || old.open == 0 {
		return commented(oldText[old.start:old.end], newText[fresh.start:fresh.end])
	}
	head := strings.TrimRight(commented(strings.TrimRight(oldText[old.start:old.open], " \t\r\n"),
		strings.TrimRight(newText[fresh.start:fresh.open], " \t\r\n")), " \t\r\n")
	var b strings.Builder
	b.WriteString(head + " {\n")
	for _, field := range fresh.fields {
		text := dedent(newText, field)
		if i := slices.IndexFunc(old.fields, func(f sdlPiece) bool { return f.name == field.name }); i >= 0 {
			text = commented(dedent(oldText, old.fields[i]), text)
		}
		b.WriteString(indent(text, "  ") + "\n")
	}
	for _, comment := range looseComments(oldText, old) {
		b.WriteString("  " + comment + "\n")
	}
	return b.String() + "}" + oldText[old.shut+1:old.end]
}

// looseComments are the comments between a type's braces that belong to none of its fields.
func looseComments(text string, p sdlPiece) []string {
	var out []string
	for _, t := range scanSDL(text[p.open:p.shut]) {
		at := p.open + t.start
		if t.kind == tokenComment && !slices.ContainsFunc(p.fields, func(f sdlPiece) bool { return f.start <= at && at < f.end }) {
			out = append(out, text[at:p.open+t.end])
		}
	}
	return out
}
