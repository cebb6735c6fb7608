package metadata

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// splitObject returns the values of a JSON object by key, of several with one key the last. The text is to be valid JSON:
// a document is checked as a whole, and not once more for each level. Values are parts of it.
func splitObject(text []byte) (fields map[string]json.RawMessage, ok bool) {
	s := splitter{text: text}
	if !s.open('{') {
		return nil, false
	}
	fields = make(map[string]json.RawMessage, 8)
	for !s.close('}') {
		key, ok := s.value()
		if !ok || key[0] != '"' || !s.skip(':') {
			return nil, false
		}
		value, ok := s.value()
		if !ok || !s.separated('}') {
			return nil, false
		}
		name, ok := unquoteKey(key)
		if !ok {
			return nil, false
		}
		fields[name] = value
	}
	return fields, s.ended()
}

// splitArray returns the elements of a JSON array, as [splitObject] does values.
func splitArray(text []byte) (elements []json.RawMessage, ok bool) {
	s := splitter{text: text}
	if !s.open('[') {
		return nil, false
	}
	for !s.close(']') {
		value, ok := s.value()
		if !ok || !s.separated(']') {
			return nil, false
		}
		elements = append(elements, value)
	}
	return elements, s.ended()
}

func unquoteKey(key []byte) (string, bool) {
	inner := key[1 : len(key)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner), true
	}
	var name string
	return name, json.Unmarshal(key, &name) == nil
}

// splitter walks one level of JSON.
type splitter struct {
	text []byte
	at   int
}

func (s *splitter) blanks() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// skip goes behind a character, blanks before it included.
func (s *splitter) skip(c byte) bool {
	s.blanks()
	if s.at == len(s.text) || s.text[s.at] != c {
		return false
	}
	s.at++
	return true
}

func (s *splitter) open(c byte) bool  { return s.skip(c) }
func (s *splitter) close(c byte) bool { return s.skip(c) }

// separated tells whether a comma follows, which it skips, or the end.
func (s *splitter) separated(end byte) bool {
	if s.skip(',') {
		return true
	}
	return s.at < len(s.text) && s.text[s.at] == end
}

func (s *splitter) ended() bool {
	s.blanks()
	return s.at == len(s.text)
}

// value returns the next value whole.
func (s *splitter) value() (value []byte, ok bool) {
	s.blanks()
	from := s.at
	for depth := 0; s.at < len(s.text); {
		switch s.text[s.at] {
		case '"':
			if !s.quoted() {
				return nil, false
			}
			if depth == 0 {
				return s.text[from:s.at], true
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				s.at++
				return s.text[from:s.at], true
			}
			if depth < 0 {
				return s.text[from:s.at], s.at > from
			}
		case ',', ':', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return s.text[from:s.at], s.at > from
			}
		}
		s.at++
	}
	return nil, false
}

// quoted goes behind a string.
func (s *splitter) quoted() bool {
	for s.at++; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '\\':
			s.at++
		case '"':
			s.at++
			return true
		}
	}
	return false
}
