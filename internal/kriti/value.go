package kriti

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind is a JSON type.
type Kind uint8

// The kinds. Their order is the order in which values of different kinds compare, as in Haskell's aeson.
const (
	Object Kind = iota
	Array
	String
	Number
	Bool
	Null
)

// String names the kind as error messages do.
func (k Kind) String() string {
	return [...]string{"Object", "Array", "String", "Number", "Boolean", "Null"}[k]
}

// Value is a JSON value. It is immutable; values may share parts. The zero value is not valid: use [NullValue].
//
// Objects are kept sorted by key and numbers in one canonical spelling, because that is how Hasura prints them. A
// session stays the map that it came in until it is printed or compared, so that the usual header template costs one
// look-up.
type Value struct {
	kind  Kind
	truth bool
	// size is at least the bytes of the JSON text without escapes, for maxValueBytes.
	size uint32
	// text is a string's content or a number's canonical text.
	text   string
	items  []Value
	object *object
}

// object holds either fields sorted by name, or vars.
type object struct {
	fields []Field
	vars   map[string]string
}

// Field is an entry of an object.
type Field struct {
	Name  string
	Value Value
}

// NullValue returns JSON's null.
func NullValue() Value { return Value{kind: Null, size: 4} }

// BoolValue returns true or false.
func BoolValue(b bool) Value { return Value{kind: Bool, truth: b, size: 5} }

// IntValue returns a number.
func IntValue(n int) Value { return numberText(strconv.Itoa(n)) }

// StringValue returns a string. Text that is not UTF-8 is printed with replacement characters.
func StringValue(s string) Value { return Value{kind: String, text: s, size: textSize(s)} }

// ArrayValue returns an array of items, which it takes over.
func ArrayValue(items []Value) Value {
	size := uint64(2)
	for i := range items {
		size += uint64(items[i].size) + entrySize
	}
	return Value{kind: Array, items: items, size: saturate(size)}
}

// ObjectValue returns an object of fields, which it takes over and sorts. Of fields with one name the last counts.
func ObjectValue(fields []Field) Value {
	if !slices.IsSortedFunc(fields, compareNames) {
		slices.SortStableFunc(fields, compareNames)
	}
	kept := fields[:0]
	for i := range fields {
		if i+1 < len(fields) && fields[i+1].Name == fields[i].Name {
			continue
		}
		kept = append(kept, fields[i])
	}
	return sortedObject(kept)
}

// sortedObject returns an object of fields that are sorted and have different names.
func sortedObject(fields []Field) Value {
	size := uint64(2)
	for i := range fields {
		size += uint64(textSize(fields[i].Name)) + uint64(fields[i].Value.size) + entrySize
	}
	return Value{kind: Object, object: &object{fields: fields}, size: saturate(size)}
}

// SessionValue returns an object of strings that reads the map as it is; the map must not change afterwards. Nil gives
// null.
func SessionValue(vars map[string]string) Value {
	if vars == nil {
		return NullValue()
	}
	size := uint64(2)
	for name, value := range vars {
		size += uint64(textSize(name)) + uint64(textSize(value)) + entrySize
	}
	return Value{kind: Object, object: &object{vars: vars}, size: saturate(size)}
}

// numberText returns a number whose text is canonical.
func numberText(text string) Value { return Value{kind: Number, text: text, size: textSize(text)} }

// entrySize is what an entry of an array or object counts besides its value: more than its comma, because a value takes
// more memory than its text.
const entrySize = 8

func textSize(s string) uint32 { return saturate(uint64(len(s)) + 2) }

// saturate keeps sums of sizes from wrapping round.
func saturate(n uint64) uint32 { return uint32(min(n, maxValueBytes+1)) }

func compareNames(a, b Field) int {
	switch {
	case a.Name < b.Name:
		return -1
	case a.Name > b.Name:
		return 1
	}
	return 0
}

// Kind returns the value's type.
func (v Value) Kind() Kind { return v.kind }

// IsNull tells whether the value is null.
func (v Value) IsNull() bool { return v.kind == Null }

// Text returns the content of a string, the text of a number, or "true" and "false"; ok is false for other kinds.
func (v Value) Text() (text string, ok bool) {
	switch v.kind {
	case String, Number:
		return v.text, true
	case Bool:
		return strconv.FormatBool(v.truth), true
	}
	return "", false
}

// Items returns the elements of an array, not to be changed, and nil for other kinds.
func (v Value) Items() []Value { return v.items }

// Get returns the field of an object.
func (v Value) Get(name string) (Value, bool) {
	if v.kind != Object {
		return Value{}, false
	}
	if v.object.vars != nil {
		text, ok := v.object.vars[name]
		return StringValue(text), ok
	}
	fields := v.object.fields
	if i, ok := slices.BinarySearchFunc(fields, Field{Name: name}, compareNames); ok {
		return fields[i].Value, true
	}
	return Value{}, false
}

// Fields returns the fields of an object in the order of their names, not to be changed, and nil for other kinds.
func (v Value) Fields() []Field {
	if v.kind != Object {
		return nil
	}
	if v.object.vars == nil {
		return v.object.fields
	}
	fields := make([]Field, 0, len(v.object.vars))
	for name, text := range v.object.vars {
		fields = append(fields, Field{name, StringValue(text)})
	}
	slices.SortFunc(fields, compareNames)
	return fields
}

// MarshalJSON returns the value's JSON text, compact, keys sorted.
func (v Value) MarshalJSON() ([]byte, error) {
	return v.AppendJSON(make([]byte, 0, v.size)), nil
}

// AppendJSON appends the value's JSON text to dst.
func (v Value) AppendJSON(dst []byte) []byte {
	switch v.kind {
	case Null:
		return append(dst, "null"...)
	case Bool:
		return strconv.AppendBool(dst, v.truth)
	case Number:
		return append(dst, v.text...)
	case String:
		return appendString(dst, v.text)
	case Array:
		dst = append(dst, '[')
		for i := range v.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = v.items[i].AppendJSON(dst)
		}
		return append(dst, ']')
	}
	if v.object.vars != nil {
		return appendVars(dst, v.object.vars)
	}
	dst = append(dst, '{')
	for i := range v.object.fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, v.object.fields[i].Name)
		dst = append(dst, ':')
		dst = v.object.fields[i].Value.AppendJSON(dst)
	}
	return append(dst, '}')
}

// appendVars appends an object of strings. Sessions are small: their entries are sorted without leaving the stack, each
// by insertion as it comes.
func appendVars(dst []byte, vars map[string]string) []byte {
	type entry struct{ name, text string }
	var space [16]entry
	entries := space[:0]
	if len(vars) > len(space) {
		for name, text := range vars {
			entries = append(entries, entry{name, text})
		}
		slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	} else {
		for name, text := range vars {
			i := len(entries)
			entries = entries[:i+1]
			for ; i > 0 && name < entries[i-1].name; i-- {
				entries[i] = entries[i-1]
			}
			entries[i] = entry{name, text}
		}
	}
	dst = append(dst, '{')
	for i := range entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, entries[i].name)
		dst = append(dst, ':')
		dst = appendString(dst, entries[i].text)
	}
	return append(dst, '}')
}

// appendString appends a JSON string, escaping what aeson escapes: quotes, backslashes and control characters.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, "\uFFFD"...)
				start = i + 1
			}
			i += n
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
