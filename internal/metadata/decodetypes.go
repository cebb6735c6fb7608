package metadata

import (
	"encoding/json"
	"maps"
	"slices"
)

// Relationship joins an object type to a tracked table.
type Relationship struct {
	Name         string            `json:"name"`
	Type         string            `json:"type"` // object or array
	Source       string            `json:"source"`
	RemoteTable  Table             `json:"remote_table"`
	FieldMapping map[string]string `json:"field_mapping"`
}

// Table names a table of a source.
type Table struct {
	Schema string `json:"schema"`
	Name   string `json:"name"`
}

// String returns the name as Hasura prints it: with the schema where it is not public.
func (t Table) String() string {
	if t.Schema == "public" {
		return t.Name
	}
	return t.Schema + "." + t.Name
}

// ParseRelationships reads an object's relationships with Hasura's defaults filled in. The error is a *[ShapeError].
func (o Object) ParseRelationships() ([]Relationship, error) {
	rels, err := listOf(value{path: "$", raw: o.Relationships}, decodeRelationship)
	if err != nil {
		return nil, err
	}
	return rels, nil
}

func decodeCustomTypes(v value) (CustomTypes, *ShapeError) {
	var ct CustomTypes
	if v.null() {
		return ct, nil
	}
	o, err := v.object("CustomTypes")
	if err != nil {
		return ct, err
	}
	err = steps(
		set(&ct.InputObjects, func() ([]InputObject, *ShapeError) { return listOf(o.get("input_objects"), decodeInput) }),
		set(&ct.Objects, func() ([]Object, *ShapeError) { return listOf(o.get("objects"), decodeObject) }),
		set(&ct.Scalars, func() ([]Scalar, *ShapeError) { return listOf(o.get("scalars"), decodeScalar) }),
		set(&ct.Enums, func() ([]Enum, *ShapeError) { return listOf(o.get("enums"), decodeEnum) }),
	)
	return ct, err
}

func decodeInput(v value) (InputObject, *ShapeError) {
	var t InputObject
	o, err := v.object("InputObjectTypeDefinition")
	if err != nil {
		return t, err
	}
	err = steps(
		set(&t.Name, need1(o, "name", value.name)),
		set(&t.Description, opt1(o, "description", value.optText)),
		set(&t.Fields, need1(o, "fields", decodeFields)),
	)
	return t, err
}

func decodeObject(v value) (Object, *ShapeError) {
	var t Object
	o, err := v.object("ObjectTypeDefinition")
	if err != nil {
		return t, err
	}
	err = steps(
		set(&t.Name, need1(o, "name", value.name)),
		set(&t.Description, opt1(o, "description", value.optText)),
		set(&t.Fields, need1(o, "fields", decodeFields)),
		set(&t.Relationships, opt1(o, "relationships", decodeRelationships)),
	)
	return t, err
}

// decodeRelationships keeps relationships as JSON in Hasura's normal form; an empty list is none.
func decodeRelationships(v value) (json.RawMessage, *ShapeError) {
	rels, err := listOf(v, decodeRelationship)
	if err != nil || len(rels) == 0 {
		return nil, err
	}
	return mustJSON(rels), nil
}

func decodeRelationship(v value) (Relationship, *ShapeError) {
	r := Relationship{Source: "default"}
	o, err := v.object("TypeRelationship")
	if err != nil {
		return r, err
	}
	err = steps(
		set(&r.Name, need1(o, "name", value.name)),
		set(&r.Type, need1(o, "type", value.text)),
		set(&r.RemoteTable, need1(o, "remote_table", decodeTable)),
		set(&r.FieldMapping, need1(o, "field_mapping", decodeMapping)),
		func() (err *ShapeError) {
			if s := o.get("source"); !s.null() {
				r.Source, err = s.text()
			}
			return err
		},
	)
	if err == nil && r.Type != "object" && r.Type != "array" {
		err = o.get("type").errorf("expected object or array, but found %s", r.Type)
	}
	return r, err
}

func decodeTable(v value) (Table, *ShapeError) {
	t := Table{Schema: "public"}
	if v.kind() == "String" {
		var err *ShapeError
		t.Name, err = v.text()
		return t, err
	}
	o, err := v.object("QualifiedObject")
	if err != nil {
		return t, err
	}
	err = steps(
		set(&t.Name, need1(o, "name", value.text)),
		func() (err *ShapeError) {
			if s := o.get("schema"); !s.null() {
				t.Schema, err = s.text()
			}
			return err
		},
	)
	return t, err
}

func decodeMapping(v value) (map[string]string, *ShapeError) {
	o, err := v.object("HashMap")
	if err != nil {
		return nil, err
	}
	m := make(map[string]string, len(o.fields))
	for _, key := range sortedKeys(o.fields) {
		if m[key], err = o.get(key).text(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func decodeFields(v value) ([]Field, *ShapeError) {
	fields, err := listOf(v, func(item value) (Field, *ShapeError) {
		var f Field
		o, err := item.object("FieldDefinition")
		if err != nil {
			return f, err
		}
		err = steps(
			set(&f.Name, need1(o, "name", value.name)),
			set(&f.Type, need1(o, "type", value.typeString)),
			set(&f.Description, opt1(o, "description", value.optText)),
		)
		return f, err
	})
	if err == nil && len(fields) == 0 {
		err = v.nonEmpty()
	}
	return fields, err
}

func (v value) nonEmpty() *ShapeError {
	if v.null() {
		return v.mismatch("NonEmpty", "Array")
	}
	return v.errorf("parsing NonEmpty failed, unexpected empty list")
}

func decodeScalar(v value) (Scalar, *ShapeError) {
	var t Scalar
	o, err := v.object("ScalarTypeDefinition")
	if err != nil {
		return t, err
	}
	err = steps(set(&t.Name, need1(o, "name", value.name)), set(&t.Description, opt1(o, "description", value.optText)))
	return t, err
}

func decodeEnum(v value) (Enum, *ShapeError) {
	var t Enum
	o, err := v.object("EnumTypeDefinition")
	if err != nil {
		return t, err
	}
	err = steps(
		set(&t.Name, need1(o, "name", value.name)),
		set(&t.Description, opt1(o, "description", value.optText)),
		set(&t.Values, need1(o, "values", func(v value) ([]EnumValue, *ShapeError) {
			values, err := listOf(v, decodeEnumValue)
			if err == nil && len(values) == 0 {
				err = v.nonEmpty()
			}
			return values, err
		})),
	)
	return t, err
}

func decodeEnumValue(v value) (EnumValue, *ShapeError) {
	var e EnumValue
	o, err := v.object("EnumValueDefinition")
	if err != nil {
		return e, err
	}
	err = steps(
		set(&e.Value, need1(o, "value", value.name)),
		set(&e.Description, opt1(o, "description", value.optText)),
		set(&e.IsDeprecated, opt1(o, "is_deprecated", value.boolean)),
	)
	return e, err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
