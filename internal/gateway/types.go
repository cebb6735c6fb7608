package gateway

import (
	"strings"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/metadata"
)

// buildTypes resolves the custom types. Any fault in them makes all of them, and so every action, inconsistent.
func (b *builder) buildTypes() {
	b.types = map[string]*action.Type{}
	for _, t := range action.Builtins() {
		b.types[t.Name] = t
	}
	var reasons, duplicates []string
	custom := &b.md.CustomTypes
	declare := func(t *action.Type) {
		if b.types[t.Name] != nil {
			duplicates = append(duplicates, `"`+t.Name+`"`)
		}
		b.types[t.Name] = t
	}
	for _, t := range custom.Scalars {
		declare(&action.Type{Kind: action.CustomScalar, Name: t.Name, Description: t.Description})
	}
	for _, t := range custom.Enums {
		enum := &action.Type{Kind: action.Enum, Name: t.Name, Description: t.Description}
		for _, v := range t.Values {
			enum.Values = append(enum.Values, action.EnumValue{Name: v.Value, Description: v.Description})
		}
		declare(enum)
	}
	for _, t := range custom.InputObjects {
		declare(&action.Type{Kind: action.InputObject, Name: t.Name, Description: t.Description})
	}
	for _, t := range custom.Objects {
		declare(&action.Type{Kind: action.Object, Name: t.Name, Description: t.Description})
	}
	if duplicates != nil {
		reasons = append(reasons, "duplicate type names: "+strings.Join(duplicates, ", "))
	}
	for _, t := range custom.InputObjects {
		reasons = append(reasons, b.fill(t.Name, t.Fields, "input object", action.Object)...)
	}
	for _, t := range custom.Objects {
		reasons = append(reasons, b.fill(t.Name, t.Fields, "object", action.InputObject)...)
	}
	if reasons == nil {
		return
	}
	b.broken = true
	reason := "validation for the given custom types failed because " + reasons[0]
	if len(reasons) > 1 {
		reason = "validation for the given custom types failed for the following reasons:\n"
		for _, r := range reasons {
			reason += "  • " + r + "\n"
		}
	}
	b.snapshot.inconsistencies = append(b.snapshot.inconsistencies, Inconsistency{
		Type: "custom_types", Name: "custom_types custom_types", Reason: "Inconsistent object: " + reason, Definition: custom,
	})
}

// fill resolves the fields of a type. wrong is the kind that cannot stand in it.
func (b *builder) fill(name string, fields []metadata.Field, what string, wrong action.Kind) []string {
	t := b.types[name]
	var reasons []string
	for _, f := range fields {
		ref, base := b.ref(f.Type)
		if ref == nil || ref.Base().Kind == wrong {
			reasons = append(reasons, `the type "`+base+`" for field "`+f.Name+`" in  `+what+` type "`+name+
				`" does not exist`)
			continue
		}
		if t.FieldIndex(f.Name) >= 0 {
			reasons = append(reasons, "the "+what+` "`+name+`" has duplicate fields: "`+f.Name+`"`)
			continue
		}
		t.Fields = append(t.Fields, &action.Field{Name: f.Name, Description: f.Description, Type: ref})
	}
	return reasons
}

// ref resolves a type string. It returns nil, and the name that is unknown, when there is no such type.
func (b *builder) ref(text string) (ref *action.TypeRef, base string) {
	parsed, err := metadata.ParseType(text)
	if err != nil {
		return nil, text
	}
	return b.resolve(parsed)
}

func (b *builder) resolve(t *metadata.TypeRef) (ref *action.TypeRef, base string) {
	if t.Elem != nil {
		elem, base := b.resolve(t.Elem)
		if elem == nil {
			return nil, base
		}
		return &action.TypeRef{Elem: elem, NonNull: t.NonNull}, base
	}
	named := b.types[t.Name]
	if named == nil && action.IsPostgresScalar(t.Name) {
		named = &action.Type{Kind: action.PostgresScalar, Name: t.Name}
		b.types[t.Name] = named
	}
	if named == nil {
		return nil, t.Name
	}
	return &action.TypeRef{Named: named, NonNull: t.NonNull}, t.Name
}

// arguments views arguments as fields; they have the same parts.
func arguments(args []metadata.Argument) []metadata.Field {
	fields := make([]metadata.Field, 0, len(args))
	for _, a := range args {
		fields = append(fields, metadata.Field{Name: a.Name, Type: a.Type, Description: a.Description})
	}
	return fields
}

// fields resolves the arguments of an action. A reason tells why it cannot.
func (b *builder) fields(fields []metadata.Field) ([]*action.Field, string) {
	var resolved []*action.Field
	for _, f := range fields {
		ref, base := b.ref(f.Type)
		if ref == nil {
			return nil, `the type: "` + base + `" is not defined in custom types or it is not a scalar/enum/input_object`
		}
		resolved = append(resolved, &action.Field{Name: f.Name, Description: f.Description, Type: ref})
	}
	return resolved, ""
}
