package gateway

import (
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/nself-org/nself/internal/action"
)

// metaField is a selected field of introspection, checked.
type metaField struct {
	key      []byte // the response name as a JSON key with its colon
	constant []byte // of __typename
	value    func(m *schemaModel, node any) any
	fields   []*metaField // of a value that is a node

	root      string           // "__schema" or "__type" at the top
	arguments ast.ArgumentList // of __type
}

// typeArguments are the arguments of __type.
func typeArguments() []*action.Field {
	return []*action.Field{{
		Name: "name",
		Type: &action.TypeRef{NonNull: true, Named: &action.Type{Kind: action.BuiltinScalar, Name: "String"}},
	}}
}

// deprecatedArguments are the arguments of fields that may hide what is deprecated.
func deprecatedArguments() []*action.Field {
	return []*action.Field{{
		Name: "includeDeprecated",
		Type: &action.TypeRef{Named: &action.Type{Kind: action.BuiltinScalar, Name: "Boolean"}},
	}}
}

// metaRoot checks __schema or __type.
func (c *compiler) metaRoot(f *mergedField) (*metaField, *action.Error) {
	root := &metaField{root: f.Name, arguments: f.Arguments}
	var args []*action.Field
	typeName := "__Schema"
	if f.Name == "__type" {
		args, typeName = typeArguments(), "__Type"
	}
	err := c.checkArguments(f, args)
	if err == nil {
		root.fields, err = c.metaSelection(typeName, f.sets)
	}
	return root, err
}

// checkArguments refuses unknown and unfit arguments.
func (c *compiler) checkArguments(f *mergedField, args []*action.Field) *action.Error {
	if err := c.knownArguments(f, args); err != nil {
		return err
	}
	var err *action.Error
	if c.buf, err = action.CoerceFields(c.buf[:0], args, argument(f.Arguments), c.scope); err != nil {
		return err.Under("args")
	}
	return nil
}

// metaSelection checks what is selected of an introspection type.
func (c *compiler) metaSelection(typeName string, sets []ast.SelectionSet) ([]*metaField, *action.Error) {
	if len(sets) == 0 {
		return nil, invalid("missing selection set for '" + typeName + "'").Under("selectionSet")
	}
	if err := c.descend(); err != nil {
		return nil, err
	}
	defer c.ascend()
	fields, err := c.collect(typeName, sets)
	if err != nil {
		return nil, err.Under("selectionSet")
	}
	definitions := metaObjects()[typeName]
	selected := make([]*metaField, 0, len(fields))
	for _, f := range fields {
		m, err := c.metaField(typeName, definitions, f)
		if err != nil {
			return nil, err.Under(f.Name).Under("selectionSet")
		}
		m.key = append(action.AppendString(nil, f.Alias), ':')
		selected = append(selected, m)
	}
	return selected, nil
}

func (c *compiler) metaField(
	typeName string, definitions []metaDefinition, f *mergedField,
) (*metaField, *action.Error) {
	if f.Name == "__typename" {
		return &metaField{constant: action.AppendString(nil, typeName)}, nil
	}
	for _, def := range definitions {
		if def.name != f.Name {
			continue
		}
		m := &metaField{value: def.value}
		var args []*action.Field
		if def.deprecatable {
			args = deprecatedArguments()
		}
		base := strings.Trim(def.typ, "[]!")
		if _, object := metaObjects()[base]; !object {
			return m, c.leaf(f, args)
		}
		err := c.checkArguments(f, args)
		if err == nil {
			m.fields, err = c.metaSelection(base, f.sets)
		}
		return m, err
	}
	return nil, unknownField(f.Name, typeName)
}

// append appends the value of __schema or __type, unless that makes dst longer than limit: types refer to each other, so
// that each level of a selection can double what is selected.
func (f *metaField) append(dst []byte, m *schemaModel, scope action.Scope, limit int) ([]byte, *action.Error) {
	w := metaWriter{model: m, limit: limit}
	if f.root == "__schema" {
		return w.checked(w.appendNode(dst, f, m))
	}
	input, err := action.CoerceFields(nil, typeArguments(), argument(f.arguments), scope)
	if err != nil {
		return dst, err.Under("args").Under("__type").Under("selectionSet")
	}
	name, _ := action.Member(string(input), "name")
	t := m.byName[action.Unquote(name)]
	if t == nil {
		return append(dst, "null"...), nil
	}
	return w.checked(w.appendNode(dst, f, t))
}

// metaWriter writes nodes of a schema, and stops soon after limit.
type metaWriter struct {
	model *schemaModel
	limit int // of the whole text
}

func (w *metaWriter) checked(dst []byte) ([]byte, *action.Error) {
	if len(dst) > w.limit {
		return dst, answerTooLarge()
	}
	return dst, nil
}

// appendNode appends the fields of a node that f selects.
func (w *metaWriter) appendNode(dst []byte, f *metaField, node any) []byte {
	if len(dst) > w.limit {
		return dst
	}
	dst = append(dst, '{')
	for i, sub := range f.fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, sub.key...)
		if sub.constant != nil {
			dst = append(dst, sub.constant...)
		} else {
			dst = w.appendValue(dst, sub, sub.value(w.model, node))
		}
	}
	return append(dst, '}')
}

func (w *metaWriter) appendValue(dst []byte, f *metaField, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(dst, "null"...)
	case string:
		return action.AppendString(dst, v)
	case bool:
		if v {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case []string:
		dst = append(dst, '[')
		for i, s := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = action.AppendString(dst, s)
		}
		return append(dst, ']')
	case []any:
		dst = append(dst, '[')
		for i, n := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = w.appendNode(dst, f, n)
		}
		return append(dst, ']')
	}
	return w.appendNode(dst, f, value)
}
