package metadata

import (
	"fmt"
	"strings"

	"github.com/nself-org/nself/internal/errdefs"
)

// Fragment is the SDL of one new action with the types it brings along.
type Fragment struct {
	// Action has the name, type, arguments and output type that the SDL declares.
	Action Action
	// Types are those declared beside the action. Descriptions come from the SDL.
	Types CustomTypes

	source string
	field  string // the action's field, without indentation
	types  []fragmentType
}

type fragmentType struct {
	name string
	line int
	text string
}

// ParseFragment reads the SDL of one action: either a document with type Mutation or type Query that has one field,
// or the field alone, such as `login(input: LoginInput!): LoginOutput`, each with any number of types beside it. A
// field alone is a mutation, unless typ says otherwise; typ may be empty. source names the text in errors, such as a
// file name. name is the action's name; empty takes the one declared. Comments and descriptions are kept. Errors are
// of class [errdefs.ErrInvalid].
func ParseFragment(sdl, source, name string, typ ActionType) (*Fragment, error) {
	text := strings.TrimPrefix(strings.ReplaceAll(sdl, "\r\n", "\n"), "\uFEFF")
	original := func(line int) int { return line }
	if startsWithField(text) {
		text, original = wrapField(text, typ)
	}
	doc, ps := parseSDL(text, source)
	for _, p := range ps {
		p.Pos.Line = original(p.Pos.Line)
	}
	if err := ps.Err(); err != nil {
		return nil, err
	}
	invalid := func(hint, format string, args ...any) error {
		return errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(fmt.Errorf("%s: "+format, append([]any{source}, args...)...), hint))
	}
	switch n := len(doc.actions); {
	case n == 0:
		return nil, invalid("add a field to type Mutation or type Query", "there is no action in the SDL")
	case n > 1:
		return nil, invalid("give each action a file of its own", "there are %d actions in the SDL, %q and %q among them",
			n, doc.actions[0].Name, doc.actions[1].Name)
	}
	f := &Fragment{Action: doc.actions[0], Types: doc.types, source: source}
	if name != "" && name != f.Action.Name {
		return nil, invalid("use one name in both places", "the SDL declares action %q, not %q", f.Action.Name, name)
	}
	if typ != "" && typ != f.Action.Definition.Type {
		return nil, invalid("move the field to the other type, or leave the kind out", "the SDL declares action %q as a %s, not a %s",
			f.Action.Name, f.Action.Definition.Type, typ)
	}
	f.Action.Comment = doc.actionDescriptions[f.Action.Name]
	f.Types.setDescriptions(doc.typeDescriptions)
	f.cut(text, original)
	return f, nil
}

// cut takes the text apart: the action's field, and each type.
func (f *Fragment) cut(text string, original func(int) int) {
	for _, p := range cutSDL(text) {
		if p.isRoot(Mutation) || p.isRoot(Query) {
			for _, field := range p.fields {
				f.field = dedent(text, field)
			}
			continue
		}
		f.types = append(f.types, fragmentType{
			name: p.name, line: original(strings.Count(text[:p.start], "\n") + 1), text: dedent(text, p),
		})
	}
}

// SDL returns the fragment as a document: the action's block, then the types.
func (f *Fragment) SDL() string {
	var b strings.Builder
	b.WriteString(f.block())
	for _, t := range f.types {
		b.WriteString("\n" + t.text + "\n")
	}
	return b.String()
}

func (f *Fragment) block() string {
	root := "Mutation"
	if f.Action.Definition.Type == Query {
		root = "Query"
	}
	return "type " + root + " {\n" + indent(f.field, "  ") + "\n}\n"
}

func (ct *CustomTypes) setDescriptions(texts map[string]string) {
	for i := range ct.InputObjects {
		ct.InputObjects[i].Description = texts[ct.InputObjects[i].Name]
	}
	for i := range ct.Objects {
		ct.Objects[i].Description = texts[ct.Objects[i].Name]
	}
	for i := range ct.Scalars {
		ct.Scalars[i].Description = texts[ct.Scalars[i].Name]
	}
	for i := range ct.Enums {
		ct.Enums[i].Description = texts[ct.Enums[i].Name]
	}
}

// startsWithField says whether the text begins with a field instead of a definition: a name before a parenthesis or a
// colon.
func startsWithField(text string) bool {
	c := newCutter(text)
	if len(c.toks) > 0 && c.toks[0].kind == tokenString {
		c.i++
	}
	if c.i >= len(c.toks) || c.toks[c.i].kind != tokenName {
		return false
	}
	c.i++
	return c.peek() == "(" || c.peek() == ":"
}

// wrapField puts the leading field into a block of its own. original turns a line of the result into one of the text:
// there is a line more in front of the field, and another one behind it.
func wrapField(text string, typ ActionType) (wrapped string, original func(line int) int) {
	c := newCutter(text)
	field := c.field()
	root := "Mutation"
	if typ == Query {
		root = "Query"
	}
	fieldEnd := strings.Count(text[:field.end], "\n") + 1
	original = func(line int) int {
		if line > fieldEnd+1 {
			return line - 2
		}
		return max(line-1, 1)
	}
	return "type " + root + " {\n" + text[:field.end] + "\n}" + text[field.end:], original
}

// dedent cuts a piece out and removes the indentation of its first line from the others.
func dedent(text string, p sdlPiece) string {
	lineStart := strings.LastIndexByte(text[:p.start], '\n') + 1
	prefix := text[lineStart:p.start]
	piece := text[p.start:p.end]
	if strings.Trim(prefix, " \t") != "" || prefix == "" {
		return piece
	}
	return strings.ReplaceAll(piece, "\n"+prefix, "\n")
}

// indent puts prefix before each line that is not empty.
func indent(text, prefix string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.TrimSpace(l) != "" {
			lines[i] = prefix + l
		}
	}
	return strings.Join(lines, "\n")
}

// SplitSDL takes a document with any number of actions apart: a fragment per action, each with the types that it reaches.
// Comments and descriptions are kept. source names the text in errors, which are as in [ParseFragment].
func SplitSDL(sdl, source string) ([]*Fragment, error) {
	text := strings.TrimPrefix(strings.ReplaceAll(sdl, "\r\n", "\n"), "\uFEFF")
	doc, ps := parseSDL(text, source)
	if err := ps.Err(); err != nil {
		return nil, err
	}
	doc.types.setDescriptions(doc.typeDescriptions)
	md := &Metadata{Actions: doc.actions, CustomTypes: doc.types}
	var whole Fragment
	whole.cut(text, func(line int) int { return line })
	fields := map[string]string{}
	for _, p := range cutSDL(text) {
		if p.isRoot(Mutation) || p.isRoot(Query) {
			for _, field := range p.fields {
				fields[field.name] = dedent(text, field)
			}
		}
	}
	out := make([]*Fragment, 0, len(doc.actions))
	for i := range doc.actions {
		a := doc.actions[i]
		a.Comment = doc.actionDescriptions[a.Name]
		f := &Fragment{Action: a, Types: Subset(md, &a).CustomTypes, source: source, field: fields[a.Name]}
		reached := f.Types.shapes()
		for _, t := range whole.types {
			if _, ok := reached[t.name]; ok {
				f.types = append(f.types, t)
			}
		}
		out = append(out, f)
	}
	return out, nil
}
