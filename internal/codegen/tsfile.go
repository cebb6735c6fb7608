package codegen

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/metadata"
)

// Where the decorators and checks of types.gen.ts come from.
const (
	tsFromTransformer = "class-transformer"
	tsFromValidator   = "class-validator"
	tsFromPipe        = "../common/arguments.pipe"
	tsFromValidators  = "../common/validators"
)

// tsWriter collects code and what it imports.
type tsWriter struct {
	bytes.Buffer
	imports map[string]map[string]bool // names by module
	later   bool                       // the type Later is needed
}

// from notes an import and returns the name.
func (w *tsWriter) from(module, name string) string {
	if w.imports == nil {
		w.imports = map[string]map[string]bool{}
	}
	if w.imports[module] == nil {
		w.imports[module] = map[string]bool{}
	}
	w.imports[module][name] = true
	return name
}

// doc writes a documentation comment.
func (w *tsWriter) doc(indent string, lines ...string) {
	var all []string
	for _, text := range lines {
		text = strings.ReplaceAll(unprintable.Replace(strings.ToValidUTF8(text, "\ufffd")), "*/", `*\/`)
		// Other characters that end a line in JavaScript, though not in a comment's eyes.
		text = strings.NewReplacer("\u2028", "\n", "\u2029", "\n").Replace(text)
		for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
			all = append(all, strings.TrimSpace(line))
		}
	}
	if len(all) == 1 {
		fmt.Fprintf(w, "%s/** %s */\n", indent, all[0])
		return
	}
	w.WriteString(indent + "/**\n")
	for _, line := range all {
		w.WriteString(strings.TrimRight(indent+" * "+line, " ") + "\n")
	}
	w.WriteString(indent + " */\n")
}

// describe writes what a type is, and its description.
func (w *tsWriter) describe(what, description string) {
	if description == "" {
		w.doc("", what)
		return
	}
	w.doc("", what, "", description)
}

// file returns the whole file: header, imports, code.
func (w *tsWriter) file() []byte {
	var b bytes.Buffer
	b.WriteString(tsHeader)
	group := -1
	modules := slices.SortedFunc(maps.Keys(w.imports), func(a, b string) int {
		// Packages stand before the service's own modules.
		return cmp.Or(cmp.Compare(strings.Count(a[:1], "."), strings.Count(b[:1], ".")), cmp.Compare(a, b))
	})
	for _, module := range modules {
		if local := strings.Count(module[:1], "."); local != group {
			b.WriteString("\n")
			group = local
		}
		fmt.Fprintf(&b, "import { %s } from %s;\n", strings.Join(slices.Sorted(maps.Keys(w.imports[module])), ", "), tsString(module))
	}
	b.Write(w.Bytes())
	return b.Bytes()
}

// Types returns src/actions/types.gen.ts: enums and interfaces for what actions answer, and classes, which check what
// they are made of, for what actions are given. A nullable field of an answer has to be given all the same: Hasura leaves
// a nested object that is missing out of its answer, where null is meant.
func (g *TS) Types() ([]byte, error) {
	w := &tsWriter{}
	for name, enum := range sorted(g.types.enums) {
		if g.types.used[name] {
			g.types.writeEnum(w, name, enum)
		}
	}
	written := map[string]bool{}
	for _, s := range g.types.classes {
		w.WriteString("\n")
		w.describe("The GraphQL input type "+s.graphql+".", s.description)
		g.types.writeClass(w, g.types.names[s.graphql], s.fields, written)
		written[s.graphql] = true
	}
	for _, s := range g.types.shapes {
		w.WriteString("\n")
		w.describe("The GraphQL type "+s.graphql+".", s.description)
		g.types.writeInterface(w, g.types.names[s.graphql], s.fields)
	}
	for _, a := range g.actions {
		w.WriteString("\n")
		w.doc("", "The arguments of the action "+a.Name+".")
		fmt.Fprintf(w, "@%s()\n", w.from(tsFromPipe, "Arguments"))
		g.types.writeClass(w, a.args, a.fields, written)
	}
	if w.later {
		w.WriteString("\n")
		w.doc("", "A class that is made further down: decorators cannot look at it yet.")
		w.WriteString("type Later<T> = T;\n")
	}
	if len(w.imports) == 0 && w.Len() == 0 {
		w.WriteString("\nexport {};\n")
	}
	return w.file(), nil
}

func (t *tsTypes) writeEnum(w *tsWriter, graphql string, enum *metadata.Enum) {
	w.WriteString("\n")
	w.describe("The GraphQL enum "+graphql+".", enum.Description)
	fmt.Fprintf(w, "export enum %s {\n", t.names[graphql])
	for _, v := range enum.Values {
		var lines []string
		if v.Description != "" {
			lines = append(lines, v.Description)
		}
		if v.IsDeprecated {
			lines = append(lines, "@deprecated Do not use it in new code.")
		}
		if len(lines) > 0 {
			w.doc("  ", lines...)
		}
		fmt.Fprintf(w, "  %s = %s,\n", v.Value, tsString(v.Value))
	}
	w.WriteString("}\n")
}

func (t *tsTypes) writeInterface(w *tsWriter, name string, fields []tsField) {
	if len(fields) == 0 {
		fmt.Fprintf(w, "export type %s = Record<string, never>;\n", name)
		return
	}
	fmt.Fprintf(w, "export interface %s {\n", name)
	for _, f := range fields {
		if f.description != "" {
			w.doc("  ", f.description)
		}
		fmt.Fprintf(w, "  %s: %s;\n", f.name, t.of(f.ref))
	}
	w.WriteString("}\n")
}

func (t *tsTypes) writeClass(w *tsWriter, name string, fields []tsField, written map[string]bool) {
	if len(fields) == 0 {
		fmt.Fprintf(w, "export class %s {}\n", name)
		return
	}
	fmt.Fprintf(w, "export class %s {\n", name)
	for i, f := range fields {
		if i > 0 {
			w.WriteString("\n")
		}
		if f.description != "" {
			w.doc("  ", f.description)
		}
		for _, d := range t.decorators(w, f.ref) {
			fmt.Fprintf(w, "  @%s\n", d)
		}
		typ := t.of(f.ref)
		if f.ref.Elem == nil && t.kind(f.ref.Name) == tsObject && !written[f.ref.Name] {
			w.later = true
			typ = strings.Replace(typ, t.names[f.ref.Name], "Later<"+t.names[f.ref.Name]+">", 1)
		}
		if zero := t.zero(f); zero != "" {
			fmt.Fprintf(w, "  %s: %s = %s;\n", f.name, typ, zero)
		} else {
			fmt.Fprintf(w, "  %s!: %s;\n", f.name, typ)
		}
	}
	w.WriteString("}\n")
}

// zero is what a field holds that was not given; empty where there is nothing to take.
func (t *tsTypes) zero(f tsField) string {
	switch {
	case !f.ref.NonNull:
		return "null"
	case f.ref.Elem != nil:
		return "[]"
	}
	switch t.kind(f.ref.Name) {
	case tsText:
		return "''"
	case tsWhole, tsReal, tsNumeric:
		return "0"
	case tsFlag:
		return "false"
	case tsUnknown:
		return "null"
	case tsObject:
		if !f.endless {
			return "new " + t.names[f.ref.Name] + "()"
		}
	case tsEnum:
	}
	return ""
}

// decorators returns the checks of a field.
func (t *tsTypes) decorators(w *tsWriter, ref *metadata.TypeRef) []string {
	var out []string
	if !ref.NonNull {
		out = append(out, w.from(tsFromValidator, "IsOptional")+"()")
	}
	base := ref.Base()
	kind := t.kind(base)
	plain := ref.Elem == nil
	flat := !plain && ref.Elem.Elem == nil && (ref.Elem.NonNull || kind == tsUnknown) && kind != tsNumeric
	each := ""
	switch {
	case plain:
	case flat:
		out = append(out, w.from(tsFromValidator, "IsArray")+"()")
		each = "{ each: true }"
	default:
		shape := *ref
		shape.NonNull = true // IsOptional has dealt with null
		out = append(out, fmt.Sprintf("%s(%s, %s)", w.from(tsFromValidators, "IsList"), tsString(shape.String()), t.check(w, base, kind)))
	}
	if plain || flat {
		out = append(out, t.decorate(w, base, kind, each)...)
	}
	if kind == tsObject {
		module, typ, nested := tsFromTransformer, "Type", "ValidateNested()"
		if flat {
			module, typ = tsFromPipe, "Items"
		}
		if !plain {
			nested = "ValidateNested({ each: true })"
		}
		w.from(tsFromValidator, "ValidateNested")
		out = append(out, fmt.Sprintf("%s(() => %s)", w.from(module, typ), t.names[base]), nested)
	}
	return out
}

// decorate returns the checks of a value, or of each value in a list.
func (t *tsTypes) decorate(w *tsWriter, base string, kind tsKind, each string) []string {
	from := func(name string) string { return w.from(tsFromValidator, name) }
	switch kind {
	case tsText:
		return []string{from("IsString") + "(" + each + ")"}
	case tsWhole:
		return []string{from("IsInt") + "(" + each + ")"}
	case tsReal:
		if each != "" {
			each = "{}, " + each
		}
		return []string{from("IsNumber") + "(" + each + ")"}
	case tsFlag:
		return []string{from("IsBoolean") + "(" + each + ")"}
	case tsNumeric:
		return []string{w.from(tsFromValidators, "IsNumeric") + "()"}
	case tsObject:
		return []string{from("IsObject") + "(" + each + ")"}
	case tsEnum:
		options := fmt.Sprintf(`message: '"$value" is not a value of %s'`, base)
		if each != "" {
			options = "each: true, " + options
		}
		return []string{fmt.Sprintf("%s(%s, { %s })", from("IsEnum"), t.names[base], options)}
	case tsUnknown:
	}
	if each != "" {
		return nil
	}
	return []string{from("Allow") + "()"}
}

// check returns the function that looks at one value of a list.
func (t *tsTypes) check(w *tsWriter, base string, kind tsKind) string {
	name := map[tsKind]string{
		tsUnknown: "isAnything", tsText: "isText", tsWhole: "isWhole", tsReal: "isFinite", tsNumeric: "isNumeric",
		tsFlag: "isFlag", tsObject: "isRecord", tsEnum: "isOneOf",
	}[kind]
	w.from(tsFromValidators, name)
	if kind == tsEnum {
		return name + "(" + t.names[base] + ")"
	}
	return name
}

// Actions returns src/actions/actions.gen.ts: the actions that the service serves, the controllers that implement them,
// and what these need.
func (g *TS) Actions() ([]byte, error) {
	modules := map[string]map[string]bool{}
	add := func(list []string, c TSClass) []string {
		if modules[c.Module] == nil {
			modules[c.Module] = map[string]bool{}
		}
		modules[c.Module][c.Name] = true
		if slices.Contains(list, c.Name) {
			return list
		}
		return append(list, c.Name)
	}
	var actions, controllers, providers []string
	for _, a := range g.actions {
		actions = append(actions, fmt.Sprintf("{ name: %s, path: %s }", tsString(a.Name), tsString(Path(a.Action))))
		classes := g.classes(a)
		for _, c := range classes.Controllers {
			controllers = add(controllers, c)
		}
		for _, c := range classes.Providers {
			providers = add(providers, c)
		}
	}
	var b bytes.Buffer
	b.WriteString(tsHeader + "\nimport type { Provider, Type } from '@nestjs/common';\n\n" +
		"import type { ActionInfo } from '../common/action-call';\n")
	for _, m := range slices.Sorted(maps.Keys(modules)) {
		fmt.Fprintf(&b, "import { %s } from %s;\n", strings.Join(slices.Sorted(maps.Keys(modules[m])), ", "), tsString(m))
	}
	b.WriteString("\n/** The actions that hasura/metadata declares for this service. */\n")
	tsList(&b, "actions: ActionInfo[]", actions)
	b.WriteString("\n/** The controllers that implement them. */\n")
	tsList(&b, "controllers: Type[]", controllers)
	b.WriteString("\n/** What these controllers need, beyond what app.module.ts provides. */\n")
	tsList(&b, "providers: Provider[]", providers)
	return b.Bytes(), nil
}

func tsList(b *bytes.Buffer, declaration string, items []string) {
	if len(items) == 0 {
		fmt.Fprintf(b, "export const %s = [];\n", declaration)
		return
	}
	fmt.Fprintf(b, "export const %s = [\n", declaration)
	for _, item := range items {
		fmt.Fprintf(b, "  %s,\n", item)
	}
	b.WriteString("];\n")
}
