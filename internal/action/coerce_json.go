package action

import "strings"

// CoerceJSON appends what the handler gets for the value of a variable in a place of type t. text is valid JSON
// without white space around it.
func CoerceJSON(dst []byte, t *TypeRef, text string) ([]byte, *Error) {
	if text == "null" && !t.NonNull {
		return append(dst, "null"...), nil
	}
	if t.Elem != nil {
		return coerceJSONList(dst, t, text)
	}
	found := jsonKind(text)
	switch t.Named.Kind {
	case Enum:
		if text[0] != '"' {
			return dst, mismatch("an enum value", t.Named, found)
		}
		return appendEnum(dst, t.Named, Unquote(text))
	case InputObject:
		return coerceJSONObject(dst, t.Named, text)
	case CustomScalar:
		if text == "null" {
			return dst, nullRefused(t.Named)
		}
		return append(dst, text...), nil
	case PostgresScalar:
		if text == "null" {
			return dst, nullRefused(t.Named)
		}
		return append(dst, text...), checkPostgres(t.Named.Name, text)
	}
	isNumber, isString := found == "a number", text[0] == '"'
	switch t.Named.Name {
	case "Int":
		if !isNumber {
			return dst, mismatch("a 32-bit integer", t.Named, found)
		}
		return appendInteger(dst, text, 32)
	case "Float":
		if !isNumber {
			return dst, mismatch("a float", t.Named, found)
		}
		return appendFloat(dst, text)
	case "Boolean":
		if found != "a boolean" {
			return dst, mismatch("a boolean", t.Named, found)
		}
	case "ID":
		if isNumber {
			dst = append(dst, '"')
			dst, err := appendInteger(dst, text, 64)
			return append(dst, '"'), err
		}
		if !isString {
			return dst, mismatch("a String or a 32-bit integer", t.Named, found)
		}
	default:
		if !isString {
			return dst, mismatch("a string", t.Named, found)
		}
	}
	return append(dst, text...), nil
}

func coerceJSONList(dst []byte, t *TypeRef, text string) ([]byte, *Error) {
	if text == "null" {
		return dst, Invalid("expected a list, but found null")
	}
	var err *Error
	dst = append(dst, '[')
	if text[0] != '[' {
		dst, err = CoerceJSON(dst, t.Elem, text)
		return append(dst, ']'), err
	}
	elements := NewElements(text)
	for i := 0; ; i++ {
		element, ok := elements.Next()
		if !ok {
			return append(dst, ']'), nil
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = CoerceJSON(dst, t.Elem, element); err != nil {
			return dst, err.UnderIndex(i)
		}
	}
}

// coerceJSONObject works like coerceObject. Members are found in one pass over the text.
func coerceJSONObject(dst []byte, t *Type, text string) ([]byte, *Error) {
	if text[0] != '{' {
		return dst, mismatch("an object", t, jsonKind(text))
	}
	var space [16]string // most input objects fit; the values are views, so this is all the memory it takes
	values := space[:]
	if len(t.Fields) > len(values) {
		values = make([]string, len(t.Fields))
	}
	members := NewMembers(text)
	for {
		key, value, ok := members.Next()
		if !ok {
			break
		}
		i := t.FieldIndex(key)
		if i < 0 {
			if !IsName(key) {
				return dst, Invalid("invalid GraphQL name for input field '" + key + "'")
			}
			return dst, unknownField(t, strings.Clone(key))
		}
		values[i] = value
	}
	dst = append(dst, '{')
	first := true
	for i, f := range t.Fields {
		if values[i] == "" {
			if f.Type.NonNull {
				return dst, missingField(f.Name)
			}
			continue
		}
		dst = appendKey(dst, f.Name, &first)
		var err *Error
		if dst, err = CoerceJSON(dst, f.Type, values[i]); err != nil {
			return dst, err.Under(f.Name)
		}
	}
	return append(dst, '}'), nil
}

// IsName tells whether s is a GraphQL name.
func IsName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'; !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// jsonKind is Hasura's word for what a JSON value is.
func jsonKind(text string) string {
	switch text[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "a list"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}
