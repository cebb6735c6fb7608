package openapi

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/nself-org/nself/internal/metadata"
)

// types collects the GraphQL types that schemas become.
type types struct {
	prefix string
	out    metadata.CustomTypes
	done   map[string]*shape // by the type's name
}

func newTypes(prefix string) *types { return &types{prefix: prefix, done: map[string]*shape{}} }

// shapeKind is what a schema becomes.
type shapeKind int

const (
	scalarShape shapeKind = iota
	enumShape
	listShape
	objectShape
)

// shape is a schema as a GraphQL type, with what is needed to carry values over.
type shape struct {
	kind     shapeKind
	name     string // of the named type
	text     bool   // a JSON string: it has to be escaped in a URL
	nullable bool
	elem     *shape
	members  []member // of an object
}

// member is a field under both of its names.
type member struct {
	json, graphql string
	required      bool
	shape         *shape
}

// typ is the GraphQL type, with or without the exclamation mark.
func (s *shape) typ(required bool) string {
	t := s.name
	if s.kind == listShape {
		t = "[" + s.elem.typ(true) + "]"
	}
	if required && !s.nullable {
		t += "!"
	}
	return t
}

// renamed says whether a value of the shape has fields whose two names differ.
func (s *shape) renamed() bool { return s.anyRenamed(map[*shape]bool{}) }

func (s *shape) anyRenamed(seen map[*shape]bool) bool {
	if s == nil || seen[s] {
		return false
	}
	seen[s] = true
	if s.kind == listShape {
		return s.elem.anyRenamed(seen)
	}
	return slices.ContainsFunc(s.members, func(m member) bool { return m.json != m.graphql || m.shape.anyRenamed(seen) })
}

// recursive says whether a shape leads back to itself.
func (s *shape) recursive() bool { return s.leadsBack(nil) }

func (s *shape) leadsBack(open []*shape) bool {
	switch {
	case s == nil:
		return false
	case s.kind == listShape:
		return s.elem.leadsBack(open)
	case slices.Contains(open, s):
		return true
	}
	open = append(slices.Clone(open), s)
	return slices.ContainsFunc(s.members, func(m member) bool { return m.shape.leadsBack(open) })
}

var anyJSON = shape{kind: scalarShape, name: "jsonb", nullable: false}

// of turns a schema into a type. suggested names an object or enum that has no name of its own; input says for which
// direction.
func (t *types) of(ref *openapi3.SchemaRef, suggested string, input bool) *shape {
	if ref == nil || ref.Value == nil {
		s := anyJSON
		return &s
	}
	name := suggested
	if ref.Ref != "" {
		name = path.Base(ref.Ref)
	}
	schema, nullable := flatten(ref.Value)
	s := t.schema(schema, name, suggested, ref.Ref != "", input)
	if nullable && !s.nullable {
		c := *s
		c.nullable = true
		return &c
	}
	return s
}

// flatten looks through what only wraps another schema: allOf with one entry, and a choice between a schema and null.
func flatten(s *openapi3.Schema) (*openapi3.Schema, bool) {
	nullable := s.Nullable || s.Type != nil && slices.Contains(s.Type.Slice(), "null")
	for _, list := range []openapi3.SchemaRefs{s.OneOf, s.AnyOf} {
		var others openapi3.SchemaRefs
		for _, r := range list {
			if r.Value != nil && r.Value.Type.Is("null") {
				nullable = true
				continue
			}
			others = append(others, r)
		}
		if len(others) == 1 && len(list) > 0 && others[0].Value != nil {
			inner, also := flatten(others[0].Value)
			return inner, nullable || also
		}
	}
	return s, nullable
}

// typeOf is the one JSON type of a schema besides null; empty where there are several or none.
func typeOf(s *openapi3.Schema) string {
	kinds := slices.DeleteFunc(slices.Clone(s.Type.Slice()), func(k string) bool { return k == "null" })
	switch {
	case len(kinds) == 1:
		return kinds[0]
	case len(kinds) == 0 && len(s.Properties) > 0:
		return "object"
	case len(kinds) == 0 && s.Items != nil:
		return "array"
	}
	return ""
}

func (t *types) schema(s *openapi3.Schema, name, suggested string, named, input bool) *shape {
	if len(s.AllOf) > 0 {
		if len(s.AllOf) == 1 && len(s.Properties) == 0 {
			return t.of(s.AllOf[0], name, input)
		}
		s = merge(s)
	}
	scalar := func(name string, text bool) *shape { return &shape{kind: scalarShape, name: name, text: text} }
	switch typeOf(s) {
	case "boolean":
		return scalar("Boolean", false)
	case "integer":
		if s.Format == "int64" {
			return scalar("bigint", false)
		}
		return scalar("Int", false)
	case "number":
		return scalar("Float", false)
	case "string":
		if e := t.enum(s, name); e != nil {
			return e
		}
		switch s.Format {
		case "uuid":
			return scalar("uuid", true)
		case "date":
			return scalar("date", true)
		case "date-time":
			return scalar("timestamptz", true)
		}
		return scalar("String", true)
	case "array":
		element := strings.TrimSuffix(suggested, "List") + "Item"
		return &shape{kind: listShape, elem: t.of(s.Items, element, input)}
	case "object":
		if o := t.object(s, name, named, input); o != nil {
			return o
		}
	}
	c := anyJSON
	return &c
}

// merge unites the properties of allOf.
func merge(s *openapi3.Schema) *openapi3.Schema {
	out := &openapi3.Schema{
		Type: &openapi3.Types{"object"}, Properties: openapi3.Schemas{}, Required: slices.Clone(s.Required), Description: s.Description,
		Nullable: s.Nullable,
	}
	maps.Copy(out.Properties, s.Properties)
	for _, part := range s.AllOf {
		if part.Value == nil {
			continue
		}
		v := part.Value
		if len(v.AllOf) > 0 {
			v = merge(v)
		}
		for name, p := range v.Properties {
			if _, ok := out.Properties[name]; !ok {
				out.Properties[name] = p
			}
		}
		out.Required = append(out.Required, v.Required...)
	}
	return out
}

// enum declares an enum; nil where a value is not a GraphQL name: then the text itself is passed on.
func (t *types) enum(s *openapi3.Schema, name string) *shape {
	if len(s.Enum) == 0 {
		return nil
	}
	var values []metadata.EnumValue
	for _, v := range s.Enum {
		text, ok := v.(string)
		if !ok && v == nil {
			continue
		}
		if !ok || !isName(text) || slices.Contains([]string{"true", "false", "null"}, text) {
			return nil
		}
		values = append(values, metadata.EnumValue{Value: text})
	}
	if len(values) == 0 {
		return nil
	}
	typeName := t.typeName(name)
	for n := 2; ; n++ {
		i := slices.IndexFunc(t.out.Enums, func(e metadata.Enum) bool { return e.Name == typeName })
		if i < 0 && t.done[typeName] == nil {
			break
		}
		if i >= 0 && slices.Equal(t.out.Enums[i].Values, values) {
			return &shape{kind: enumShape, name: typeName, text: true}
		}
		typeName = t.typeName(name) + strconv.Itoa(n)
	}
	t.out.Enums = append(t.out.Enums, metadata.Enum{Name: typeName, Values: values, Description: firstParagraph(s.Description)})
	return &shape{kind: enumShape, name: typeName, text: true}
}

// object declares an object type, or an input type of its name with Input behind it; nil for an object without known fields.
func (t *types) object(s *openapi3.Schema, name string, named, input bool) *shape {
	typeName := t.typeName(name)
	if input && !strings.HasSuffix(typeName, "Input") {
		typeName += "Input"
	}
	if known, ok := t.done[typeName]; ok && named {
		return known
	}
	base := typeName
	for n := 2; t.done[typeName] != nil || t.isEnum(typeName); n++ {
		typeName = fmt.Sprintf("%s%d", base, n)
	}
	out := &shape{kind: objectShape, name: typeName}
	t.done[typeName] = out
	var fields []metadata.Field
	taken := map[string]bool{}
	for _, key := range propertyNames(s) {
		p := s.Properties[key]
		if p.Value != nil && (input && p.Value.ReadOnly || !input && p.Value.WriteOnly) {
			continue
		}
		field := fieldName(key, taken)
		m := member{json: key, graphql: field, required: slices.Contains(s.Required, key)}
		m.shape = t.of(p, name+" "+field, input)
		out.members = append(out.members, m)
		f := metadata.Field{Name: field, Type: m.shape.typ(m.required)}
		if p.Value != nil && p.Ref == "" {
			f.Description = firstParagraph(p.Value.Description)
		}
		fields = append(fields, f)
	}
	if len(fields) == 0 {
		delete(t.done, typeName)
		return nil
	}
	description := firstParagraph(s.Description)
	if input {
		t.out.InputObjects = append(t.out.InputObjects, metadata.InputObject{Name: typeName, Fields: fields, Description: description})
	} else {
		t.out.Objects = append(t.out.Objects, metadata.Object{Name: typeName, Fields: fields, Description: description})
	}
	return out
}

func (t *types) isEnum(name string) bool {
	return slices.ContainsFunc(t.out.Enums, func(e metadata.Enum) bool { return e.Name == name })
}

// propertyNames are a schema's properties: the required ones first, in their order, then the others by name. A document's own
// order is lost when it is read.
func propertyNames(s *openapi3.Schema) []string {
	var names []string
	for _, r := range s.Required {
		if _, ok := s.Properties[r]; ok && !slices.Contains(names, r) {
			names = append(names, r)
		}
	}
	for _, name := range sortedKeys(s.Properties) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// typeName is a schema's name as that of a GraphQL type; Hasura's and GraphQL's own names are left alone.
func (t *types) typeName(name string) string {
	s := lowerCamel(t.prefix + " " + name)
	s = strings.ToUpper(s[:1]) + s[1:]
	switch s {
	case "Query", "Mutation", "Subscription", "String", "Int", "Float", "Boolean", "ID":
		return s + "Type"
	}
	return s
}

// fieldName is a property's name as that of a GraphQL field.
func fieldName(key string, taken map[string]bool) string {
	name := key
	if !isName(key) || strings.HasPrefix(key, "__") {
		name = strings.Trim(notWord.ReplaceAllString(key, "_"), "_")
		if name == "" || name[0] >= '0' && name[0] <= '9' {
			name = "field_" + name
		}
	}
	base := name
	for n := 2; taken[name]; n++ {
		name = fmt.Sprintf("%s_%d", base, n)
	}
	taken[name] = true
	return name
}

func isName(s string) bool {
	for i, c := range []byte(s) {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// declared are the types so far.
func (t *types) declared() metadata.CustomTypes { return t.out }

// describe puts the schemas' descriptions on a fragment's types.
func (t *types) describe(ct *metadata.CustomTypes) {
	for i := range ct.InputObjects {
		for _, d := range t.out.InputObjects {
			if d.Name == ct.InputObjects[i].Name {
				ct.InputObjects[i].Description = d.Description
			}
		}
	}
	for i := range ct.Objects {
		for _, d := range t.out.Objects {
			if d.Name == ct.Objects[i].Name {
				ct.Objects[i].Description = d.Description
			}
		}
	}
	for i := range ct.Enums {
		for _, d := range t.out.Enums {
			if d.Name == ct.Enums[i].Name {
				ct.Enums[i].Description = d.Description
			}
		}
	}
}
