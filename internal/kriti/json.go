package kriti

import (
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

var (
	errSyntax = errors.New("not a JSON text")
	errDepth  = errors.New("JSON is nested too deeply")
	errSize   = errors.New("JSON is too large")
)

// ParseJSON reads one JSON text. Objects come out sorted by key (of equal keys the last counts), numbers in canonical
// spelling, text that is not UTF-8 with replacement characters. It refuses more than 1000 levels, 64 MiB and four
// million values.
func ParseJSON(data []byte) (Value, error) {
	if len(data) > maxValueBytes {
		return Value{}, errSize
	}
	// One copy for the whole text: the strings of the value are parts of it.
	r := jsonReader{s: string(data)}
	v, err := r.value(0)
	if err != nil {
		return Value{}, err
	}
	if r.space(); r.i < len(r.s) {
		return Value{}, errSyntax
	}
	return v, nil
}

type jsonReader struct {
	s string
	i int
	// values and digits count what is made, which may be far larger than the text: 1e1000 is six bytes.
	values, digitBytes int
}

func (r *jsonReader) space() {
	for r.i < len(r.s) && (r.s[r.i] == ' ' || r.s[r.i] == '\n' || r.s[r.i] == '\t' || r.s[r.i] == '\r') {
		r.i++
	}
}

// accept skips white space and c, when c is next.
func (r *jsonReader) accept(c byte) bool {
	r.space()
	if r.i < len(r.s) && r.s[r.i] == c {
		r.i++
		return true
	}
	return false
}

func (r *jsonReader) word(word string, v Value) (Value, error) {
	if !strings.HasPrefix(r.s[r.i:], word) {
		return Value{}, errSyntax
	}
	r.i += len(word)
	return v, nil
}

func (r *jsonReader) value(depth int) (Value, error) {
	if depth > maxJSONDepth {
		return Value{}, errDepth
	}
	r.space()
	if r.i == len(r.s) {
		return Value{}, errSyntax
	}
	if r.values++; r.values > maxJSONValues {
		return Value{}, errSize
	}
	switch c := r.s[r.i]; c {
	case '{':
		return r.object(depth)
	case '[':
		return r.array(depth)
	case '"':
		s, err := r.text()
		return StringValue(s), err
	case 't':
		return r.word("true", BoolValue(true))
	case 'f':
		return r.word("false", BoolValue(false))
	case 'n':
		return r.word("null", NullValue())
	}
	return r.number()
}

func (r *jsonReader) array(depth int) (Value, error) {
	r.i++
	if r.accept(']') {
		return ArrayValue(nil), nil
	}
	var items []Value
	for {
		v, err := r.value(depth + 1)
		if err != nil {
			return Value{}, err
		}
		items = append(items, v)
		if r.accept(']') {
			return ArrayValue(items), nil
		}
		if !r.accept(',') {
			return Value{}, errSyntax
		}
	}
}

func (r *jsonReader) object(depth int) (Value, error) {
	r.i++
	if r.accept('}') {
		return sortedObject(nil), nil
	}
	var fields []Field
	for {
		r.space()
		if r.i == len(r.s) || r.s[r.i] != '"' {
			return Value{}, errSyntax
		}
		name, err := r.text()
		if err != nil {
			return Value{}, err
		}
		if !r.accept(':') {
			return Value{}, errSyntax
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return Value{}, err
		}
		fields = append(fields, Field{name, v})
		if r.accept('}') {
			return ObjectValue(fields), nil
		}
		if !r.accept(',') {
			return Value{}, errSyntax
		}
	}
}

func (r *jsonReader) digits() bool {
	start := r.i
	for r.i < len(r.s) && r.s[r.i] >= '0' && r.s[r.i] <= '9' {
		r.i++
	}
	return r.i > start
}

func (r *jsonReader) number() (Value, error) {
	start := r.i
	if r.s[r.i] == '-' {
		r.i++
	}
	if r.i < len(r.s) && r.s[r.i] == '0' {
		r.i++
	} else if !r.digits() {
		return Value{}, errSyntax
	}
	if r.i < len(r.s) && r.s[r.i] == '.' {
		r.i++
		if !r.digits() {
			return Value{}, errSyntax
		}
	}
	if r.i < len(r.s) && (r.s[r.i] == 'e' || r.s[r.i] == 'E') {
		r.i++
		if r.i < len(r.s) && (r.s[r.i] == '+' || r.s[r.i] == '-') {
			r.i++
		}
		if !r.digits() {
			return Value{}, errSyntax
		}
	}
	text := canonicalNumber(r.s[start:r.i])
	if r.digitBytes += len(text); r.digitBytes > maxValueBytes {
		return Value{}, errSize
	}
	return numberText(text), nil
}

// text reads a string; without escapes it is a part of the input.
func (r *jsonReader) text() (string, error) {
	r.i++
	start := r.i
	for r.i < len(r.s) {
		switch c := r.s[r.i]; {
		case c == '"':
			s := r.s[start:r.i]
			r.i++
			return strings.ToValidUTF8(s, "\uFFFD"), nil
		case c == '\\':
			return r.escaped(start)
		case c < ' ':
			return "", errSyntax
		}
		r.i++
	}
	return "", errSyntax
}

// escaped reads on in a string that started at start and has a backslash at the current place.
func (r *jsonReader) escaped(start int) (string, error) {
	b := append(make([]byte, 0, r.i-start+16), r.s[start:r.i]...)
	for r.i < len(r.s) {
		c := r.s[r.i]
		r.i++
		switch {
		case c == '"':
			return strings.ToValidUTF8(string(b), "\uFFFD"), nil
		case c < ' ':
			return "", errSyntax
		case c != '\\':
			b = append(b, c)
			continue
		}
		if r.i == len(r.s) {
			return "", errSyntax
		}
		c = r.s[r.i]
		r.i++
		if c == 'u' {
			var ok bool
			var n int
			if b, n, ok = appendEscapedRune(b, r.s[r.i:]); !ok {
				return "", errSyntax
			}
			r.i += n
			continue
		}
		at := strings.IndexByte(`"\/bfnrt`, c)
		if at < 0 {
			return "", errSyntax
		}
		b = append(b, "\"\\/\b\f\n\r\t"[at])
	}
	return "", errSyntax
}

// appendEscapedRune decodes what follows \u: four hexadecimal digits, and the second half of a surrogate pair. It
// returns the bytes read. A half without the other becomes a replacement character.
func appendEscapedRune(dst []byte, s string) ([]byte, int, bool) {
	first, ok := hex4(s)
	if !ok {
		return dst, 0, false
	}
	if utf16.IsSurrogate(first) && len(s) >= 10 && s[4] == '\\' && s[5] == 'u' {
		if second, ok := hex4(s[6:]); ok {
			if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
				return utf8.AppendRune(dst, r), 10, true
			}
		}
	}
	return utf8.AppendRune(dst, first), 4, true
}

func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for i := range 4 {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
