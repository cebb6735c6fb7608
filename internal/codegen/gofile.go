package codegen

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/nself-org/nself/internal/metadata"
)

// sorted iterates over a map by key.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

// Types returns actions/types_gen.go: the arguments of each action, and every type that they and the outputs use. Fields
// are never omitted from JSON: Hasura leaves a nested object that is missing out of its answer, where null is meant.
func (g *Go) Types() ([]byte, error) {
	var b bytes.Buffer
	needs := map[string]bool{} // import paths
	for _, a := range g.actions {
		fmt.Fprintf(&b, "\n// %s are the arguments of the action %s.\n", a.args, a.Name)
		g.types.writeStruct(&b, needs, a.args, a.fields)
	}
	for _, s := range g.types.structs {
		name := g.types.names[s.graphql]
		kind := "input type"
		if s.output {
			kind = "type"
		}
		fmt.Fprintf(&b, "\n// %s is the GraphQL %s %s.\n", name, kind, s.graphql)
		if s.description != "" {
			b.WriteString("//\n")
			comment(&b, "", s.description)
		}
		g.types.writeStruct(&b, needs, name, s.fields)
		if s.output {
			g.types.writeMarshal(&b, needs, name, s.fields)
		}
	}
	for graphql, enum := range sorted(g.types.enums) {
		if g.types.used[graphql] {
			needs["fmt"] = true
			g.types.writeEnum(&b, graphql, enum)
		}
	}
	return formatted(withImports(&b, needs))
}

// withImports puts the header and the needed imports before the code.
func withImports(code *bytes.Buffer, needs map[string]bool) *bytes.Buffer {
	var b bytes.Buffer
	b.WriteString(header)
	if len(needs) > 0 {
		b.WriteString("\nimport (\n")
		for path := range sorted(needs) {
			fmt.Fprintf(&b, "\t%q\n", path)
		}
		b.WriteString(")\n")
	}
	b.Write(code.Bytes())
	return &b
}

func (t *goTypes) writeStruct(b *bytes.Buffer, needs map[string]bool, name string, fields []goField) {
	if len(fields) == 0 {
		fmt.Fprintf(b, "type %s struct{}\n", name)
		return
	}
	fmt.Fprintf(b, "type %s struct {\n", name)
	for _, f := range fields {
		if f.description != "" {
			comment(b, "\t", f.description)
		}
		typ := t.ofField(f)
		if strings.Contains(typ, "json.") {
			needs["encoding/json"] = true
		}
		fmt.Fprintf(b, "\t%s %s `json:%q`\n", f.name, typ, f.graphql)
	}
	b.WriteString("}\n")
}

// writeMarshal writes a method that sends a nil list as [] where null is not allowed.
func (t *goTypes) writeMarshal(b *bytes.Buffer, needs map[string]bool, name string, fields []goField) {
	var lists []goField
	for _, f := range fields {
		if f.ref.Elem != nil && f.ref.NonNull {
			lists = append(lists, f)
		}
	}
	if len(lists) == 0 {
		return
	}
	needs["encoding/json"] = true
	fmt.Fprintf(b, "\n// MarshalJSON writes a nil list as an empty one where GraphQL does not allow null.\n")
	fmt.Fprintf(b, "func (v %s) MarshalJSON() ([]byte, error) {\n", name)
	for _, f := range lists {
		fmt.Fprintf(b, "\tif v.%s == nil {\n\t\tv.%s = %s{}\n\t}\n", f.name, f.name, t.ofField(f))
	}
	fmt.Fprintf(b, "\ttype plain %s\n\treturn json.Marshal(plain(v))\n}\n", name)
}

func (t *goTypes) writeEnum(b *bytes.Buffer, graphql string, enum *metadata.Enum) {
	name := t.names[graphql]
	fmt.Fprintf(b, "\n// %s is the GraphQL enum %s.\n", name, graphql)
	if enum.Description != "" {
		b.WriteString("//\n")
		comment(b, "", enum.Description)
	}
	fmt.Fprintf(b, "type %s string\n\n// The values of %s.\nconst (\n", name, name)
	for i, v := range enum.Values {
		if v.Description != "" {
			comment(b, "\t", v.Description)
		}
		if v.IsDeprecated {
			if v.Description != "" {
				b.WriteString("\t//\n")
			}
			b.WriteString("\t// Deprecated: do not use it in new code.\n")
		}
		fmt.Fprintf(b, "\t%s %s = %q\n", t.consts[graphql][i], name, v.Value)
	}
	fmt.Fprintf(b, ")\n\n// Valid says whether v is one of the values above.\nfunc (v %s) Valid() bool {\n", name)
	if len(enum.Values) == 0 {
		b.WriteString("\treturn false\n}\n")
	} else {
		fmt.Fprintf(b, "\tswitch v {\n\tcase %s:\n\t\treturn true\n\t}\n\treturn false\n}\n",
			strings.Join(t.consts[graphql], ",\n\t\t"))
	}
	fmt.Fprintf(b, "\n// UnmarshalText accepts the values above and nothing else.\n"+
		"func (v *%s) UnmarshalText(text []byte) error {\n"+
		"\tif !%s(text).Valid() {\n\t\treturn fmt.Errorf(\"%%q is not a value of %s\", text)\n\t}\n"+
		"\t*v = %s(text)\n\treturn nil\n}\n", name, name, graphql, name)
}

// Actions returns actions/actions_gen.go: the function All, which makes an action.Action of every handler. The handler of
// registerUser is what NewRegisterUser returns.
func (g *Go) Actions() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(header)
	if slices.ContainsFunc(g.actions, func(a goAction) bool { return strings.Contains(a.out, "json.") }) {
		fmt.Fprintf(&b, "\nimport (\n\t\"encoding/json\"\n\n\t%q\n)\n", g.in.Module+"/internal/action")
	} else {
		fmt.Fprintf(&b, "\nimport %q\n", g.in.Module+"/internal/action")
	}
	b.WriteString("\n// All returns the actions that hasura/metadata declares for this service.\n")
	if len(g.actions) == 0 {
		b.WriteString("func All(_ Deps) []action.Action { return nil }\n")
		return formatted(&b)
	}
	b.WriteString("func All(d Deps) []action.Action {\n\treturn []action.Action{\n")
	for _, a := range g.actions {
		fmt.Fprintf(&b, "\t\taction.New[%s, %s](%s, %s, New%s(d)),\n",
			a.args, a.out, strconv.Quote(a.Name), strconv.Quote(Path(a.Action)), a.name)
	}
	b.WriteString("\t}\n}\n")
	return formatted(&b)
}
