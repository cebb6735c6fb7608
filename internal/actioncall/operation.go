// Package actioncall calls one action the way its users do: through the GraphQL API with a generated operation, or
// straight at the handler with Hasura's webhook body.
package actioncall

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nself-org/nself/internal/metadata"
)

// maxSelectionDepth bounds the generated selection set: recursive types repeat for ever, and nobody reads deeper.
const maxSelectionDepth = 6

// Operation writes the GraphQL document that runs an action with variables named as its arguments and selects every
// field of its output, recursive types once per path. Only the arguments in given are declared: Hasura refuses variables
// without a use, and an argument that is left out must not be sent as null.
func Operation(md *metadata.Metadata, a *metadata.Action, given map[string]bool) string {
	var declared, passed []string
	for _, arg := range a.Definition.Arguments {
		if given[arg.Name] {
			declared = append(declared, fmt.Sprintf("$%s: %s", arg.Name, arg.Type))
			passed = append(passed, fmt.Sprintf("%s: $%s", arg.Name, arg.Name))
		}
	}
	var doc strings.Builder
	kind := metadata.Mutation
	if a.Definition.Type == metadata.Query {
		kind = metadata.Query
	}
	fmt.Fprintf(&doc, "%s %s", kind, upperFirst(a.Name))
	if len(declared) > 0 {
		fmt.Fprintf(&doc, "(%s)", strings.Join(declared, ", "))
	}
	fmt.Fprintf(&doc, " {\n  %s", a.Name)
	if len(passed) > 0 {
		fmt.Fprintf(&doc, "(%s)", strings.Join(passed, ", "))
	}
	if a.Definition.Kind != metadata.Asynchronous || kind == metadata.Query {
		writeSelection(&doc, objectsByName(md), namedType(a.Definition.OutputType), "  ", map[string]bool{}, 1)
	}
	doc.WriteString("\n}\n")
	return doc.String()
}

// writeSelection writes " { ... }" for an object type and nothing for a scalar or enum.
func writeSelection(doc *strings.Builder, objects map[string]*metadata.Object, name, indent string, open map[string]bool, depth int) {
	object := objects[name]
	if object == nil {
		return
	}
	open[name] = true
	defer delete(open, name)
	var fields strings.Builder
	for _, field := range object.Fields {
		fieldType := namedType(field.Type)
		if objects[fieldType] != nil && (open[fieldType] || depth == maxSelectionDepth) {
			continue
		}
		fmt.Fprintf(&fields, "\n%s  %s", indent, field.Name)
		writeSelection(&fields, objects, fieldType, indent+"  ", open, depth+1)
	}
	if fields.Len() == 0 {
		fmt.Fprintf(&fields, "\n%s  __typename", indent)
	}
	fmt.Fprintf(doc, " {%s\n%s}", fields.String(), indent)
}

func objectsByName(md *metadata.Metadata) map[string]*metadata.Object {
	objects := make(map[string]*metadata.Object, len(md.CustomTypes.Objects))
	for i := range md.CustomTypes.Objects {
		objects[md.CustomTypes.Objects[i].Name] = &md.CustomTypes.Objects[i]
	}
	return objects
}

// namedType strips list and non-null wrapping: "[Order!]!" is "Order".
func namedType(typ string) string { return strings.Trim(typ, "[]! \t\n") }

func upperFirst(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}
