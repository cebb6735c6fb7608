package ui

import (
	"bytes"
	"encoding/json"
	"strings"
)

// PrettyJSON indents a JSON document and, with colour, tells keys, strings, numbers and words apart. Text that is not
// JSON is returned as it is.
func PrettyJSON(t Theme, doc []byte) string {
	var buf bytes.Buffer
	if err := json.Indent(&buf, bytes.TrimSpace(doc), "", "  "); err != nil {
		return string(doc)
	}
	if !t.on {
		return buf.String()
	}
	var out strings.Builder
	src := buf.String()
	for i := 0; i < len(src); {
		switch c := src[i]; {
		case c == '"':
			end := stringEnd(src, i)
			word := src[i:end]
			if strings.HasPrefix(strings.TrimLeft(src[end:], " "), ":") {
				out.WriteString(t.Link(word))
			} else {
				out.WriteString(t.Good(word))
			}
			i = end
		case strings.IndexByte("-0123456789tfn", c) >= 0:
			end := i
			for end < len(src) && strings.IndexByte(",]} \n", src[end]) < 0 {
				end++
			}
			out.WriteString(t.Warn(src[i:end]))
			i = end
		default:
			out.WriteByte(c)
			i++
		}
	}
	return out.String()
}

// stringEnd returns the index just past the JSON string that opens at start.
func stringEnd(src string, start int) int {
	for i := start + 1; i < len(src); i++ {
		switch src[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(src)
}
