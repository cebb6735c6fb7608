package action

import (
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// Coerce appends what the handler gets for a value of the document in a place of type t, as JSON. Variables are looked
// up in scope; a declared one without a value counts as null. On an error the content of the result is undefined.
func Coerce(dst []byte, t *TypeRef, v *ast.Value, scope Scope) ([]byte, *Error) {
	if v.Kind == ast.Variable {
		variable := scope.find(v.Raw)
		if variable == nil {
			return dst, Invalid(`unbound variable "` + v.Raw + `"`)
		}
		if err := variable.check(t); err != nil {
			return dst, err
		}
		switch {
		case variable.JSON != "":
			return CoerceJSON(dst, t, variable.JSON)
		case variable.Default != nil:
			v = variable.Default
		default:
			v = nullValue
		}
	}
	if v.Kind == ast.NullValue && !t.NonNull {
		return append(dst, "null"...), nil
	}
	if t.Elem != nil {
		return coerceList(dst, t, v, scope)
	}
	switch t.Named.Kind {
	case Enum:
		if v.Kind != ast.EnumValue {
			return dst, mismatch("an enum value", t.Named, literalKind(v))
		}
		return appendEnum(dst, t.Named, v.Raw)
	case InputObject:
		return coerceObject(dst, t.Named, v, scope)
	case CustomScalar:
		if v.Kind == ast.NullValue {
			return dst, nullRefused(t.Named)
		}
		return appendLiteral(dst, v, scope)
	case PostgresScalar:
		if v.Kind == ast.NullValue {
			return dst, nullRefused(t.Named)
		}
		start := len(dst)
		dst, err := appendLiteral(dst, v, scope)
		if err != nil {
			return dst, err
		}
		return dst, checkPostgres(t.Named.Name, Text(dst[start:]))
	}
	return coerceBuiltin(dst, t.Named, v)
}

var nullValue = &ast.Value{Kind: ast.NullValue, Raw: "null"}

// coerceList coerces each element of a list; a single value stands for a list of one.
func coerceList(dst []byte, t *TypeRef, v *ast.Value, scope Scope) ([]byte, *Error) {
	if v.Kind == ast.NullValue {
		return dst, Invalid("expected a list, but found null")
	}
	var err *Error
	dst = append(dst, '[')
	if v.Kind != ast.ListValue {
		dst, err = Coerce(dst, t.Elem, v, scope)
		return append(dst, ']'), err
	}
	for i, child := range v.Children {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = Coerce(dst, t.Elem, child.Value, scope); err != nil {
			return dst, err.UnderIndex(i)
		}
	}
	return append(dst, ']'), nil
}

// coerceObject coerces an input object: unknown fields first, then the known ones in the order of their definition.
func coerceObject(dst []byte, t *Type, v *ast.Value, scope Scope) ([]byte, *Error) {
	if v.Kind != ast.ObjectValue {
		return dst, mismatch("an object", t, literalKind(v))
	}
	for _, child := range v.Children {
		if t.FieldIndex(child.Name) < 0 {
			return dst, unknownField(t, child.Name)
		}
	}
	return CoerceFields(dst, t.Fields, func(name string) *ast.Value { return v.Children.ForName(name) }, scope)
}

// CoerceFields appends the JSON object of arguments or input fields. given returns the value of a field, nil for one
// that was left out: that is an error for a non-null field, and no member otherwise.
func CoerceFields(dst []byte, fields []*Field, given func(string) *ast.Value, scope Scope) ([]byte, *Error) {
	dst = append(dst, '{')
	first := true
	for _, f := range fields {
		v := given(f.Name)
		if v == nil {
			if f.Type.NonNull {
				return dst, missingField(f.Name)
			}
			continue
		}
		var err *Error
		if scope.omitted(v) {
			if err = scope.find(v.Raw).check(f.Type); err != nil {
				return dst, err.Under(f.Name)
			}
			continue
		}
		dst = appendKey(dst, f.Name, &first)
		if dst, err = Coerce(dst, f.Type, v, scope); err != nil {
			return dst, err.Under(f.Name)
		}
	}
	return append(dst, '}'), nil
}

// appendKey appends a member's key with the comma before it. GraphQL names need no escapes.
func appendKey(dst []byte, name string, first *bool) []byte {
	if !*first {
		dst = append(dst, ',')
	}
	*first = false
	dst = append(dst, '"')
	dst = append(dst, name...)
	return append(dst, `":`...)
}

// coerceBuiltin coerces a literal to one of GraphQL's own scalars.
func coerceBuiltin(dst []byte, t *Type, v *ast.Value) ([]byte, *Error) {
	switch t.Name {
	case "Int":
		if v.Kind != ast.IntValue {
			return dst, mismatch("a 32-bit integer", t, literalKind(v))
		}
		return appendInteger(dst, v.Raw, 32)
	case "Float":
		if v.Kind != ast.IntValue && v.Kind != ast.FloatValue {
			return dst, mismatch("a float", t, literalKind(v))
		}
		return appendFloat(dst, v.Raw)
	case "Boolean":
		if v.Kind != ast.BooleanValue {
			return dst, mismatch("a boolean", t, literalKind(v))
		}
		return append(dst, v.Raw...), nil
	case "ID":
		switch v.Kind {
		case ast.StringValue, ast.BlockValue:
			return AppendString(dst, v.Raw), nil
		case ast.IntValue:
			return AppendString(dst, v.Raw), nil
		}
		return dst, mismatch("a String or a 32-bit integer", t, literalKind(v))
	}
	if v.Kind != ast.StringValue && v.Kind != ast.BlockValue {
		return dst, mismatch("a string", t, literalKind(v))
	}
	return AppendString(dst, v.Raw), nil
}

// appendLiteral appends a literal as the JSON it looks like; a variable anywhere in it is replaced by its value.
func appendLiteral(dst []byte, v *ast.Value, scope Scope) ([]byte, *Error) {
	var err *Error
	switch v.Kind {
	case ast.Variable:
		variable := scope.find(v.Raw)
		switch {
		case variable == nil:
			return dst, Invalid(`unbound variable "` + v.Raw + `"`)
		case variable.JSON != "":
			return append(dst, variable.JSON...), nil
		case variable.Default != nil:
			return appendLiteral(dst, variable.Default, nil)
		}
		return append(dst, "null"...), nil
	case ast.ListValue:
		dst = append(dst, '[')
		for i, child := range v.Children {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = appendLiteral(dst, child.Value, scope); err != nil {
				return dst, err.UnderIndex(i)
			}
		}
		return append(dst, ']'), nil
	case ast.ObjectValue:
		dst = append(dst, '{')
		first := true
		for _, child := range v.Children {
			dst = appendKey(dst, child.Name, &first)
			if dst, err = appendLiteral(dst, child.Value, scope); err != nil {
				return dst, err.Under(child.Name)
			}
		}
		return append(dst, '}'), nil
	case ast.StringValue, ast.BlockValue, ast.EnumValue:
		return AppendString(dst, v.Raw), nil
	}
	return append(dst, v.Raw...), nil // numbers, booleans and null are written alike in GraphQL and JSON
}

// appendEnum appends the name of an enum value as a string.
func appendEnum(dst []byte, t *Type, name string) ([]byte, *Error) {
	for _, v := range t.Values {
		if v.Name == name {
			return AppendString(dst, name), nil
		}
	}
	var names []string
	for _, v := range t.Values {
		names = append(names, "'"+v.Name+"'")
	}
	return dst, Invalid("expected one of the values [" + strings.Join(names, ", ") + "] for type '" + t.Name +
		"', but found '" + name + "'")
}

// literalKind is Hasura's word for what a literal is.
func literalKind(v *ast.Value) string {
	switch v.Kind {
	case ast.IntValue:
		return "an integer"
	case ast.FloatValue:
		return "a float"
	case ast.StringValue, ast.BlockValue:
		return "a string"
	case ast.BooleanValue:
		return "a boolean"
	case ast.EnumValue:
		return "an enum value"
	case ast.ListValue:
		return "a list"
	case ast.ObjectValue:
		return "an object"
	}
	return "null"
}

func mismatch(expected string, t *Type, found string) *Error {
	return Invalid("expected " + expected + " for type '" + t.Name + "', but found " + found)
}

func nullRefused(t *Type) *Error {
	return Invalid("unexpected null value for type '" + t.Name + "'")
}

func missingField(name string) *Error {
	return Invalid("missing required field '" + name + "'").Under(name)
}

func unknownField(t *Type, name string) *Error {
	return Invalid("field '" + name + "' not found in type: '" + t.Name + "'").Under(name)
}
