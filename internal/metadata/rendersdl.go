package metadata

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/lexer"
)

// renderSDL writes actions.graphql as the Hasura CLI exports it: a block per action, an argument per line.
func renderSDL(md *Metadata) string {
	var blocks []string
	for _, a := range md.Actions {
		blocks = append(blocks, actionSDL(a))
	}
	for _, t := range md.CustomTypes.InputObjects {
		blocks = append(blocks, fieldsSDL("input", t.Name, t.Fields))
	}
	for _, t := range md.CustomTypes.Objects {
		blocks = append(blocks, fieldsSDL("type", t.Name, t.Fields))
	}
	for _, t := range md.CustomTypes.Scalars {
		blocks = append(blocks, "scalar "+t.Name+"\n")
	}
	for _, t := range md.CustomTypes.Enums {
		if len(t.Values) == 0 {
			blocks = append(blocks, "enum "+t.Name+"\n")
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "enum %s {\n", t.Name)
		for _, v := range t.Values {
			b.WriteString(descriptionSDL(v.Description, "  ") + "  " + v.Value + "\n")
		}
		blocks = append(blocks, b.String()+"}\n")
	}
	return strings.Join(blocks, "\n")
}

func actionSDL(a Action) string {
	root := "Mutation"
	if a.Definition.Type == Query {
		root = "Query"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "type %s {\n  %s", root, a.Name)
	if len(a.Definition.Arguments) > 0 {
		b.WriteString("(\n")
		for _, arg := range a.Definition.Arguments {
			fmt.Fprintf(&b, "%s    %s: %s\n", descriptionSDL(arg.Description, "    "), arg.Name, arg.Type)
		}
		b.WriteString("  )")
	}
	fmt.Fprintf(&b, ": %s\n}\n", a.Definition.OutputType)
	return b.String()
}

func fieldsSDL(keyword, name string, fields []Field) string {
	if len(fields) == 0 { // GraphQL has no empty braces
		return keyword + " " + name + "\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s {\n", keyword, name)
	for _, f := range fields {
		fmt.Fprintf(&b, "%s  %s: %s\n", descriptionSDL(f.Description, "  "), f.Name, f.Type)
	}
	return b.String() + "}\n"
}

// descriptionSDL writes a description on lines of its own, as a block string where that means the same text.
func descriptionSDL(text, prefix string) string {
	if text == "" {
		return ""
	}
	body := text
	if strings.Contains(text, "\n") {
		body = "\n" + indent(text, prefix) + "\n" + prefix
	}
	block := `"""` + strings.ReplaceAll(body, `"""`, `\"""`) + `"""`
	lex := lexer.New(&ast.Source{Input: block})
	tok, err := lex.ReadToken()
	if end, endErr := lex.ReadToken(); err == nil && endErr == nil && tok.Value == text && end.Kind == lexer.EOF {
		return prefix + block + "\n"
	}
	quoted, _ := json.Marshal(text) // a string always encodes, and JSON's escapes are GraphQL's
	return prefix + string(quoted) + "\n"
}
