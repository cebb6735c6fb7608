package gateway

import (
	"cmp"
	"maps"
	"slices"

	"github.com/nself-org/nself/internal/action"
)

// schemaModel is a role's schema as introspection shows it. It is never changed.
type schemaModel struct {
	types      []*typeNode // by name
	byName     map[string]*typeNode
	query      *typeNode
	mutation   *typeNode // nil: the role has none
	subscribed *typeNode // the root of subscriptions; nil: the role has none
	directives []*directiveNode
}

// typeNode is a __Type: a named type, or a wrapper around one.
type typeNode struct {
	kind        string
	name        string
	description string
	fields      []*fieldNode
	inputs      []*inputNode
	values      []action.EnumValue
	of          *typeNode
}

// fieldNode is a __Field.
type fieldNode struct {
	name        string
	description string
	args        []*inputNode
	typ         *typeNode
}

// inputNode is an __InputValue.
type inputNode struct {
	name         string
	description  string
	typ          *typeNode
	defaultValue string
}

// directiveNode is a __Directive.
type directiveNode struct {
	name        string
	description string
	locations   []string
	args        []*inputNode
}

// newSchemaModel collects what is reachable from the root fields of a role.
func newSchemaModel(r *roleSchema) *schemaModel {
	m := &schemaModel{byName: map[string]*typeNode{}}
	m.query = m.root(queryRoot, r.queries, r.results)
	if !r.hasQueries() {
		m.query.fields = []*fieldNode{{
			name: noQueriesField, description: noQueriesText, typ: nonNull(m.builtin("String")),
		}}
	}
	if len(r.mutations) > 0 {
		m.mutation = m.root(mutationRoot, r.mutations, nil)
	}
	if len(r.results) > 0 {
		m.subscribed = m.root(subscriptionRoot, nil, r.results)
	}
	m.directives = m.standardDirectives()
	m.addMetaTypes()
	m.types = slices.SortedFunc(maps.Values(m.byName), func(a, b *typeNode) int { return cmp.Compare(a.name, b.name) })
	return m
}

// root makes a root type with fields that run actions and fields that show the results of asynchronous ones.
func (m *schemaModel) root(name string, run, results []*boundAction) *typeNode {
	t := &typeNode{kind: "OBJECT", name: name}
	m.byName[name] = t
	for _, a := range run {
		f := &fieldNode{name: a.Name, description: a.Description, args: m.inputs(a.Args)}
		if a.Async {
			f.typ = nonNull(m.named(&action.Type{Kind: action.PostgresScalar, Name: "uuid"}))
		} else {
			f.typ = m.output(a.Output)
		}
		t.fields = append(t.fields, f)
	}
	for _, a := range results {
		f := &fieldNode{name: a.Name, description: a.Description, args: m.inputs(resultArguments())}
		if a.result.Kind == action.Object {
			f.typ = m.named(a.result)
		} else {
			f.typ = nonNull(m.named(a.result))
		}
		t.fields = append(t.fields, f)
	}
	slices.SortFunc(t.fields, func(a, b *fieldNode) int { return cmp.Compare(a.name, b.name) })
	return t
}

// output is the type of a root field. Hasura shows a scalar as Scalar!, however it is wrapped; typed clients are
// generated from that.
func (m *schemaModel) output(t *action.TypeRef) *typeNode {
	if base := t.Base(); base.Kind != action.Object {
		return nonNull(m.named(base))
	}
	return m.ref(t)
}

// ref wraps a named type as a reference does.
func (m *schemaModel) ref(t *action.TypeRef) *typeNode {
	var n *typeNode
	if t.Elem != nil {
		n = &typeNode{kind: "LIST", of: m.ref(t.Elem)}
	} else {
		n = m.named(t.Named)
	}
	if t.NonNull {
		return nonNull(n)
	}
	return n
}

func nonNull(t *typeNode) *typeNode { return &typeNode{kind: "NON_NULL", of: t} }

// builtin is one of GraphQL's scalars.
func (m *schemaModel) builtin(name string) *typeNode {
	return m.named(&action.Type{Kind: action.BuiltinScalar, Name: name})
}

// named finds or makes the node of a type, and of all that it leads to.
func (m *schemaModel) named(t *action.Type) *typeNode {
	if known := m.byName[t.Name]; known != nil {
		return known
	}
	n := &typeNode{name: t.Name, description: t.Description}
	m.byName[t.Name] = n // before the fields: types may contain themselves
	switch t.Kind {
	case action.Enum:
		n.kind, n.values = "ENUM", t.Values
	case action.InputObject:
		n.kind, n.inputs = "INPUT_OBJECT", m.inputs(t.Fields)
	case action.Object:
		n.kind = "OBJECT"
		for _, f := range t.Fields {
			n.fields = append(n.fields, &fieldNode{name: f.Name, description: f.Description, typ: m.ref(f.Type)})
		}
	default:
		n.kind = "SCALAR"
	}
	return n
}

func (m *schemaModel) inputs(fields []*action.Field) []*inputNode {
	nodes := make([]*inputNode, 0, len(fields))
	for _, f := range fields {
		nodes = append(nodes, &inputNode{name: f.Name, description: f.Description, typ: m.ref(f.Type)})
	}
	return nodes
}

// standardDirectives are the ones that Hasura advertises.
func (m *schemaModel) standardDirectives() []*directiveNode {
	boolean := nonNull(m.builtin("Boolean"))
	places := []string{"FIELD", "FRAGMENT_SPREAD", "INLINE_FRAGMENT"}
	condition := []*inputNode{{name: "if", typ: boolean}}
	return []*directiveNode{
		{
			name: "include", description: "whether this query should be included", locations: places, args: condition,
		},
		{name: "skip", description: "whether this query should be skipped", locations: places, args: condition},
		{
			name: "cached", description: "whether this query should be cached (Hasura Cloud only)",
			locations: []string{"QUERY"},
			args: []*inputNode{
				{
					name: "ttl", description: "measured in seconds", typ: nonNull(m.builtin("Int")), defaultValue: "60",
				},
				{name: "refresh", description: "refresh the cache entry", typ: boolean, defaultValue: "false"},
			},
		},
	}
}
