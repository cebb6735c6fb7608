package metadata

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ShapeError is a document whose JSON has the wrong shape, in Hasura's words (code parse-failed).
type ShapeError struct {
	// Path points into the document, such as $.actions[0].definition.
	Path    string
	Message string
}

// Error returns the message with its path.
func (e *ShapeError) Error() string { return e.Path + ": " + e.Message }

// value is a JSON value at a path: that of a root, or a key or an element of another value. Paths are put together when
// there is something to say about them.
type value struct {
	path    string // of a root
	up      *value // nil: a root
	key     string
	element int // from 1; 0: a key
	raw     json.RawMessage
}

func (v value) errorf(format string, args ...any) *ShapeError {
	return &ShapeError{Path: v.place(), Message: fmt.Sprintf(format, args...)}
}

// place is the whole path.
func (v value) place() string {
	switch {
	case v.up == nil:
		return v.path
	case v.element > 0:
		return v.up.place() + "[" + strconv.Itoa(v.element-1) + "]"
	default:
		return v.up.place() + pathKey(v.key)
	}
}

func (v value) null() bool { return len(v.raw) == 0 || string(bytes.TrimSpace(v.raw)) == "null" }

// kind is [KindOf] it.
func (v value) kind() string { return KindOf(v.raw) }

// KindOf is the type of a JSON value as Hasura's parser names it; "Null" for no value.
func KindOf(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return "Null"
	}
	switch raw[0] {
	case '{':
		return "Object"
	case '[':
		return "Array"
	case '"':
		return "String"
	case 't', 'f':
		return "Boolean"
	case 'n':
		return "Null"
	default:
		return "Number"
	}
}

func (v value) mismatch(goal, want string) *ShapeError {
	return v.errorf("parsing %s failed, expected %s, but encountered %s", goal, want, v.kind())
}

// object is a JSON object with its path.
type object struct {
	*value
	fields map[string]json.RawMessage
}

func (v value) object(goal string) (object, *ShapeError) {
	o := object{value: &v}
	fields, ok := splitObject(v.raw)
	if !ok {
		return o, v.mismatch(goal, "Object")
	}
	o.fields = fields
	return o, nil
}

// get returns a field, null where it is missing.
func (o object) get(key string) value {
	return value{up: o.value, key: key, raw: o.fields[key]}
}

// pathKey writes a key into a path: .key, or ['key'] where it is not a plain word.
func pathKey(key string) string {
	if isName(key) {
		return "." + key
	}
	return "['" + key + "']"
}

// need returns a field that must be there.
func (o object) need(key string) (value, *ShapeError) {
	if _, ok := o.fields[key]; !ok {
		return value{}, o.errorf("key %q not found", key)
	}
	return o.get(key), nil
}

// list calls f for each element; a null is an empty list.
func (v value) list(f func(value) *ShapeError) *ShapeError {
	if v.null() {
		return nil
	}
	items, ok := splitArray(v.raw)
	if !ok {
		return v.mismatch("[]", "Array")
	}
	for i, item := range items {
		if err := f(value{up: &v, element: i + 1, raw: item}); err != nil {
			return err
		}
	}
	return nil
}

func (v value) text() (string, *ShapeError) {
	var s string
	if v.kind() != "String" || json.Unmarshal(v.raw, &s) != nil {
		return "", v.mismatch("Text", "String")
	}
	return s, nil
}

// optText is a string or null.
func (v value) optText() (string, *ShapeError) {
	if v.null() {
		return "", nil
	}
	return v.text()
}

func (v value) boolean() (bool, *ShapeError) {
	var b bool
	if v.null() {
		return false, nil
	}
	if v.kind() != "Boolean" || json.Unmarshal(v.raw, &b) != nil {
		return false, v.mismatch("Bool", "Boolean")
	}
	return b, nil
}

// integer is a whole number; 1.0 and 1e1 are whole too, as Hasura reads them.
func (v value) integer() (int, *ShapeError) {
	if v.kind() != "Number" {
		return 0, v.mismatch("Int", "Number")
	}
	f, err := strconv.ParseFloat(string(bytes.TrimSpace(v.raw)), 64)
	if err != nil || f > 1<<53 || f < -1<<53 || f != math.Trunc(f) {
		return 0, v.errorf("parsing Int failed, unexpected floating number %s", bytes.TrimSpace(v.raw))
	}
	return int(f), nil
}

func (v value) name() (string, *ShapeError) {
	s, err := v.text()
	if err == nil && !isName(s) {
		err = v.errorf("%s is not valid GraphQL name", s)
	}
	return s, err
}

// typeString returns the type in its canonical spelling.
func (v value) typeString() (string, *ShapeError) {
	s, err := v.text()
	if err != nil {
		return "", err
	}
	t, perr := ParseType(s)
	if perr != nil {
		return "", v.errorf("%s", perr.Error())
	}
	return t.String(), nil
}

// field reads a required field with one of the readers above.
func field[T any](o object, key string, read func(value) (T, *ShapeError)) (T, *ShapeError) {
	v, err := o.need(key)
	if err != nil {
		var zero T
		return zero, err
	}
	return read(v)
}

// listOf reads a list with one of the readers.
func listOf[T any](v value, read func(value) (T, *ShapeError)) ([]T, *ShapeError) {
	var out []T
	err := v.list(func(item value) *ShapeError {
		x, err := read(item)
		out = append(out, x)
		return err
	})
	return out, err
}

// steps runs readers until one fails.
func steps(fs ...func() *ShapeError) *ShapeError {
	for _, f := range fs {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// set reads into a variable: one step of [steps].
func set[T any](dst *T, read func() (T, *ShapeError)) func() *ShapeError {
	return func() (err *ShapeError) {
		*dst, err = read()
		return err
	}
}

// need1 and opt1 adapt a field to [set].
func need1[T any](o object, key string, read func(value) (T, *ShapeError)) func() (T, *ShapeError) {
	return func() (T, *ShapeError) { return field(o, key, read) }
}

func opt1[T any](o object, key string, read func(value) (T, *ShapeError)) func() (T, *ShapeError) {
	return func() (T, *ShapeError) { return read(o.get(key)) }
}

// duplicates returns what stands in a list more than once, in order.
func duplicates(names []string) []string {
	var out []string
	seen := make(map[string]int, len(names))
	for _, n := range names {
		if seen[n]++; seen[n] == 2 {
			out = append(out, n)
		}
	}
	return out
}

// rejectDuplicates is Hasura's refusal of a list that is keyed by name.
func (v value) rejectDuplicates(things string, names []string) *ShapeError {
	if d := duplicates(names); len(d) > 0 {
		return v.errorf("multiple declarations exist for the following %s: %s", things, strings.Join(d, ", "))
	}
	return nil
}
