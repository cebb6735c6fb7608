package metadata

import (
	"errors"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// maxSDLTokens bounds the work one file can cause; the largest real projects have some ten thousand tokens.
const maxSDLTokens = 1_000_000

// sdlDocument is what actions.graphql says: actions without handlers, and types without relationships.
type sdlDocument struct {
	actions []Action
	// descriptions are those on action fields and on types. Hasura ignores both: actions.yaml has comment and
	// description.
	actionDescriptions map[string]string
	typeDescriptions   map[string]string
	types              CustomTypes
}

// parseSDL reads actions.graphql. A syntax error is the only problem then, and the document is empty.
func parseSDL(text, file string) (*sdlDocument, Problems) {
	doc := &sdlDocument{actionDescriptions: map[string]string{}, typeDescriptions: map[string]string{}}
	var ps Problems
	schema, err := parser.ParseSchemaWithLimit(&ast.Source{Name: file, Input: text}, maxSDLTokens)
	if err != nil {
		pos := Pos{File: file}
		msg := err.Error()
		if gerr, ok := errors.AsType[*gqlerror.Error](err); ok {
			msg = gerr.Message
			if len(gerr.Locations) > 0 {
				pos.Line = gerr.Locations[0].Line
			}
		}
		said, advice := syntaxFault(msg)
		ps.errorf(pos, "syntax: %s", said).hint("%s", advice)
		return doc, ps
	}
	r := sdlReader{doc: doc, file: file, ps: &ps, actionAt: map[string]Pos{}, typeAt: map[string]Pos{}}
	r.read(schema)
	return doc, ps
}

// tokenNames puts the parser's names of tokens into a user's words.
var tokenNames = strings.NewReplacer( //nolint:gochecknoglobals // a table
	"unexpected Name ", "unexpected ", "Name", "a name", "<EOF>", "the end of the text", "EOF", "the end of the text",
	"<Invalid>", "text", "at least one definition", "something between the brackets",
)

// syntaxFault puts the parser's message into a user's words, and says what to do.
func syntaxFault(msg string) (said, advice string) {
	said = tokenNames.Replace(lowerFirst(msg))
	switch wanted, _, _ := strings.Cut(strings.TrimPrefix(said, "expected "), ","); {
	case strings.Contains(said, "the end of the text"), wanted == "}", wanted == ")", wanted == "]":
		advice = "close every {, ( and [ that is open, innermost first"
	case wanted == ":":
		advice = "write a colon between a name and its type, as in email: String!"
	case wanted == "a name":
		advice = "write fields and arguments as name: Type, such as email: String!, lists as [Type!]!"
	case strings.HasPrefix(wanted, "something"):
		advice = "fill the brackets, or leave them out"
	case said == "unexpected text":
		advice = "close quotes where they were opened, and remove signs that GraphQL does not know"
	default:
		advice = "write type, input, enum, scalar or union before a name, actions as fields of type Mutation or type Query"
	}
	return said, advice
}

type sdlReader struct {
	doc      *sdlDocument
	file     string
	ps       *Problems
	actionAt map[string]Pos
	typeAt   map[string]Pos
}

func (r *sdlReader) read(schema *ast.SchemaDocument) {
	for _, s := range append(schema.Schema, schema.SchemaExtension...) {
		r.ps.errorf(r.pos(s.Position), "schema { } is not possible in the SDL of actions").
			hint("remove it; actions stand in type Mutation and type Query")
	}
	for _, d := range schema.Directives {
		r.ps.warnf(r.pos(d.Position), "directive @%s: Hasura drops directives", d.Name)
	}
	for _, def := range schema.Definitions {
		r.definition(def)
	}
	for _, def := range schema.Extensions {
		if def.Kind == ast.Object && (def.Name == "Mutation" || def.Name == "Query") {
			r.definition(def)
			continue
		}
		r.ps.errorf(r.pos(def.Position), "extend %s %s: only type Mutation and type Query can be extended",
			keyword(def.Kind), def.Name).hint("put the fields into the definition of %s", def.Name)
	}
}

func (r *sdlReader) definition(def *ast.Definition) {
	pos := r.pos(def.Position)
	if def.Kind == ast.Object {
		switch def.Name {
		case "Mutation":
			r.actions(def, Mutation)
			return
		case "Query":
			r.actions(def, Query)
			return
		case "Subscription":
			r.ps.errorf(pos, "type Subscription: an action is a mutation or a query").
				hint("declare a mutation of kind asynchronous; its result can be subscribed to")
			return
		}
	}
	if def.Kind == ast.Union || def.Kind == ast.Interface {
		r.ps.errorf(pos, "%s %s: Hasura's actions have no %ss", keyword(def.Kind), def.Name, keyword(def.Kind)).
			hint("use an object type with optional fields")
		return
	}
	if first, ok := r.typeAt[def.Name]; ok {
		r.ps.errorf(pos, "type %q is declared twice, first at %s", def.Name, first).hint("remove one of the two")
		return
	}
	r.typeAt[def.Name] = pos
	if def.Description != "" {
		r.doc.typeDescriptions[def.Name] = def.Description
	}
	r.directives(pos, "type "+def.Name, def.Directives)
	types := &r.doc.types
	switch def.Kind {
	case ast.Scalar:
		types.Scalars = append(types.Scalars, Scalar{Name: def.Name, Pos: pos})
	case ast.Enum:
		types.Enums = append(types.Enums, Enum{Name: def.Name, Values: r.enumValues(def), Pos: pos})
	case ast.InputObject:
		types.InputObjects = append(types.InputObjects, InputObject{Name: def.Name, Fields: r.fields(def), Pos: pos})
	case ast.Object:
		types.Objects = append(types.Objects, Object{Name: def.Name, Fields: r.fields(def), Pos: pos})
		if len(def.Interfaces) > 0 {
			r.ps.warnf(pos, "type %q: Hasura drops \"implements %s\"", def.Name, strings.Join(def.Interfaces, " & "))
		}
	}
}

func (r *sdlReader) actions(def *ast.Definition, typ ActionType) {
	for _, f := range def.Fields {
		pos := r.pos(f.Position)
		if first, ok := r.actionAt[f.Name]; ok {
			r.ps.errorf(pos, "action %q is declared twice, first at %s", f.Name, first).hint("remove one of the two")
			continue
		}
		r.actionAt[f.Name] = pos
		if f.Description != "" {
			r.doc.actionDescriptions[f.Name] = f.Description
		}
		r.directives(pos, "action "+f.Name, f.Directives)
		a := Action{Name: f.Name, Pos: pos, Definition: ActionDefinition{Type: typ, OutputType: f.Type.String()}}
		for _, arg := range f.Arguments {
			argPos := r.pos(arg.Position)
			r.directives(argPos, "argument "+f.Name+"."+arg.Name, arg.Directives)
			a.Definition.Arguments = append(a.Definition.Arguments, Argument{
				Name: arg.Name, Type: arg.Type.String(), Description: arg.Description,
				Default: valueText(arg.DefaultValue), Pos: argPos,
			})
		}
		r.doc.actions = append(r.doc.actions, a)
	}
}

func (r *sdlReader) fields(def *ast.Definition) []Field {
	fields := make([]Field, 0, len(def.Fields))
	for _, f := range def.Fields {
		pos := r.pos(f.Position)
		what := "field " + def.Name + "." + f.Name
		r.directives(pos, what, f.Directives)
		if len(f.Arguments) > 0 {
			r.ps.warnf(pos, "%s: Hasura drops the arguments of a field", what)
		}
		fields = append(fields, Field{
			Name: f.Name, Type: f.Type.String(), Description: f.Description, Default: valueText(f.DefaultValue), Pos: pos,
		})
	}
	return fields
}

func (r *sdlReader) enumValues(def *ast.Definition) []EnumValue {
	values := make([]EnumValue, 0, len(def.EnumValues))
	for _, v := range def.EnumValues {
		pos := r.pos(v.Position)
		r.directives(pos, "enum value "+def.Name+"."+v.Name, v.Directives)
		values = append(values, EnumValue{Value: v.Name, Description: v.Description, Pos: pos})
	}
	return values
}

func (r *sdlReader) directives(pos Pos, what string, list ast.DirectiveList) {
	for _, d := range list {
		r.ps.warnf(pos, "%s: Hasura drops the directive @%s", what, d.Name)
	}
}

func (r *sdlReader) pos(p *ast.Position) Pos {
	if p == nil {
		return Pos{File: r.file}
	}
	return Pos{File: r.file, Line: p.Line}
}

func keyword(k ast.DefinitionKind) string {
	switch k {
	case ast.Object:
		return "type"
	case ast.InputObject:
		return "input"
	default:
		return strings.ToLower(string(k))
	}
}

func valueText(v *ast.Value) string {
	if v == nil {
		return ""
	}
	return v.String()
}

// lowerFirst makes another program's message fit after a colon.
func lowerFirst(s string) string {
	if len(s) > 1 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'a' && s[1] <= 'z' {
		return string(s[0]+'a'-'A') + s[1:]
	}
	return s
}
