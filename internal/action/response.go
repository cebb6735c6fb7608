package action

import "strings"

// Selection is what a client selected of an object type, in the order of the request.
type Selection struct {
	Object *Type
	Fields []SelectedField
}

// SelectedField is one member of the result.
type SelectedField struct {
	// Key is the response name: the alias, if there is one.
	Key string
	// Index is the field's place in the object's fields; -1 for __typename.
	Index int
	// Sub is the selection on a field of object type; nil for scalars and enums.
	Sub *Selection
}

// Result validates the answer of a handler against type t and appends the selected part of it. answer is valid JSON
// without white space around it; sel is nil where t has no object in it. Only the top level is validated, as Hasura
// does: the named fields of each object must be there and not null where they are declared non-null, and nothing else
// is looked at.
func Result(dst []byte, t *TypeRef, sel *Selection, answer string) ([]byte, *Error) {
	if t.Elem != nil {
		return resultList(dst, t, sel, answer)
	}
	if t.Named.opaque() {
		return append(dst, answer...), nil
	}
	if answer == "null" {
		if t.NonNull {
			return dst, gotNull()
		}
		return append(dst, "null"...), nil
	}
	name := t.Named.Name
	switch answer[0] {
	case '{':
		if t.Named.Kind == Object {
			return resultObject(dst, sel, answer)
		}
		return dst, gotWrong("object", t.Named)
	case '[':
		return dst, gotWrong("array", t.Named)
	case '"':
		if name != "String" && name != "ID" {
			return dst, gotWrong("scalar String", t.Named)
		}
	case 't', 'f':
		if name != "Boolean" {
			return dst, gotWrong("scalar Boolean", t.Named)
		}
	default:
		if name != "Int" && name != "Float" {
			return dst, gotWrong("scalar String", t.Named) // Hasura says String for numbers too
		}
	}
	return append(dst, answer...), nil
}

func gotNull() *Error { return unexpected("got null for the action webhook response") }

func gotWrong(what string, t *Type) *Error {
	return unexpected("got " + what + " for the action webhook response, expecting " + t.Name)
}

func resultList(dst []byte, t *TypeRef, sel *Selection, answer string) ([]byte, *Error) {
	if answer == "null" {
		if t.NonNull {
			return dst, gotNull()
		}
		return append(dst, "null"...), nil
	}
	if answer[0] != '[' {
		return dst, unexpected("expecting array for the action webhook response")
	}
	dst = append(dst, '[')
	elements := NewElements(answer)
	for i := 0; ; i++ {
		element, ok := elements.Next()
		if !ok {
			return append(dst, ']'), nil
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		var err *Error
		if dst, err = Result(dst, t.Elem, sel, element); err != nil {
			return dst, err
		}
	}
}

// resultObject checks the non-null fields of a top-level object and projects it.
func resultObject(dst []byte, sel *Selection, answer string) ([]byte, *Error) {
	var space [16]string
	values := fieldValues(space[:], sel.Object, answer)
	for i, f := range sel.Object.Fields {
		if !f.Type.NonNull {
			continue
		}
		switch values[i] {
		case "":
			return dst, unexpected(`field "` + f.Name + `" expected in webhook response, but not found`)
		case "null":
			return dst, unexpected(`expecting not null value for field "` + f.Name + `"`)
		}
	}
	return project(dst, sel, answer, values), nil
}

// fieldValues finds the values of an object type's fields in one pass, "" for those that are not there. space is used
// when it is large enough.
func fieldValues(space []string, t *Type, object string) []string {
	if len(t.Fields) > len(space) {
		space = make([]string, len(t.Fields))
	}
	members := NewMembers(object)
	for {
		key, value, ok := members.Next()
		if !ok {
			return space
		}
		if i := t.FieldIndex(key); i >= 0 {
			space[i] = value
		}
	}
}

// project appends the selected members of object. A nested object is looked up under its response name, as in Hasura:
// with an alias it is not found, and left out.
func project(dst []byte, sel *Selection, object string, values []string) []byte {
	dst = append(dst, '{')
	first := true
	for i := range sel.Fields {
		f := &sel.Fields[i]
		switch {
		case f.Index < 0:
			dst = appendKey(dst, f.Key, &first)
			dst = append(dst, '"')
			dst = append(dst, sel.Object.Name...)
			dst = append(dst, '"')
		case f.Sub == nil:
			dst = appendKey(dst, f.Key, &first)
			if value := values[f.Index]; value != "" {
				dst = append(dst, value...)
			} else {
				dst = append(dst, "null"...)
			}
		default:
			value := values[f.Index]
			if f.Key != sel.Object.Fields[f.Index].Name {
				value, _ = Member(object, f.Key)
			}
			if value == "" || !nested(value) {
				continue
			}
			dst = appendKey(dst, f.Key, &first)
			dst = projectNested(dst, f.Sub, value)
		}
	}
	return append(dst, '}')
}

// nested tells whether a value can stand for a nested object: not a scalar.
func nested(value string) bool { return value[0] == '{' || value[0] == '[' || value == "null" }

// Project appends the selected part of value, an object, a list or null, without validating it. What is neither becomes
// null.
func Project(dst []byte, sel *Selection, value string) []byte { return projectNested(dst, sel, value) }

// projectNested projects an object, or each object of a list; scalars in a list are dropped, nulls kept.
func projectNested(dst []byte, sel *Selection, value string) []byte {
	switch value[0] {
	case '{':
		var space [16]string
		return project(dst, sel, value, fieldValues(space[:], sel.Object, value))
	case '[':
		dst = append(dst, '[')
		elements := NewElements(value)
		first := true
		for {
			element, ok := elements.Next()
			if !ok {
				return append(dst, ']')
			}
			if !nested(element) {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = projectNested(dst, sel, element)
		}
	}
	return append(dst, "null"...)
}

// HandlerError reads the error object that a handler sent with a status of 4xx. body is valid JSON without white space
// around it. described tells that the handler did describe an error; otherwise the Error is about the answer itself.
func HandlerError(status int, body string) (e *Error, described bool) {
	const reader = "parsing Hasura.GraphQL.Execute.Action.Types.ActionWebhookErrorResponse" +
		"(ActionWebhookErrorResponse) failed, "
	if body[0] != '{' {
		kind := wrongJSON("", "", body).Message
		return &Error{
			Status: status, Code: CodeParseFailed,
			Message: reader + "expected Object" + kind[strings.LastIndex(kind, ", "):],
		}, false
	}
	var message, code, extensions string
	members := NewMembers(body)
	for {
		key, value, ok := members.Next()
		if !ok {
			break
		}
		switch key {
		case "message":
			message = value
		case "code":
			code = value
		case "extensions":
			extensions = value
		}
	}
	if message == "" || message[0] != '"' {
		return &Error{Status: status, Code: CodeParseFailed, Message: reader + `key "message" not found`}, false
	}
	e = &Error{Status: status, Code: CodeUnexpected, Message: strings.Clone(Unquote(message))}
	if code != "" && code[0] == '"' {
		e.Code = strings.Clone(Unquote(code))
	}
	if extensions != "" && extensions != "null" {
		e.Extensions = []byte(extensions)
	}
	return e, true
}
