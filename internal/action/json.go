package action

import (
	"bytes"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/tidwall/gjson"
)

// maxJSONDepth bounds the nesting of foreign JSON: reading it is recursive, and a stack that overflows ends the
// process. No real payload comes near it.
const maxJSONDepth = 512

// ValidJSON tells whether b is one JSON value in UTF-8, nested at most 512 levels deep.
func ValidJSON(b []byte) bool {
	// Counting is far cheaper than tracking, and nearly every document has fewer brackets than the limit.
	if bytes.Count(b, []byte{'['})+bytes.Count(b, []byte{'{'}) > maxJSONDepth && deeperThan(b, maxJSONDepth) {
		return false
	}
	return gjson.ValidBytes(b) && utf8.Valid(b)
}

// deeperThan tells whether brackets outside strings nest more than limit levels.
func deeperThan(b []byte, limit int) bool {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '[', '{':
			if depth++; depth > limit {
				return true
			}
		case ']', '}':
			depth--
		}
	}
	return false
}

// Text views b as a string without a copy. The string is valid as long as b is not changed.
func Text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) } //nolint:gosec // the comment is the audit

// Trim cuts JSON white space off both ends.
func Trim(s string) string {
	for len(s) > 0 && isSpace(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// Members walks the members of an object, valid JSON without white space around it.
type Members struct {
	text string
	at   int
}

// NewMembers starts a walk over object.
func NewMembers(object string) Members { return Members{text: object, at: 1} }

// Next gives the next member: its unescaped key and the text of its value.
func (m *Members) Next() (key, value string, ok bool) {
	m.at = skipSeparators(m.text, m.at)
	if m.at >= len(m.text) || m.text[m.at] != '"' {
		return "", "", false
	}
	end := skipString(m.text, m.at)
	key = Unquote(m.text[m.at:end])
	m.at = skipSeparators(m.text, end)
	end = skipValue(m.text, m.at)
	value = m.text[m.at:end]
	m.at = end
	return key, value, true
}

// Elements walks the elements of an array, valid JSON without white space around it.
type Elements struct {
	text string
	at   int
}

// NewElements starts a walk over array.
func NewElements(array string) Elements { return Elements{text: array, at: 1} }

// Next gives the text of the next element.
func (e *Elements) Next() (value string, ok bool) {
	e.at = skipSeparators(e.text, e.at)
	if e.at >= len(e.text)-1 {
		return "", false
	}
	end := skipValue(e.text, e.at)
	value = e.text[e.at:end]
	e.at = end
	return value, true
}

// skipSeparators passes white space, commas and colons; valid JSON has each only where it belongs.
func skipSeparators(s string, i int) int {
	for i < len(s) && (isSpace(s[i]) || s[i] == ',' || s[i] == ':') {
		i++
	}
	return i
}

// skipString returns the index after the string that begins at i.
func skipString(s string, i int) int {
	for i++; i < len(s); i++ {
		next := strings.IndexByte(s[i:], '"')
		if next < 0 {
			return len(s)
		}
		i += next
		slashes := 0
		for s[i-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i + 1
		}
	}
	return len(s)
}

// skipValue returns the index after the value that begins at i.
func skipValue(s string, i int) int {
	if i >= len(s) {
		return len(s)
	}
	switch s[i] {
	case '"':
		return skipString(s, i)
	case '{', '[':
		depth := 0
		for i < len(s) {
			switch s[i] {
			case '"':
				i = skipString(s, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
		return len(s)
	}
	for i < len(s) && s[i] != ',' && s[i] != '}' && s[i] != ']' && !isSpace(s[i]) {
		i++
	}
	return i
}

// Member returns the text of object's member key; of a repeated key the last one counts, as in Hasura's JSON reader.
func Member(object, key string) (value string, ok bool) {
	members := NewMembers(object)
	for {
		k, v, more := members.Next()
		if !more {
			return value, ok
		}
		if k == key {
			value, ok = v, true
		}
	}
}

// Unquote returns what a JSON string, quotes included, stands for. Without escapes it is a slice of the argument.
func Unquote(quoted string) string {
	inner := quoted[1 : len(quoted)-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner
	}
	return gjson.Parse(quoted).Str
}

// AppendString appends text as a JSON string; bytes that are not UTF-8 become U+FFFD.
func AppendString(dst []byte, text string) []byte {
	const hex = "0123456789abcdef"
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	dst = append(dst, '"')
	start := 0
	for i := range len(text) {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, text[start:i]...)
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
		start = i + 1
	}
	dst = append(dst, text[start:]...)
	return append(dst, '"')
}
