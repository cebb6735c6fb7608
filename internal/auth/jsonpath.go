package auth

import (
	"errors"
	"strconv"
	"strings"
)

// jsonPath leads to a value inside of JSON: steps are keys (string) and indexes (int).
type jsonPath []any

// parseJSONPath reads $.key, $['key'], $["key"] and $[0], in any sequence.
func parseJSONPath(text string) (jsonPath, error) {
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return nil, errors.New("expected $ at the start of " + strconv.Quote(text))
	}
	var path jsonPath
	for rest != "" {
		var (
			step any
			err  error
		)
		switch rest[0] {
		case '.':
			step, rest, err = cutName(rest[1:])
		case '[':
			step, rest, err = cutBracket(rest[1:])
		default:
			err = errors.New("expected . or [ before " + strconv.Quote(rest))
		}
		if err != nil {
			return nil, err
		}
		path = append(path, step)
	}
	return path, nil
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

func cutName(s string) (any, string, error) {
	n := 0
	for n < len(s) && isNameByte(s[n]) {
		n++
	}
	if n == 0 {
		return nil, "", errors.New("expected a name before " + strconv.Quote(s))
	}
	return s[:n], s[n:], nil
}

// cutBracket reads what follows a bracket: an index or a quoted key, and the closing bracket.
func cutBracket(s string) (any, string, error) {
	if s != "" && (s[0] == '\'' || s[0] == '"') {
		key, rest, ok := strings.Cut(s[1:], s[:1]+"]")
		if !ok {
			return nil, "", errors.New("unterminated key " + strconv.Quote(s))
		}
		return key, rest, nil
	}
	digits, rest, ok := strings.Cut(s, "]")
	index, err := strconv.Atoi(digits)
	if !ok || err != nil || index < 0 {
		return nil, "", errors.New("expected an index or a quoted key before " + strconv.Quote(s))
	}
	return index, rest, nil
}

// find follows the path.
func (p jsonPath) find(v any) (any, bool) {
	for _, step := range p {
		var ok bool
		switch step := step.(type) {
		case string:
			object, _ := v.(map[string]any)
			v, ok = object[step]
		case int:
			array, _ := v.([]any)
			if ok = step < len(array); ok {
				v = array[step]
			}
		}
		if !ok {
			return nil, false
		}
	}
	return v, true
}

// String prints the path as Hasura does.
func (p jsonPath) String() string {
	var b strings.Builder
	b.WriteByte('$')
	for _, step := range p {
		switch step := step.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(step) + "]")
		case string:
			plain := step != "" && (step[0] < '0' || step[0] > '9') && step[0] != '-'
			for i := range len(step) {
				plain = plain && isNameByte(step[i])
			}
			if plain {
				b.WriteString("." + step)
			} else {
				b.WriteString(`["` + step + `"]`)
			}
		}
	}
	return b.String()
}
