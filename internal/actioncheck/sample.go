// Package actioncheck finds where an action's declaration and what answers it disagree: it makes valid input from the
// declared types, looks at an answer against them, and finds types that no action uses.
package actioncheck

import (
	"encoding/json"
	"strings"

	"github.com/nself-org/nself/internal/metadata"
)

// maxDepth bounds how deep the input nests types that lead back to themselves.
const maxDepth = 4

// Sample makes arguments that are valid for an action: each of its declared type, lists with one element, enums with their
// first value, text that looks like what the field's name promises. Optional fields are filled too, except where a type
// leads back to itself. The outcome is the same for the same types.
func Sample(types *metadata.CustomTypes, a *metadata.Action) map[string]json.RawMessage {
	s := &sampler{types: types, open: map[string]int{}}
	input := map[string]json.RawMessage{}
	for _, arg := range a.Definition.Arguments {
		if v, ok := s.value(arg.Name, arg.Type); ok {
			input[arg.Name] = v
		}
	}
	return input
}

type sampler struct {
	types *metadata.CustomTypes
	open  map[string]int // input objects that are being written
}

// value is a value for a field; ok is false where it is better left out.
func (s *sampler) value(name, typ string) (json.RawMessage, bool) {
	ref, err := metadata.ParseType(typ)
	if err != nil {
		return nil, false
	}
	return s.of(name, ref)
}

func (s *sampler) of(name string, ref *metadata.TypeRef) (json.RawMessage, bool) {
	if ref.Elem != nil {
		v, ok := s.of(strings.TrimSuffix(name, "s"), ref.Elem)
		if !ok {
			return json.RawMessage("[]"), ref.NonNull
		}
		return json.RawMessage("[" + string(v) + "]"), true
	}
	for _, e := range s.types.Enums {
		if e.Name == ref.Name && len(e.Values) > 0 {
			return quoted(e.Values[0].Value), true
		}
	}
	for _, o := range s.types.InputObjects {
		if o.Name == ref.Name {
			return s.object(o, ref.NonNull)
		}
	}
	return scalar(name, ref.Name), true
}

func (s *sampler) object(o metadata.InputObject, needed bool) (json.RawMessage, bool) {
	if s.open[o.Name] > 0 && !needed || s.open[o.Name] > maxDepth {
		return nil, false
	}
	s.open[o.Name]++
	defer func() { s.open[o.Name]-- }()
	fields := map[string]json.RawMessage{}
	for _, f := range o.Fields {
		if v, ok := s.value(f.Name, f.Type); ok {
			fields[f.Name] = v
		}
	}
	data, err := json.Marshal(fields)
	return data, err == nil
}

func quoted(text string) json.RawMessage {
	data, _ := json.Marshal(text) // a string always encodes
	return data
}

// scalar is a value of a scalar type. Of types that are not known it is a text, which custom scalars take most often.
func scalar(field, typ string) json.RawMessage {
	switch strings.ToLower(typ) {
	case "int", "smallint", "integer":
		return json.RawMessage("1")
	case "bigint", "numeric", "oid", "long", "bigdecimal", "decimal":
		return json.RawMessage("1")
	case "float", "float8", "float4", "double":
		return json.RawMessage("1.5")
	case "boolean", "bool":
		return json.RawMessage("true")
	case "uuid":
		return quoted("6f1d7d3e-5c7b-4c39-9a53-0d6b4f1c2a10")
	case "timestamptz", "datetime":
		return quoted("2030-01-15T10:30:00Z")
	case "timestamp":
		return quoted("2030-01-15T10:30:00")
	case "date":
		return quoted("2030-01-15")
	case "time":
		return quoted("10:30:00")
	case "timetz":
		return quoted("10:30:00+00")
	case "interval":
		return quoted("1 day")
	case "json", "jsonb", "hstore", "jsonobject":
		return json.RawMessage("{}")
	case "inet", "cidr":
		return quoted("192.0.2.1")
	case "bytea":
		return quoted("\\x00")
	}
	return quoted(text(field))
}

// text is what a field of that name usually holds.
func text(field string) string {
	name := strings.ToLower(strings.ReplaceAll(field, "_", ""))
	for _, known := range []struct{ part, value string }{
		{"email", "sample@example.com"},
		{"password", "correct horse battery 7"},
		{"phone", "+15555550100"},
		{"url", "https://example.com/sample"},
		{"uri", "https://example.com/sample"},
		{"currency", "USD"},
		{"country", "US"},
		{"uuid", "6f1d7d3e-5c7b-4c39-9a53-0d6b4f1c2a10"},
		{"base64", "c2FtcGxl"},
		{"date", "2030-01-15"},
		{"filename", "sample.txt"},
		{"mimetype", "text/plain"},
		{"contenttype", "text/plain"},
		{"name", "Sample Name"},
	} {
		if strings.Contains(name, known.part) {
			return known.value
		}
	}
	return "sample"
}
