package gateway

import (
	"strings"

	"github.com/nself-org/nself/internal/action"
)

// metaDefinition is a field of one of GraphQL's own introspection types.
type metaDefinition struct {
	name string
	// typ is GraphQL syntax.
	typ string
	// deprecatable fields take includeDeprecated, which changes nothing: nothing is deprecated.
	deprecatable bool
	// value reads the field of a node: nil, a string, a bool, a list of strings, a node or a list of nodes.
	value func(m *schemaModel, node any) any
}

// metaObjects returns the introspection types with their fields.
func metaObjects() map[string][]metaDefinition {
	return map[string][]metaDefinition{
		"__Schema":     schemaFields(),
		"__Type":       typeFields(),
		"__Field":      fieldFields(),
		"__InputValue": inputFields(),
		"__EnumValue":  enumValueFields(),
		"__Directive":  directiveFields(),
	}
}

// typeKinds and directiveLocations are the values of introspection's two enums.
func typeKinds() []string {
	return []string{"ENUM", "INPUT_OBJECT", "INTERFACE", "LIST", "NON_NULL", "OBJECT", "SCALAR", "UNION"}
}

func directiveLocations() []string {
	return []string{
		"QUERY", "MUTATION", "SUBSCRIPTION", "FIELD", "FRAGMENT_DEFINITION", "FRAGMENT_SPREAD", "INLINE_FRAGMENT",
		"VARIABLE_DEFINITION", "SCHEMA", "SCALAR", "OBJECT", "FIELD_DEFINITION", "ARGUMENT_DEFINITION", "INTERFACE", "UNION",
		"ENUM", "ENUM_VALUE", "INPUT_OBJECT", "INPUT_FIELD_DEFINITION",
	}
}

func schemaFields() []metaDefinition {
	return []metaDefinition{
		{name: "description", typ: "String", value: func(*schemaModel, any) any { return nil }},
		{name: "types", typ: "[__Type!]!", value: func(m *schemaModel, _ any) any { return nodes(m.types) }},
		{name: "queryType", typ: "__Type!", value: func(m *schemaModel, _ any) any { return m.query }},
		{name: "mutationType", typ: "__Type", value: func(m *schemaModel, _ any) any { return node(m.mutation) }},
		{name: "subscriptionType", typ: "__Type", value: func(m *schemaModel, _ any) any { return node(m.subscribed) }},
		{name: "directives", typ: "[__Directive!]!", value: func(m *schemaModel, _ any) any { return nodes(m.directives) }},
	}
}

func typeFields() []metaDefinition {
	return []metaDefinition{
		{name: "kind", typ: "__TypeKind!", value: read(func(t *typeNode) any { return t.kind })},
		{name: "name", typ: "String", value: read(func(t *typeNode) any { return text(t.name) })},
		{name: "description", typ: "String", value: read(func(t *typeNode) any { return text(t.description) })},
		{name: "fields", typ: "[__Field!]", deprecatable: true, value: read(func(t *typeNode) any {
			if t.kind != "OBJECT" {
				return nil
			}
			return nodes(t.fields)
		})},
		{name: "interfaces", typ: "[__Type!]", value: read(func(t *typeNode) any {
			if t.kind != "OBJECT" {
				return nil
			}
			return []any{}
		})},
		{name: "possibleTypes", typ: "[__Type!]", value: func(*schemaModel, any) any { return nil }},
		{name: "enumValues", typ: "[__EnumValue!]", deprecatable: true, value: read(func(t *typeNode) any {
			if t.kind != "ENUM" {
				return nil
			}
			return nodes(t.values)
		})},
		{name: "inputFields", typ: "[__InputValue!]", value: read(func(t *typeNode) any {
			if t.kind != "INPUT_OBJECT" {
				return nil
			}
			return nodes(t.inputs)
		})},
		{name: "ofType", typ: "__Type", value: read(func(t *typeNode) any { return node(t.of) })},
	}
}

func fieldFields() []metaDefinition {
	return []metaDefinition{
		{name: "name", typ: "String!", value: read(func(f *fieldNode) any { return f.name })},
		{name: "description", typ: "String", value: read(func(f *fieldNode) any { return text(f.description) })},
		{name: "args", typ: "[__InputValue!]!", value: read(func(f *fieldNode) any { return nodes(f.args) })},
		{name: "type", typ: "__Type!", value: read(func(f *fieldNode) any { return f.typ })},
		{name: "isDeprecated", typ: "Boolean!", value: func(*schemaModel, any) any { return false }},
		{name: "deprecationReason", typ: "String", value: func(*schemaModel, any) any { return nil }},
	}
}

func inputFields() []metaDefinition {
	return []metaDefinition{
		{name: "name", typ: "String!", value: read(func(i *inputNode) any { return i.name })},
		{name: "description", typ: "String", value: read(func(i *inputNode) any { return text(i.description) })},
		{name: "type", typ: "__Type!", value: read(func(i *inputNode) any { return i.typ })},
		{name: "defaultValue", typ: "String", value: read(func(i *inputNode) any { return text(i.defaultValue) })},
	}
}

func enumValueFields() []metaDefinition {
	return []metaDefinition{
		{name: "name", typ: "String!", value: read(func(v action.EnumValue) any { return v.Name })},
		{name: "description", typ: "String", value: read(func(v action.EnumValue) any { return text(v.Description) })},
		{name: "isDeprecated", typ: "Boolean!", value: func(*schemaModel, any) any { return false }},
		{name: "deprecationReason", typ: "String", value: func(*schemaModel, any) any { return nil }},
	}
}

func directiveFields() []metaDefinition {
	return []metaDefinition{
		{name: "name", typ: "String!", value: read(func(d *directiveNode) any { return d.name })},
		{name: "description", typ: "String", value: read(func(d *directiveNode) any { return text(d.description) })},
		{name: "locations", typ: "[__DirectiveLocation!]!", value: read(func(d *directiveNode) any { return d.locations })},
		{name: "args", typ: "[__InputValue!]!", value: read(func(d *directiveNode) any { return nodes(d.args) })},
		{name: "isRepeatable", typ: "Boolean!", value: func(*schemaModel, any) any { return false }},
	}
}

// read adapts a function of one kind of node.
func read[T any](f func(T) any) func(*schemaModel, any) any {
	return func(_ *schemaModel, n any) any { return f(n.(T)) } //nolint:forcetypeassert // the selection fits the node
}

// text is a string, or null when there is none.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// node is a type, or null when there is none: a nil pointer in an interface would not be nil.
func node(t *typeNode) any {
	if t == nil {
		return nil
	}
	return t
}

func nodes[T any](list []T) any {
	all := make([]any, len(list))
	for i, n := range list {
		all[i] = n
	}
	return all
}

// addMetaTypes shows the introspection types themselves.
func (m *schemaModel) addMetaTypes() {
	for name, values := range map[string][]string{
		"__TypeKind": typeKinds(), "__DirectiveLocation": directiveLocations(),
	} {
		t := &typeNode{kind: "ENUM", name: name}
		for _, v := range values {
			t.values = append(t.values, action.EnumValue{Name: v})
		}
		m.byName[name] = t
	}
	objects := metaObjects()
	for name := range objects {
		m.byName[name] = &typeNode{kind: "OBJECT", name: name}
	}
	for name, fields := range objects {
		for _, def := range fields {
			f := &fieldNode{name: def.name, typ: m.parse(def.typ)}
			if def.deprecatable {
				f.args = []*inputNode{{name: "includeDeprecated", typ: m.builtin("Boolean"), defaultValue: "false"}}
			}
			m.byName[name].fields = append(m.byName[name].fields, f)
		}
	}
}

// parse resolves the type syntax of this file.
func (m *schemaModel) parse(typ string) *typeNode {
	if inner, ok := strings.CutSuffix(typ, "!"); ok {
		return nonNull(m.parse(inner))
	}
	if inner, ok := strings.CutPrefix(typ, "["); ok {
		return &typeNode{kind: "LIST", of: m.parse(strings.TrimSuffix(inner, "]"))}
	}
	if known := m.byName[typ]; known != nil {
		return known
	}
	return m.builtin(typ)
}
