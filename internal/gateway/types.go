package gateway

import (
	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/metadata"
)

// typeTable resolves the type strings of consistent metadata.
type typeTable struct {
	declared map[string]*action.Type // and built in
	postgres map[string]*action.Type
}

// newTypeTable declares all types and then fills in their fields, which may refer to each other. scalars are those of the
// databases; nil means those of every Postgres.
func newTypeTable(custom *metadata.CustomTypes, scalars []string) *typeTable {
	t := &typeTable{declared: map[string]*action.Type{}, postgres: map[string]*action.Type{}}
	for _, builtin := range action.Builtins() {
		t.declared[builtin.Name] = builtin
	}
	if scalars == nil {
		scalars = metadata.PostgresScalars()
	}
	for _, name := range scalars {
		if t.declared[name] != nil { // GraphQL's own
			continue
		}
		t.postgres[name] = &action.Type{Kind: action.PostgresScalar, Name: name}
	}
	declare := func(kind action.Kind, name, description string) *action.Type {
		declared := &action.Type{Kind: kind, Name: name, Description: description}
		t.declared[name] = declared
		return declared
	}
	for _, s := range custom.Scalars {
		declare(action.CustomScalar, s.Name, s.Description)
	}
	for _, e := range custom.Enums {
		enum := declare(action.Enum, e.Name, e.Description)
		for _, v := range e.Values {
			enum.Values = append(enum.Values, action.EnumValue{Name: v.Value, Description: v.Description})
		}
	}
	for _, i := range custom.InputObjects {
		declare(action.InputObject, i.Name, i.Description)
	}
	for _, o := range custom.Objects {
		declare(action.Object, o.Name, o.Description)
	}
	for _, i := range custom.InputObjects {
		t.fill(i.Name, i.Fields)
	}
	for _, o := range custom.Objects {
		t.fill(o.Name, o.Fields)
	}
	return t
}

// fill resolves the fields of a declared type: declared types win over those of a database there.
func (t *typeTable) fill(name string, fields []metadata.Field) {
	for _, f := range fields {
		if ref := t.ref(f.Type, t.declared, t.postgres); ref != nil {
			t.declared[name].Fields = append(t.declared[name].Fields,
				&action.Field{Name: f.Name, Description: f.Description, Type: ref})
		}
	}
}

// outer resolves the type of an argument or an output: types of a database win over declared ones there. GraphQL's own
// scalars are no types of a database here, so that arguments are always checked strictly.
func (t *typeTable) outer(text string) *action.TypeRef { return t.ref(text, t.postgres, t.declared) }

// ref resolves a type string; nil when there is no such type.
func (t *typeTable) ref(text string, first, second map[string]*action.Type) *action.TypeRef {
	parsed, err := metadata.ParseType(text)
	if err != nil {
		return nil
	}
	return resolve(parsed, first, second)
}

func resolve(t *metadata.TypeRef, first, second map[string]*action.Type) *action.TypeRef {
	if t.Elem != nil {
		elem := resolve(t.Elem, first, second)
		if elem == nil {
			return nil
		}
		return &action.TypeRef{Elem: elem, NonNull: t.NonNull}
	}
	named := first[t.Name]
	if named == nil {
		named = second[t.Name]
	}
	if named == nil {
		return nil
	}
	return &action.TypeRef{Named: named, NonNull: t.NonNull}
}
