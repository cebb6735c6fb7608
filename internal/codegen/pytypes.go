package codegen

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

// pyScalar says what a scalar is in Python's types_gen: what it is in Go, in Python's words. A scalar that is not known
// may be anything.
func pyScalar(graphql string) string {
	switch goScalars[graphql] {
	case "string":
		return "str"
	case "int":
		return "int"
	case "float64":
		return "float"
	case "bool":
		return "bool"
	case "json.Number":
		if slices.Contains([]string{"bigint", "BigInt", "Long"}, graphql) {
			return "graphql.BigInt"
		}
		return "graphql.Numeric"
	default:
		return "typing.Any"
	}
}

// pyTypes is the set of Python types that the actions need.
type pyTypes struct {
	custom metadata.CustomTypes
	names  map[string]string // GraphQL name to class name, of declared types in use
	queue  []string
	models []pyClass
	taken  namer // class names
}

// pyClass is a class of fields.
type pyClass struct {
	name, doc, more string // the first line of its docstring, and the rest
	output          bool
	fields          []pyField
}

type pyField struct {
	graphql, doc string
	ref          *metadata.TypeRef
}

func newPyTypes(custom metadata.CustomTypes, taken namer) *pyTypes {
	return &pyTypes{custom: custom, names: map[string]string{}, taken: taken}
}

func (t *pyTypes) input(name string) *metadata.InputObject {
	i := slices.IndexFunc(t.custom.InputObjects, func(o metadata.InputObject) bool { return o.Name == name })
	if i < 0 {
		return nil
	}
	return &t.custom.InputObjects[i]
}

func (t *pyTypes) object(name string) *metadata.Object {
	i := slices.IndexFunc(t.custom.Objects, func(o metadata.Object) bool { return o.Name == name })
	if i < 0 {
		return nil
	}
	return &t.custom.Objects[i]
}

func (t *pyTypes) enum(name string) *metadata.Enum {
	i := slices.IndexFunc(t.custom.Enums, func(e metadata.Enum) bool { return e.Name == name })
	if i < 0 {
		return nil
	}
	return &t.custom.Enums[i]
}

// use marks a type as needed and gives it a name.
func (t *pyTypes) use(graphql string) {
	if _, ok := t.names[graphql]; ok || t.input(graphql) == nil && t.object(graphql) == nil && t.enum(graphql) == nil {
		return
	}
	t.names[graphql] = t.taken.take(pyTypeName(graphql))
	t.queue = append(t.queue, graphql)
}

// resolve follows the needed types to all that they hold.
func (t *pyTypes) resolve() error {
	for len(t.queue) > 0 {
		name := t.queue[0]
		t.queue = t.queue[1:]
		c := pyClass{name: t.names[name]}
		var fields []metadata.Field
		if in := t.input(name); in != nil {
			c.doc, c.more, fields = "The GraphQL input type "+name+".", in.Description, in.Fields
		} else if obj := t.object(name); obj != nil {
			c.doc, c.more, fields, c.output = "The GraphQL type "+name+".", obj.Description, obj.Fields, true
		} else {
			continue
		}
		for _, f := range fields {
			ref, err := metadata.ParseType(f.Type)
			if err != nil {
				err = fmt.Errorf("type %q: field %q: %w", name, f.Name, err)
				if f.Pos.File != "" {
					err = fmt.Errorf("%s:%d: %w", f.Pos.File, f.Pos.Line, err)
				}
				return errdefs.As(errdefs.ErrInvalid, err)
			}
			t.use(ref.Base())
			c.fields = append(c.fields, pyField{graphql: f.Name, doc: f.Description, ref: ref})
		}
		t.models = append(t.models, c)
	}
	slices.SortStableFunc(t.models, func(a, b pyClass) int { return strings.Compare(a.name, b.name) })
	return nil
}

// of returns the type of a reference in types_gen.
func (t *pyTypes) of(ref *metadata.TypeRef) string {
	var s string
	if ref.Elem != nil {
		s = "list[" + t.of(ref.Elem) + "]"
	} else if name, ok := t.names[ref.Name]; ok {
		s = name
	} else {
		s = pyScalar(ref.Name)
	}
	if ref.NonNull || s == "typing.Any" {
		return s
	}
	return s + " | None"
}

// pyOutside is a type as other modules write it.
type pyOutside struct {
	text         string
	decimal, any bool // what it needs to be imported
}

// outside returns the type of a reference in a module that imports types_gen as types.
func (t *pyTypes) outside(ref *metadata.TypeRef) pyOutside {
	base := &metadata.TypeRef{Name: ref.Base(), NonNull: true}
	inside := t.of(base)
	var o pyOutside
	switch inside {
	case "typing.Any":
		o = pyOutside{text: "Any", any: true}
	case "graphql.Numeric":
		o = pyOutside{text: "Decimal", decimal: true}
	case "graphql.BigInt":
		o.text = "int"
	default:
		o.text = inside
		if _, ok := t.names[ref.Base()]; ok {
			o.text = "types." + inside
		}
	}
	o.text = wrapPy(ref, o.text)
	return o
}

// wrapPy puts the lists and nulls of a reference around the text of its base.
func wrapPy(ref *metadata.TypeRef, base string) string {
	s := base
	if ref.Elem != nil {
		s = "list[" + wrapPy(ref.Elem, base) + "]"
	}
	if ref.NonNull || s == "Any" {
		return s
	}
	return s + " | None"
}

// Types returns actions/types_gen.py: the arguments of each action, and every type that they and the outputs use.
func (p *Py) Types() []byte {
	var body bytes.Buffer
	for graphql, class := range sorted(p.types.names) {
		if e := p.types.enum(graphql); e != nil {
			writePyEnum(&body, class, e)
		}
	}
	classes := make([]pyClass, 0, len(p.actions)+len(p.types.models))
	for _, a := range p.actions {
		classes = append(classes, a.args)
	}
	classes = append(classes, p.types.models...)
	defined := map[string]bool{}
	var later []string // classes that name one which comes after them
	for _, c := range classes {
		p.types.writeClass(&body, c)
		for _, f := range c.fields {
			if name, ok := p.types.names[f.ref.Base()]; ok && p.types.enum(f.ref.Base()) == nil && !defined[name] {
				later = append(later, c.name)
				break
			}
		}
		defined[c.name] = true
	}
	var b bytes.Buffer
	b.WriteString(pyHeader + "\"\"\"The GraphQL types of the actions.\"\"\"\n\nfrom __future__ import annotations\n")
	code := body.String()
	if strings.Contains(code, "typing.Any") {
		b.WriteString("\nimport typing\n")
	}
	if strings.Contains(code, "= pydantic.Field(") {
		b.WriteString("\nimport pydantic\n")
	}
	if code != "" {
		b.WriteString("\nfrom service import graphql\n")
	}
	b.WriteString(code)
	if len(later) > 0 {
		b.WriteString("\n\n")
		for _, name := range later {
			b.WriteString(name + ".model_rebuild()\n")
		}
	}
	return b.Bytes()
}

func (t *pyTypes) writeClass(b *bytes.Buffer, c pyClass) {
	base := "graphql.Input"
	if c.output {
		base = "graphql.Output"
	}
	fmt.Fprintf(b, "\n\nclass %s(%s):\n", c.name, base)
	writeDocstring(b, c.doc, c.more)
	if len(c.fields) > 0 {
		b.WriteString("\n")
	}
	names := pyFieldNames(c.fields, t.taken)
	for i, f := range c.fields {
		typ := t.of(f.ref)
		nullable := !f.ref.NonNull
		line := fmt.Sprintf("    %s: %s", names[i], typ)
		if names[i] != f.graphql {
			args := []string{fmt.Sprintf("validation_alias=%q", f.graphql), fmt.Sprintf("serialization_alias=%q", f.graphql)}
			if nullable {
				args = slices.Insert(args, 0, "default=None")
			}
			line = pyAssign(line+" = pydantic.Field", args...)
		} else if nullable {
			line += " = None"
		}
		b.WriteString(line)
		b.WriteString("\n")
		if f.doc != "" {
			writeDocstring(b, f.doc, "")
		}
	}
}

func writePyEnum(b *bytes.Buffer, class string, enum *metadata.Enum) {
	fmt.Fprintf(b, "\n\nclass %s(graphql.Enum):\n", class)
	writeDocstring(b, "The GraphQL enum "+enum.Name+".", enum.Description)
	if len(enum.Values) > 0 {
		b.WriteString("\n")
	}
	taken := newNamer()
	for _, v := range enum.Values {
		fmt.Fprintf(b, "    %s = %q\n", taken.take(pyConst(v.Value)), v.Value)
		doc := v.Description
		if v.IsDeprecated {
			doc = strings.TrimSpace(doc + "\n\nDeprecated: do not use it in new code.")
		}
		if doc != "" {
			writeDocstring(b, doc, "")
		}
	}
}

// writeDocstring writes text, and after an empty line more, as a docstring of a class or of what stands above it.
func writeDocstring(b *bytes.Buffer, text, more string) {
	if more != "" {
		text += "\n\n" + more
	}
	lines := pyText(text)
	if len(lines) == 0 {
		return
	}
	b.WriteString(`    """`)
	for i, line := range lines {
		if i > 0 && line != "" {
			b.WriteString("    ")
		}
		b.WriteString(line)
		if i < len(lines)-1 {
			b.WriteString("\n")
		}
	}
	if len(lines) > 1 {
		b.WriteString("\n    ")
	}
	b.WriteString("\"\"\"\n")
}

// pyText returns the lines of a text as they may stand in a docstring: without characters that Python or a reader would
// stumble over, and with what would end the docstring escaped.
func pyText(text string) []string {
	text = unprintable.Replace(strings.ToValidUTF8(text, "\ufffd"))
	text = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, text)
	text = strings.NewReplacer(`\`, `\\`, `"""`, `\"\"\"`, "\t", "    ").Replace(strings.TrimSpace(text))
	if text == "" {
		return nil
	}
	if strings.HasPrefix(text, `"`) {
		text = `\` + text
	}
	if strings.HasSuffix(text, `"`) && !strings.HasSuffix(text, `\"`) {
		text = text[:len(text)-1] + `\"`
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return lines
}
