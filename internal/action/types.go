package action

// Kind is what a named type is.
type Kind uint8

// The kinds of named types.
const (
	BuiltinScalar  Kind = iota // Int, Float, String, Boolean, ID
	PostgresScalar             // the name of a Postgres base type, such as uuid
	CustomScalar               // declared in metadata
	Enum
	InputObject
	Object
)

// Type is a named type.
type Type struct {
	Kind        Kind
	Name        string
	Description string
	// Fields of an input object or an object, in the order of their definition.
	Fields []*Field
	// Values of an enum, in the order of their definition.
	Values []EnumValue
}

// EnumValue is one value of an enum.
type EnumValue struct{ Name, Description string }

// Field is a field of a type or an argument of an action.
type Field struct {
	Name        string
	Description string
	Type        *TypeRef
}

// FieldIndex returns the place of the field called name, or -1.
func (t *Type) FieldIndex(name string) int { return fieldIndex(t.Fields, name) }

// fieldIndex searches in order: types have few fields, and most comparisons end at the length.
func fieldIndex(fields []*Field, name string) int {
	for i, f := range fields {
		if f.Name == name {
			return i
		}
	}
	return -1
}

// Input tells whether values of the type can be arguments.
func (t *Type) Input() bool { return t.Kind != Object }

// opaque tells whether a handler's answer of this type is passed on as it comes.
func (t *Type) opaque() bool { return t.Kind == PostgresScalar || t.Kind == CustomScalar }

// TypeRef is a use of a type: a named type or a list, either perhaps non-null.
type TypeRef struct {
	// Named is the named type; nil for a list.
	Named *Type
	// Elem is the type of a list's elements; nil for a named type.
	Elem *TypeRef
	// NonNull refuses null.
	NonNull bool
}

// Base returns the named type inside all lists.
func (t *TypeRef) Base() *Type {
	for t.Elem != nil {
		t = t.Elem
	}
	return t.Named
}

// String returns GraphQL syntax, such as [User!]!.
func (t *TypeRef) String() string {
	var s string
	if t.Elem != nil {
		s = "[" + t.Elem.String() + "]"
	} else {
		s = t.Named.Name
	}
	if t.NonNull {
		s += "!"
	}
	return s
}

// Builtins returns the five scalars of GraphQL.
func Builtins() []*Type {
	var types []*Type
	for _, name := range []string{"Int", "Float", "String", "Boolean", "ID"} {
		types = append(types, &Type{Kind: BuiltinScalar, Name: name})
	}
	return types
}

// Action is one custom mutation or query, ready to be called.
type Action struct {
	Name        string
	Description string
	// Query tells a query action from a mutation.
	Query bool
	// Async tells that the mutation is answered with an id, and its result is asked for later.
	Async  bool
	Args   []*Field
	Output *TypeRef
	// Handler is the URL template as metadata has it, for error details; never resolved, it may name secrets.
	Handler string
}
